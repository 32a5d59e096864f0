"""Runs in a sweep's folder that its plan does not name: never forgotten silently."""

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from srtbench.store.folders import Folder

SHOWN = 6
"""Names in a sentence; the rest is a number."""


def unplanned_folders(sweep_path: Path, planned: Iterable[str]) -> dict[str, Folder]:
    """Name -> folder of every run below a sweep's folder that is not among ``planned``."""
    known = set(planned)
    names = {
        path.parent.name
        for pattern in ("*/config.json", "*/status.json")
        for path in sweep_path.glob(pattern)
    }
    return {name: Folder(sweep_path / name) for name in sorted(names - known)}


def finished(folders: dict[str, Folder]) -> list[str]:
    """Those that are done."""
    return [name for name, one in folders.items() if one.shown_status().state == "done"]


def forgotten(names: Sequence[str]) -> str | None:
    """One sentence about finished runs that the plan does not name; None if there are none."""
    if not names:
        return None
    count, be = (len(names), "are") if len(names) > 1 else (1, "is")
    runs = "runs" if count > 1 else "run"
    return f"{count} finished {runs} here {be} not in this plan: {some(names)}"


def some(names: Collection[str], shown: int = SHOWN) -> str:
    """The first few names, and how many more there are."""
    first = ", ".join(list(names)[:shown])
    return f"{first} and {len(names) - shown} more" if len(names) > shown else first
