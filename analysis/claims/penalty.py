"""C6-2: the weight of a KL penalty against the collapse."""

import math

from analysis.claims import drawing
from analysis.claims.data import Cell, Study, settings
from analysis.claims.hypotheses import C6_2
from analysis.claims.mechanism import falls
from analysis.claims.refresh import rank_correlation, share_of_seeds
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
    not_run,
    start,
)
from srtbench.analysis.effects import Effect
from srtbench.stats import fisher_exact

BETAS = {"kl-0": 0.0, "kl-0.01": 0.01, "kl-0.03": 0.03, "kl-0.1": 0.1, "kl-0.3": 0.3}
"""Weight of the KL to the start model, by variant."""


def penalised(study: Study) -> Section:
    """C6-2: who falls, by beta."""
    section, cells = start(C6_2, study)
    tasks = settings(cells)
    if not tasks:
        return not_run(section)
    for task, group in tasks.items():
        section.use(group)
        found = {name: study.find(group, name=name) for name in (*BETAS, "fixed_teacher")}
        for key, name in (("C6-2a", "kl-0"), ("C6-2b", "kl-0.1")):
            section.add(key, task, fallen_share(study, found[name]), absent(found, name))
        trend = rank_correlation(study, {beta: found[name] for name, beta in BETAS.items()})
        section.add("C6-2c", task, trend, absent(found, *BETAS))
        gap = final_difference(study, found["kl-0.1"], found["fixed_teacher"])
        section.add("C6-2d", task, gap, absent(found, "kl-0.1", "fixed_teacher"))
        section.tables.append(_table(study, task, group, found["kl-0"]))
    section.method += [
        "A seed has fallen if an evaluation is below half of its start. Shares of seeds have the "
        "exact interval of Clopper and Pearson; p is that of Fisher's exact test.",
        "The rank correlation is Spearman's over the five weights, one number per seed; its "
        "interval is over seeds. Ties count half.",
    ]
    if any_run(section):
        section.sheet = drawing.accuracy(study, section.cells, "C6-2", C6_2.title)
    return section


def fallen(study: Study, cell: Cell | None) -> dict[int, bool]:
    """Seed -> whether it fell."""
    return {seed: math.isfinite(end) for seed, (_, end) in falls(study, cell).items()}


def fallen_share(study: Study, cell: Cell | None) -> Effect | None:
    """Share of the finished seeds that fell, with its exact interval."""
    return share_of_seeds([*fallen(study, cell).values()])


def _table(study: Study, task: str, cells: list[Cell], base: Cell | None) -> Table:
    without = [*fallen(study, base).values()]
    rows = []
    for cell in cells:
        own = [*fallen(study, cell).values()]
        p = (
            fisher_exact(sum(own), len(own), sum(without), len(without))
            if own and without
            else None
        )
        numbers = (
            count(len(own)),
            count(sum(own)),
            Number(fallen_share(study, cell)),
            count(p, 4),
            Number(final_of(study, cell)),
            Number(change_of(study, cell)),
        )
        rows.append(((cell.variant,), numbers))
    return Table(
        f"fallen {task}", f"By weight of the KL, {task}", ("variant",),
        (
            "seeds", "fell", "share that fell", "p against no KL", "final avg@k",
            "end minus start in avg@k",
        ),
        tuple(rows),
    )  # fmt: skip
