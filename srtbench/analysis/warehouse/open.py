"""Opens sweep folders as documented DuckDB views.

What is read is told by the plan: every planned run has its row, and a folder that no plan names
is not looked at. The list of files is fixed when the sweep is opened; open it again to see more.
"""

import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import duckdb
import pyarrow as pa

from srtbench.analysis.warehouse.planned import RUN_SCHEMA, SET_SCHEMA, planned_runs
from srtbench.analysis.warehouse.views import create_views, literal, materialize
from srtbench.rollouts import METRIC_SCHEMA, PROMPT_SCHEMA, ROLLOUT_SCHEMA
from srtbench.store import STAGES_FOLDER, State, read_plan

Check = Literal["footer", "data"]
_TEXT = {"completion", "prompt", "gold_answer", "answer"}


class CorruptFileWarning(UserWarning):
    """A file of a sweep could not be read and is left out."""


@dataclass(frozen=True)
class _Source:
    """A Parquet file, with what the plan says it holds."""

    path: str
    sweep: str
    owner: str
    label: str
    tag: str = ""
    """Value of a further column: the stage, or the evaluation set."""


def open_sweep(
    *paths: str | Path,
    check: Check = "footer",
    snapshot: bool = False,
    threads: int | None = None,
    memory_limit: str | None = None,
    filesystem: Any = None,
) -> duckdb.DuckDBPyConnection:
    """Open one or many sweeps as views over their files; see docs/columns.md.

    Args:
        paths: sweep folders as written by ``srtbench sweep``, local or in an object store, e.g.
            ``s3://bucket/runs/smoke``, whose files DuckDB or ``filesystem`` can list.
        check: how files are tested before they are used: their footers only, or every column
            except the long texts. A file that fails is skipped, with a warning and a row in
            ``problems``.
        snapshot: compute the views that others build on once, and keep them as tables in memory:
            for many queries over many rollouts.
        threads: threads of DuckDB; None: one per core.
        memory_limit: e.g. "4GB"; None: DuckDB's own.
        filesystem: an ``fsspec`` file system that reads the URLs, e.g. ``s3fs.S3FileSystem()``;
            None: DuckDB's extension httpfs, which it installs from its own server when needed.

    Raises:
        FileNotFoundError: a path holds no sweep. ValueError: no path is given, one is at a plain
            web server, or a plan.json is damaged; the message names it.
    """
    if not paths:
        raise ValueError("open_sweep needs the path of at least one sweep folder")
    for address in map(str, paths):
        if address.startswith(("http://", "https://")):
            raise ValueError(
                f"{address}: a web server does not list its files; copy the sweep here, or open it "
                "in an object store, e.g. s3://bucket/runs/smoke"
            )
    settings: dict[str, Any] = {}
    if threads is not None:
        settings["threads"] = threads
    if memory_limit is not None:
        settings["memory_limit"] = memory_limit
    connection = duckdb.connect(config=settings)
    if filesystem is not None:
        connection.register_filesystem(filesystem)
    # Setting it at all fails in Jupyter without ipywidgets, where it is off anyway.
    if connection.execute("SELECT current_setting('enable_progress_bar')").fetchone() == (True,):
        connection.execute("SET enable_progress_bar = false")
    connection.execute("CREATE TABLE problems(sweep TEXT, run_id TEXT, file TEXT, problem TEXT)")
    loader = _Loader(connection, check)
    for path in paths:
        loader.add_sweep(str(path).rstrip("/"))
    loader.stage()
    create_views(connection)
    if snapshot:
        materialize(connection)
    return connection


class _Loader:
    """Collects plan, states and files of sweeps, and stages them as tables and views."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, check: Check):
        self.connection = connection
        self.check = check
        self.runs: list[dict[str, Any]] = []
        self.rollouts: list[_Source] = []
        self.base: list[_Source] = []
        self.prompts: list[_Source] = []
        self.metrics: list[_Source] = []
        self.sets: list[dict[str, Any]] = []
        self.set_rollouts: list[_Source] = []
        self.set_prompts: list[_Source] = []

    def add_sweep(self, path: str) -> None:
        """Note the runs and files of one sweep."""
        place = _escape(path)
        plan_text = self._texts(f"{place}/plan.json")
        if not plan_text:
            raise FileNotFoundError(
                f"{path}: no plan.json there, so no sweep; give the folder that "
                "`srtbench sweep` wrote, e.g. runs/smoke"
            )
        if (Path(path) / "plan.json").is_file():
            plan = read_plan(Path(path))
        else:
            plan = _remote_plan(f"{path}/plan.json", next(iter(plan_text.values())))
        taken = {run["sweep"] for run in self.runs}
        sweep = plan["sweep"]
        for number in range(2, len(taken) + 3):
            if sweep not in taken:
                break
            sweep = f"{plan['sweep']} ({number})"
        root = f"{place}/.." if "://" not in path else place.rsplit("/", 1)[0]
        statuses = self._statuses(f"{place}/*/status.json", sweep)
        configs = self._json(f"{place}/*/config.json", sweep)
        self.runs += planned_runs(plan, sweep, statuses, configs)
        planned = {run["run_id"] for run in plan["runs"]}
        for kind, pattern in (
            (self.rollouts, "rollouts/*.parquet"),
            (self.prompts, "prompts.parquet"),
            (self.metrics, "metrics.parquet"),
        ):
            for file in self._glob(f"{place}/*/{pattern}"):
                owner = file.rsplit("/", pattern.count("/") + 2)[1]
                if owner in planned:
                    kind.append(_Source(file, sweep, owner, f"{plan['sweep']}/{owner}"))
        self._add_eval_sets(plan, sweep, place)
        for stage in plan.get("stages", []):
            owner = stage["stage_id"]
            label = f"{STAGES_FOLDER}/{owner}"
            if stage["kind"] == "base_eval":
                for file in self._glob(f"{root}/{label}/rollouts/*.parquet"):
                    self.base.append(_Source(file, sweep, owner, label, owner))
            if stage["kind"] in ("train_prompts", "eval_prompts"):
                for file in self._glob(f"{root}/{label}/prompts.parquet"):
                    self.prompts.append(_Source(file, sweep, owner, label))

    def _add_eval_sets(self, plan: dict[str, Any], sweep: str, place: str) -> None:
        """Note the planned evaluation sets, and their files inside the runs' folders."""
        planned = {
            (run["run_id"], name): order
            for run in plan["runs"]
            for order, name in enumerate(run.get("eval_sets") or [])
        }
        self.sets += [
            {"sweep": sweep, "run_id": run_id, "eval_set": name, "set_order": order}
            for (run_id, name), order in planned.items()
        ]
        if not planned:
            return
        for kind, pattern in (
            (self.set_rollouts, "rollouts/*.parquet"),
            (self.set_prompts, "prompts.parquet"),
        ):
            for file in self._glob(f"{place}/*/eval_sets/*/{pattern}"):
                above = file.rsplit("/", pattern.count("/") + 4)
                owner, name = above[1], above[3]
                if (owner, name) in planned:
                    label = f"{plan['sweep']}/{owner}/eval_sets/{name}"
                    kind.append(_Source(file, sweep, owner, label, name))

    def stage(self) -> None:
        """Create the tables and views that the documented views build on."""
        connection = self.connection
        self._view("stg_rollouts", self.rollouts, ROLLOUT_SCHEMA)
        self._view("stg_base_rollouts", self.base, ROLLOUT_SCHEMA, "stage_id")
        self._view("stg_eval_set_rollouts", self.set_rollouts, ROLLOUT_SCHEMA, "eval_set")
        self._view("stg_eval_set_prompts", self.set_prompts, PROMPT_SCHEMA, "eval_set")
        self._view("stg_prompts", self.prompts, PROMPT_SCHEMA)
        self._view("stg_metrics", self.metrics, METRIC_SCHEMA)
        own = connection.execute(
            "SELECT DISTINCT sweep, run_id FROM stg_rollouts WHERE phase = 'eval' AND step = 0"
        ).fetchall()
        for run in self.runs:
            run["has_own_start"] = (run["sweep"], run["run_id"]) in own
        planned = pa.Table.from_pylist(self.runs, schema=RUN_SCHEMA)
        connection.register("planned_arrow", planned)
        connection.execute("CREATE TABLE planned_runs AS SELECT * FROM planned_arrow")
        connection.unregister("planned_arrow")
        connection.register("planned_arrow", pa.Table.from_pylist(self.sets, schema=SET_SCHEMA))
        connection.execute("CREATE TABLE planned_eval_sets AS SELECT * FROM planned_arrow")
        connection.unregister("planned_arrow")

    def _view(
        self, name: str, sources: list[_Source], schema: pa.Schema, tag: str | None = None
    ) -> None:
        """UNION ALL of the readable files, one branch per sweep, tag and set of columns.

        Args:
            tag: name of the column that the sources' tags go to.
        """
        columns = self._columns(sources, schema)
        branches: dict[tuple[str, str, frozenset[str]], list[str]] = {}
        for source in sources:
            if source.path in columns:
                key = (source.sweep, source.tag, columns[source.path])
                branches.setdefault(key, []).append(source.path)
        selects = []
        for (sweep, value, present), paths in branches.items():
            chosen = ", ".join(
                f'"{field.name}"::{_sql_type(field.type)} AS "{field.name}"'
                if field.name in present
                else f'NULL::{_sql_type(field.type)} AS "{field.name}"'
                for field in schema
            )
            extra = f", {literal(value)} AS {tag}" if tag else ""
            selects.append(
                f"SELECT {literal(sweep)} AS sweep{extra}, {chosen} "
                f"FROM read_parquet([{', '.join(literal(_escape(path)) for path in paths)}])"
            )
        if not selects:
            empty = ", ".join(f'NULL::{_sql_type(f.type)} AS "{f.name}"' for f in schema)
            extra = f", ''::TEXT AS {tag}" if tag else ""
            selects = [f"SELECT ''::TEXT AS sweep{extra}, {empty} WHERE false"]
        self.connection.execute(f"CREATE VIEW {name} AS {' UNION ALL '.join(selects)}")

    def _columns(self, sources: Sequence[_Source], schema: pa.Schema) -> dict[str, frozenset[str]]:
        """Columns of each readable file; the others become problems."""
        if not sources:
            return {}
        try:
            return self._probe([source.path for source in sources], schema)
        except duckdb.Error:
            found: dict[str, frozenset[str]] = {}
            for source in sources:
                try:
                    found |= self._probe([source.path], schema)
                except duckdb.Error as error:
                    reason = str(error).splitlines()[0].replace(source.path, "the file")
                    file = f"{source.label}/{source.path.rsplit('/', 1)[-1]}"
                    self._problem(source.sweep, source.owner, file, reason)
            return found

    def _probe(self, paths: list[str], schema: pa.Schema) -> dict[str, frozenset[str]]:
        rows = self.connection.execute(
            "SELECT file_name, list(name) FROM parquet_schema(?) GROUP BY file_name",
            [[_escape(path) for path in paths]],
        ).fetchall()
        found = {path: frozenset(names) & set(schema.names) for path, names in rows}
        if self.check == "data":
            for present in set(found.values()):
                group = [_escape(path) for path in paths if found[path] == present]
                light = [f'max("{name}")' for name in sorted(present - _TEXT)]
                if light:
                    self.connection.execute(
                        f"SELECT {', '.join(light)} FROM read_parquet(?)", [group]
                    ).fetchall()
        return found

    def _problem(self, sweep: str, owner: str | None, file: str, reason: str) -> None:
        self.connection.execute(
            "INSERT INTO problems VALUES (?, ?, ?, ?)", [sweep, owner, file, reason]
        )
        warnings.warn(f"{file} is left out: {reason}", CorruptFileWarning, stacklevel=5)

    def _glob(self, pattern: str) -> list[str]:
        rows = self.connection.execute("SELECT file FROM glob(?) ORDER BY file", [pattern])
        return [file for (file,) in rows.fetchall() if not file.rsplit("/", 1)[-1].startswith(".")]

    def _texts(self, pattern: str) -> dict[str, str]:
        """Content of the files that match."""
        found = {}
        for file in self._glob(pattern):
            try:
                rows = self.connection.execute("SELECT content FROM read_text(?)", [_escape(file)])
                found[file] = str(rows.fetchall()[0][0])
            except duckdb.Error as error:
                found[file] = f"unreadable: {error}"
        return found

    def _json(self, pattern: str, sweep: str) -> dict[str, dict[str, Any]]:
        """Folder name -> content of its JSON file."""
        found: dict[str, dict[str, Any]] = {}
        for file, text in self._texts(pattern).items():
            owner, name = file.rsplit("/", 2)[-2:]
            try:
                content = json.loads(text)
                if not isinstance(content, dict):
                    raise ValueError("no JSON object")
                found[owner] = content
            except ValueError as error:
                self._problem(sweep, owner, f"{owner}/{name}", f"not valid JSON: {error}")
        return found

    def _statuses(self, pattern: str, sweep: str) -> dict[str, dict[str, Any]]:
        """Folder name -> its status; one with a state that does not exist becomes a problem."""
        found = self._json(pattern, sweep)
        for owner, status in list(found.items()):
            state = status.get("state", "waiting")
            if state not in get_args(State):
                del found[owner]
                self._problem(sweep, owner, f"{owner}/status.json", f"unknown state {state!r}")
        return found


def _remote_plan(file: str, text: str) -> dict[str, Any]:
    """As :func:`srtbench.store.read_plan`, of a file that only DuckDB can read."""
    try:
        plan = json.loads(text)
    except ValueError as error:
        raise ValueError(f"{file}: not valid JSON ({error})") from None
    if not isinstance(plan, dict):
        raise ValueError(f"{file}: not a JSON object")
    missing = [key for key in ("sweep", "runs", "stages") if key not in plan]
    if missing:
        raise ValueError(f"{file}: has no {' and no '.join(missing)}")
    return plan


def _escape(path: str) -> str:
    """A path as a pattern that matches it alone."""
    return "".join(f"[{mark}]" if mark in "*?[" else mark for mark in path)


def _sql_type(kind: pa.DataType) -> str:
    names = {
        "string": "VARCHAR",
        "int32": "INTEGER",
        "bool": "BOOLEAN",
        "float": "FLOAT",
        "double": "DOUBLE",
    }
    return names[str(kind)]
