"""What C9 measures beside its hypotheses: when runs fall, how soon they rise, and why.

Exploratory: nothing here was fixed before the runs.
"""

import math
from collections.abc import Collection, Mapping

import numpy as np

from analysis.claims.data import Cell, Study
from analysis.claims.sections import Number, Table, count
from analysis.claims.weibull import jackknife, weibull
from srtbench.analysis.effects import POSITIVE, SHARE, SHARE_DIFFERENCE, Effect, effect

GAIN = 0.10
"""A run has risen once its avg@k is this far above its start."""
EARLY = 0.1
"""Share of the steps, the first ones, in which most runs still live."""
FLAT = 1e-4
Fall = tuple[float, float]
"""A run fell after the first step and not after the second; infinite: not by the end."""


def falls(study: Study, cell: Cell | None) -> dict[int, Fall]:
    """Seed -> the evaluations between which avg@k came below half of its start."""
    found = {}
    for block in study.blocks(cell):
        for seed, curve in zip(block.seeds, block.avg.mean(axis=2), strict=True):
            low = np.flatnonzero(curve < curve[0] / 2)
            at = int(low[0]) if len(low) else len(curve)
            steps = [float(step) for step in block.steps]
            found[seed] = (steps[at - 1], steps[at] if at < len(steps) else math.inf)
    return found


def rises(study: Study, cell: Cell) -> dict[int, float]:
    """Seed -> the first evaluation at which it has gained ``GAIN``; seeds that never do are out."""
    found = {}
    for block in study.blocks(cell):
        for seed, curve in zip(block.seeds, block.avg.mean(axis=2), strict=True):
            high = np.flatnonzero(curve >= curve[0] + GAIN)
            if len(high):
                found[seed] = float(block.steps[high[0]])
    return found


def power(
    study: Study, cells: Mapping[int, Cell | None], *, in_rounds: bool = False
) -> tuple[Effect | None, int, int]:
    """How the time of the fall grows with the period: b of T ~ period^b.

    The interval is the jackknife's over seeds, which share a start model between periods.

    Args:
        cells: period -> its runs.
        in_rounds: a step is a round, as long as the period: times are counted in what periods are.

    Returns:
        The exponent, how many runs fell, and of how many.
    """
    known = {period: falls(study, cell) for period, cell in cells.items()}
    rows = [
        (seed, math.log(period), *(step * (period if in_rounds else 1) for step in fall))
        for period, by_seed in known.items()
        for seed, fall in by_seed.items()
    ]
    fell = sum(math.isfinite(row[3]) for row in rows)

    def slope(seeds: Collection[int]) -> float | None:
        table = np.array([row[1:] for row in rows if row[0] in seeds])
        fit = weibull(table[:, 1], table[:, 2], table[:, 0]) if len(table) else None
        return None if fit is None else fit.slopes[0]

    return jackknife(slope, {row[0] for row in rows}), fell, len(rows)


def fall_table(
    study: Study, task: str, cells: Mapping[int, Cell | None], *, in_rounds: bool = False
) -> Table:
    """The exponent of the time of the fall, and what it rests on."""
    exponent, fell, of = power(study, cells, in_rounds=in_rounds)
    return Table(
        f"fall {task}", f"Time of the fall as a power of the period, {task}", ("periods",),
        ("exponent b of T ~ period^b", "runs that fell", "runs"),
        (((", ".join(map(str, cells)),), (Number(exponent, 2), count(fell), count(of))),),
    )  # fmt: skip


def coupling_table(study: Study, task: str, cells: list[Cell]) -> Table:
    """How wrong the reward is, how far it follows the policy, and to which side it errs."""
    columns = ("noise", "coupling", "skew")
    rows = []
    for cell in cells:
        rose = rises(study, cell)
        numbers = [count(len(rose)), Number(effect([*rose.values()], POSITIVE), 0)]
        for last in (False, True):
            for column in columns:
                bounds = SHARE_DIFFERENCE if column == "skew" else SHARE
                numbers.append(Number(effect(_over(study, cell, column, last=last), bounds)))
        rows.append(((cell.variant,), tuple(numbers)))
    return Table(
        f"mechanism {task}", f"Speed and reward, {task}", ("variant",),
        (
            f"seeds that gain {GAIN:g}", "first evaluation at which, of those",
            *(f"{name}, {when}" for when in ("first tenth", "last fifth") for name in columns),
        ),
        tuple(rows),
    )  # fmt: skip


METHOD = (
    f"A run has fallen at the first evaluation below half of its start, and risen at the first "
    f"one {GAIN:g} above it. The exponent is that of an interval-censored Weibull regression of "
    "the time of the fall on the logarithm of the period, over all runs, those that did not fall "
    "as censored; its interval is a jackknife over seeds.",
    "Noise is the share of completions whose train_reward is not their gold_reward. Coupling is "
    "the share of the group's most frequent answer that is rewarded, train_reward over "
    "majority_ratio: 1 where the policy's own majority is the label. Skew is the surplus of wrong "
    "completions that are rewarded over right ones that are not, as a share of both: 1 where "
    "every error is a reward too many. They stand for reward noise, policy-reward coupling and "
    "over- and under-reward of arXiv 2510.08977; the formulas are ours.",
)


def _over(study: Study, cell: Cell, column: str, *, last: bool) -> list[float]:
    """Mean over the first tenth or the last fifth of the steps, one number per seed that has it."""
    found = []
    for run in cell.runs.values():
        table = study.training[run].sort("step")
        size = max(1, len(table) // 5) if last else max(1, math.ceil(EARLY * len(table)))
        part = table.tail(size) if last else table.head(size)
        names = ("train_reward", "gold_reward", "reward_accuracy", "majority_ratio")
        if any(part[name].null_count() for name in names):
            continue
        reward, gold, right, majority = (float(part[name].mean()) for name in names)  # type: ignore[arg-type]
        if not (0 <= reward <= 1):
            continue
        noise = 1.0 - right
        if column == "noise":
            found.append(noise)
        elif column == "coupling" and majority > 0:
            found.append(min(1.0, reward / majority))
        elif column == "skew" and noise > FLAT:
            found.append(max(-1.0, min(1.0, (reward - gold) / noise)))
    return found
