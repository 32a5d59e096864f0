"""C5-2: self-reward for 1,500 steps at the usual rate, and gold for as long."""

import math

import numpy as np

from analysis.claims import drawing
from analysis.claims.data import Cell, Study, settings
from analysis.claims.hypotheses import C5_2
from analysis.claims.mechanism import falls
from analysis.claims.refresh import DEAD, dead_share, finals_table
from analysis.claims.samples import samples_table
from analysis.claims.sections import Number, Section, Table, absent, any_run, count, not_run, start
from srtbench.analysis.effects import SHARE_DIFFERENCE, Effect, effect
from srtbench.analysis.scores import cross_fitted_rise
from srtbench.stats import kaplan_meier


def collapses_in_time(study: Study) -> Section:
    """C5-2: who is dead in the end, and how long the others lived."""
    section, cells = start(C5_2, study, *C5_2.parts)
    tasks = settings(cells)
    if not tasks:
        return not_run(section)
    for task, group in tasks.items():
        section.use(group)
        roles = {kind: study.find(group, kind=kind) for kind in ("srt", "gold")}
        srt = roles["srt"]
        for key, kind in (("C5-2a", "srt"), ("C5-2b", "gold")):
            section.add(key, task, dead_share(study, roles[kind]), absent(roles, kind))
        rises = [cross_fitted_rise(block.avg) for block in study.blocks(srt)]
        rise = effect(rises[0], SHARE_DIFFERENCE) if rises else None
        section.add("C5-2c", task, rise, absent(roles, "srt"))
        section.tables.append(finals_table(study, task, group))
        if srt is not None and srt.seeds:
            section.tables.append(survival_table(study, task, srt))
            section.samples += samples_table(study, srt)
    section.method += [
        f"A seed has collapsed if the last avg@k is below {DEAD:g}. Shares of seeds have the exact "
        "interval of Clopper and Pearson.",
        "The rise is cross-fitted: each seed's best evaluation is chosen on one half of the "
        "prompts and measured on the other, both ways round. Else luck would count as a rise.",
        "Survival is that of Kaplan and Meier (1958), with the limits of Dorey and Korn (1987); a "
        "run falls at the first evaluation below half of its start.",
    ]
    if any_run(section):
        section.sheet = drawing.accuracy(study, section.cells, "C5-2", C5_2.title)
    return section


def survival_table(study: Study, task: str, cell: Cell) -> Table:
    """Share of seeds still standing after each evaluation at which one fell."""
    found = falls(study, cell).values()
    ends = [high if math.isfinite(high) else low for low, high in found]
    curve = kaplan_meier(np.array(ends), [math.isfinite(high) for _, high in found])
    rows = tuple(
        (
            (cell.variant, f"{time:g}"),
            (count(at_risk), count(fell), Number(Effect(share, low, high, len(ends)))),
        )
        for time, at_risk, fell, share, low, high in zip(
            curve.times, curve.at_risk, curve.events, curve.survival, curve.low, curve.high,
            strict=True,
        )
    )  # fmt: skip
    return Table(
        f"survival {task}", f"Seeds that have not fallen, {task}", ("variant", "step"),
        ("standing before", "fell", "share standing after"), rows,
    )  # fmt: skip
