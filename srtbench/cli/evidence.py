"""Commands that derive a sweep's numbers again: `audit`, `revote`."""

import sys
from pathlib import Path
from typing import Any

import click

from srtbench.cli.common import FAILED, SWEEP_FOLDER, checked, writing
from srtbench.cli.say import say

RUN_CODE = click.option(
    "--run-code",
    is_flag=True,
    help="Run the variants that the folder names (Python files, classes of packages) as you.",
)


@click.command(
    epilog="""\b
Examples:
  srtbench audit runs/smoke
  srtbench audit runs/smoke --json audit.json
"""
)
@SWEEP_FOLDER
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write every breach, and the verifier's health at every step, to this file.",
)
@RUN_CODE
def audit(sweep_folder: Path, json_file: Path | None, run_code: bool) -> None:
    """Derive rewards, labels, votes and grades again from the logged text; report disagreements.

    Exit code 1 if anything disagrees. Reads the sweep only; needs no model, and runs no code that
    the folder names unless --run-code says so.
    """
    from srtbench.cli.evidence_text import audit_text
    from srtbench.replay.audit import audit_sweep
    from srtbench.replay.audit_report import report_dict
    from srtbench.store import write_json

    result = checked(lambda: audit_sweep(sweep_folder, run_code=run_code))
    if json_file is not None:
        with writing(json_file):
            write_json(json_file, report_dict(result))
    say(audit_text(result))
    if not result.ok:
        sys.exit(FAILED)


@click.command(
    epilog="""\b
Examples:
  srtbench revote runs/smoke --tie abstain
  srtbench revote runs/smoke --min-share 0.5 --denominator samples --out /tmp/strict
"""
)
@SWEEP_FOLDER
@click.option("--tie", type=click.Choice(["first", "random", "abstain", "split"]), default="first")
@click.option("--unparsable", type=click.Choice(["exclude", "count"]), default="exclude")
@click.option("--min-share", type=click.FloatRange(0, 1), default=0.0, help="A label needs this.")
@click.option("--denominator", type=click.Choice(["votes", "samples"]), default="votes")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder to write [default: RUNS/SWEEP/revote-RULE].",
)
@RUN_CODE
def revote(sweep_folder: Path, out: Path | None, run_code: bool, **voting: Any) -> None:
    """Vote again over a sweep's logged answers under another rule, without training.

    Writes a folder that reads as a sweep: `srtbench report` and `srtbench audit` take it. The
    sweep itself stays as it is.
    """
    from srtbench.cli.evidence_text import revote_text
    from srtbench.replay.revote import revote_sweep
    from srtbench.votes import VotingPolicy

    with writing(out or sweep_folder):
        target, rows = checked(
            lambda: revote_sweep(sweep_folder, VotingPolicy(**voting), out, run_code=run_code)
        )
    say(revote_text(rows))
    say(f"written: {target}")
    say(f"next: srtbench report {target}")
