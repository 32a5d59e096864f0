"""Audit of a folder's files: only what belongs there, whole, and as it was sealed."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from srtbench.config.errors import require_regular
from srtbench.rollouts import LACKED, ROLLOUT_SCHEMA, SCHEMA_VERSION, is_part
from srtbench.store import Folder, read_json
from srtbench.store.files import StoreError, seal_broken
from srtbench.store.runs import LoggedRun

Found = Iterator[tuple[str, str, str]]

_TABLES = ("prompts.parquet", "metrics.parquet", "labels.parquet")


def check_seal(folder: Folder) -> Found:
    """config.json and status.json are as srtbench wrote them."""
    for path in (folder.config_path, folder.status_path):
        if path.is_file() and seal_broken(read_json(path)):
            yield "structure", path.name, "has been changed since srtbench wrote it"


def check_folder(folder: Folder, sets: frozenset[str] = frozenset()) -> Found:
    """No file that is no part of the evidence lies among it; every part is what its name says.

    Args:
        sets: labels of the evaluation sets that have folders of their own in it.
    """
    for path in sorted(folder.path.glob("*.parquet")):
        if path.name not in _TABLES:
            yield "structure", path.name, "is no file of this folder"
    yield from _check_parts(folder.rollouts_path, folder.path)
    yield from _check_parts(folder.votes_path, folder.path)
    yield from _check_parts(folder.further_path, folder.path)
    yield from _check_parts(folder.dropped_path, folder.path)
    for place in sorted(folder.path.glob("eval_sets/*")):
        if place.name not in sets:
            yield "structure", f"eval_sets/{place.name}", "is no file of this folder"
        else:
            yield from _check_parts(Folder(place).rollouts_path, folder.path)


def set_folders(run: LoggedRun) -> frozenset[str]:
    """Evaluation sets with folders of their own: the further ones of version 1, as trained."""
    if run.revoted is not None or read_json(run.folder.config_path).get("version", 1) != 1:
        return frozenset()
    return frozenset(one.label for one in run.spec.further)


def _check_parts(place: Path, folder: Path) -> Found:
    if not place.is_dir():
        return
    for path in sorted(place.iterdir()):
        where = str(path.relative_to(folder))
        if path.name.startswith(".") and path.name.endswith(".tmp"):
            continue  # of a write that a kill cut short
        if not is_part(path.name):
            yield "structure", where, "is no part of the log; it is not counted"
            continue
        require_regular(path)
        try:
            with pq.ParquetFile(path) as file:
                schema = file.schema_arrow
                steps = file.read(["step"])["step"].to_pylist() if "step" in schema.names else []
        except (OSError, pa.ArrowException) as error:
            raise StoreError(f"{path}: not a whole Parquet file ({error})") from None
        version = (schema.metadata or {}).get(b"srtbench_schema_version", b"1")
        if not version.isdigit() or int(version) > SCHEMA_VERSION:
            yield "structure", where, f"is of schema version {version.decode(errors='replace')}"
        lacks = LACKED.get(int(version), ()) if version.isdigit() else ()
        wanted = [field for field in ROLLOUT_SCHEMA if field.name not in lacks]
        if [(f.name, f.type) for f in schema] != [(f.name, f.type) for f in wanted]:
            yield "structure", where, "does not have the columns of a log"
        first, last = (int(number) for number in path.stem.split("-")[1:])
        if not steps or steps[0] != first or steps[-1] != last or sorted(steps) != steps:
            yield "structure", where, "does not hold the steps of its name, in order"
