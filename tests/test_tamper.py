"""What can be changed in a sweep without the audit noticing: a table of every change.

Every column of every Parquet file and every key of the JSON files of a small real sweep is changed
in turn; rows are dropped, doubled and swapped; files are removed, cut, copied and planted. The
audit catches each change, or docs/audit.md lists it with the reason; the two lists are held equal.
Keys of JSON files are changed twice: as an editor would, and with the file sealed anew, as somebody
would who means it.
"""

import fnmatch
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from srtbench.replay.audit import audit_sweep
from srtbench.replay.audit_report import AuditReport
from srtbench.store import read_json, write_json
from srtbench.store.files import SEAL, write_sealed
from tests.micro import CONTENT, FinishedSweep, srtbench, write_sweep

DOCS = Path(__file__).parents[1] / "docs" / "audit.md"
LIMITS = "## What an audit cannot prove"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> FinishedSweep:
    """A teacher, and votes that are not trained on."""
    folder = tmp_path_factory.mktemp("tamper")
    train = CONTENT["train"] | {"steps": 4, "temperature": 1.0, "micro_batch_size": 16}
    variants = ["fixed_teacher", {"type": "ttrl", "votes": 8}]
    file = write_sweep(
        folder,
        name="tamper",
        variants=variants,
        train=train,
        eval={"every": 2, "prompts": 8, "samples": 4},
    )
    result = srtbench("sweep", file, "--root", folder / "runs")
    assert result.returncode == 0, result.stdout + result.stderr
    return FinishedSweep(file, folder / "runs", result.stdout)


@dataclass(frozen=True)
class Change:
    """One change of one file.

    Attributes:
        name: kind of file and what of it, as docs/audit.md lists what is not caught.
        file: relative to the folder of all sweeps.
        make: changes the file, which is a copy.
    """

    name: str
    file: str
    make: Callable[[Path], None]


def nudged(value: Any) -> Any:
    """Another value of the same type."""
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case float():
            return value + max(0.01, abs(value) * 0.01)
        case str():
            return f"{value}x"
        case list():
            return value[:-1] if value else ["x"]
        case _:
            return "x"


# -- tables ------------------------------------------------------------------------------------


def rewrite(path: Path, rows: list[dict[str, Any]]) -> None:
    table = pa.Table.from_pylist(rows, pq.read_schema(path))
    path.unlink()  # the file is a link to the original
    pq.write_table(table, path)


def change_cell(column: str, pick: Callable[[dict[str, Any]], bool]) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        rows = pq.read_table(path).to_pylist()
        kind = pq.read_schema(path).field(column).type
        row = next((row for row in rows if pick(row) and row[column] is not None), None)
        if row is not None:
            row[column] = nudged(row[column])
        else:
            rows[0][column] = "x" if kind == pa.string() else 1
        rewrite(path, rows)

    return make


def edit_rows(change: Callable[[list[Any]], list[Any]]) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        rewrite(path, change(pq.read_table(path).to_pylist()))

    return make


ROW_CHANGES: dict[str, Callable[[list[Any]], list[Any]]] = {
    "a row dropped": lambda rows: rows[1:],
    "the last row dropped": lambda rows: rows[:-1],
    "a row doubled": lambda rows: [rows[0], *rows],
    "two rows swapped": lambda rows: [rows[1], rows[0], *rows[2:]],
    "all rows dropped": lambda rows: [],
}


def table_changes(kind: str, path: Path, root: Path) -> Iterator[Change]:
    file = str(path.relative_to(root))
    for column in pq.read_schema(path).names:
        yield Change(f"{kind}: {column}", file, change_cell(column, lambda row: True))
    for name, change in ROW_CHANGES.items():
        yield Change(f"{kind}: {name}", file, edit_rows(change))


def metric_changes(path: Path, root: Path) -> Iterator[Change]:
    """The value of each metric."""
    for metric in dict.fromkeys(pq.read_table(path)["metric"].to_pylist()):
        make = change_cell("value", lambda row, metric=metric: row["metric"] == metric)
        yield Change(f"metrics: value of {metric}", str(path.relative_to(root)), make)


# -- JSON --------------------------------------------------------------------------------------


def leaves(content: Any, keys: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Keys to change; what is deeper than three levels is changed as a whole."""
    if isinstance(content, dict) and content and len(keys) < 3:
        for key, value in content.items():
            yield from leaves(value, (*keys, key))
    elif isinstance(content, list) and content and isinstance(content[0], dict):
        yield from leaves(content[0], (*keys, 0))
    else:
        yield keys


def json_changes(kind: str, path: Path, root: Path, *, again: bool) -> Iterator[Change]:
    for keys in leaves(read_json(path)):
        if again and keys == (SEAL,):
            continue

        def make(path: Path, keys: tuple[Any, ...] = keys) -> None:
            content = read_json(path)
            place: Any = content
            for key in keys[:-1]:
                place = place[key]
            place[keys[-1]] = nudged(place[keys[-1]])
            path.unlink()
            write_sealed(path, content) if again else write_json(path, content)

        name = ".".join(str(key) for key in keys if key != 0) + (" (sealed anew)" if again else "")
        yield Change(f"{kind}: {name}", str(path.relative_to(root)), make)


# -- files -------------------------------------------------------------------------------------


def file_changes(kind: str, path: Path, root: Path) -> Iterator[Change]:
    file = str(path.relative_to(root))

    def cut(path: Path) -> None:
        content = path.read_bytes()
        path.unlink()
        path.write_bytes(content[: len(content) // 2])

    yield Change(f"{kind}: removed", file, Path.unlink)
    yield Change(f"{kind}: cut", file, cut)


def planted(path: Path, root: Path) -> Iterator[Change]:
    file = str(path.relative_to(root))
    later = f"{path.name.partition('-')[0]}-00000090-00000091.parquet"
    for name in ("extra.parquet", f"{path.stem} (1).parquet", later):

        def make(path: Path, name: str = name) -> None:
            shutil.copyfile(path, path.with_name(name))

        yield Change(f"planted: {name}", file, make)


# -- the table ---------------------------------------------------------------------------------


def first(folder: Path, pattern: str) -> Path:
    return sorted(folder.glob(pattern))[0]


def changes(sweep: FinishedSweep, *, again: bool) -> list[Change]:
    """Every change; ``again``: those of JSON files, sealed anew."""
    root, found = sweep.root, []
    plan = sweep.plan
    run = {one.variant_label: sweep.store.run(one.run_id).path for one in plan.runs}
    stages = {stage.kind: sweep.store.stage(stage.stage_id).path for stage in plan.stages}
    found += json_changes("plan.json", sweep.store.plan_path, root, again=again)
    for kind in ("config.json", "status.json"):
        found += json_changes(f"run {kind}", run["fixed_teacher"] / kind, root, again=again)
        found += json_changes(f"stage {kind}", stages["warm_start"] / kind, root, again=again)
    if again:
        return found
    tables = {
        "train rollouts": first(run["fixed_teacher"], "rollouts/train-*"),
        "eval rollouts": sorted(run["fixed_teacher"].glob("rollouts/eval-*"))[-1],
        "start rollouts": first(run["fixed_teacher"], "rollouts/eval-*"),
        "votes": first(run["ttrl"], "votes/*.parquet"),
        "prompts": run["fixed_teacher"] / "prompts.parquet",
        "metrics": run["fixed_teacher"] / "metrics.parquet",
        "labels": stages["teacher_labels"] / "labels.parquet",
        "teacher rollouts": first(stages["teacher_labels"], "rollouts/*"),
        "base_eval rollouts": first(stages["base_eval"], "rollouts/*"),
        "train prompts": stages["train_prompts"] / "prompts.parquet",
        "eval prompts": stages["eval_prompts"] / "prompts.parquet",
        "warm start prompts": stages["warm_start"] / "prompts.parquet",
    }
    for kind, path in tables.items():
        found += table_changes(kind, path, root)
        found += file_changes(kind, path, root)
    found += metric_changes(tables["metrics"], root)
    found += json_changes("result.json", stages["warm_start"] / "result.json", root, again=False)
    found += planted(tables["train rollouts"], root)
    found += planted(tables["eval rollouts"], root)
    found += planted(tables["teacher rollouts"], root)
    for name in ("plan.json", "config.json", "status.json"):
        path = sweep.store.plan_path if name == "plan.json" else run["fixed_teacher"] / name
        if name != "plan.json":
            found += file_changes(f"run {name}", path, root)
    return found


@pytest.fixture(scope="session")
def copy(small: FinishedSweep, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All files as hard links, except what may be written in place."""
    folder = tmp_path_factory.mktemp("copy") / "runs"
    shutil.copytree(small.root, folder, copy_function=os.link)
    return folder


def audited(change: Change, small: FinishedSweep, copy: Path) -> AuditReport:
    """The audit of the copy with one change, which is then undone."""
    path, original = copy / change.file, small.root / change.file
    before = {one.name for one in path.parent.iterdir()}
    change.make(path)
    try:
        return audit_sweep(copy / small.store.path.name)
    finally:
        for one in [*path.parent.iterdir()]:
            if one.name not in before:
                one.unlink()
        path.unlink(missing_ok=True)
        os.link(original, path)


def documented(found: list[Change]) -> set[str]:
    """Changes that docs/audit.md lists as not caught, by patterns in the first cells."""
    section = DOCS.read_text().split(LIMITS)[1].split("\n## ")[0]
    cells = re.findall(r"^\| ([^|]*`[^|]*) \|", section, re.MULTILINE)
    patterns = {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}
    names = {change.name for change in found}
    for pattern in patterns:
        assert fnmatch.filter(names, pattern), f"{pattern}: there is no such change"
    return {name for pattern in patterns for name in fnmatch.filter(names, pattern)}


def missed(found: list[Change], small: FinishedSweep, copy: Path) -> set[str]:
    names: set[str] = set()
    for change in found:
        try:
            caught = not audited(change, small, copy).ok
        except (FileNotFoundError, ValueError):
            caught = True  # the command names the file, and its exit code is 2
        if not caught:
            names.add(change.name)
    return names


def test_every_change_is_caught_or_listed(small: FinishedSweep, copy: Path) -> None:
    assert audit_sweep(copy / small.store.path.name).ok, "before anything is changed"
    plain, sealed = changes(small, again=False), changes(small, again=True)
    unseen = missed(plain, small, copy)
    assert len(unseen) <= 0.033 * len(plain), sorted(unseen)
    assert len(plain) >= 274
    unseen |= missed(sealed, small, copy)
    listed = documented(plain + sealed)
    assert unseen == listed, f"not listed: {sorted(unseen - listed)}; caught: {listed - unseen}"
    assert audit_sweep(copy / small.store.path.name).ok, "everything is undone"
