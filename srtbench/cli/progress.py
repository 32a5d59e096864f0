"""What a user sees while a sweep runs: a live table on a terminal, plain lines elsewhere."""

import contextlib
import time
from collections.abc import Iterator

from rich.console import Console
from rich.live import Live
from rich.table import Table

from srtbench.execute.sweep import SweepEvent
from srtbench.plan import Plan, RunSpec
from srtbench.store import Status, SweepStore

STATE_STYLES = {
    "done": "green",
    "running": "cyan",
    "failed": "bold red",
    "interrupted": "yellow",
    "waiting": "dim",
}
_LINE_EVERY_SECONDS = 30.0


class Progress:
    """Follows a sweep through the status files."""

    def __init__(self, plan: Plan, store: SweepStore, console: Console):
        self._plan = plan
        self._store = store
        self._console = console
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
            live.update(self._table())
            self._live = None

    def event(self, event: SweepEvent) -> None:
        """Print that something started or ended."""
        style = STATE_STYLES.get(event.kind, "")
        self._console.print(f"{time.strftime('%H:%M:%S')} {event.work_id}: ", end="")
        self._console.print(event.message, style=style, markup=False, highlight=False)

    def tick(self) -> None:
        """Refresh; without a terminal, print one line now and then."""
        if self._live is not None:
            self._live.update(self._table())
        elif time.monotonic() - self._line_at >= _LINE_EVERY_SECONDS:
            self._line_at = time.monotonic()
            for work_id, status in self._running():
                self._console.print(
                    f"{time.strftime('%H:%M:%S')} {work_id}: step {status.step}"
                    f"/{status.total_steps}{_numbers(status)}",
                    markup=False,
                    highlight=False,
                )

    def _running(self) -> list[tuple[str, Status]]:
        works = [(run.run_id, run) for run in self._plan.runs]
        stages = [(stage.stage_id, stage) for stage in self._plan.stages]
        found = []
        for work_id, work in [*stages, *works]:
            status = self._store.folder(work).shown_status()  # type: ignore[arg-type]
            if status.actual_state == "running":
                found.append((work_id, status))
        return found

    def _table(self) -> Table:
        return status_table(self._plan, self._store, stages=True)


def status_table(plan: Plan, store: SweepStore, *, stages: bool) -> Table:
    """Every planned run, begun or not, and the stages still under way."""
    table = Table(title=f"sweep {plan.name}", title_justify="left", header_style="bold")
    for name in ("run", "state", "step", "train reward", "gold (train)", "gold (eval)", "time"):
        table.add_column(name, justify="left" if name in ("run", "state") else "right")
    if stages:
        for stage in plan.stages:
            status = store.stage(stage.stage_id).shown_status()
            if status.state != "done":
                _add(table, f"[dim]stage[/dim] {stage.stage_id}", status)
    for run in plan.runs:
        _add(table, _run_name(run), store.run(run.run_id).shown_status())
    return table


def _run_name(run: RunSpec) -> str:
    return f"{run.cell} seed {run.seed}"


def _add(table: Table, name: str, status: Status) -> None:
    step = f"{status.step}/{status.total_steps}" if status.total_steps else ""
    numbers = [
        f"{status.progress[key]:.3f}" if key in status.progress else ""
        for key in ("train_reward", "gold_reward", "eval_accuracy")
    ]
    seconds = f"{status.wall_seconds:.0f} s" if status.wall_seconds else ""
    state = status.actual_state
    table.add_row(name, f"[{STATE_STYLES[state]}]{state}[/]", step, *numbers, seconds)


def _numbers(status: Status) -> str:
    labels = {"train_reward": "reward", "eval_accuracy": "eval accuracy"}
    return "".join(
        f", {label} {status.progress[key]:.3f}"
        for key, label in labels.items()
        if key in status.progress
    )
