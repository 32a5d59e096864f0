"""Steps that have rows already, and that new rows belong to: they are judged again as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from srtbench.imports.judged import COUNTED
from srtbench.imports.staging import Place, Staging
from srtbench.rollouts import part_files
from srtbench.store import Folder
from srtbench.store.imported import imported_part


@dataclass
class Reopened:
    """Parts that new rows belong into, and the rows of theirs that are written anew."""

    parts: list[Path] = field(default_factory=list)
    rows: int = 0
    lost: int = 0
    counts: dict[str, int] = field(default_factory=dict)


def reopen(
    folder: Folder,
    staging: Staging,
    replaced: Mapping[str, Sequence[Place]],
    numbers: Mapping[str, int],
) -> Reopened:
    """Put the rows of steps that have new ones, or lose some, back among those to be judged.

    Args:
        replaced: file that is read anew -> what it held.
        numbers: file -> its number in the staging.
    """
    found = Reopened()
    touched = {(place[0], place[2]) for _, place in staging.batches}
    touched |= {(place[0], place[2]) for places in replaced.values() for place in places}
    for path in part_files(folder.rollouts_path):
        phase, first, last = path.stem.split("-")
        steps = range(int(first), int(last) + 1)
        if not any(p == phase and s in steps for p, s in touched):
            continue
        found.parts.append(path)
        table = imported_part(path)
        for row in table.to_pylist():
            _uncount(found, row)
            if row["source_file"] in replaced:
                found.lost += 1
                continue
            staging.again(row, numbers[row["source_file"]])
            found.rows += 1
    return found


def _uncount(found: Reopened, row: Mapping[str, Any]) -> None:
    for name in COUNTED:
        found.counts[name] = found.counts.get(name, 0) + (row[name] is not None)
