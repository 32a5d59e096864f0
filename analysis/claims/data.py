"""The sweeps as cells of finished runs, with their scores as arrays.

Nothing is dropped in silence: a planned run that cannot be used is named in its cell's problems.
"""

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import duckdb
import numpy as np
import polars as pl

from analysis.claims.effects import Scores
from analysis.common import MissingError
from srtbench.analysis.diagnosis import diagnose_runs
from srtbench.analysis.frames import query
from srtbench.stats import CollapseReport

Run = tuple[str, str]
"""Sweep and run id."""

_RUNS = """
SELECT sweep, run_order, run_id, part, model, dataset, level, variant, variant_type, variant_order,
    variant_rank, seed, state, step, total_steps, starts_from, learning_rate, prompts_per_step
FROM runs ORDER BY sweep, run_order
"""
_SCORES = """
SELECT sweep, run_id, step, prompt_id, avg_gold, majority_correct, samples
FROM groups WHERE eval_set = 'own' ORDER BY sweep, run_id, step, prompt_id
"""
_TRAIN = """
SELECT sweep, run_id, step, train_reward, gold_reward, label_accuracy
FROM step_metrics WHERE step IS NOT NULL ORDER BY sweep, run_id, step
"""
_TRAIN_PROMPTS = """
SELECT sweep, run_id, count(DISTINCT prompt_id) FROM groups WHERE phase = 'train'
GROUP BY sweep, run_id
"""
_MODAL = """
SELECT sweep, run_id, step, modal_share
FROM eval_curves WHERE step IS NOT NULL AND eval_set = 'own' ORDER BY sweep, run_id, step
"""


@dataclass(frozen=True)
class Evaluations:
    """Held-out scores of one run: arrays (steps, prompts)."""

    steps: tuple[int, ...]
    prompts: tuple[str, ...]
    samples: int
    avg: Scores
    maj: Scores


@dataclass(frozen=True)
class Cell:
    """Planned runs that differ in their seed alone, and which of them are finished."""

    sweep: str
    part: str | None
    model: str
    dataset: str
    level: int | None
    variant: str
    variant_type: str
    variant_order: int
    variant_rank: int
    total_steps: int
    learning_rate: float | None
    prompts_per_step: int | None
    climbs: bool
    """Whether a run of it starts from another run."""
    runs: dict[int, str] = field(hash=False)
    """Seed -> run id of the finished runs."""
    planned: tuple[int, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of the finished runs."""
        return tuple(self.runs)

    @property
    def name(self) -> str:
        """Cell in words."""
        return f"{self.model}, {self.dataset}, {self.variant}"


@dataclass(frozen=True)
class Block:
    """Scores of one cell on given seeds: arrays (seeds, steps, prompts)."""

    steps: tuple[int, ...]
    avg: Scores
    maj: Scores

    @property
    def change(self) -> Scores:
        """avg@k at the end minus at the start, (seeds, prompts)."""
        return np.asarray(self.avg[:, -1] - self.avg[:, 0])


class Study:
    """Sweeps, read once; only the columns that the claims need."""

    def __init__(self, connection: duckdb.DuckDBPyConnection):
        self.connection = connection
        columns = set(query(connection, "SELECT * FROM runs LIMIT 0").columns)
        if not {"part", "starts_from"} <= columns:
            raise MissingError("the view runs has no columns part and starts_from")
        self._runs = query(connection, _RUNS)
        self._damaged = set(query(connection, "SELECT sweep, run_id FROM damaged_files").rows())

    @functools.cached_property
    def evaluations(self) -> dict[Run, Evaluations]:
        """Held-out scores per run, on the prompts that all its evaluations have."""
        found = {}
        for (sweep, run_id), part in _by_run(query(self.connection, _SCORES)):
            tables = [
                part.pivot("step", index="prompt_id", values=column).drop_nulls().sort("prompt_id")
                for column in ("avg_gold", "majority_correct")
            ]
            steps = sorted(int(name) for name in tables[0].columns[1:])
            avg, maj = (table.select(map(str, steps)).to_numpy().T for table in tables)
            prompts = tuple(tables[0]["prompt_id"])
            samples = int(part["samples"].to_numpy().max())
            found[sweep, run_id] = Evaluations(tuple(steps), prompts, samples, avg, maj)
        return found

    @functools.cached_property
    def training(self) -> dict[Run, pl.DataFrame]:
        """Train measures per run and step."""
        return dict(_by_run(query(self.connection, _TRAIN)))

    @functools.cached_property
    def modal_shares(self) -> dict[Run, pl.DataFrame]:
        """Share of the most common answer across held-out prompts, per run and evaluation."""
        return dict(_by_run(query(self.connection, _MODAL)))

    @functools.cached_property
    def diagnoses(self) -> dict[Run, CollapseReport]:
        """Collapse diagnosis per run."""
        return {
            (labels["sweep"], labels["run_id"]): report
            for labels, report in diagnose_runs(self.connection)
        }

    @functools.cached_property
    def train_prompts(self) -> dict[Run, int]:
        """How many different prompts each run trained on."""
        return {row[:2]: row[2] for row in query(self.connection, _TRAIN_PROMPTS).rows()}

    @functools.cached_property
    def all_cells(self) -> tuple[Cell, ...]:
        """Every cell, in the order of the plans."""
        keys = ["sweep", "model", "dataset", "variant"]
        parts = self._runs.partition_by(keys, maintain_order=True)
        return tuple(self._cell(part) for part in parts)

    def part(self, name: str) -> list[Cell]:
        """Cells of a part, of the first sweep that has it."""
        cells = [cell for cell in self.all_cells if cell.part == name]
        return [cell for cell in cells if cell.sweep == cells[0].sweep]

    def find(
        self, cells: Sequence[Cell], *, name: str | None = None, kind: str | None = None
    ) -> Cell | None:
        """The first cell of a variant, by its name or type.

        A run that two parts plan is listed under the first, so other parts are searched next.
        """
        if not cells:
            return None
        model, dataset, sweep = cells[0].model, cells[0].dataset, cells[0].sweep
        elsewhere = [
            cell
            for cell in self.all_cells
            if (cell.sweep, cell.model, cell.dataset) == (sweep, model, dataset)
        ]
        for cell in cells:
            if cell.variant == name or (name is None and cell.variant_type == kind):
                return cell
        return next((cell for cell in elsewhere if cell.variant == (name or kind)), None)

    def block(self, cell: Cell, seeds: Sequence[int], prompts: Sequence[str]) -> Block:
        """Scores of finished runs on these prompts, at the steps that all have."""
        runs = [self.evaluations[cell.sweep, cell.runs[seed]] for seed in seeds]
        steps = sorted(set.intersection(*(set(run.steps) for run in runs)))

        def stacked(measure: str) -> Scores:
            rows = []
            for run in runs:
                at = {prompt: place for place, prompt in enumerate(run.prompts)}
                when = [run.steps.index(step) for step in steps]
                scores = getattr(run, measure)
                rows.append(scores[np.ix_(when, [at[prompt] for prompt in prompts])])
            return np.stack(rows)

        return Block(tuple(steps), stacked("avg"), stacked("maj"))

    def blocks(self, *cells: Cell) -> tuple[tuple[int, ...], list[Block]]:
        """Seeds finished in all of the cells, and aligned scores; no blocks without a seed."""
        seeds = tuple(s for s in cells[0].seeds if all(s in cell.runs for cell in cells[1:]))
        if not seeds:
            return (), []
        sets = [
            set(self.evaluations[cell.sweep, cell.runs[seed]].prompts)
            for cell in cells
            for seed in seeds
        ]
        prompts = sorted(set.intersection(*sets))
        if not prompts:
            return (), []
        return seeds, [self.block(cell, seeds, prompts) for cell in cells]

    def _cell(self, runs: pl.DataFrame) -> Cell:
        first = runs.row(0, named=True)
        usable: dict[int, str] = {}
        problems = []
        for run in runs.sort("seed").iter_rows(named=True):
            problem = self._problem(run["sweep"], run["run_id"], run["state"], run["total_steps"])
            if problem is None:
                usable[run["seed"]] = run["run_id"]
            else:
                problems.append(f"seed {run['seed']} {problem}")
        names = (
            "sweep", "part", "model", "dataset", "level", "variant", "variant_type",
            "variant_order", "variant_rank",
        )  # fmt: skip
        begun = runs.filter(pl.col("learning_rate").is_not_null())
        rate, per_step = (
            begun.select("learning_rate", "prompts_per_step").row(0)
            if begun.height
            else (None,) * 2
        )
        return Cell(
            **{name: first[name] for name in names},
            total_steps=first["total_steps"] or 0,
            learning_rate=rate,
            prompts_per_step=per_step,
            climbs=runs["starts_from"].null_count() < runs.height,
            runs=usable,
            planned=tuple(sorted(runs["seed"])),
            problems=tuple(problems),
        )

    def _problem(self, sweep: str, run_id: str, state: str, total_steps: int) -> str | None:
        if (sweep, run_id) in self._damaged:
            return "has a file that could not be read"
        if state != "done":
            words = {"waiting": "has not begun", "failed": "failed"}
            return words.get(state, f"is not finished ({state})")
        scores = self.evaluations.get((sweep, run_id))
        if scores is None or not scores.prompts:
            return "has no evaluation that could be read"
        if scores.steps[0] != 0 or scores.steps[-1] != total_steps:
            return "lacks its first or last evaluation"
        if (sweep, run_id) not in self.training:
            return "has no train rollouts that could be read"
        return None


def settings(cells: Iterable[Cell]) -> dict[str, list[Cell]]:
    """Cells per model and dataset; named by what differs."""
    cells = list(cells)
    several_models = len({cell.model for cell in cells}) > 1
    found: dict[str, list[Cell]] = {}
    for cell in cells:
        label = f"{cell.model}, {cell.dataset}" if several_models else cell.dataset
        found.setdefault(label, []).append(cell)
    return found


def _by_run(table: pl.DataFrame) -> list[tuple[Run, pl.DataFrame]]:
    parts = table.partition_by("sweep", "run_id", maintain_order=True) if table.height else []
    return [((part["sweep"][0], part["run_id"][0]), part) for part in parts]
