"""A sweep as runs and shared stages: pure, and instant (no torch, no model, no data read)."""

from srtbench.plan.build import Plan, plan_sweep, plan_what_fits
from srtbench.plan.estimate import estimate
from srtbench.plan.grid import Origin
from srtbench.plan.specs import Estimate, EvalSetSpec, RunSpec, StartsFrom
from srtbench.plan.stages import StageSpec

__all__ = [
    "Estimate",
    "EvalSetSpec",
    "Origin",
    "Plan",
    "RunSpec",
    "StageSpec",
    "StartsFrom",
    "estimate",
    "plan_sweep",
    "plan_what_fits",
]
