"""`srtbench import`: logs of other trainers become runs of a sweep folder."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from srtbench.cli.common import InputError, checked, writing
from srtbench.cli.say import complain, say

if TYPE_CHECKING:
    from srtbench.imports import ImportResult

_EVERY_SECONDS = 2.0


@click.command(
    "import",
    epilog="""\b
Examples:
  srtbench import /logs/run1 --out runs/theirs --label variant=srt --label seed=0
  srtbench import /logs/run2 --out runs/theirs --label variant=gold      adds a run
  srtbench import /logs/run1 --out runs/theirs --watch                   follows the trainer
  srtbench import /logs/odd --map layout.yaml --out runs/odd             any JSONL, Parquet or CSV
  srtbench import --manifest study.yaml --out runs/study                 many runs at once
""",
)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="PATH...")
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Sweep folder to write; another import into it adds a run.",
)
@click.option(
    "--format",
    "format_",
    metavar="NAME",
    help="verl, trl, prime-rl, verifiers, inspect, nemo-rl, nemo-gym, open-instruct, skyrl, areal, "
    "ms-swift, lm-eval [default: by the content of the files].",
)
@click.option(
    "--map",
    "map_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="YAML file that says which column is which, for any JSONL, Parquet or CSV.",
)
@click.option(
    "--label",
    "labels",
    multiple=True,
    metavar="KEY=VALUE",
    help="model, dataset, variant, variant_type or seed of the run; may be given several times.",
)
@click.option("--answer-style", help="How answers are found, e.g. boxed, hash [default: boxed].")
@click.option("--answer-kind", help="How they are compared, e.g. math, text [default: math].")
@click.option("--tokenizer", help="Name or folder of the tokenizer, for logs of token ids.")
@click.option(
    "--manifest",
    type=click.Path(path_type=Path, dir_okay=False),
    help="YAML file that names many runs, in place of PATH.",
)
@click.option("--watch", is_flag=True, help="Look again for what is new until interrupted.")
@click.option(
    "--every",
    type=click.FloatRange(min=0.1),
    default=30.0,
    show_default=True,
    help="Seconds between two looks of --watch.",
)
def import_(
    paths: tuple[Path, ...],
    out: Path,
    format_: str | None,
    map_file: Path | None,
    labels: tuple[str, ...],
    answer_style: str | None,
    answer_kind: str | None,
    tokenizer: str | None,
    manifest: Path | None,
    watch: bool,
    every: float,
) -> None:
    """Read rollouts that another trainer logged; report, audit, revote and export work on them.

    One call is one run. The same call again reads only what is new. Answers, keys, votes and grades
    are made anew; the trainer's own verdict is kept beside them. What the log cannot tell is said.
    """
    if manifest is None and not paths:
        raise InputError("nothing to import: give a PATH, or --manifest FILE")
    if manifest is not None and (paths or format_ or map_file or labels):
        raise InputError("--manifest names the runs; give no PATH, --format, --map or --label too")
    given = _labels(labels)
    if (
        manifest is None
        and not watch
        and (
            known := _known(
                paths,
                out,
                map_file,
                given,
                {
                    "format": format_,
                    "style": answer_style,
                    "kind": answer_kind,
                    "tokenizer": tokenizer,
                },
            )
        )
        is not None
    ):
        _tell(known, quiet=False)
        say(f"next: srtbench report {out}")
        return
    from srtbench.imports import import_many, import_rollouts
    from srtbench.rollouts.importers import NoLogYetError

    arguments: dict[str, Any] = {
        "format": format_,
        "map": map_file,
        "labels": given,
        "answer_style": answer_style,
        "answer_kind": answer_kind,
        "tokenizer": tokenizer,
    }
    progress = _Progress()

    def once() -> "list[ImportResult]":
        if manifest is not None:
            return import_many(manifest, out, progress)
        return [import_rollouts(paths, out=out, progress=progress, **arguments)]

    said = ""
    while True:
        try:
            with writing(out):
                results = checked(once)
        except InputError as error:
            # The trainer has not begun, or moves a file away at this moment.
            if not watch or not isinstance(error.__cause__, NoLogYetError | FileNotFoundError):
                raise
            if str(error) != said:
                complain(f"waiting: {error}")
            said, results = str(error), []
        for result in results:
            _tell(result, quiet=watch and not result.rows)
        if not watch:
            break
        sys.stdout.flush()
        time.sleep(every)
    say(f"next: srtbench report {out}")


def _known(
    paths: tuple[Path, ...],
    out: Path,
    map_file: Path | None,
    labels: dict[str, str],
    options: dict[str, str | None],
) -> "ImportResult | None":
    """What the same call said before, if nothing is new since: the reader is not loaded then."""
    from srtbench.imports.looked import call_of, nothing_new

    try:
        return nothing_new(out, call_of(paths, map_file, labels, **options), paths)
    except OSError:  # the import itself says of which file
        return None


def _labels(given: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for one in given:
        key, equals, value = one.partition("=")
        if not equals or not value.strip():
            raise InputError(f"--label {one}: write KEY=VALUE, e.g. variant=srt")
        found[key.strip()] = value.strip()
    return found


def _tell(result: "ImportResult", *, quiet: bool) -> None:
    if quiet:
        return
    say(
        f"{result.run_id}: {result.rows:,} new rollouts, {result.total:,} in all "
        f"(format {result.format})"
    )
    for where in result.damaged:
        complain(f"warning: left out: {where}")
    if result.skipped > len(result.damaged):
        complain(f"warning: damaged records left out in all: {result.skipped:,}")
    if result.others:
        named = ", ".join(result.others[:5]) + (", ..." if len(result.others) > 5 else "")
        complain(f"warning: files of no known format left out: {len(result.others)} ({named})")
    for sentence in result.caveats:
        say(f"  {sentence}")


class _Progress:
    """A line on the standard error every few seconds."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def __call__(self, files: int, of: int, rows: int) -> None:
        now = time.monotonic()
        if now - self._last >= _EVERY_SECONDS:
            self._last = now
            complain(f"read {files:,} of {of:,} files, {rows:,} rollouts")
