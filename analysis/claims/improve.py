"""C1, C2, C3: does self-reward improve the policy, rival gold labels, and improve its labels?"""

from collections.abc import Callable

import numpy as np
import polars as pl

from analysis.claims import drawing
from analysis.claims.data import Cell, Study, settings
from analysis.claims.effects import Effect, over_both
from analysis.claims.hypotheses import C1, C2, C3, Claim
from analysis.claims.sections import (
    Number,
    Roles,
    Section,
    Table,
    absent,
    blocks_of,
    count,
    last_fifth,
    not_run,
    start,
)
from srtbench.analysis.figures.sheets import Sheet


def improves(study: Study) -> Section:
    """C1: accuracy and majority accuracy of srt, end against start."""
    section, tasks = _begin(study, C1, ("srt",))
    for task, roles in tasks.items():
        blocks = blocks_of(study, roles["srt"])
        missing = absent(roles, "srt")
        section.add("C1a", task, over_both(blocks[0].change) if blocks else None, missing)
        gain = over_both(blocks[0].maj[:, -1] - blocks[0].maj[:, 0]) if blocks else None
        section.add("C1b", task, gain, missing)
    section.method.append(
        "Both effects are changes of the same held-out prompts, paired by prompt and seed."
    )
    return _finish(section, lambda: drawing.accuracy(study, section.cells, "C1"))


def rivals_gold(study: Study) -> Section:
    """C2: gold minus srt half-way, and at every evaluation."""
    section, tasks = _begin(study, C2, ("srt", "gold"))
    rows, frames = [], []
    for task, roles in tasks.items():
        srt, gold = roles["srt"], roles["gold"]
        curve = _differences(study, gold, srt)
        missing = absent(roles, "srt", "gold") or "no seed is finished in both"
        half = None
        if srt is not None and curve:
            middle = min(curve, key=lambda step: (abs(step - srt.total_steps / 2), step))
            half = curve[middle]
            first = next((step for step, e in curve.items() if e.value > _MARGIN), None)
            sure = next(
                (s for s, e in curve.items() if e.low is not None and e.low > _MARGIN), None
            )
            rows.append(((task,), (count(middle), count(first), count(sure))))
            frames.append(drawing.difference_rows(srt, curve, ("gold", "srt")))
        section.add("C2", task, half, missing)
    section.tables.append(
        Table(
            "margin", "Where gold pulls ahead by more than the margin", ("task",),
            ("step nearest half", "first step, estimate", "first step, whole interval"),
            tuple(rows),
        )
    )  # fmt: skip
    section.tables.append(_step_table(frames))
    section.method.append(
        "Differences are paired by seed and prompt. They are given at every evaluation; the "
        "hypothesis is about the one nearest half of training."
    )
    if frames:
        section.sheet = drawing.differences(frames, "C2", C2.title, _MARGIN)
    return section


def labels_improve(study: Study) -> Section:
    """C3: label accuracy of srt and fixed_teacher, and what it is worth."""
    section, tasks = _begin(study, C3, ("srt", "fixed_teacher"))
    for task, roles in tasks.items():
        srt, teacher = roles["srt"], roles["fixed_teacher"]
        for key, cell, kind in (("C3a", srt, "srt"), ("C3b", teacher, "fixed_teacher")):
            change = last_fifth(study, cell, "label_accuracy", first_too=True) if cell else None
            section.add(key, task, change, absent(roles, kind))
        final = None
        curve = _differences(study, srt, teacher)
        if curve:
            final = curve[max(curve)]
        missing = absent(roles, "srt", "fixed_teacher") or "no seed is finished in both"
        section.add("C3c", task, final, missing)
    section.method.append(
        "Label accuracy is that of the training groups. Its intervals are over seeds alone, as "
        "every step has other prompts. The difference in avg@k is paired by seed and prompt."
    )
    return _finish(section, lambda: drawing.labels(study, section.cells))


_MARGIN = C2.hypotheses[0].threshold


def _begin(study: Study, claim: Claim, kinds: tuple[str, ...]) -> tuple[Section, dict[str, Roles]]:
    section, cells = start(claim, study, *claim.parts)
    tasks: dict[str, Roles] = {}
    for task, group in settings(cells).items():
        tasks[task] = {kind: study.find(group, kind=kind) for kind in kinds}
        section.use(tasks[task].values())
    if not tasks:
        not_run(section)
    return section, tasks


def _finish(section: Section, draw: Callable[[], Sheet]) -> Section:
    if any(cell.seeds for cell in section.cells):
        section.sheet = draw()
    return section


def _differences(study: Study, first: Cell | None, second: Cell | None) -> dict[int, Effect]:
    """First minus second in avg@k at every evaluation that both have."""
    blocks = blocks_of(study, first, second)
    if not blocks:
        return {}
    one, other = blocks
    found = {}
    for step in sorted(set(one.steps) & set(other.steps)):
        table = one.avg[:, one.steps.index(step)] - other.avg[:, other.steps.index(step)]
        effect = over_both(np.asarray(table))
        if effect is not None:
            found[step] = effect
    return found


def _step_table(frames: list[pl.DataFrame]) -> Table:
    rows = []
    for frame in frames:
        for row in frame.iter_rows(named=True):
            effect = Effect(row["value"], row["low"], row["high"], row["seeds"], row["prompts"])
            rows.append(((row["dataset"], str(row["step"])), (Number(effect),)))
    return Table(
        "every step", "Gold minus srt in avg@k at every evaluation", ("task", "step"),
        ("gold minus srt",), tuple(rows),
    )  # fmt: skip
