"""C9: the period at which labels are refreshed, from every step to never."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from analysis.claims import drawing
from analysis.claims.data import Cell, Study, settings
from analysis.claims.hypotheses import C9, C9R
from analysis.claims.mechanism import METHOD, coupling_table, fall_table, falls
from analysis.claims.sections import (
    Number,
    Section,
    Table,
    absent,
    any_run,
    change_of,
    count,
    final_difference,
    final_of,
    last_fifth,
    not_run,
    start,
)
from srtbench.analysis.effects import Effect, effect
from srtbench.stats import rate_interval

DEAD = 0.10
"""A run has collapsed if its last avg@k is below."""

PERIODS = {"snapshot-1": 1, "snapshot-5": 5, "snapshot-25": 25, "snapshot-100": 100}
"""Steps between two renewals of the labels, by variant."""


def periods(study: Study) -> Section:
    """C9: who is dead in the end, by period."""
    section, cells = start(C9, study, *C9.parts)
    tasks = settings(cells)
    if not tasks:
        return not_run(section)
    for task, group in tasks.items():
        section.use(group)
        found = {name: study.find(group, name=name) for name in ("srt", *PERIODS)}
        for key, name in (("C9a", "srt"), ("C9b", "snapshot-1"), ("C9c", "snapshot-100")):
            section.add(key, task, dead_share(study, found[name]), absent(found, name))
        by_period = {PERIODS[name]: found[name] for name in PERIODS}
        trend = rank_correlation(study, by_period)
        section.add("C9d", task, trend, absent(found, *PERIODS))
        section.tables.append(finals_table(study, task, group))
        section.tables.append(fall_table(study, task, by_period))
        section.tables.append(coupling_table(study, task, group))
    section.method += [
        f"A seed has collapsed if the last avg@k is below {DEAD:g}. Shares of seeds have the exact "
        "interval of Clopper and Pearson.",
        "The rank correlation is Spearman's over the four periods, one number per seed; its "
        "interval is over seeds. Ties count half.",
        "All variants of a seed have the same start model and the same prompts in the same order.",
        *METHOD,
    ]
    if any_run(section):
        section.sheet = drawing.accuracy(study, section.cells, "C9", C9.title)
    return section


def rivals(study: Study) -> Section:
    """C9R: the longest period against both rails."""
    section, cells = start(C9R, study, *C9R.parts)
    tasks = settings(cells)
    if not tasks:
        return not_run(section)
    for task, group in tasks.items():
        names = ("snapshot-100", "fixed_teacher", "gold")
        found = {name: study.find(group, name=name) for name in names}
        slow, fixed, gold = found.values()
        section.use(found.values())
        gain = final_difference(study, slow, fixed)
        section.add("C9e", task, gain, absent(found, "snapshot-100", "fixed_teacher"))
        gap = final_difference(study, gold, slow)
        section.add("C9f", task, gap, absent(found, "snapshot-100", "gold"))
    section.method.append("Differences are paired by seed and prompt; dead seeds are in them.")
    return section


def finals(study: Study, cell: Cell | None) -> dict[int, float]:
    """Seed -> last avg@k."""
    blocks = study.blocks(cell)
    if not blocks:
        return {}
    return dict(zip(blocks[0].seeds, blocks[0].final.mean(axis=1).tolist(), strict=True))


def dead_share(study: Study, cell: Cell | None) -> Effect | None:
    """Share of the finished seeds that have collapsed, with its exact interval."""
    return share_of_seeds([end < DEAD for end in finals(study, cell).values()])


def share_of_seeds(found: Sequence[bool]) -> Effect | None:
    """How many of some seeds, with the exact interval of Clopper and Pearson; None of none."""
    if not found:
        return None
    yes = sum(found)

    def limits(level: float) -> tuple[float, float]:
        rate = rate_interval(yes, len(found), level, unit="seeds")
        return rate.low, rate.high

    return Effect(yes / len(found), *limits(0.95), len(found), at_level=limits)


def rank_correlation(study: Study, cells: Mapping[float, Cell | None]) -> Effect | None:
    """Spearman's correlation of period and last avg@k, per seed that is finished at all periods."""
    ends = {period: finals(study, cell) for period, cell in cells.items()}
    seeds = sorted(set.intersection(*(set(found) for found in ends.values())))
    values = [spearman([ends[period][seed] for period in sorted(ends)]) for seed in seeds]
    return effect(values, (-1.0, 1.0)) if values else None


def spearman(values: list[float]) -> float:
    """Correlation of the places 0, 1, ... with the ranks of the values; 0 where all are equal."""
    table = pl.DataFrame({"place": range(len(values)), "value": values})
    found = table.select(pl.corr("place", "value", method="spearman")).item()
    return 0.0 if found is None or math.isnan(found) else float(found)


def finals_table(study: Study, task: str, cells: list[Cell]) -> Table:
    """Who collapsed, when, and where the others ended."""
    rows = []
    for cell in cells:
        ends = finals(study, cell)
        alive = [end for end in ends.values() if end >= DEAD]
        numbers = (
            count(len(ends)),
            count(sum(end < DEAD for end in ends.values())),
            Number(dead_share(study, cell)),
            Number(effect(alive, (0.0, 1.0))),
            Number(final_of(study, cell)),
            Number(change_of(study, cell)),
            Number(_half_gone(study, cell), 0),
            Number(last_fifth(study, cell, "train_reward")),
            Number(last_fifth(study, cell, "label_accuracy")),
        )
        rows.append(((cell.variant,), numbers))
    return Table(
        f"periods {task}", f"By period, {task}", ("variant",),
        (
            "seeds", "collapsed", "share collapsed", "final avg@k of the others", "final avg@k",
            "end minus start in avg@k", "first evaluation below half the start, of those",
            "train_reward, last fifth", "label accuracy, last fifth",
        ),
        tuple(rows),
    )  # fmt: skip


def _half_gone(study: Study, cell: Cell) -> Effect | None:
    """Step of the first evaluation below half of the start, over the seeds that come there."""
    steps = [end for _, end in falls(study, cell).values() if math.isfinite(end)]
    return effect(steps, (0.0, np.inf)) if steps else None
