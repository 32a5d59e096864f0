"""Variants from outside: each judges groups that are made up, in a process of its own.

What a user's class does is the user's: it may need a server, take minutes or end its process. None
of that is to end a plan.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from typing import Any

from srtbench.checks.findings import Findings
from srtbench.config.variants import CurriculumConfig
from srtbench.plan import Plan, RunSpec
from srtbench.plan.places import Place
from srtbench.variants import from_outside
from srtbench.variants.external import ExternalOptions, PluginOptions, PythonOptions
from srtbench.variants.registry import CombinationOptions

TIMEOUT_SECONDS = 60.0
"""Of the classes of a sweep, up to the one that takes the longest."""


def look_at_variants(findings: Findings, plan: Plan, runs: Iterable[RunSpec]) -> None:
    """Note what is wrong with the classes from outside that these runs train with."""
    jobs: dict[Place, dict[str, Any]] = {}
    seen: set[int] = set()
    for run in runs:
        if id(run.variant) in seen or not from_outside(run.variant):
            continue
        seen.add(id(run.variant))
        for entry, place in _entries(run.variant, _place(findings, plan, run)):
            key = "path" if isinstance(entry, PythonOptions) else "plugin"
            fields = PythonOptions if isinstance(entry, PythonOptions) else PluginOptions
            job = {
                "entry": entry.model_dump(mode="json", include={*fields.model_fields}),
                "answer_style": run.dataset.answer_style,
                "answer_kind": run.dataset.answer_kind,
                "size": run.train.num_generations,
            }
            jobs.setdefault(place.below(key), job)
    for place, verdict in zip(jobs, _verdicts([*jobs.values()]), strict=True):
        for message in verdict["problems"]:
            findings.problem(place, message)
        for message in verdict["warnings"]:
            findings.warning(place, message)


def _verdicts(jobs: list[dict[str, Any]]) -> list[dict[str, list[str]]]:
    """What was found of each class; another process goes on where a class has ended one."""
    found: list[dict[str, list[str]]] = []
    while len(found) < len(jobs):
        verdicts, end = _tried_elsewhere(jobs[len(found) :])
        found += verdicts
        if len(found) < len(jobs):
            found.append({"problems": [], "warnings": [f"could not be tried: {end}"]})
    return found


def _tried_elsewhere(jobs: list[dict[str, Any]]) -> tuple[list[dict[str, list[str]]], str]:
    """The verdicts up to the class that ended the process, and how it ended."""
    command = [sys.executable, "-m", "srtbench.checks.judging"]
    end = "its process ended"
    with tempfile.TemporaryFile("w+", encoding="utf-8") as said:
        try:
            done = subprocess.run(
                command,
                input=json.dumps(jobs),
                stdout=said,
                stderr=subprocess.DEVNULL,
                text=True,
                encoding="utf-8",
                timeout=TIMEOUT_SECONDS,
                check=False,
            )
            code = done.returncode
            end = f"it ended its process ({f'signal {-code}' if code < 0 else f'exit code {code}'})"
        except subprocess.TimeoutExpired:
            end = f"it takes over {TIMEOUT_SECONDS:g} seconds"
        said.seek(0)
        lines = [line for line in said if line.endswith("\n")]
    return [json.loads(line) for line in lines], end


def _place(findings: Findings, plan: Plan, run: RunSpec) -> Place:
    """Where the variant of a run stands; of a curriculum, in the first stage that is like it."""
    origin = plan.origins[run.run_id]
    place = findings.variant(origin)
    entry = findings.grid(origin.part).variants[origin.variant]
    if not isinstance(entry, CurriculumConfig):
        return place
    for number, stage in enumerate(entry.stages):
        if stage.variant.label == run.variant.label and stage.variant.type == run.variant.type:
            return place.below("stages", number, "variant")
    return place


def _entries(entry: Any, place: Place) -> Iterator[tuple[ExternalOptions, Place]]:
    """The entries of classes from outside that an entry is made of."""
    if isinstance(entry, CombinationOptions):
        for number, part in enumerate(entry.parts):
            yield from _entries(part, place.below("parts", number))
    elif isinstance(entry, ExternalOptions):
        yield entry, place
