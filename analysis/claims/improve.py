"""C1, C2, C3: does self-reward improve the policy, rival gold labels, and improve its labels?"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import polars as pl

from analysis.claims import drawing
from analysis.claims.data import Cell, Study, settings
from analysis.claims.hypotheses import C1, C2, C3, Claim
from analysis.claims.sections import (
    Number,
    Roles,
    Section,
    Table,
    absent,
    any_run,
    change_of,
    count,
    final_difference,
    last_fifth,
    not_run,
    start,
)
from srtbench.analysis.effects import SHARE_DIFFERENCE, Effect, effect
from srtbench.analysis.estimates import paired_curve
from srtbench.analysis.figures.more_sheets import difference_sheet
from srtbench.analysis.figures.sheets import label_accuracy_sheet


def improves(study: Study, claim: Claim = C1) -> Section:
    """C1: accuracy and majority accuracy of srt, end against start."""
    section, tasks = begin(study, claim, ("srt",))
    average, majority = (hypothesis.key for hypothesis in claim.hypotheses)
    for task, roles in tasks.items():
        missing = absent(roles, "srt")
        section.add(average, task, change_of(study, roles["srt"]), missing)
        maj = [block.maj[:, -1] - block.maj[:, 0] for block in study.blocks(roles["srt"])]
        section.add(majority, task, effect(maj[0], SHARE_DIFFERENCE) if maj else None, missing)
    section.method.append(
        "Both effects are changes of the same held-out prompts, paired by prompt and seed."
    )
    if any_run(section):
        section.sheet = drawing.accuracy(study, section.cells, claim.key)
    return section


def rivals_gold(study: Study, claim: Claim = C2) -> Section:
    """C2: gold minus srt half-way, and at every evaluation."""
    section, tasks = begin(study, claim, ("srt", "gold"))
    rows, frames = [], []
    for task, roles in tasks.items():
        srt, gold = roles["srt"], roles["gold"]
        curve = differences(study, gold, srt)
        effects = dict(effects_of(curve))
        missing = absent(roles, "srt", "gold") or "no seed is finished in both"
        half = None
        if srt is not None and effects:
            middle = half_way(effects, srt)
            half = effects[middle]
            ahead = (curve.filter(pl.col(name) > _MARGIN)["step"] for name in ("value", "low"))
            first, sure = (steps[0] if len(steps) else None for steps in ahead)
            rows.append(((task,), (count(middle), count(first), count(sure))))
            frames.append(curve)
        section.add(claim.hypotheses[0].key, task, half, missing)
    section.tables.append(
        Table(
            "margin", "Where gold pulls ahead by more than the margin", ("task",),
            ("step nearest half", "first step, estimate", "first step, whole interval"),
            tuple(rows),
        )
    )  # fmt: skip
    section.tables.append(
        Table(
            "every step", "Gold minus srt in avg@k at every evaluation", ("task", "step"),
            ("gold minus srt",),
            tuple(
                ((curve["dataset"][0], str(step)), (Number(found),))
                for curve in frames
                for step, found in effects_of(curve)
            ),
        )
    )  # fmt: skip
    section.method.append(
        "Differences are paired by seed and prompt. They are given at every evaluation; the "
        "hypothesis is about the one nearest half of training."
    )
    if frames:
        section.sheet = difference_sheet(pl.concat(frames), claim.key, claim.title, _MARGIN)
    return section


def labels_improve(study: Study) -> Section:
    """C3: label accuracy of srt and fixed_teacher, and what it is worth."""
    section, tasks = begin(study, C3, ("srt", "fixed_teacher"))
    for task, roles in tasks.items():
        srt, teacher = roles["srt"], roles["fixed_teacher"]
        for key, cell, kind in (("C3a", srt, "srt"), ("C3b", teacher, "fixed_teacher")):
            change = last_fifth(study, cell, "label_accuracy", first_too=True) if cell else None
            section.add(key, task, change, absent(roles, kind))
        final = final_difference(study, srt, teacher)
        missing = absent(roles, "srt", "fixed_teacher") or "no seed is finished in both"
        section.add("C3c", task, final, missing)
    section.method.append(
        "Label accuracy is that of the training groups. Its intervals are over seeds alone, as "
        "every step has other prompts. The difference in avg@k is paired by seed and prompt."
    )
    if any_run(section):
        curves = study.curves("train_curve", section.cells, ["label_accuracy"])
        section.sheet = replace(label_accuracy_sheet(curves), name="C3", title="Label accuracy")
    return section


_MARGIN = C2.hypotheses[0].threshold


def half_way(steps: Iterable[int], cell: Cell) -> int:
    """The evaluation nearest half of training, the earlier of two."""
    return min(steps, key=lambda step: (abs(step - cell.total_steps / 2), step))


def begin(study: Study, claim: Claim, kinds: tuple[str, ...]) -> tuple[Section, dict[str, Roles]]:
    """A section, and per task the cells of these variants."""
    section, cells = start(claim, study, *claim.parts)
    tasks: dict[str, Roles] = {}
    for task, group in settings(cells).items():
        tasks[task] = {kind: study.find(group, kind=kind) for kind in kinds}
        section.use(tasks[task].values())
    if not tasks:
        not_run(section)
    return section, tasks


def differences(study: Study, first: Cell | None, second: Cell | None) -> pl.DataFrame:
    """First minus second in avg@k at every evaluation that both have; no row without both."""
    if first is None or second is None:
        return pl.DataFrame(schema={"step": pl.Int64})
    runs = [*first.runs.values(), *second.runs.values()]
    curve = paired_curve(study.connection, first.variant, second.variant, runs=runs)
    return curve.filter(pl.col("dataset") == first.dataset, pl.col("model") == first.model)


def effects_of(curve: pl.DataFrame) -> Iterator[tuple[int, Effect]]:
    """(step, difference) of each row."""
    for row in curve.iter_rows(named=True):
        numbers = (row[name] for name in ("value", "low", "high", "seeds", "prompts"))
        yield row["step"], Effect(*numbers)
