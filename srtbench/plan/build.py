"""A sweep as runs and shared stages: pure, and instant (no torch, no model, no data read).

A run id is a readable slug and a hash of every value that can change the run's results. Values
that cannot (names, workers, log level) stay out of it. Stages are what several runs share; each
is named by the hash of what it is computed from, so it is computed once and found again.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from srtbench.config.datasets import DatasetConfig, ReasoningGymDataset
from srtbench.config.errors import ConfigError, Problem
from srtbench.config.merge import merge_sections, stage_variant
from srtbench.config.misfit import Misfit, misfit
from srtbench.config.models import ModelConfig
from srtbench.config.sweep import SweepConfig, SweepOfParts
from srtbench.config.train import ExecutionConfig
from srtbench.config.variants import CurriculumConfig, VariantConfig
from srtbench.config.words import counted
from srtbench.plan.engine import engine_problems
from srtbench.plan.eval_sets import further_set, own_set, with_start
from srtbench.plan.grid import Origin, excluded, points, with_seed
from srtbench.plan.identity import Texts, run_id_of
from srtbench.plan.lora import lora_problems
from srtbench.plan.once import Once
from srtbench.plan.places import Place, Places, located
from srtbench.plan.sharding import sharding_problems
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
        description: what the sweep file says of itself.
        origins: id of each run -> the entries of the sweep file that it is made of.
    """

    name: str
    runs: tuple[RunSpec, ...]
    stages: tuple[StageSpec, ...]
    execution: ExecutionConfig
    curricula: dict[str, frozenset[str]] = field(default_factory=dict)
    description: str = ""
    origins: dict[str, Origin] = field(default_factory=dict)

    def stage(self, stage_id: str) -> StageSpec:
        """The stage of that id."""
        return self._stages[stage_id]

    def run(self, run_id: str) -> RunSpec:
        """The run of that id."""
        return self._runs[run_id]

    @functools.cached_property
    def _stages(self) -> dict[str, StageSpec]:
        return {stage.stage_id: stage for stage in self.stages}

    @functools.cached_property
    def _runs(self) -> dict[str, RunSpec]:
        return {run.run_id: run for run in self.runs}

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
    plan, problems = plan_what_fits(config)
    if problems:
        raise ConfigError(config.source, problems)
    return plan


def plan_what_fits(config: SweepConfig | SweepOfParts) -> tuple[Plan, list[Problem]]:
    """The plan of the cells whose sections fit together, and what is wrong with the others."""
    draft = _Draft(config.name)
    if isinstance(config, SweepOfParts):
        for part in config.grids:
            _add_grid(draft, part, part.name)
    else:
        _add_grid(draft, config, None)
    problems = _located(config, draft)
    if not draft.runs and not problems:
        problems = [Problem("every run is excluded")]
    runs = tuple(draft.runs.values())
    used = {stage_id for run in runs for stage_id in run.stages}
    kept = tuple(stage for stage in draft.stages.values() if stage.stage_id in used)
    curricula = {name: frozenset(chain) for name, chain in draft.curricula.items()}
    description = " ".join(config.description.split())
    plan = Plan(
        config.name, runs, kept, config.execution, curricula, description, origins=draft.origins
    )
    return plan, problems


def _located(config: SweepConfig | SweepOfParts, draft: "_Draft") -> list[Problem]:
    """The problems of a draft with their lines; cells that have the same one share a sentence."""
    if not draft.problems:
        return []
    places = Places(config)
    same: dict[tuple[Place, str], dict[str, None]] = {}
    for (origin, stage, found), cells in draft.problems.items():
        place = places.of_misfit(origin, found, stage)
        same.setdefault((place, found.text), {}).update(cells)
    told = []
    for (place, text), cells in same.items():
        first, *others = cells
        more = f" (so in {counted(len(others), 'other cell')})" if others else ""
        told.append((place, f"{first}: {text}{more}"))
    return located(places, told)


@dataclass
class _Draft:
    """A plan in the making; runs and stages by id, cells by their labels.

    ``in_curricula`` holds the runs of curricula by all but their variant's label; ``curricula``
    the ids of the runs of each curriculum; ``problems`` has the cells of each mistake.
    """

    sweep: str
    runs: dict[str, RunSpec] = field(default_factory=dict)
    stages: dict[str, StageSpec] = field(default_factory=dict)
    cells: dict[tuple[str, int], str] = field(default_factory=dict)
    in_curricula: dict[tuple[str, ...], RunSpec] = field(default_factory=dict)
    curricula: dict[str, list[str]] = field(default_factory=dict)
    origins: dict[str, Origin] = field(default_factory=dict)
    problems: dict[tuple[Origin, int | None, Misfit], dict[str, None]] = field(default_factory=dict)
    once: Once = field(default_factory=Once)
    texts: Texts = field(default_factory=dict)

    def note(self, cell: str, found: Misfit, origin: Origin, stage: int | None = None) -> None:
        """Keep a problem of a cell, once.

        Args:
            stage: number of the stage of a curriculum.
        """
        self.problems.setdefault((origin, stage, found), {})[cell] = None

    def stage(self, kind: type[StageSpec], **inputs: Any) -> str:
        """Keep a stage of that kind; returns its id."""
        stage = self.once(kind.planned, self.texts, **inputs)
        return self.stages.setdefault(stage.stage_id, stage).stage_id

    def shared(self, run: RunSpec) -> RunSpec:
        """The run itself, or the equal one of a curriculum that was planned before."""
        key = (run.model_label, run.dataset_label, run.run_id.rpartition("-")[2])
        return self.in_curricula.setdefault(key, run)

    def run(self, run: RunSpec, origin: Origin) -> None:
        """Keep a run; one that is planned already stays as it is."""
        self.origins.setdefault(run.run_id, origin)
        planned = self.cells.setdefault((run.cell, run.seed), run.run_id)
        if planned == run.run_id:
            self.runs.setdefault(run.run_id, run)
        else:
            other = self.runs.get(planned)
            parts = {run.part, other.part if other else None} - {None}
            where = f" ({' and '.join(sorted(map(str, parts)))})" if parts else ""
            text = (
                f"two different runs have these labels{where}; give a model, dataset or variant "
                "of one of them another `name`"
            )
            self.note(run.cell, misfit(text), origin)


@dataclass(frozen=True)
class _Cell:
    """One point of the grid, and the seed."""

    config: SweepConfig
    part: str | None
    model: ModelConfig
    dataset: DatasetConfig
    seed: int
    origin: Origin
    stage: int | None = None

    def note(self, draft: _Draft, label: str, found: Misfit) -> None:
        """Keep a problem of a run of this cell."""
        draft.note(self.named(label), found, self.origin, self.stage)

    def named(self, label: str) -> str:
        """The cell in a message, with its part."""
        part = f"part {self.part}: " if self.part is not None else ""
        return f"{part}{self.model.label}/{self.dataset.label}/{label}"


def _add_grid(draft: _Draft, config: SweepConfig, part: str | None) -> None:
    for given, dataset, variant, origin in points(config, part):
        planned: dict[int, RunSpec | None] = {}
        for seed in config.seeds:
            if config.exclude and excluded(config, given, dataset, variant, seed):
                continue
            model = draft.once(with_seed, given, seed)
            cell = _Cell(config, part, model, dataset, seed, origin)
            if isinstance(variant, CurriculumConfig):
                _add_curriculum(draft, cell, variant)
                continue
            if id(model) not in planned:
                planned[id(model)] = _plan_run(draft, cell, variant, variant.label)
            if (run := planned[id(model)]) is not None:
                draft.run(_of_seed(draft, run, seed), origin)


def _of_seed(draft: _Draft, run: RunSpec, seed: int) -> RunSpec:
    """The run with its seed and its id."""
    run = run.model_copy(update={"seed": seed})
    return run.model_copy(update={"run_id": run_id_of(run, draft.texts)})


def _plan_run(
    draft: _Draft,
    cell: _Cell,
    variant: VariantConfig,
    label: str,
    starts_from: StartsFrom | None = None,
    start_model: str | None = None,
) -> RunSpec | None:
    """A run without its id, whose stages are kept; None if its sections do not fit together.

    Args:
        label: name of the variant in tables.
        start_model: the stage that made the start model of a curriculum's first run; None for
            that run.
    """
    folder, once = cell.config.folder, draft.once
    variant = once(with_absolute_paths, variant, folder)
    try:
        answers = once(facts, variant)
    except VariantError as error:
        cell.note(draft, label, misfit(str(error)))
        return None
    train, evaluation, found = merge_sections(
        cell.config, cell.model, cell.dataset, variant, answers, once
    )
    if starts_from is not None:
        chooses = train.pool is not None and train.pool.keep < 1
        found += _later_stage_problems(variant, answers, chooses)
    model = once(with_absolute_paths, cell.model, folder)
    before = draft.runs.get(starts_from.run_id) if starts_from is not None else None
    after_lora = before is not None and before.train.lora is not None
    found += lora_problems(model, train, after_lora=after_lora)
    found += sharding_problems(train, answers)
    for one in found:
        cell.note(draft, label, one)
    if found:
        return None
    train, evaluation = once.same(train), once.same(evaluation)
    dataset = once(with_absolute_paths, cell.dataset, folder)
    own = once(own_set, dataset, evaluation, train.max_completion_length, draft)
    generation = cell.config.generation.in_plan
    needs = run_needs(
        draft,
        model,
        dataset,
        answers,
        train,
        own,
        generation,
        start_model=start_model,
        is_later=starts_from is not None,
    )
    sets = [own] + [
        once(further_set, entry, own, dataset.split, folder, draft)
        for _, entry in cell.config.used("eval_sets")
    ]
    if starts_from is None:
        sets = [once(with_start, one, model, needs.start_model, generation, draft) for one in sets]
    run = RunSpec(
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
        needs=needs,
        starts_from=starts_from,
        generation=generation,
        eval_sets=tuple(sets),
    )
    for one in (*_sampling_problems(run), *engine_problems(run)):
        cell.note(draft, label, one)
    return run


def _sampling_problems(run: RunSpec) -> Iterator[Misfit]:
    """Greedy evaluations that ask for more than the one completion there is."""
    for one in run.eval_sets:
        if one.sampling.temperature == 0 and one.sampling.samples != 1:
            name = "eval" if one is run.own else f"eval set {one.label}"
            yield misfit(
                f"{name}: temperature 0 is greedy and always gives the same completion, so "
                f"samples must be 1, not {one.sampling.samples}",
                *(("eval.samples", "eval.temperature") if one is run.own else ("eval_sets",)),
            )


def _add_curriculum(draft: _Draft, cell: _Cell, curriculum: CurriculumConfig) -> None:
    """Plan the runs of a curriculum, each from a policy of the one before."""
    if not isinstance(cell.dataset, ReasoningGymDataset):
        text = "a curriculum needs a reasoning_gym dataset, whose level it sets"
        cell.note(draft, curriculum.label, misfit(text, "dataset"))
        return
    before: RunSpec | None = None
    visits: dict[int, int] = {}
    for number, stage in enumerate(curriculum.stages):
        visits[stage.level] = visits.get(stage.level, 0) + 1
        again = visits[stage.level]
        starts_from = start_model = None
        if before is not None:
            rule = stage.start_from or "last"
            starts_from = StartsFrom(run_id=before.run_id, rule=rule)
            start_model = before.needs.start_model
            _keep_best(draft, before.run_id, rule)
        planned = _plan_run(
            draft,
            replace(cell, dataset=draft.once(_at_level, cell.dataset, stage.level), stage=number),
            draft.once(stage_variant, curriculum, stage),
            curriculum.label if again == 1 else f"{curriculum.label}.{again}",
            starts_from,
            start_model,
        )
        if planned is None:
            return
        run = _of_seed(draft, planned, cell.seed)
        shared = draft.shared(run)
        # The last one is its own run, so that each curriculum has a row in every table.
        before = run if stage is curriculum.stages[-1] else shared
        draft.run(before, cell.origin)
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
) -> Iterator[Misfit]:
    if answers.teacher is not None:
        yield misfit(
            f"{variant.label} labels by the frozen start model, which a later stage of a "
            "curriculum does not have; use it in the first stage, or on its own"
        )
    if chooses_easiest:
        yield misfit(
            "train.pool.keep below 1 asks the start model which prompts are easy, which a later "
            "stage of a curriculum does not have; use it in the first stage, or on its own",
            *("train.pool.keep", "train.pool"),
        )
