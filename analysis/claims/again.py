"""C1-2, C2-2, C3-2: the core claims on fresh seeds, with a fixed teacher as the control."""

from dataclasses import replace

from analysis.claims.data import Cell, Study
from analysis.claims.hypotheses import C1_2, C2_2, C3_2
from analysis.claims.improve import begin, differences, effects_of, half_way, improves, rivals_gold
from analysis.claims.sections import (
    Number,
    Section,
    Table,
    absent,
    any_run,
    fifths,
    final_difference,
    last_fifth,
)
from srtbench.analysis.effects import SHARE_DIFFERENCE, Effect, effect
from srtbench.analysis.figures.sheets import label_accuracy_sheet

LABELS = "label_accuracy"


def improves_again(study: Study) -> Section:
    """C1-2: as C1."""
    return improves(study, C1_2)


def leads_the_teacher(study: Study) -> Section:
    """C2-2: as C2, and srt against a fixed teacher at the same step."""
    section = rivals_gold(study, C2_2)
    _, tasks = begin(study, C2_2, ("srt", "fixed_teacher"))
    for task, roles in tasks.items():
        srt, teacher = roles["srt"], roles["fixed_teacher"]
        section.use([teacher])
        lead = dict(effects_of(differences(study, srt, teacher)))
        half = lead[half_way(lead, srt)] if srt is not None and lead else None
        missing = absent(roles, "srt", "fixed_teacher") or "no seed is finished in both"
        section.add("C2-2b", task, half, missing)
    return section


def labels_pass_the_teacher(study: Study) -> Section:
    """C3-2: labels of srt against those of a fixed teacher, at the same steps of the same seeds."""
    section, tasks = begin(study, C3_2, ("srt", "fixed_teacher"))
    rows = []
    for task, roles in tasks.items():
        srt, teacher = roles["srt"], roles["fixed_teacher"]
        missing = absent(roles, "srt", "fixed_teacher") or "no seed is finished in both"
        section.add("C3-2a", task, labels_ahead(study, srt, teacher), missing)
        section.add("C3-2b", task, final_difference(study, srt, teacher), missing)
        for cell in (srt, teacher):
            if cell is not None and cell.seeds:
                last = last_fifth(study, cell, LABELS)
                change = last_fifth(study, cell, LABELS, first_too=True)
                rows.append(((task, cell.variant), (Number(last), Number(change))))
    section.tables.append(
        Table(
            "labels", "Label accuracy of each by itself", ("task", "variant"),
            ("last fifth of the steps", "minus the first fifth"),
            tuple(rows),
        )
    )  # fmt: skip
    section.method.append(
        "Label accuracy is that of the training groups, which are the same prompts in the same "
        "order for all variants of a seed. Its differences are paired by seed, and their intervals "
        "are over seeds. The difference in avg@k is paired by seed and prompt."
    )
    if any_run(section):
        curves = study.curves("train_curve", section.cells, [LABELS])
        section.sheet = replace(label_accuracy_sheet(curves), name="C3-2", title="Label accuracy")
    return section


def labels_ahead(study: Study, first: Cell | None, second: Cell | None) -> Effect | None:
    """First minus second in label accuracy over the last fifth of the steps, paired by seed."""
    if first is None or second is None:
        return None
    own, other = (fifths(study, cell, LABELS) for cell in (first, second))
    both = sorted(own.keys() & other.keys())
    return effect([own[seed][1] - other[seed][1] for seed in both], SHARE_DIFFERENCE)
