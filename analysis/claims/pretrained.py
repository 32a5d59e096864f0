"""A pretrained model on an easy task: described, without a verdict."""

from collections.abc import Sequence

import polars as pl

from analysis.claims import drawing
from analysis.claims.data import Cell, Study
from analysis.claims.hypotheses import PRETRAINED_SWEEP, Claim
from analysis.claims.sections import Number, Section, Table, any_run, change_of, count, last_fifth
from srtbench.analysis.effects import POSITIVE, SHARE_DIFFERENCE, effect
from srtbench.analysis.figures.panels import of_cell
from srtbench.analysis.frames import by_run, eval_sets, frame, view
from srtbench.analysis.scores import aligned
from srtbench.config.eval_sets import OWN

_PAGE = Claim(
    "P", "A pretrained model", PRETRAINED_SWEEP, (), (),
    "The paper trains far larger pretrained models on harder tasks.",
    "A small pretrained model on an easy arithmetic task, for few steps and seeds.",
)  # fmt: skip


def pretrained(study: Study) -> Section:
    """What every variant of the sweep with the pretrained model changed, and what it cost."""
    section = Section(_PAGE)
    cells = [cell for cell in study.all_cells if cell.sweep == PRETRAINED_SWEEP]
    if not cells:
        section.lacks(f"the sweep {PRETRAINED_SWEEP} is not given")
        return section
    section.use(cells)
    runs = view(study.connection, "runs").filter(pl.col("sweep") == PRETRAINED_SWEEP)
    section.tables += [_changes(study, cells), _costs(cells, runs), *_further_sets(study, cells)]
    section.method.append(
        "With one seed an interval is over prompts alone: it says nothing about other seeds."
    )
    hours = runs["wall_seconds"].sum() / 3600
    section.method.append(
        f"The runs took {hours:.1f} hours of wall time in sum, several at once where there were "
        "cores; shared stages (the start model's evaluations, a teacher's labels) come on top."
    )
    if any_run(section):
        section.sheet = drawing.accuracy(study, cells, "pretrained", _PAGE.title)
    return section


def _changes(study: Study, cells: Sequence[Cell]) -> Table:
    rows = [
        (
            (cell.dataset, cell.variant),
            (
                count(len(cell.seeds)),
                Number(change_of(study, cell)),
                Number(last_fifth(study, cell, "train_reward")),
                Number(last_fifth(study, cell, "label_accuracy", first_too=True)),
            ),
        )
        for cell in cells
    ]
    quantities = (
        "seeds", "end minus start in avg@k", "train_reward, last fifth of the steps",
        "label accuracy, last minus first fifth",
    )  # fmt: skip
    return Table(
        "change", "Change under every variant", ("dataset", "variant"), quantities, tuple(rows)
    )


def _costs(cells: Sequence[Cell], runs: pl.DataFrame) -> Table:
    """Time of the finished runs, their evaluations included, as the run folders say it."""
    rows = []
    for cell in cells:
        own = runs.filter(pl.col("run_id").is_in([run_id for _, run_id in cell.runs.values()]))
        seconds = own["wall_seconds"].to_list()
        minutes = effect([value / 60 for value in seconds], POSITIVE)
        per_step = effect([value / max(1, cell.total_steps) for value in seconds], POSITIVE)
        size = own.select(pl.col("prompts_per_step") * pl.col("num_generations")).to_series()
        rollouts = size.to_list()[0] if own.height else None
        numbers = (count(rollouts), Number(minutes, 1), Number(per_step, 1))
        rows.append(((cell.dataset, cell.variant), numbers))
    quantities = ("rollouts per step", "minutes per run", "seconds per step, evaluations included")
    return Table("cost", "What it cost", ("dataset", "variant"), quantities, tuple(rows))


def _further_sets(study: Study, cells: Sequence[Cell]) -> list[Table]:
    """Accuracy on the further evaluation sets, before and after; no table without sets."""
    finished = [run for cell in cells for run in cell.runs.values()]
    rows = []
    for name in sorted(set(eval_sets(study.connection)) - {OWN}):
        scores = frame(study.connection, "held_out_scores", eval_set=name, runs=finished)
        by = by_run(scores)
        for cell in cells:
            evaluated = {seed: run for seed, run in cell.runs.items() if run in by}
            for block in aligned(by, [evaluated]):
                own = of_cell(scores, cell.key)
                ends = (own.filter(pl.col("step") == step) for step in (0, block.steps[-1]))
                lost = [table["unparsable_share"].to_numpy() for table in ends]
                numbers = (
                    count(len(block.prompts)), count(block.samples),
                    count(block.avg[:, 0].mean(), 3), count(block.final.mean(), 3),
                    Number(effect(block.change, SHARE_DIFFERENCE)),
                    *(count(shares.mean() if shares.size else None, 3) for shares in lost),
                )  # fmt: skip
                rows.append(((name, cell.dataset, cell.variant), numbers))
    quantities = (
        "prompts", "samples", "start avg@k", "final avg@k", "end minus start in avg@k",
        "start share without answer", "final share without answer",
    )  # fmt: skip
    labels = ("evaluation set", "trained on", "variant")
    title = "Evaluation sets that no run trained on"
    return [Table("eval_sets", title, labels, quantities, tuple(rows))] if rows else []
