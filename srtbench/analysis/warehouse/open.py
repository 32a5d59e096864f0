"""Opens sweep folders as documented DuckDB views.

What is read is told by the plan: every planned run has its row, and a folder that no plan names
only one in ``unplanned_runs``. The list of files is fixed when the sweep is opened; open it again
to see more.
"""

import glob
import json
import os
import warnings
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from srtbench.analysis.warehouse.files import (
    FURTHER_LOGS,
    NOT_A_PART,
    Check,
    Source,
    escape,
    is_special,
    readable,
    sql_type,
)
from srtbench.analysis.warehouse.planned import (
    RUN_SCHEMA,
    SET_SCHEMA,
    check_config,
    planned_runs,
    planned_sets,
    stage_rows,
    task_rows,
)
from srtbench.analysis.warehouse.views import create_views, literal, materialize
from srtbench.config.errors import NO_FILE, require_regular
from srtbench.config.eval_sets import OWN
from srtbench.rollouts import (
    IMPORTED_SCHEMA,
    METRIC_SCHEMA,
    PROMPT_SCHEMA,
    ROLLOUT_SCHEMA,
    is_part,
)
from srtbench.store import STAGES_FOLDER, StoreError, read_plan
from srtbench.store.plan_file import plan_of
from srtbench.store.stages import RESULT, left_out
from srtbench.store.status import status_of


class CorruptFileWarning(UserWarning):
    """A file of a sweep is damaged, or no part of it, and is left out."""


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
            ``damaged_files``.
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
    connection.execute(
        "CREATE TABLE damaged_files(sweep TEXT, run_id TEXT, file TEXT, reason TEXT)"
    )
    connection.execute(
        "CREATE TABLE unplanned_runs(sweep TEXT, run_id TEXT, state TEXT, step INTEGER)"
    )
    connection.execute(
        "CREATE TABLE stages(sweep TEXT, stage_id TEXT, kind TEXT, dataset TEXT, runs INTEGER, "
        "state TEXT, wall_seconds DOUBLE, left_out TEXT, error TEXT)"
    )
    connection.execute("CREATE TABLE sweeps(sweep TEXT, description TEXT)")
    connection.execute("CREATE TABLE tasks(sweep TEXT, dataset TEXT, task TEXT)")
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
        self.sets: list[dict[str, Any]] = []
        self.rollouts: list[Source] = []
        self.further: list[Source] = []
        self.base: list[Source] = []
        self.stage_votes: list[Source] = []
        self.prompts: list[Source] = []
        self.metrics: list[Source] = []

    def add_sweep(self, path: str) -> None:
        """Note the runs and files of one sweep."""
        place = escape(path)
        require_regular(Path(path) / "plan.json")
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
        statuses = self._checked(f"{place}/*/status.json", sweep, status_of)
        configs = self._checked(f"{place}/*/config.json", sweep, check_config)
        self.runs += planned_runs(plan, sweep, statuses, configs)
        self.connection.execute(
            "INSERT INTO sweeps VALUES (?, ?)", [sweep, plan.get("description") or None]
        )
        tasks = task_rows(plan, sweep, configs)
        if tasks:
            self.connection.executemany("INSERT INTO tasks VALUES (?, ?, ?)", tasks)
        known = {run["run_id"] for run in plan["runs"]}
        for owner in sorted(statuses.keys() - known):
            state, step = statuses[owner].get("state", "waiting"), statuses[owner].get("step", 0)
            row = [sweep, owner, state, step if isinstance(step, int) else None]
            self.connection.execute("INSERT INTO unplanned_runs VALUES (?, ?, ?, ?)", row)
        self.sets += planned_sets(plan, sweep)
        sets = {(row["run_id"], row["eval_set"]) for row in self.sets if row["sweep"] == sweep}
        for kind, pattern in (
            (self.rollouts, "rollouts/*"),
            *((self.further, f"{folder}/*") for folder in FURTHER_LOGS),
            (self.prompts, "prompts.parquet"),
            (self.metrics, "metrics.parquet"),
        ):
            for file in self._glob(f"{place}/*/{pattern}"):
                owner = file.rsplit("/", pattern.count("/") + 2)[1]
                if (owner, OWN) in sets:
                    self._add(kind, Source(file, sweep, owner, f"{plan['sweep']}/{owner}"))
        for kind, pattern in ((self.rollouts, "rollouts/*"), (self.prompts, "prompts.parquet")):
            # Logs of version 1 have a folder per evaluation set.
            for file in self._glob(f"{place}/*/eval_sets/*/{pattern}"):
                above = file.rsplit("/", pattern.count("/") + 4)
                owner, name = above[1], above[3]
                if (owner, name) in sets:
                    label = f"{plan['sweep']}/{owner}/eval_sets/{name}"
                    self._add(kind, Source(file, sweep, owner, label, eval_set=name))
        self._add_stages(plan, sweep, f"{root}/{STAGES_FOLDER}")
        # Stages that no run names belong to further sets, whose rows a run's own folder holds.
        named = {stage for run in plan["runs"] for stage in run.get("stages", {}).values()}
        for stage in plan.get("stages", []):
            owner = stage["stage_id"]
            if owner not in named:
                continue
            label = f"{STAGES_FOLDER}/{owner}"
            if stage["kind"] == "base_eval":
                for file in self._glob(f"{root}/{label}/rollouts/*"):
                    self._add(self.base, Source(file, sweep, owner, label, stage=owner))
            if stage["kind"] in ("teacher_labels", "pool_votes"):
                for file in self._glob(f"{root}/{label}/rollouts/*"):
                    self._add(self.stage_votes, Source(file, sweep, owner, label, stage=owner))
            if stage["kind"] in ("train_prompts", "eval_prompts"):
                for file in self._glob(f"{root}/{label}/prompts.parquet"):
                    self.prompts.append(Source(file, sweep, owner, label))

    def _add_stages(self, plan: dict[str, Any], sweep: str, place: str) -> None:
        """Note how every planned stage stands, and what it left out of its prompts."""
        ids = {stage["stage_id"] for stage in plan["stages"]}
        statuses = self._checked(f"{place}/*/status.json", sweep, status_of, ids)
        results = self._checked(f"{place}/*/{RESULT}", sweep, left_out, ids)
        for row in stage_rows(plan, sweep, statuses, results):
            self.connection.execute(f"INSERT INTO stages VALUES ({', '.join('?' * len(row))})", row)

    def _add(self, kind: list[Source], source: Source) -> None:
        """Note a file; one in a folder of a log that is no part of it is named and left out."""
        of_log = kind is not self.prompts and kind is not self.metrics
        if not of_log or is_part(source.path.rsplit("/", 1)[-1]):
            kind.append(source)
        else:
            self._damaged(source.sweep, source.owner, source.name, NOT_A_PART)

    def stage(self) -> None:
        """Create the tables and views that the documented views build on."""
        connection = self.connection
        self._view("stg_rollouts", self.rollouts, IMPORTED_SCHEMA)
        self._view("stg_further", self.further, ROLLOUT_SCHEMA)
        self._view("stg_base_rollouts", self.base, IMPORTED_SCHEMA)
        self._view("stg_stage_votes", self.stage_votes, ROLLOUT_SCHEMA)
        self._view("stg_prompts", self.prompts, PROMPT_SCHEMA)
        self._view("stg_metrics", self.metrics, METRIC_SCHEMA)
        own = connection.execute(
            f"SELECT DISTINCT sweep, run_id FROM stg_rollouts WHERE eval_set = '{OWN}' AND step = 0"
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

    def _view(self, name: str, sources: list[Source], schema: pa.Schema) -> None:
        """UNION ALL of the readable files, one branch per sweep, set, stage and set of columns."""
        columns, damaged = readable(self.connection, sources, schema, self.check)
        for one in damaged:
            self._damaged(one.source.sweep, one.source.owner, one.source.name, one.reason)
        branches: dict[tuple[str, str, str, frozenset[str]], list[str]] = {}
        for source in sources:
            if source.path in columns:
                key = (source.sweep, source.eval_set, source.stage, columns[source.path])
                branches.setdefault(key, []).append(source.path)
        selects = []
        for (sweep, eval_set, stage, present), paths in branches.items():
            files = ", ".join(literal(escape(path)) for path in paths)
            selects.append(
                f"SELECT {literal(sweep)} AS sweep, {literal(stage)} AS stage_id, "
                f"{_selected(schema, present, eval_set)} FROM read_parquet([{files}])"
            )
        if not selects:
            empty = _selected(schema, frozenset(), "none")
            selects = [f"SELECT ''::TEXT AS sweep, ''::TEXT AS stage_id, {empty} WHERE false"]
        self.connection.execute(f"CREATE VIEW {name} AS {' UNION ALL '.join(selects)}")

    def _damaged(self, sweep: str, owner: str | None, file: str, reason: str) -> None:
        self.connection.execute(
            "INSERT INTO damaged_files VALUES (?, ?, ?, ?)", [sweep, owner, file, reason]
        )
        warnings.warn(f"{file} is left out: {reason}", CorruptFileWarning, stacklevel=5)

    def _glob(self, pattern: str) -> list[str]:
        here = [] if "://" in pattern else glob.glob(pattern)
        try:
            rows = self.connection.execute("SELECT file FROM glob(?)", [pattern]).fetchall()
            # DuckDB passes over pipes, folders and dead links.
            files = {str(file) for (file,) in rows} | {file for file in here if is_special(file)}
        except duckdb.InvalidInputException:  # one name is no UTF-8
            files = {os.fsencode(file).decode("utf-8", "backslashreplace") for file in here}
        return sorted(file for file in files if not file.rsplit("/", 1)[-1].startswith("."))

    def _texts(self, pattern: str, owners: Collection[str] | None = None) -> dict[str, str]:
        """Content of the files that match; of these folders alone, if any are given."""
        files = [
            file
            for file in self._glob(pattern)
            if owners is None or file.rsplit("/", 2)[-2] in owners
        ]
        return self._read(files)

    def _read(self, files: list[str]) -> dict[str, str]:
        """Content of files, all at once, and one by one only where that fails."""
        if special := [file for file in files if is_special(file)]:
            return self._read(sorted({*files} - {*special})) | dict.fromkeys(special, "")
        if not files:
            return {}
        try:
            rows = self.connection.execute(
                "SELECT filename, content FROM read_text(?)", [[escape(file) for file in files]]
            ).fetchall()
        except duckdb.Error as error:
            if len(files) == 1:
                return {files[0]: f"unreadable: {error}"}
            return {file: text for one in files for file, text in self._read([one]).items()}
        if len(files) == 1:  # its name may come back spelled otherwise
            return {files[0]: str(rows[0][1])}
        texts = {name: str(text) for name, text in rows}
        if not texts.keys() >= {*files}:
            return {file: text for one in files for file, text in self._read([one]).items()}
        return {file: texts[file] for file in files}

    def _json(
        self, pattern: str, sweep: str, owners: Collection[str] | None = None
    ) -> dict[str, dict[str, Any]]:
        """Folder name -> content of its JSON file."""
        found: dict[str, dict[str, Any]] = {}
        below = "" if owners is None else f"{STAGES_FOLDER}/"
        for file, text in self._texts(pattern, owners).items():
            owner, name = file.rsplit("/", 2)[-2:]
            if is_special(file):
                self._damaged(sweep, owner, f"{below}{owner}/{name}", NO_FILE)
                continue
            try:
                content = json.loads(text)
                if not isinstance(content, dict):
                    raise ValueError("no JSON object")
                found[owner] = content
            except (ValueError, RecursionError) as error:
                self._damaged(sweep, owner, f"{below}{owner}/{name}", f"not valid JSON: {error}")
        return found

    def _checked(
        self,
        pattern: str,
        sweep: str,
        check: Callable[[dict[str, Any], Path], Any],
        owners: Collection[str] | None = None,
    ) -> dict[str, dict[str, Any]]:
        """Folder name -> content of its file, if that is what it should be.

        Args:
            owners: folders of these stages alone; None: of every run.
        """
        found = self._json(pattern, sweep, owners)
        name = pattern.rsplit("/", 1)[-1]
        below = "" if owners is None else f"{STAGES_FOLDER}/"
        for owner, content in list(found.items()):
            try:
                check(content, Path(name))
            except StoreError as error:
                del found[owner]
                reason = str(error).removeprefix(f"{name}: ")
                self._damaged(sweep, owner, f"{below}{owner}/{name}", reason)
        return found


def _remote_plan(file: str, text: str) -> dict[str, Any]:
    """As :func:`srtbench.store.read_plan`, of a file that only DuckDB can read."""
    try:
        plan = json.loads(text)
    except ValueError as error:
        raise ValueError(f"{file}: not valid JSON ({error})") from None
    if not isinstance(plan, dict):
        raise ValueError(f"{file}: not a JSON object")
    return plan_of(plan, Path(file))


def _selected(schema: pa.Schema, present: frozenset[str], eval_set: str) -> str:
    """The columns of a file, nulls for those it lacks, in the order of the schema.

    Rollouts and prompts get a column ``eval_set``: what the file's folder says, else what its rows
    say, else ``own`` for held-out rows.
    """
    held_out = {"phase": "phase = 'eval'", "split": "split = 'eval'"}
    chosen = []
    for field in schema:
        if field.name == "eval_set":
            continue
        value = f'"{field.name}"' if field.name in present else "NULL"
        chosen.append(f'{value}::{sql_type(field.type)} AS "{field.name}"')
        if field.name in held_out:
            said = "eval_set" if "eval_set" in present else "NULL"
            rule = f"CASE WHEN {held_out[field.name]} THEN '{OWN}' END"
            found = literal(eval_set) if eval_set else f"coalesce({said}, {rule})"
            chosen.append(f"{found}::VARCHAR AS eval_set")
    return ", ".join(chosen)
