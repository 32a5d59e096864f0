"""C6: the phase diagram, and each knob against the base variant."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from analysis.claims import drawing
from analysis.claims.data import Cell, Study, settings
from analysis.claims.hypotheses import C6
from analysis.claims.phase import BORDERS, phase_frame, phase_sheet
from analysis.claims.sections import (
    Number,
    Section,
    Table,
    absent,
    count,
    final_difference,
    final_of,
    start,
)
from srtbench.analysis.effects import SHARE, SHARE_DIFFERENCE, Effect, effect
from srtbench.analysis.effects import Table as Scores
from srtbench.stats import Bounds

LOW_START, HIGH_START = BORDERS
EXTREME_RATES = 2


def regimes(study: Study) -> list[Section]:
    """The phase diagram with its hypotheses, then the knobs without a verdict."""
    section, cells = start(C6, study)
    section.use(cells)
    frame = phase_frame(study, cells)
    if frame.height:
        section.sheet = replace(phase_sheet(frame), name="C6")
    of_variant = {c.variant: c.learning_rate for c in cells if c.learning_rate is not None}
    unknown = sorted({cell.variant for cell in cells} - set(of_variant))
    rates = [] if unknown else sorted(set(of_variant.values()))
    low = _inside(study, cells, rates[:EXTREME_RATES], lambda maj: maj >= HIGH_START)
    high = _inside(study, cells, rates[-EXTREME_RATES:], lambda maj: maj < LOW_START)
    gain = _pooled([block.change for block in study.blocks(*low)], SHARE_DIFFERENCE)
    final = _pooled([block.final for block in study.blocks(*high)], SHARE)
    task = cells[0].dataset if cells else ""
    reason = (
        f"{', '.join(unknown)} has not begun, so the extreme learning rates are not known"
        if unknown
        else "no cell starts there, or no seed is finished in all that do"
    )
    section.add("C6a", task, gain, reason if cells else "")
    section.add("C6b", task, final, reason if cells else "")
    if cells:
        section.tables += [_cell_table(study, cells), _used_table(low, high)]
    section.method.append(
        "The start is the measured maj@k of the start model, mean over its runs. Each hypothesis "
        "is about the mean over its cells. Scores are averaged over the cells before the interval "
        "over seeds and prompts is taken."
    )
    knobs = _knobs(study, section)
    return [section, *([knobs] if knobs is not None else [])]


def _inside(
    study: Study, cells: list[Cell], rates: list[float], wanted: Callable[[float], bool]
) -> list[Cell]:
    """Cells at these learning rates whose model starts as wanted, finished or not."""
    starts: dict[str, list[float]] = {}
    for cell in cells:
        for block in study.blocks(cell):
            starts.setdefault(cell.model, []).append(float(block.maj[:, 0].mean()))
    of_variant = {cell.variant: cell.learning_rate for cell in cells if cell.learning_rate}
    return [
        cell
        for cell in cells
        if of_variant.get(cell.variant) in rates
        and cell.model in starts
        and wanted(float(np.mean(starts[cell.model])))
    ]


def _pooled(tables: list[Scores], bounds: Bounds) -> Effect | None:
    """Mean over cells of (seeds, prompts) scores, on the seeds that all cells have."""
    return effect(np.mean(tables, axis=0), bounds) if tables else None


def _cell_table(study: Study, cells: list[Cell]) -> Table:
    rows = []
    for row in phase_frame(study, cells).iter_rows(named=True):
        change = Effect(row["change"], row["low"], row["high"], row["seeds"], row["prompts"])
        numbers = (
            count(row["start_maj"], 3), Number(change), count(row["final_avg"], 3),
            count(row["seeds"]),
        )  # fmt: skip
        rows.append(((row["model"], row["variant"], f"{row['learning_rate']:g}"), numbers))
    return Table(
        "phase", "Cells of the phase diagram", ("model", "variant", "learning rate"),
        ("start maj@k", "end minus start in avg@k", "final avg@k", "seeds"),
        tuple(rows),
    )  # fmt: skip


def _used_table(low: list[Cell], high: list[Cell]) -> Table:
    rows = [((key,), (count(len(cells)),)) for key, cells in (("C6a", low), ("C6b", high))]
    return Table("cells", "Cells behind each hypothesis", ("hypothesis",), ("cells",), tuple(rows))


def _knobs(study: Study, section: Section) -> Section | None:
    """Every variant of the part against base: final avg@k and collapse step."""
    cells = study.part("knobs")
    if not cells:
        section.lacks("no sweep given has the part 'knobs' (it is in paper_cpu_full)")
        return None
    knobs = Section(replace(C6, key="C6 knobs", title="What each knob does", hypotheses=()))
    rows, lines = [], []
    for task, group in settings(cells).items():
        base = study.find(group, name="base")
        everyone = [*([base] if base is not None else []), *(c for c in group if c is not base)]
        knobs.use(everyone)
        lacking = absent({"base": base}, "base")
        if lacking:
            knobs.lacks(f"{task}: {lacking}")
        for cell in everyone:
            differs = final_difference(study, cell, base) if cell is not base else None
            steps, fallen = onsets(study, cell)
            numbers = (
                count(len(cell.seeds)),
                Number(final_of(study, cell)),
                Number(differs),
                count(fallen),
                Number(effect(list(steps.values()), (0.0, cell.total_steps)), 0),
                Number(onset_delay(study, cell, base) if cell is not base else None, 0),
            )
            rows.append(((task, cell.variant), numbers))
            if differs is not None:
                lines.append((cell, differs, numbers[-1].effect))
    knobs.tables.append(
        Table(
            "knobs", "Each knob against base (no verdict)", ("task", "variant"),
            (
                "seeds", "final avg@k", "minus base", "seeds that collapsed", "collapse step",
                "steps later than base",
            ),
            tuple(rows),
        )
    )  # fmt: skip
    knobs.method.append(
        "Differences are paired by seed. A run that did not collapse counts as collapsing at its "
        "last step, so a delay is a lower bound there. Intervals of steps are over seeds alone."
    )
    if lines:
        final = [(c.variant, e.value, e.low, e.high) for c, e, _ in lines]
        delay = [(c.variant, d.value, d.low, d.high) for c, _, d in lines if d is not None]
        knobs.sheet = drawing.forest(
            [("final avg@k minus base", final), ("collapse, steps later than base", delay)],
            (0.0, 0.0), "C6-knobs", "Knobs",
            "95% intervals; left over seeds and prompts, right over seeds.",
        )  # fmt: skip
    return knobs


def onsets(study: Study, cell: Cell) -> tuple[dict[int, float], int]:
    """Collapse step per seed, the last step where there is none; and how many collapsed."""
    steps, fallen = {}, 0
    for seed, run in cell.runs.items():
        report = study.diagnoses.get(run)
        if report is None:
            continue
        collapsed = report.collapsed and report.onset is not None
        fallen += collapsed
        steps[seed] = float(report.onset.step if collapsed and report.onset else cell.total_steps)
    return steps, fallen


def onset_delay(study: Study, cell: Cell | None, base: Cell | None) -> Effect | None:
    """Collapse step minus that of base, paired by seed; both end at the shorter run's last step."""
    if cell is None or base is None:
        return None
    end = min(cell.total_steps, base.total_steps)
    one, other = onsets(study, cell)[0], onsets(study, base)[0]
    seeds = [seed for seed in one if seed in other]
    return effect([min(one[seed], end) - min(other[seed], end) for seed in seeds], (-end, end))
