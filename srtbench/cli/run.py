"""Commands that plan, train and watch: `plan`, `sweep`, `status`."""

import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from srtbench.cli.common import (
    FAILED,
    ONLY,
    ROOT,
    SWEEP_FILE,
    InputError,
    at_commits,
    checked,
    load,
    read,
    selection_of,
    writing,
)
from srtbench.cli.say import complain, say

if TYPE_CHECKING:
    from srtbench.cli.progress import Progress
    from srtbench.config.sweep import SweepConfig, SweepOfParts
    from srtbench.execute.sweep import SweepEvent
    from srtbench.plan import RunSpec
    from srtbench.store import SweepStore


@click.command(
    epilog="""\b
Examples:
  srtbench sweep sweeps/smoke.yaml
  srtbench sweep sweeps/smoke.yaml --workers 1 --only variant=srt,seed=0
  srtbench sweep sweeps/smoke.yaml --retry-failed
"""
)
@SWEEP_FILE
@ROOT
@click.option("--workers", type=click.IntRange(min=1), help="Runs at once [default: one per core].")
@ONLY
@click.option(
    "--dry-run",
    is_flag=True,
    help="Check all that a sweep checks before it trains, print what would be done, and stop.",
)
@click.option("--retry-failed", is_flag=True, help="Run failed runs again.")
def sweep(
    sweep_file: Path,
    root: Path,
    workers: int | None,
    only: tuple[str, ...],
    dry_run: bool,
    retry_failed: bool,
) -> None:
    """Train every run of a sweep file that is not done yet.

    Runs that were interrupted go on from their last checkpoint. Exit code 1 if a run failed.
    """
    from srtbench.cli.progress import Progress
    from srtbench.cli.status_text import differences_text
    from srtbench.config.words import counted
    from srtbench.execute.base import LaunchError
    from srtbench.execute.before import look_ahead, to_do
    from srtbench.execute.sweep import SweepBusyError, run_sweep
    from srtbench.plan import plan_what_fits
    from srtbench.plan.select import restricted, select
    from srtbench.store import SweepStore
    from srtbench.store.failures import failure_logs
    from srtbench.store.plan_file import run_row

    selection, given = selection_of(only), read(sweep_file)
    store = SweepStore(root, given.name)
    config = at_commits(given, root) if dry_run else _pinned(given, store, selection)
    plan, problems = plan_what_fits(config)
    chosen = [] if problems else checked(lambda: select(plan, selection))
    if dry_run or problems:  # else the sweep itself looks ahead
        due = partial(to_do, store=store, retry_failed=retry_failed)
        ahead = look_ahead(config, selection, due=due)
        _complain(ahead.warnings)
        ahead.refuse()
    for line in differences_text(store, [run.run_id for run in plan.runs]):
        say(line)
    if dry_run:
        for run in chosen:
            state = store.run(run.run_id).shown_status().state
            skipped = state == "done" or (state == "failed" and not retry_failed)
            say(f"{'skip' if skipped else 'run '}  {run.run_id}  ({state})")
        return
    progress = Progress(restricted(plan, chosen) if selection else plan, store)
    try:
        with progress.shown(), writing(store.path):
            result = run_sweep(
                config,
                root=root,
                workers=workers,
                only=selection,
                retry_failed=retry_failed,
                on_event=lambda event: _heard(event, progress),
                on_tick=progress.tick,
            )
    except (SweepBusyError, LaunchError) as error:
        raise InputError(str(error)) from error
    except ModuleNotFoundError as error:
        message = f"{error}; install it with: pip install 'srtbench[{error.name}]'"
        raise InputError(message) from error
    progress.end()
    for run_id in result.failed:
        complain(f"failed: {run_id}")
        for folder in failure_logs(store, run_row(plan.run(run_id))):
            complain(f"  log: {folder.log_path}")
        for line in (store.run(run_id).shown_status().error or "").splitlines()[-3:]:
            complain(f"  {line}")
    if result.failed:
        complain("repeat with --retry-failed to run them again")
    if not result.ok:
        sys.exit(FAILED)
    say(f"done: {counted(len(result.states), 'run')} in {store.path}")
    say(f"next: srtbench report {store.path}")


def _pinned(
    given: "SweepConfig | SweepOfParts", store: "SweepStore", selection: dict[str, list[str]]
) -> "SweepConfig | SweepOfParts":
    """The sweep with the commits of what it uses of the hub, which is asked if need be."""
    from srtbench.execute.hub import pinned

    try:
        with writing(store.path):
            return checked(
                lambda: pinned(given, store, selection, lambda name, text: say(f"{name}: {text}"))
            )
    except BlockingIOError as error:
        raise InputError(str(error)) from error


def _heard(event: "SweepEvent", progress: "Progress") -> None:
    """A warning is told as a plan tells it; everything else has its time and its work."""
    if event.kind == "warning":
        complain(event.message)
    else:
        progress.event(event)


def _complain(lines: Iterable[str]) -> None:
    for line in lines:
        complain(line)


@click.command(
    epilog="""\b
Examples:
  srtbench plan sweeps/smoke.yaml
  srtbench plan sweeps/smoke.yaml --only variant=srt
  srtbench plan sweeps/paper/math.yaml --gpu h200 --mean-length 0.3
"""
)
@SWEEP_FILE
@ROOT
@ONLY
@click.option("--all", "every", is_flag=True, help="List every run and stage of a large plan.")
@click.option(
    "--gpu",
    type=click.Choice(["a100", "h100", "gh200", "h200", "l40s"]),
    default="h100",
    show_default=True,
    help="Kind of GPU to estimate for; given, this machine is not asked whether it has the engine.",
)
@click.option(
    "--mean-length",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.5,
    show_default=True,
    help="Mean completion length to assume, as a fraction of the maximum.",
)
@click.option(
    "--prompt-length",
    type=click.IntRange(min=1),
    default=200,
    show_default=True,
    help="Mean prompt length to assume, in tokens.",
)
def plan(
    sweep_file: Path,
    root: Path,
    only: tuple[str, ...],
    every: bool,
    gpu: str,
    mean_length: float,
    prompt_length: int,
) -> None:
    """Check a sweep file, its data and its variants; print the grid and the estimated work.

    Every mistake that can be found before training is told, with its line and key. Loads no model,
    and asks no network: of the hub, data are read that this machine has.
    A sweep whose engine is not on this machine is refused as well, unless --gpu is given or its
    runs are sharded over GPUs: it is planned for another machine then.
    """
    from srtbench.cli.plan_text import plan_text
    from srtbench.execute.before import look_ahead
    from srtbench.plan.cost import Assumptions, is_sharded
    from srtbench.plan.select import restricted

    given = click.get_current_context().get_parameter_source("gpu")

    def here(runs: "Iterable[RunSpec]") -> "list[RunSpec]":
        elsewhere = given is not ParameterSource.DEFAULT
        return [] if elsewhere else [run for run in runs if not is_sharded(run.train)]

    config, selection = at_commits(read(sweep_file), root), selection_of(only)
    ahead = checked(lambda: look_ahead(config, selection, here=here))
    if not ahead.checked.problems:
        planned = restricted(ahead.plan, ahead.runs) if selection else ahead.plan
        say(plan_text(planned, Assumptions(gpu, mean_length, prompt_length), every=every))
    _complain(ahead.warnings)
    ahead.refuse()


@click.command(
    epilog="""\b
Examples:
  srtbench status runs/smoke
  srtbench status sweeps/smoke.yaml
"""
)
@click.argument("sweep", type=click.Path(path_type=Path), metavar="RUNS/SWEEP|SWEEP.yaml")
@ROOT
def status(sweep: Path, root: Path) -> None:
    """Print the state of every planned run and shared stage, and why one failed."""
    from srtbench.cli.status_text import status_text
    from srtbench.store import SweepStore, read_plan
    from srtbench.store.plan_file import plan_rows

    if sweep.suffix in (".yaml", ".yml"):
        _, planned = load(sweep, root)
        store, content = SweepStore(root, planned.name), plan_rows(planned)
    else:
        content = checked(lambda: read_plan(sweep))
        store = SweepStore.of(sweep, content)
    say(status_text(store, content))
    rows = content["runs"]
    if any(store.run(row["run_id"]).shown_status().state == "failed" for row in rows):
        sys.exit(FAILED)
