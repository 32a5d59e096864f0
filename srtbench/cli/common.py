"""What the commands share: arguments, exit codes, and errors that are the user's to mend."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from srtbench.config.sweep import SweepConfig, SweepOfParts
    from srtbench.plan import Plan

_T = TypeVar("_T")

OK, FAILED, REFUSED = 0, 1, 2
"""All well; a run failed or an audit found a breach; the input or the system refuses."""

SWEEP_FILE = click.argument(
    "sweep_file", type=click.Path(path_type=Path, dir_okay=False), metavar="SWEEP.yaml"
)
SWEEP_FOLDER = click.argument(
    "sweep_folder", type=click.Path(path_type=Path, file_okay=False), metavar="RUNS/SWEEP"
)
SWEEP_FOLDERS = click.argument(
    "sweep_folders",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="RUNS/SWEEP...",
    nargs=-1,
    required=True,
)
ROOT = click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs"),
    show_default=True,
    help="Folder of sweeps.",
)
ONLY = click.option(
    "--only",
    metavar="AXIS=LABEL,...",
    multiple=True,
    help="Only runs with these labels, e.g. variant=srt,seed=0. Axes: model, dataset, variant, "
    "seed, and part in a sweep of parts. Given twice for one axis, either label will do. The name "
    "of a curriculum takes all its stages.",
)


class InputError(Exception):
    """What the user asked for cannot be done as asked."""


def load(path: Path, root: Path) -> "tuple[SweepConfig | SweepOfParts, Plan]":
    """The sweep of a file with the commits of the hub that its folder keeps, and its plan."""
    from srtbench.config.sweep import load_sweep
    from srtbench.plan import plan_sweep

    config = at_commits(load_sweep(path), root)
    return config, plan_sweep(config)


def at_commits(config: "SweepConfig | SweepOfParts", root: Path) -> "SweepConfig | SweepOfParts":
    """A sweep with the commits of the hub that its folder keeps."""
    from srtbench.plan.hub import with_commits
    from srtbench.store.hub_file import read_commits

    commits = read_commits(root / config.name)
    return with_commits(config, commits) if commits else config


def read(path: Path) -> "SweepConfig | SweepOfParts":
    """The sweep of a file that is to be trained: mistakes are told with those of its data."""
    from srtbench.config.errors import ConfigError
    from srtbench.config.sweep import load_sweep

    try:
        return load_sweep(path)
    except ConfigError as error:
        from srtbench.checks import check_what_fits

        raise check_what_fits(error) from None


def selection_of(only: tuple[str, ...]) -> dict[str, list[str]]:
    """``("variant=srt,seed=0",)`` -> ``{"variant": ["srt"], "seed": ["0"]}``."""
    selection: dict[str, list[str]] = {}
    for item in ",".join(only).split(",") if only else []:
        axis, equals, label = item.partition("=")
        if not equals or not label:
            raise InputError(f"--only {item}: write AXIS=LABEL, e.g. variant=srt")
        selection.setdefault(axis.strip(), []).append(label.strip())
    return selection


def checked(call: Callable[[], _T]) -> _T:
    """Call, and turn the errors of a wrong argument into wrong input."""
    try:
        return call()
    except (ValueError, FileNotFoundError) as error:
        raise InputError(str(error)) from error


@contextlib.contextmanager
def writing(place: Path) -> Iterator[None]:
    """Name ``place`` in an error of the system that names no file, as that of a full disk does.

    One of our own, as of a folder in use, has no number and says itself what it is about.
    """
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            error.filename = str(place)
        raise


def system_error(error: OSError) -> str:
    """One line: the file, and what the system says of it."""
    reason = error.strerror or str(error) or type(error).__name__
    places = [str(place) for place in (error.filename, error.filename2) if place is not None]
    return f"{' -> '.join(places)}: {reason}" if places else reason
