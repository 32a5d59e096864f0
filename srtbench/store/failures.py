"""What failed in a sweep, and where its log is: the run, or the shared stage that it needs."""

from collections.abc import Mapping
from typing import Any

from srtbench.store.folders import Folder, SweepStore

TAIL_LINES = 15
TAIL_BYTES = 20_000


def failure_logs(store: SweepStore, row: Mapping[str, Any]) -> list[Folder]:
    """Folders that have a log of why a run failed: its own, else those of its failed stages.

    Args:
        row: its row of the plan.
    """
    own = store.run(row["run_id"])
    if own.log_path.is_file() and own.shown_status().state == "failed":
        return [own]
    stages = [store.stage(stage_id) for stage_id in dict.fromkeys(row.get("stages", {}).values())]
    failed = [one for one in stages if one.shown_status().state == "failed"]
    return [one for one in failed if one.log_path.is_file()]


def log_tail(folder: Folder, lines: int = TAIL_LINES) -> str | None:
    """The last lines of a log; None without one, or where it cannot be read."""
    if not folder.log_path.is_file():
        return None
    try:
        with folder.log_path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return None
    return "\n".join(text.rstrip().splitlines()[-lines:]) or None
