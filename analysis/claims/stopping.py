"""What each stopping rule costs on the runs that collapse, and its figure beside the remedies."""

import dataclasses

import polars as pl

from analysis.claims.data import Cell, Study
from analysis.claims.drawing import draw_forest
from srtbench.analysis.effects import SHARE, Effect, effect
from srtbench.analysis.figures import curves, styled
from srtbench.analysis.figures.panels import Sheet, new_figure
from srtbench.analysis.figures.style import variants
from srtbench.analysis.frames import of_cells

PART = "mitigation"
_ORDER = ("best", "last", "labelled_split")
_NAMES = {"labelled_split": "1% labels", "best": "best", "last": "last (no rule)"}


@dataclasses.dataclass(frozen=True)
class Rule:
    """A stopping rule on the collapsing runs, over seeds."""

    name: str
    regret: Effect
    lead_steps: Effect | None
    """Steps from its alarm to the onset; over the seeds where it rang and accuracy fell."""
    stopped: int
    """Seeds that it stopped before their end."""


def base_cell(study: Study, cells: list[Cell]) -> Cell | None:
    """The variant that collapses: srt-base, or else the first of type srt."""
    return study.find(cells, name="srt-base") or study.find(cells, kind="srt")


def stopping(study: Study, cell: Cell | None) -> list[Rule]:
    """Every stopping rule, on the finished runs of a cell."""
    if cell is None:
        return []
    reports = [study.diagnoses[run] for run in cell.runs.values() if run in study.diagnoses]
    names = dict.fromkeys(outcome.rule for report in reports for outcome in report.stopping)
    ordered = [name for name in _ORDER if name in names]
    rules = []
    for name in [*ordered, *(name for name in names if name not in ordered)]:
        outcomes = [o for report in reports for o in report.stopping if o.rule == name]
        leads = [report.lead_steps.get(name) for report in reports]
        regret = effect([outcome.regret for outcome in outcomes], SHARE)
        assert regret is not None
        end = float(cell.total_steps)
        lead = effect([value for value in leads if value is not None], (-end, end))
        rules.append(Rule(name, regret, lead, sum(o.alarmed for o in outcomes)))
    return rules


@styled
def mitigation_sheet(study: Study, cells: list[Cell], rules: list[Rule]) -> Sheet:
    """avg@k of all variants; regret of each rule."""
    data = study.curves("eval_curve", cells, ["avg_at_k"])
    figure = new_figure(1, 3.0, 7.6)
    left, right = figure.subplots(1, 2, width_ratios=(1.1, 1))
    # A run falls or does not: with three seeds an interval covers nearly everything.
    curves(data.with_columns(low=None, high=None), left, "avg_at_k")
    seeds = _seed_curves(study, cells)
    styles = dict(variants(data))
    for (variant, _), line in seeds.group_by("variant", "seed", maintain_order=True):
        left.plot(
            line["step"].to_list(), line["value"].to_list(), color=styles[str(variant)].colour,
            linewidth=0.7, alpha=0.55, zorder=2,
        )  # fmt: skip
    left.set_title(f"avg@{data['k'].to_list()[0]} on held-out prompts")
    rows = [
        (_NAMES.get(r.name, r.name), r.regret.value, r.regret.low, r.regret.high) for r in rules
    ]
    if rows:
        draw_forest(right, rows, 0.0)
        right.set_title("regret in avg@k by stopping rule")
    else:
        right.set_axis_off()
    regrets = pl.DataFrame(
        [
            {"measure": "regret", "rule": name, "value": value, "low": low, "high": high}
            for name, value, low, high in rows
        ],
        infer_schema_length=None,
    )
    caption = (
        "Left: held-out accuracy, mean over seeds; thin lines are single seeds. Right: best "
        "evaluation minus the checkpoint that a rule keeps, on all runs of the variant that is "
        "meant to collapse; 95% interval over seeds."
    )
    parts = [data, seeds, regrets] if rules else [data, seeds]
    shown = pl.concat(parts, how="diagonal_relaxed")
    return Sheet("mitigation", "Remedies for the collapse", caption, figure, shown)


def _seed_curves(study: Study, cells: list[Cell]) -> pl.DataFrame:
    """avg@k of every finished seed at every evaluation, a row each."""
    runs = [study.scores[run] for cell in cells for run in cell.runs.values()]
    if not runs:
        return pl.DataFrame()
    keys = ["sweep", "model", "dataset", "variant", "variant_type", "seed", "step"]
    found = pl.concat(runs).group_by(keys).agg(value=pl.col("avg_gold").mean())
    named = found.with_columns(measure=pl.lit("avg_at_k of a seed"))
    return of_cells(named, [cell.key for cell in cells])
