"""A pretrained model on an easy task: described, without a verdict."""

from collections.abc import Sequence

import polars as pl

from analysis.claims import drawing
from analysis.claims.data import Cell, Study
from analysis.claims.effects import Effect, over_both, over_seeds
from analysis.claims.hypotheses import PRETRAINED_SWEEP, Claim
from analysis.claims.sections import Number, Section, Table, change_of, count, last_fifth
from srtbench.analysis.bands import table_of
from srtbench.analysis.frames import frame, query

_PAGE = Claim(
    "P", "A pretrained model", PRETRAINED_SWEEP, (), (),
    "The paper trains far larger pretrained models on harder tasks.",
    "A small pretrained model on an easy arithmetic task, for few steps and seeds.",
)  # fmt: skip
_COST = """
SELECT run_id, wall_seconds, prompts_per_step, num_generations
FROM runs WHERE sweep = $sweep ORDER BY run_id
"""
_SETS = """
SELECT eval_set, set_order, run_id, step, prompts, k, avg_at_k, unparsable_share
FROM eval_curves WHERE sweep = $sweep AND step IS NOT NULL AND eval_set <> 'own'
ORDER BY set_order, run_id, step
"""


def pretrained(study: Study) -> Section:
    """What every variant of the sweep with the pretrained model changed, and what it cost."""
    section = Section(_PAGE)
    cells = [cell for cell in study.all_cells if cell.sweep == PRETRAINED_SWEEP]
    if not cells:
        section.lacks(f"the sweep {PRETRAINED_SWEEP} is not given")
        return section
    section.use(cells)
    runs = query(study.connection, _COST, sweep=PRETRAINED_SWEEP)
    section.tables += [_changes(study, cells), _costs(cells, runs), *_further_sets(study, cells)]
    section.method.append(
        "With one seed an interval is over prompts alone: it says nothing about other seeds."
    )
    hours = runs["wall_seconds"].sum() / 3600
    section.method.append(
        f"The runs took {hours:.1f} hours of wall time in sum, several at once where there were "
        "cores; shared stages (the start model's evaluations, a teacher's labels) come on top."
    )
    if any(cell.seeds for cell in cells):
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
        own = runs.filter(pl.col("run_id").is_in(list(cell.runs.values())))
        seconds = own["wall_seconds"].to_list()
        minutes = over_seeds([value / 60 for value in seconds])
        per_step = over_seeds([value / max(1, cell.total_steps) for value in seconds])
        size = own.select(pl.col("prompts_per_step") * pl.col("num_generations")).to_series()
        rollouts = size.to_list()[0] if own.height else None
        numbers = (count(rollouts), Number(minutes, 1), Number(per_step, 1))
        rows.append(((cell.dataset, cell.variant), numbers))
    quantities = ("rollouts per step", "minutes per run", "seconds per step, evaluations included")
    return Table("cost", "What it cost", ("dataset", "variant"), quantities, tuple(rows))


def _further_sets(study: Study, cells: Sequence[Cell]) -> list[Table]:
    """Accuracy on the further evaluation sets, before and after; no table without sets."""
    curves = query(study.connection, _SETS, sweep=PRETRAINED_SWEEP)
    changes = {
        name: frame(study.connection, "change", eval_set=name)
        for name in curves["eval_set"].unique()
    }
    rows = []
    for cell in cells:
        own = curves.filter(pl.col("run_id").is_in(list(cell.runs.values())))
        for name in own["eval_set"].unique(maintain_order=True):
            part = own.filter(pl.col("eval_set") == name)
            first, last = (part.filter(pl.col("step") == step) for step in _ends(part))
            pairs = changes[name].filter(
                pl.col("sweep") == cell.sweep,
                pl.col("model") == cell.model,
                pl.col("dataset") == cell.dataset,
                pl.col("variant") == cell.variant,
                pl.col("seed").is_in(list(cell.runs)),
            )
            numbers = (
                count(_mean(last, "prompts")), count(_mean(last, "k")),
                _number(first, "avg_at_k"), _number(last, "avg_at_k"),
                Number(_change(pairs)),
                _number(first, "unparsable_share"), _number(last, "unparsable_share"),
            )  # fmt: skip
            rows.append(((name, cell.dataset, cell.variant), numbers))
    quantities = (
        "prompts", "samples", "start avg@k", "final avg@k", "end minus start in avg@k",
        "start share without answer", "final share without answer",
    )  # fmt: skip
    labels = ("evaluation set", "trained on", "variant")
    rows.sort(key=lambda row: row[0][0])  # stable: variants keep their order
    title = "Evaluation sets that no run trained on"
    return [Table("eval_sets", title, labels, quantities, tuple(rows))] if rows else []


def _ends(part: pl.DataFrame) -> tuple[int, int]:
    steps = part["step"].to_list()
    return min(steps), max(steps)


def _change(pairs: pl.DataFrame) -> Effect | None:
    """End minus start in avg@k, over the prompts that all seeds have."""
    changed = pairs.with_columns(change=pl.col("last_avg") - pl.col("start_avg"))
    return over_both(table_of(changed, "change")) if changed.height else None


def _number(table: pl.DataFrame, column: str) -> Number:
    value = _mean(table, column)
    return Number(None if value is None else Effect(value, None, None, 0, None))


def _mean(table: pl.DataFrame, column: str) -> float | None:
    values = table[column].drop_nulls().to_list()
    return float(sum(values) / len(values)) if values else None
