"""The command that a machine asks: `check`."""

import sys
from pathlib import Path

import click

from srtbench.cli.common import FAILED, checked
from srtbench.cli.say import one_line, say


@click.command(
    epilog="""\b
Examples:
  srtbench check runs/smoke                         in CI, cron or a cluster's epilogue
  srtbench check runs/smoke runs/other --undecided  also if a run shows neither rise nor fall
  srtbench check runs/smoke/RUN --json              one run, for a program
"""
)
@click.argument(
    "folders",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="RUN...",
    nargs=-1,
    required=True,
)
@click.option("--collapsed", is_flag=True, help="Look for collapses; it always does.")
@click.option(
    "--undecided",
    is_flag=True,
    help="Also for runs of which nothing can be said: not finished, too few evaluations, or a "
    "change of accuracy whose 95% interval includes 0.",
)
@click.option("--json", "as_json", is_flag=True, help="Print every run as JSON instead.")
def check(folders: tuple[Path, ...], collapsed: bool, undecided: bool, as_json: bool) -> None:
    """Say which runs collapsed: one line each, and exit code 1 if there is one.

    RUN is a folder of a sweep, or of one of its runs; finished or not, failed or imported. It
    collapsed if its gold accuracy fell for good while its reward held; docs/estimators.md has the
    rule.
    """
    from dataclasses import asdict

    from pydantic_core import to_json

    from srtbench.analysis.health import run_health
    from srtbench.config.words import counted

    found = checked(lambda: [one for folder in folders for one in run_health(folder)])
    wanted = ("collapsed", "undecided") if undecided else ("collapsed",)
    flagged = [one for one in found if one.outcome in wanted]
    counts = {
        word: sum(one.outcome == word for one in found)
        for word in ("collapsed", "rose", "fell", "undecided")
    }
    if as_json:
        content = {
            "ok": not flagged,
            "counts": counts,
            "runs": [asdict(one) | {"flagged": one in flagged} for one in found],
        }
        say(to_json(content, indent=1, inf_nan_mode="null").decode())
    else:
        for one in flagged:
            say(one_line(f"{one.outcome}: {one.sweep}/{one.run_id}: {one.why}"))
        listed = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
        say(f"{counted(len(found), 'run')}: {listed}")
    if flagged:
        sys.exit(FAILED)
