"""The sweeps as cells of finished runs; their scores and curves are frames of the library.

Nothing is dropped in silence: a planned run that cannot be used is named in its cell's problems.
"""

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import duckdb
import polars as pl

from analysis.claims.registration import Begun, Registration
from analysis.common import MissingError
from srtbench.analysis.diagnosis import diagnose_runs, trained_prompts
from srtbench.analysis.frames import Run, by_run, frame, of_cells, view
from srtbench.analysis.scores import Scores, aligned
from srtbench.stats import CollapseReport


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
    total_steps: int
    learning_rate: float | None
    climbs: bool
    """Whether a run of it starts from another run."""
    runs: dict[int, Run] = field(hash=False)
    """Seed -> run of the finished ones."""
    planned: tuple[int, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of the finished runs."""
        return tuple(self.runs)

    @property
    def key(self) -> tuple[str, str, str, str]:
        """As the library names a cell."""
        return (self.sweep, self.model, self.dataset, self.variant)

    @property
    def name(self) -> str:
        """Cell in words."""
        return f"{self.model}, {self.dataset}, {self.variant}"


class Study:
    """Sweeps, read once; the tables are per run."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        registered: Sequence[Mapping[str, Registration | None]] = (),
    ):
        """Take the views of opened or condensed sweeps.

        Args:
            registered: of each folder that was opened, claim -> its registration; None: the folder
                has runs of the claim and no registration.
        """
        self.connection = connection
        self.registered = registered
        self._runs = view(connection, "runs")
        if not {"part", "starts_from"} <= set(self._runs.columns):
            raise MissingError("the view runs has no columns part and starts_from")
        self._damaged = set(view(connection, "damaged_files").select("sweep", "run_id").rows())

    @functools.cached_property
    def scores(self) -> dict[Run, pl.DataFrame]:
        """Held-out scores."""
        return by_run(frame(self.connection, "held_out_scores"))

    @functools.cached_property
    def training(self) -> dict[Run, pl.DataFrame]:
        """Train measures per step."""
        return by_run(view(self.connection, "step_metrics").drop_nulls("step"))

    @functools.cached_property
    def modal_shares(self) -> dict[Run, float | None]:
        """Share of the most common answer across held-out prompts in the last evaluation."""
        summary = view(self.connection, "run_summary")
        shares = summary.select("sweep", "run_id", "last_modal_share").rows()
        return {(sweep, run_id): share for sweep, run_id, share in shares}

    @functools.cached_property
    def diagnoses(self) -> dict[Run, CollapseReport]:
        """Collapse diagnosis."""
        return {
            (labels["sweep"], labels["run_id"]): report
            for labels, report in diagnose_runs(self.connection)
        }

    @functools.cached_property
    def train_prompts(self) -> dict[Run, int]:
        """How many different prompts each run trained on."""
        return trained_prompts(self.connection)

    @functools.cached_property
    def begun(self) -> dict[str, dict[Run, Begun]]:
        """Sweep -> who began each of its runs, and when."""
        found: dict[str, dict[Run, Begun]] = {}
        for run in self._runs.filter(pl.col("state") != "waiting").iter_rows(named=True):
            began = Begun(run["first_started"], run["git_commit"], run["git_dirty"])
            found.setdefault(run["sweep"], {})[run["sweep"], run["run_id"]] = began
        return found

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
        for cell in cells:
            if cell.variant == name or (name is None and cell.variant_type == kind):
                return cell
        wanted = (*cells[0].key[:3], name or kind)
        return next((cell for cell in self.all_cells if cell.key == wanted), None)

    def blocks(self, *cells: Cell | None) -> list[Scores]:
        """Scores on the seeds finished in all cells; none where one is None or no seed is."""
        known = [cell.runs for cell in cells if cell is not None]
        return aligned(self.scores, known) if len(known) == len(cells) else []

    def curves(self, name: str, cells: Sequence[Cell], measures: Sequence[str]) -> pl.DataFrame:
        """Rows of ``eval_curve`` or ``train_curve``, with its bands, of finished runs only."""
        runs = [run for cell in cells for run in cell.runs.values()]
        rows = frame(self.connection, name, runs=runs).filter(pl.col("measure").is_in(measures))
        return of_cells(rows, [cell.key for cell in cells])

    def _cell(self, runs: pl.DataFrame) -> Cell:
        first = runs.row(0, named=True)
        usable: dict[int, Run] = {}
        problems: dict[str, list[int]] = {}
        for run in runs.sort("seed").iter_rows(named=True):
            key = (run["sweep"], run["run_id"])
            problem = self._problem(key, run["state"], run["total_steps"])
            if problem is None:
                usable[run["seed"]] = key
            else:
                problems.setdefault(problem, []).append(run["seed"])
        names = ("sweep", "part", "model", "dataset", "level", "variant", "variant_type")
        rates = runs["learning_rate"].drop_nulls()
        return Cell(
            **{name: first[name] for name in names},
            total_steps=first["total_steps"] or 0,
            learning_rate=rates[0] if len(rates) else None,
            climbs=runs["starts_from"].null_count() < runs.height,
            runs=usable,
            planned=tuple(sorted(runs["seed"])),
            problems=tuple(f"{spans(seeds)} {why}" for why, seeds in problems.items()),
        )

    def _problem(self, run: Run, state: str, total_steps: int) -> str | None:
        if run in self._damaged:
            return "with a file that could not be read"
        if state != "done":
            words = {"waiting": "not begun", "failed": "failed"}
            return words.get(state, f"not finished ({state})")
        if run not in self.scores:
            return "without an evaluation that could be read"
        steps = set(self.scores[run]["step"])
        if not {0, total_steps} <= steps:
            return "without a first or last evaluation"
        if not aligned(self.scores, [{0: run}]):
            return "without a prompt that all evaluations have"
        if run not in self.training:
            return "without train rollouts that could be read"
        return None


def spans(seeds: Sequence[int]) -> str:
    """Sorted seeds in words: ``seed 3``, ``seeds 3, 4, 7 to 9``."""
    runs: list[list[int]] = []
    for seed in seeds:
        if runs and seed == runs[-1][-1] + 1:
            runs[-1].append(seed)
        else:
            runs.append([seed])
    parts = [
        text
        for run in runs
        for text in ([f"{run[0]} to {run[-1]}"] if len(run) > 2 else map(str, run))
    ]
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(parts)}"


def settings(cells: Iterable[Cell]) -> dict[str, list[Cell]]:
    """Cells per model and dataset; named by what differs."""
    cells = list(cells)
    several_models = len({cell.model for cell in cells}) > 1
    found: dict[str, list[Cell]] = {}
    for cell in cells:
        label = f"{cell.model}, {cell.dataset}" if several_models else cell.dataset
        found.setdefault(label, []).append(cell)
    return found
