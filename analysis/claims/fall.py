"""C5: rise, fall and kind of the collapse of long self-rewarded training."""

from analysis.claims import drawing
from analysis.claims.data import Cell, Study, settings
from analysis.claims.hypotheses import C5
from analysis.claims.samples import samples_table
from analysis.claims.sections import (
    Number,
    Section,
    Table,
    absent,
    any_run,
    change_of,
    count,
    final_of,
    last_fifth,
    not_run,
    start,
)
from srtbench.analysis.effects import SHARE, SHARE_DIFFERENCE, Effect, effect
from srtbench.analysis.scores import cross_fitted_rise


def collapses(study: Study) -> Section:
    """The long runs of srt and of gold, and the fast ones at a far higher learning rate."""
    section, cells = start(C5, study)
    tasks = settings(cells)
    if not tasks:
        return not_run(section)
    for task, group in tasks.items():
        roles = {kind: study.find(group, kind=kind) for kind in ("srt", "gold")}
        srt, gold = roles["srt"], roles["gold"]
        fast = study.find(group, name="srt-fast")
        ends = [cell for cell in (srt, fast, gold, study.find(group, name="gold-fast")) if cell]
        section.use(ends)
        missing = absent(roles, "srt")
        rises = [cross_fitted_rise(block.avg) for block in study.blocks(srt)]
        rise = effect(rises[0], SHARE_DIFFERENCE) if rises else None
        section.add("C5a", task, rise, missing)
        section.add("C5b", task, final_of(study, srt), missing)
        section.add("C5c", task, last_fifth(study, srt, "train_reward") if srt else None, missing)
        modal = last_modal_share(study, fast) if fast else None
        section.add("C5d", task, modal, absent({"srt-fast": fast}, "srt-fast"))
        section.add("C5e", task, change_of(study, gold), absent(roles, "gold"))
        if any(cell.seeds for cell in ends):
            section.tables.append(end_table(study, task, ends))
        if srt is not None and srt.seeds:
            section.tables.append(onset_table(study, srt))
            section.samples += samples_table(study, srt)
        if fast is not None and fast.seeds:
            section.samples += samples_table(study, fast)
    section.method += [
        "The rise is cross-fitted: each seed's best evaluation is chosen on one half of the "
        "prompts and measured on the other, both ways round. Else luck would count as a rise.",
        "Intervals of train_reward and of the modal share are over seeds alone.",
        "The onset is the first evaluation on the way down, by the broken-stick fit of "
        "`srtbench.stats.diagnose_collapse`.",
    ]
    if any_run(section):
        section.sheet = drawing.collapse(study, section.cells)
    return section


def end_table(study: Study, task: str, cells: list[Cell]) -> Table:
    """How every variant ends."""
    rows = []
    for cell in cells:
        if not cell.seeds:
            continue
        numbers = (
            Number(change_of(study, cell)),
            Number(final_of(study, cell)),
            Number(last_fifth(study, cell, "train_reward")),
            Number(last_modal_share(study, cell)),
        )
        rows.append(((cell.dataset, cell.variant), (count(cell.total_steps), *numbers)))
    return Table(
        f"ends {task}", "How the runs end",
        ("dataset", "variant"),
        ("steps", "avg@k, end minus start", "final avg@k", "train_reward, last fifth",
         "final modal share"),
        tuple(rows),
    )  # fmt: skip


def last_modal_share(study: Study, cell: Cell) -> Effect | None:
    """Share of the most common answer across held-out prompts at the end, over seeds."""
    shares = (study.modal_shares[run] for run in cell.runs.values())
    return effect([share for share in shares if share is not None], SHARE)


def onset_table(study: Study, cell: Cell) -> Table:
    """Onset and kind of the collapse of every finished seed."""
    rows = []
    for seed, run in cell.runs.items():
        report = study.diagnoses.get(run)
        if report is None:
            continue
        onset = report.onset if report.collapsed else None
        labels = (cell.dataset, cell.variant, str(seed), report.kind if onset else "no collapse")
        steps = (onset.step, onset.low, onset.high) if onset else (None,) * 3
        accuracies = (count(value, 3) for value in (report.best_accuracy, report.last_accuracy))
        rows.append((labels, (*map(count, (*steps, report.best_step)), *accuracies)))
    return Table(
        f"onset {cell.dataset}", "Onset of the collapse, seed by seed",
        ("dataset", "variant", "seed", "kind"),
        ("onset step", "after", "by", "best step", "best avg@k", "final avg@k"), tuple(rows),
    )  # fmt: skip
