"""`--only`: the part of a plan that a user asks for."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from srtbench.config.errors import allowed
from srtbench.plan import Plan, RunSpec

Selection = Mapping[str, Sequence[str]]


def select(plan: Plan, only: Selection) -> list[RunSpec]:
    """Runs of a plan whose labels are among those asked for.

    The name of a curriculum stands for the runs of all its stages, whatever they are called.

    Raises:
        ValueError: an unknown axis or label, with the allowed ones.
    """
    axes: tuple[str, ...] = ("model", "dataset", "variant", "seed")
    if any(run.part is not None for run in plan.runs):
        axes = ("part", *axes)
    for axis, wanted in only.items():
        if axis not in axes:
            raise ValueError(f"unknown axis '{axis}'; {allowed(axis, axes)}")
        known = {label for run in plan.runs for label in _labels(plan, run, axis)}
        for name in wanted:
            if name not in known:
                raise ValueError(f"unknown {axis} '{name}'; {allowed(name, known)}")
    return [
        run
        for run in plan.runs
        if all(_labels(plan, run, axis) & {*wanted} for axis, wanted in only.items())
    ]


def restricted(plan: Plan, runs: Sequence[RunSpec]) -> Plan:
    """The plan of these runs alone: with the runs that they start from, and their stages."""
    needed = {one.run_id for run in runs for one in (*plan.before(run), run)}
    kept = tuple(run for run in plan.runs if run.run_id in needed)
    used = {stage_id for run in kept for stage_id in run.stages}
    stages = tuple(stage for stage in plan.stages if stage.stage_id in used)
    return replace(plan, runs=kept, stages=stages)


def _labels(plan: Plan, run: RunSpec, axis: str) -> set[str]:
    """What a run is called on an axis; its part may have no name."""
    if axis in ("seed", "part"):
        return {str(getattr(run, axis))}
    labels = {str(getattr(run, f"{axis}_label"))}
    if axis == "variant":
        labels |= {name for name, chain in plan.curricula.items() if run.run_id in chain}
    return labels
