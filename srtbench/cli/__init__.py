"""The `srtbench` command. Thin: every command imports what it needs when it is called."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from srtbench.config.sweep import SweepConfig, SweepOfParts
    from srtbench.plan import Plan

_T = TypeVar("_T")

OK, FAILED, WRONG_INPUT = 0, 1, 2

_SWEEP_FILE = click.argument(
    "sweep_file", type=click.Path(path_type=Path, dir_okay=False), metavar="SWEEP.yaml"
)
_SWEEP_FOLDER = click.argument(
    "sweep_folder", type=click.Path(path_type=Path, file_okay=False), metavar="RUNS/SWEEP"
)
_ROOT = click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs"),
    show_default=True,
    help="Folder of sweeps.",
)
_ONLY = click.option(
    "--only",
    metavar="AXIS=LABEL,...",
    multiple=True,
    help="Only runs with these labels, e.g. variant=srt,seed=0. Axes: model, dataset, variant, "
    "seed, and part in a sweep of parts. Given twice for one axis, either label will do. The name "
    "of a curriculum takes all its stages.",
)


class _Group(click.Group):
    """Turns wrong input into one readable message and exit code 2."""

    def invoke(self, ctx: click.Context) -> Any:
        from srtbench.config.errors import ConfigError
        from srtbench.store import StoreError

        try:
            return super().invoke(ctx)
        except (ConfigError, StoreError, _InputError) as error:
            click.echo(f"error: {error}", err=True)
            ctx.exit(WRONG_INPUT)
        except KeyboardInterrupt:
            click.echo("interrupted; the same command continues", err=True)
            ctx.exit(FAILED)


class _InputError(Exception):
    """What the user asked for cannot be done as asked."""


@click.group(
    cls=_Group,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""\b
Examples:
  srtbench plan sweeps/smoke.yaml             what would run; nothing is loaded
  srtbench sweep sweeps/smoke.yaml            train the grid; safe to interrupt and repeat
  srtbench status sweeps/smoke.yaml           the state of every planned run, and why it failed
  srtbench report runs/smoke                  figures, tables and one HTML page
""",
)
@click.version_option(package_name="srtbench")
def main() -> None:
    """Train language models on their own judgement, log every rollout, see when it collapses."""


@main.command(
    epilog="""\b
Examples:
  srtbench sweep sweeps/smoke.yaml
  srtbench sweep sweeps/smoke.yaml --workers 1 --only variant=srt,seed=0
  srtbench sweep sweeps/smoke.yaml --retry-failed
"""
)
@_SWEEP_FILE
@_ROOT
@click.option("--workers", type=click.IntRange(min=1), help="Runs at once [default: one per core].")
@_ONLY
@click.option("--dry-run", is_flag=True, help="Print what would be done, and stop.")
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
    from rich.console import Console

    from srtbench.cli.progress import Progress, status_table
    from srtbench.execute.local import LaunchError
    from srtbench.execute.sweep import SweepBusyError, run_sweep
    from srtbench.plan.select import restricted, select
    from srtbench.store import SweepStore

    config, plan = _load(sweep_file)
    selection = _selection(only)
    chosen = _checked(lambda: select(plan, selection))
    store = SweepStore(root, plan.name)
    console = Console(soft_wrap=True)
    if dry_run:
        for run in chosen:
            state = store.run(run.run_id).read_status().state
            skipped = state == "done" or (state == "failed" and not retry_failed)
            click.echo(f"{'skip' if skipped else 'run '}  {run.run_id}  ({state})")
        return
    shown = restricted(plan, chosen) if selection else plan
    progress = Progress(shown, store, console)
    try:
        with progress.shown():
            result = run_sweep(
                config,
                root=root,
                workers=workers,
                only=selection,
                retry_failed=retry_failed,
                on_event=progress.event,
                on_tick=progress.tick,
            )
    except (SweepBusyError, LaunchError) as error:
        raise _InputError(str(error)) from error
    except ModuleNotFoundError as error:
        message = f"{error}; install it with: pip install 'srtbench[{error.name}]'"
        raise _InputError(message) from error
    if not console.is_terminal:
        Console(width=110).print(status_table(shown, store, stages=False))
    for run_id in result.failed:
        folder = store.run(run_id)
        click.echo(f"failed: {run_id}\n  log: {folder.log_path}", err=True)
        for line in (folder.read_status().error or "").splitlines()[-3:]:
            click.echo(f"  {line}", err=True)
    if result.failed:
        click.echo("repeat with --retry-failed to run them again", err=True)
    if not result.ok:
        sys.exit(FAILED)
    click.echo(f"done: {len(result.states)} runs in {store.path}")
    click.echo(f"next: srtbench report {store.path}")


@main.command(
    epilog="""\b
Examples:
  srtbench plan sweeps/smoke.yaml
  srtbench plan sweeps/smoke.yaml --only variant=srt
  srtbench plan sweeps/paper/math.yaml --gpu h200 --mean-length 0.3
"""
)
@_SWEEP_FILE
@_ROOT
@_ONLY
@click.option(
    "--gpu",
    type=click.Choice(["a100", "h100", "gh200", "h200", "l40s"]),
    default="h100",
    show_default=True,
    help="Kind of GPU to estimate for.",
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
    gpu: str,
    mean_length: float,
    prompt_length: int,
) -> None:
    """Print the grid, the shared stages and the estimated work. Loads no model and no data."""
    from srtbench.cli.plan_text import plan_text
    from srtbench.plan.cost import Assumptions
    from srtbench.plan.select import restricted, select

    _, planned = _load(sweep_file)
    if selection := _selection(only):
        planned = restricted(planned, _checked(lambda: select(planned, selection)))
    click.echo(plan_text(planned, Assumptions(gpu, mean_length, prompt_length)))


@main.command(
    epilog="""\b
Examples:
  srtbench status runs/smoke
  srtbench status sweeps/smoke.yaml
"""
)
@click.argument("sweep", type=click.Path(path_type=Path), metavar="RUNS/SWEEP|SWEEP.yaml")
@_ROOT
def status(sweep: Path, root: Path) -> None:
    """Print the state of every planned run, and why a run failed."""
    from srtbench.cli.plan_text import status_text
    from srtbench.store import SweepStore, read_plan

    if sweep.suffix in (".yaml", ".yml"):
        _, planned = _load(sweep)
        store = SweepStore(root, planned.name)
        rows = [(run.run_id, run.train.steps) for run in planned.runs]
    else:
        content = _checked(lambda: read_plan(sweep))
        store = SweepStore(sweep.parent, sweep.name)
        rows = [(run["run_id"], run["total_steps"]) for run in content["runs"]]
    click.echo(status_text(store, rows))
    if any(store.run(run_id).read_status().state == "failed" for run_id, _ in rows):
        sys.exit(FAILED)


@main.command(
    epilog="""\b
Examples:
  srtbench report runs/smoke
  srtbench report runs/smoke --out /tmp/report
"""
)
@_SWEEP_FOLDER
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the report [default: RUNS/SWEEP/report].",
)
def report(sweep_folder: Path, out: Path | None) -> None:
    """Draw the figures and tables of a sweep, and one HTML page that holds them all."""
    from srtbench.store import read_plan

    _checked(lambda: read_plan(sweep_folder))
    from srtbench.analysis.report import write_report

    try:
        folder = write_report(sweep_folder, out)
    except PermissionError as error:
        raise _InputError(f"{error.filename}: cannot be written: {error.strerror}") from error
    click.echo(f"figures: {folder / 'figures'}")
    click.echo(f"tables:  {folder / 'tables'}")
    click.echo(f"report:  {folder / 'report.html'}")


@main.command(
    epilog="""\b
Examples:
  srtbench export runs/smoke
  srtbench export runs/smoke --out tables --format csv --format latex
"""
)
@_SWEEP_FOLDER
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder to write [default: RUNS/SWEEP/export].",
)
@click.option(
    "--format",
    "formats",
    type=click.Choice(["csv", "parquet", "latex"]),
    multiple=True,
    help="What to write; may be given several times [default: all].",
)
def export(sweep_folder: Path, out: Path | None, formats: tuple[str, ...]) -> None:
    """Write a sweep's tables as tidy CSV and Parquet files, and LaTeX tables with intervals.

    Every planned run is in them, finished or not. Completions stay where they are.
    """
    from srtbench.store import read_plan

    _checked(lambda: read_plan(sweep_folder))
    from srtbench.analysis.export import export_sweep

    try:
        files = _checked(lambda: export_sweep(sweep_folder, out, formats or None))
    except OSError as error:
        raise _InputError(f"{error.filename}: cannot be written: {error.strerror}") from error
    for file in files:
        click.echo(file)


@main.command(
    epilog="""\b
Examples:
  srtbench audit runs/smoke
  srtbench audit runs/smoke --json audit.json
"""
)
@_SWEEP_FOLDER
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write every breach, and the verifier's health at every step, to this file.",
)
def audit(sweep_folder: Path, json_file: Path | None) -> None:
    """Derive rewards, labels, votes and grades again from the logged text; report disagreements.

    Exit code 1 if anything disagrees. Reads the sweep only; needs no model.
    """
    from srtbench.replay.audit import audit_sweep, report_dict, report_text
    from srtbench.store import write_json

    result = _checked(lambda: audit_sweep(sweep_folder))
    if json_file is not None:
        write_json(json_file, report_dict(result))
    click.echo(report_text(result))
    if not result.ok:
        sys.exit(FAILED)


@main.command(
    epilog="""\b
Examples:
  srtbench revote runs/smoke --tie abstain
  srtbench revote runs/smoke --min-share 0.5 --denominator samples --out /tmp/strict
"""
)
@_SWEEP_FOLDER
@click.option("--tie", type=click.Choice(["first", "random", "abstain", "split"]), default="first")
@click.option("--unparsable", type=click.Choice(["exclude", "count"]), default="exclude")
@click.option("--min-share", type=click.FloatRange(0, 1), default=0.0, help="A label needs this.")
@click.option("--denominator", type=click.Choice(["votes", "samples"]), default="votes")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder to write [default: RUNS/SWEEP/revote-RULE].",
)
def revote(sweep_folder: Path, out: Path | None, **voting: Any) -> None:
    """Vote again over a sweep's logged answers under another rule, without training.

    Writes a folder that reads as a sweep: `srtbench report` and `srtbench audit` take it. The
    sweep itself stays as it is.
    """
    from srtbench.config.variants import VotingConfig
    from srtbench.replay.revote import revote_sweep, revote_text

    target, rows = _checked(lambda: revote_sweep(sweep_folder, VotingConfig(**voting), out))
    click.echo(revote_text(rows))
    click.echo(f"written: {target}")
    click.echo(f"next: srtbench report {target}")


def _load(path: Path) -> "tuple[SweepConfig | SweepOfParts, Plan]":
    from srtbench.config.sweep import load_sweep
    from srtbench.plan import plan_sweep

    config = load_sweep(path)
    return config, plan_sweep(config)


def _selection(only: tuple[str, ...]) -> dict[str, list[str]]:
    """``("variant=srt,seed=0",)`` -> ``{"variant": ["srt"], "seed": ["0"]}``."""
    selection: dict[str, list[str]] = {}
    for item in ",".join(only).split(",") if only else []:
        axis, equals, label = item.partition("=")
        if not equals or not label:
            raise _InputError(f"--only {item}: write AXIS=LABEL, e.g. variant=srt")
        selection.setdefault(axis.strip(), []).append(label.strip())
    return selection


def _checked(call: Callable[[], _T]) -> _T:
    """Call, and turn the errors of a wrong argument into wrong input."""
    try:
        return call()
    except (ValueError, FileNotFoundError) as error:
        raise _InputError(str(error)) from error
