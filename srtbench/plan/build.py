"""A sweep as runs and shared stages: pure, and instant (no torch, no model, no data read).

A run id is a readable slug and a hash of every value that can change the run's results. Values
that cannot (names, workers, log level) stay out of it. Stages are what several runs share; each
is named by the hash of what it is computed from, so it is computed once and found again.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from srtbench.config.datasets import DatasetConfig, ReasoningGymDataset
from srtbench.config.errors import ConfigError, Problem
from srtbench.config.merge import merge_sections, stage_variant
from srtbench.config.models import ModelConfig, TinyModel
from srtbench.config.sweep import SweepConfig, SweepOfParts
from srtbench.config.train import ExecutionConfig
from srtbench.config.variants import CurriculumConfig, VariantConfig
from srtbench.plan.eval_sets import eval_set_spec
from srtbench.plan.identity import run_id_of
from srtbench.plan.shared import run_needs
from srtbench.plan.specs import RunSpec, StartsFrom
from srtbench.plan.stages import StageSpec
from srtbench.sections import with_absolute_paths
from srtbench.variants import Facts, VariantError, facts


@dataclass(frozen=True)
class Plan:
    """What a sweep will do. A run comes after the run that it starts from.

    Attributes:
        curricula: name of each curriculum -> ids of the runs of all its stages, shared ones too.
    """

    name: str
    runs: tuple[RunSpec, ...]
    stages: tuple[StageSpec, ...]
    execution: ExecutionConfig
    curricula: dict[str, frozenset[str]] = field(default_factory=dict)

    def stage(self, stage_id: str) -> StageSpec:
        """The stage of that id."""
        return next(stage for stage in self.stages if stage.stage_id == stage_id)

    def run(self, run_id: str) -> RunSpec:
        """The run of that id."""
        return next(run for run in self.runs if run.run_id == run_id)

    def before(self, run: RunSpec) -> tuple[RunSpec, ...]:
        """The runs before it in its curriculum, the first one first; none outside of curricula."""
        if run.starts_from is None:
            return ()
        last = self.run(run.starts_from.run_id)
        return (*self.before(last), last)


def plan_sweep(config: SweepConfig | SweepOfParts) -> Plan:
    """Expand a sweep file into runs and shared stages.

    Raises:
        ConfigError: merged sections that do not fit together, each named by its cell.
    """
    draft = _Draft(config.name)
    if isinstance(config, SweepOfParts):
        for part in config.grids:
            _add_grid(draft, part, part.name)
    else:
        _add_grid(draft, config, None)
    if draft.problems:
        raise ConfigError(config.source, draft.problems)
    if not draft.runs:
        raise ConfigError(config.source, [Problem("every run is excluded")])
    runs = tuple(draft.runs.values())
    used = {stage_id for run in runs for stage_id in run.stages}
    kept = tuple(stage for stage in draft.stages.values() if stage.stage_id in used)
    curricula = {name: frozenset(chain) for name, chain in draft.curricula.items()}
    return Plan(config.name, runs, kept, config.execution, curricula)


@dataclass
class _Draft:
    """A plan in the making; runs and stages by id, cells by their labels.

    ``in_curricula`` holds the runs of curricula by all but their variant's label; ``curricula``
    the ids of the runs of each curriculum.
    """

    sweep: str
    runs: dict[str, RunSpec] = field(default_factory=dict)
    stages: dict[str, StageSpec] = field(default_factory=dict)
    cells: dict[tuple[str, int], str] = field(default_factory=dict)
    in_curricula: dict[tuple[str, ...], RunSpec] = field(default_factory=dict)
    curricula: dict[str, list[str]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def note(self, cell: str, message: str) -> None:
        """Keep a problem, once."""
        problem = Problem(f"{cell}: {message}")
        if problem not in self.problems:
            self.problems.append(problem)

    def stage(self, stage: StageSpec) -> str:
        """Keep a stage; returns its id."""
        self.stages.setdefault(stage.stage_id, stage)
        return stage.stage_id

    def shared(self, run: RunSpec) -> RunSpec:
        """The run itself, or the equal one of a curriculum that was planned before."""
        key = (run.model_label, run.dataset_label, run.run_id.rpartition("-")[2])
        return self.in_curricula.setdefault(key, run)

    def run(self, run: RunSpec) -> None:
        """Keep a run; one that is planned already stays as it is."""
        planned = self.cells.setdefault((run.cell, run.seed), run.run_id)
        if planned == run.run_id:
            self.runs.setdefault(run.run_id, run)
        else:
            other = self.runs.get(planned)
            parts = {run.part, other.part if other else None} - {None}
            where = f" ({' and '.join(sorted(map(str, parts)))})" if parts else ""
            self.note(
                run.cell,
                f"two different runs have these labels{where}; give a model, dataset or variant "
                "of one of them another `name`",
            )


@dataclass(frozen=True)
class _Cell:
    """One point of the grid, and the seed."""

    config: SweepConfig
    part: str | None
    model: ModelConfig
    dataset: DatasetConfig
    seed: int

    def named(self, label: str) -> str:
        """The cell in a message, with its part."""
        part = f"part {self.part}: " if self.part is not None else ""
        return f"{part}{self.model.label}/{self.dataset.label}/{label}"


def _add_grid(draft: _Draft, config: SweepConfig, part: str | None) -> None:
    for model in config.models:
        for dataset in config.datasets:
            for variant in config.variants:
                for seed in config.seeds:
                    if _excluded(config, model, dataset, variant, seed):
                        continue
                    cell = _Cell(config, part, _with_seed(model, seed), dataset, seed)
                    if isinstance(variant, CurriculumConfig):
                        _add_curriculum(draft, cell, variant)
                    else:
                        _add_run(draft, cell, variant, variant.label)


def _add_run(
    draft: _Draft,
    cell: _Cell,
    variant: VariantConfig,
    label: str,
    starts_from: StartsFrom | None = None,
    *,
    start_model: str | None = None,
    in_curriculum: bool = False,
    is_last: bool = True,
) -> RunSpec | None:
    """Plan one run and its stages; None if its sections do not fit together.

    Args:
        label: name of the variant in tables.
        start_model: the stage that made the start model of a curriculum's first run; None for
            that run.
        is_last: whether no other stage of a curriculum comes after. The last one is its own run,
            so that each curriculum has a row in every table.
    """
    where = cell.named(label)
    variant = with_absolute_paths(variant, cell.config.folder)
    try:
        answers = facts(variant)
    except VariantError as error:
        draft.note(where, str(error))
        return None
    train, evaluation, found = merge_sections(
        cell.config, cell.model, cell.dataset, variant, answers
    )
    if starts_from is not None:
        chooses = train.pool is not None and train.pool.keep < 1
        found += _later_stage_problems(variant, answers, chooses)
    for message in found:
        draft.note(where, message)
    if found:
        return None
    model = with_absolute_paths(cell.model, cell.config.folder)
    dataset = with_absolute_paths(cell.dataset, cell.config.folder)
    needs = run_needs(
        draft.stage,
        model,
        dataset,
        answers,
        train,
        evaluation,
        start_model=start_model,
        is_later=starts_from is not None,
    )
    run = _with_eval_sets(
        draft,
        cell.config,
        RunSpec(
            run_id="",
            sweep=draft.sweep,
            part=cell.part,
            model_label=model.label,
            dataset_label=dataset.label,
            variant_label=label,
            seed=cell.seed,
            model=model,
            dataset=dataset,
            variant=variant,
            train=train,
            eval=evaluation,
            needs=needs,
            starts_from=starts_from,
        ),
    )
    for message in _sampling_problems(run):
        draft.note(where, message)
    run = run.model_copy(update={"run_id": run_id_of(run)})
    if in_curriculum:
        shared = draft.shared(run)
        run = run if is_last else shared
    draft.run(run)
    return run


def _with_eval_sets(draft: _Draft, config: SweepConfig, run: RunSpec) -> RunSpec:
    """The run with the evaluation sets of its sweep, whose stages are kept."""
    sets = [eval_set_spec(entry, run, config.folder, draft.stage) for entry in config.eval_sets]
    return run.model_copy(update={"eval_sets": tuple(sets)})


def _sampling_problems(run: RunSpec) -> Iterator[str]:
    """Greedy evaluations that ask for more than the one completion there is."""
    asked = [("eval", run.eval.temperature, run.eval.samples)]
    asked += [
        (f"eval set {one.label}", one.sampling.temperature, one.sampling.samples)
        for one in run.eval_sets
    ]
    for name, temperature, samples in asked:
        if temperature == 0 and samples != 1:
            yield (
                f"{name}: temperature 0 is greedy and always gives the same completion, so "
                f"samples must be 1, not {samples}"
            )


def _add_curriculum(draft: _Draft, cell: _Cell, curriculum: CurriculumConfig) -> None:
    """Plan the runs of a curriculum, each from a policy of the one before."""
    if not isinstance(cell.dataset, ReasoningGymDataset):
        draft.note(
            cell.named(curriculum.label),
            "a curriculum needs a reasoning_gym dataset, whose level it sets",
        )
        return
    before: RunSpec | None = None
    visits: dict[int, int] = {}
    for stage in curriculum.stages:
        visits[stage.level] = visits.get(stage.level, 0) + 1
        again = visits[stage.level]
        starts_from = start_model = None
        if before is not None:
            rule = stage.start_from or "last"
            starts_from = StartsFrom(run_id=before.run_id, rule=rule)
            start_model = before.needs.start_model
            _keep_best(draft, before.run_id, rule)
        before = _add_run(
            draft,
            _Cell(
                cell.config, cell.part, cell.model, _at_level(cell.dataset, stage.level), cell.seed
            ),
            stage_variant(curriculum, stage),
            curriculum.label if again == 1 else f"{curriculum.label}.{again}",
            starts_from,
            start_model=start_model,
            in_curriculum=True,
            is_last=stage is curriculum.stages[-1],
        )
        if before is None:
            return
        draft.curricula.setdefault(curriculum.label, []).append(before.run_id)


def _keep_best(draft: _Draft, run_id: str, rule: Any) -> None:
    run = draft.runs.get(run_id)
    if run is not None and rule != "last" and rule not in run.keep_best:
        kept = tuple(sorted((*run.keep_best, rule)))
        draft.runs[run_id] = run.model_copy(update={"keep_best": kept})


def _at_level(dataset: ReasoningGymDataset, level: int) -> ReasoningGymDataset:
    if level == dataset.level:
        return dataset
    name = f"{dataset.name}-{level}" if dataset.name else None
    return dataset.model_copy(update={"level": level, "name": name})


def _later_stage_problems(
    variant: VariantConfig, answers: Facts, chooses_easiest: bool
) -> Iterator[str]:
    if answers.teacher is not None:
        yield (
            f"{variant.label} labels by the frozen start model, which a later stage of a "
            "curriculum does not have; use it in the first stage, or on its own"
        )
    if chooses_easiest:
        yield (
            "train.pool.keep below 1 asks the start model which prompts are easy, which a later "
            "stage of a curriculum does not have; use it in the first stage, or on its own"
        )


def _with_seed(model: ModelConfig, seed: int) -> ModelConfig:
    """A tiny model whose start model is the run's own gets the run's seed."""
    if isinstance(model, TinyModel) and model.warm_start.seed == "run":
        warm_start = model.warm_start.model_copy(update={"seed": seed})
        return model.model_copy(update={"warm_start": warm_start})
    return model


def _excluded(config: SweepConfig, model: Any, dataset: Any, variant: Any, seed: int) -> bool:
    values = {
        "model": model.label,
        "dataset": dataset.label,
        "variant": variant.label,
        "seed": seed,
    }
    return any(
        all(
            getattr(rule, axis) is None or value in getattr(rule, axis)
            for axis, value in values.items()
        )
        for rule in config.exclude
    )
