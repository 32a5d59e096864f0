"""What an import found, kept beside its run: the same call again need not load the reader.

``looked.json`` holds the call, the state of every file of the log and of the run as the system
tells it, and what the import said. If all of it is as it was, so is the answer; else it counts for
nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

LOOKED = "looked.json"
_LOCK = ".lock"


@dataclass
class ImportResult:
    """What an import did.

    Attributes:
        rows: rollouts that are new. total: that the run has now. skipped: damaged records.
        damaged: the first of them by name. left_out: rows that were in the log twice.
        others: files of no known format.
    """

    run_id: str
    folder: Path
    format: str
    rows: int = 0
    total: int = 0
    skipped: int = 0
    left_out: int = 0
    damaged: list[str] = field(default_factory=list)
    caveats: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


def call_of(
    paths: Sequence[Path],
    map: str | Path | Mapping[str, Any] | None,
    labels: Mapping[str, Any] | None,
    **options: str | None,
) -> str:
    """Digest of what is asked for, and of the srtbench that is asked; a map by its content."""
    from srtbench import __version__

    said = map
    if isinstance(map, str | Path):
        said = Path(map).read_text(encoding="utf-8", errors="surrogateescape")
    named = {name: str(value).strip() for name, value in (labels or {}).items()}
    return _digest([__version__, [str(one.resolve()) for one in paths], said, named, options])


def state_of(paths: Sequence[Path]) -> str | None:
    """Digest of the name, size and times of all files there; None where a folder is a link."""
    found: list[Any] = []
    for path in (one.resolve() for one in paths):
        if not path.is_dir():
            found.append(_state(path))
            continue
        for place, folders, files in os.walk(path):
            if any(os.path.islink(os.path.join(place, one)) for one in folders):
                return None
            names = [one for one in files if one not in (LOOKED, _LOCK)]
            found += sorted(_state(Path(place, name)) for name in names)
    return _digest(found)


def looked(call: str, log: str, result: ImportResult) -> dict[str, Any]:
    """Content of the file: ``log`` is the state of the log from before it was read."""
    said = asdict(result) | {"rows": 0, "left_out": 0}
    del said["folder"]
    return {"call": call, "log": log, "run": state_of([result.folder]), "said": said}


def nothing_new(out: Path, call: str, paths: Sequence[Path]) -> ImportResult | None:
    """What the last import of this call said, if log and run are as it left them; else None."""
    for path in out.glob(f"*/{LOOKED}"):
        try:
            content = json.loads(path.read_bytes())
            if content["call"] != call:
                continue
            planned = (out / "plan.json").read_text(encoding="utf-8")
            same = content["log"] == state_of(paths) and content["run"] == state_of([path.parent])
            result = ImportResult(folder=path.parent, **content["said"])
            if same and _is_whole(result) and f'"{path.parent.name}"' in planned:
                return result
        except (OSError, ValueError, KeyError, TypeError):  # then it is looked at in full
            continue
    return None


def _is_whole(result: ImportResult) -> bool:
    """Whether every value is of its type: the file may have been damaged."""
    for name, value in vars(result).items():
        kind = type(getattr(_SAMPLE, name))
        if name != "folder" and type(value) is not kind:
            return False
        if kind is list and not all(isinstance(one, str) for one in value):
            return False
    return True


_SAMPLE = ImportResult("", Path(), "")


def _state(path: Path) -> tuple[str, int, int, int]:
    try:
        now = path.stat()
    except OSError:  # a link to nothing, or gone by now
        return (str(path), -1, 0, 0)
    return (str(path), now.st_size, now.st_mtime_ns, now.st_ctime_ns)


def _digest(content: Any) -> str:
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
