"""The state of a sweep: a live table on a terminal, plain lines elsewhere."""

import contextlib
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from srtbench.cli.render import table, table_text
from srtbench.cli.say import one_line
from srtbench.store import Status, SweepStore

if TYPE_CHECKING:
    from srtbench.execute.sweep import SweepEvent
    from srtbench.plan import Plan

STATE_STYLES = {
    "done": "green",
    "running": "cyan",
    "failed": "bold red",
    "interrupted": "yellow",
    "waiting": "dim",
}
_HEADER = ("run", "state", "step", "train reward", "gold (train)", "gold (eval)", "time")
_LINE_EVERY_SECONDS = 30.0


class Progress:
    """Follows a sweep through the status files.

    Args:
        console: where to print; the standard output by default.
    """

    def __init__(self, plan: "Plan", store: SweepStore, console: Console | None = None):
        self._plan = plan
        self._store = store
        self._console = console or Console(soft_wrap=True)
        self._live: Live | None = None
        self._line_at = time.monotonic()

    @contextlib.contextmanager
    def shown(self) -> Iterator[None]:
        """Show the live table, on a terminal, for the time of the context."""
        if not self._console.is_terminal:
            yield
            return
        with Live(console=self._console, refresh_per_second=4) as live:
            self._live = live
            yield
            live.update(status_table(self._plan, self._store, stages=True))
            self._live = None

    def event(self, event: "SweepEvent") -> None:
        """Print that something started or ended."""
        self._line(event.work_id, event.message, STATE_STYLES.get(event.kind, ""))

    def tick(self) -> None:
        """Refresh; without a terminal, print one line now and then."""
        if self._live is not None:
            self._live.update(status_table(self._plan, self._store, stages=True))
        elif time.monotonic() - self._line_at >= _LINE_EVERY_SECONDS:
            self._line_at = time.monotonic()
            for work_id, status in self._running():
                step = (
                    f"step {status.step}/{status.total_steps}" if status.total_steps else "running"
                )
                self._line(work_id, f"{step}{_numbers(status)}")

    def end(self) -> None:
        """Print how the runs stand, where no live table does."""
        if not self._console.is_terminal:
            rows = _rows(self._plan, self._store, stages=False)
            self._console.file.write(f"sweep {self._plan.name}\n{table_text(_HEADER, rows)}\n")

    def _line(self, work_id: str, message: str, style: str = "") -> None:
        """One call for the whole line: beside a live table each call is a line of its own."""
        line = Text(f"{time.strftime('%H:%M:%S')} {work_id}: ")
        line.append(one_line(message), style=style)
        self._console.print(line)

    def _running(self) -> list[tuple[str, Status]]:
        works = [(run.run_id, self._store.run(run.run_id)) for run in self._plan.runs]
        stages = [(one.stage_id, self._store.stage(one.stage_id)) for one in self._plan.stages]
        states = [(work_id, folder.shown_status()) for work_id, folder in [*stages, *works]]
        return [(work_id, status) for work_id, status in states if status.actual_state == "running"]


def status_table(plan: "Plan", store: SweepStore, *, stages: bool) -> Table:
    """Every planned run, begun or not, and the stages still under way.

    Runs are named by the labels that differ: a whole name would be cut on a narrow terminal.
    """
    rows = _rows(plan, store, stages=stages, short=True)
    return table(_HEADER, rows, title=f"sweep {plan.name}", styles=STATE_STYLES, framed=True)


def _rows(
    plan: "Plan", store: SweepStore, *, stages: bool, short: bool = False
) -> list[tuple[str, ...]]:
    rows = []
    for stage in plan.stages if stages else ():
        status = store.stage(stage.stage_id).shown_status()
        if status.state != "done":
            name = stage.stage_id if short else f"stage {stage.stage_id}"
            rows.append(_row(name, status))
    labels = [(run.part, run.model_label, run.dataset_label) for run in plan.runs]
    differ = [len(set(column)) > 1 for column in zip(*labels, strict=True)]
    for run, named in zip(plan.runs, labels, strict=True):
        shown = [one or "" for one, differs in zip(named, differ, strict=True) if differs]
        cell = "/".join([*shown, run.variant_label]) if short else run.cell
        rows.append(_row(f"{cell} seed {run.seed}", store.run(run.run_id).shown_status()))
    return rows


def _row(name: str, status: Status) -> tuple[str, ...]:
    step = f"{status.step}/{status.total_steps}" if status.total_steps else ""
    numbers = [
        f"{status.progress[key]:.3f}" if key in status.progress else ""
        for key in ("train_reward", "gold_reward", "eval_accuracy")
    ]
    seconds = f"{status.wall_seconds:.0f} s" if status.wall_seconds else ""
    return (name, status.actual_state, step, *numbers, seconds)


def _numbers(status: Status) -> str:
    labels = {"train_reward": "reward", "eval_accuracy": "eval accuracy"}
    return "".join(
        f", {label} {status.progress[key]:.3f}"
        for key, label in labels.items()
        if key in status.progress
    )
