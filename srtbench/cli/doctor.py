"""The command for a new machine: `doctor`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from srtbench.cli.common import FAILED, ROOT
from srtbench.cli.say import complain, one_line, say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from srtbench.doctor.finding import Finding
    from srtbench.doctor.machine import Machine
    from srtbench.doctor.sweeps import Outlook

_MARKS = {"ok": "ok  ", "note": "note", "fail": "FAIL"}


@click.command(
    epilog="""\b
Examples:
  srtbench doctor                       after an installation, on every new machine
  srtbench doctor --no-proof            without the training run: seconds
  srtbench doctor --sweeps my_sweeps    what of these can run here
  srtbench doctor --json                for a program
"""
)
@ROOT
@click.option(
    "--sweeps",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("sweeps"),
    show_default=True,
    help="Folder of sweep files to look through.",
)
@click.option("--proof/--no-proof", default=True, help="Train, log and audit three steps.")
@click.option("--hub/--no-hub", default=True, help="Ask whether the hub answers.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON instead.")
def doctor(root: Path, sweeps: Path, proof: bool, hub: bool, as_json: bool) -> None:
    """Say what this machine has, whether it fits together, and what it can run.

    Cores, memory, disk, torch, GPUs, packages, hub; then a run of three steps in a temporary
    folder, as proof; then the sweep files that can run here. Exit code 1 if something fails.
    """
    from srtbench.doctor.finding import worst
    from srtbench.doctor.machine import examine
    from srtbench.doctor.sweeps import outlooks

    machine = examine()
    findings = []
    hub_answers = False
    for finding in _findings(machine, root, proof, hub):
        findings.append(finding)
        hub_answers |= finding.name == "hub" and finding.state == "ok"
        if not as_json:
            say(f"{_MARKS[finding.state]}  {one_line(f'{finding.name}: {finding.text}')}")
    found = [*outlooks(sweeps, machine, hub_answers)] if sweeps.is_dir() else []
    failed = worst(findings) == "fail"
    if as_json:
        _say_json(findings, found, not failed)
    else:
        _say_outlooks(sweeps, found)
        say("something fails: see above" if failed else "all well")
    if failed:
        sys.exit(FAILED)


def _findings(machine: "Machine", root: Path, proof: bool, hub: bool) -> "Iterator[Finding]":
    from srtbench.doctor.machine import machine_findings
    from srtbench.doctor.packages import hub_finding, package_findings
    from srtbench.doctor.proof import prove

    yield from machine_findings(machine, root)
    yield from package_findings()
    if hub:
        yield hub_finding()
    if proof:
        complain("training three steps in a temporary folder (about 30 s on a free machine) ...")
        yield prove()


def _say_outlooks(folder: Path, found: "list[Outlook]") -> None:
    from srtbench.cli.render import table_text

    if not found:
        say(f"no sweep files in {folder}")
        return
    rows = [
        (
            str(one.path),
            f"{one.runs}",
            "no" if one.missing else "yes",
            one_line(f"needs {'; '.join(one.missing)}" if one.missing else one.advice),
        )
        for one in found
    ]
    say("\n" + table_text(("sweep file", "runs", "here", "how"), rows) + "\n")


def _say_json(findings: "list[Finding]", found: "list[Outlook]", ok: bool) -> None:
    from dataclasses import asdict

    from pydantic_core import to_json

    content = {
        "ok": ok,
        "findings": [asdict(one) for one in findings],
        "sweeps": [asdict(one) for one in found],
    }
    say(to_json(content, indent=1).decode())
