"""The prompts of a plan: read, counted and keyed before anything is trained."""

import contextlib
from collections.abc import Iterable, Iterator

from srtbench.answers.grader import Grader
from srtbench.checks import targets
from srtbench.checks.findings import Findings
from srtbench.checks.generated import look_at_task
from srtbench.checks.golds import Golds
from srtbench.checks.overlaps import Overlaps
from srtbench.checks.tables import Tables
from srtbench.config.datasets import DatasetConfig, ReasoningGymDataset
from srtbench.config.models import TinyModel
from srtbench.datasets import DatasetError, Drawn
from srtbench.datasets.hub import NotCachedError
from srtbench.datasets.load import draw_all_of_table, draw_of_table
from srtbench.datasets.splits import excerpt
from srtbench.datasets.tables import Table
from srtbench.plan import EvalSetSpec, Origin, Plan, RunSpec
from srtbench.plan.places import Place
from srtbench.plan.stages import TrainPrompts, WarmStart


class DataChecks:
    """What is wrong with the prompts of some runs of a plan.

    Stages are what runs share: each is looked at once, as the first run that needs it has it.
    """

    def __init__(self, plan: Plan, findings: Findings):
        self._plan = plan
        self._found = findings
        self._tables = Tables()
        self._golds: dict[tuple[Place, int], Golds] = {}
        self._overlaps = Overlaps(findings)
        self._seen: set[object] = set()
        self._lacking: dict[int, set[str]] = {}
        self._readable: dict[tuple[Place, int], Table | None] = {}

    def look(self, runs: Iterable[RunSpec]) -> None:
        """Note every problem."""
        for run in runs:
            origin = self._plan.origins[run.run_id]
            start = run.needs.start_model
            if start is not None and run.starts_from is None and self._is_new(start):
                stage = self._plan.stage(start)
                if isinstance(stage, WarmStart):
                    self._warm_start(origin, stage)
            if isinstance(run.dataset, ReasoningGymDataset):
                if self._is_new(id(run.dataset), id(run.model), run.train.max_completion_length):
                    look_at_task(self._found, origin, run)
            elif not run.trains_on_eval_prompts:
                pool = run.train.pool.prompts if run.train.pool else None
                if self._is_new(run.needs.train_prompts, pool):
                    self._train_prompts(origin, run)
            for one in run.eval_sets:
                if self._is_new(one.needs.prompts):
                    self._eval_set(origin, run, one)
            self._overlaps.look(origin, run)
        for golds in self._golds.values():
            golds.look(self._found)

    @property
    def unread(self) -> dict[str, str]:
        """What could not be read without the network -> why."""
        return self._tables.unread

    def _is_new(self, *what: object) -> bool:
        new = what not in self._seen
        self._seen.add(what)
        return new

    def _table(self, place: Place, dataset: DatasetConfig) -> Table | None:
        """The table of an entry; None if there is none, or nothing can be said of it."""
        if isinstance(dataset, ReasoningGymDataset):
            return None
        key = (place, id(dataset))
        if key not in self._readable:
            self._readable[key] = None
            try:
                unreadable = [*self._tables.unreadable(dataset)]
            except NotCachedError:
                return None
            for name, message in unreadable:
                self._found.problem(place.below(name), message)
            if not unreadable:
                self._readable[key] = self._tables.table(dataset)
        return self._readable[key]

    def _train_prompts(self, origin: Origin, run: RunSpec) -> None:
        place = self._found.dataset(origin)
        table = self._table(place, run.dataset)
        if table is None:
            return
        stage = self._plan.stage(run.needs.train_prompts)
        assert isinstance(stage, TrainPrompts)
        try:
            drawn = draw_of_table(table, "train", stage.prompts)
        except DatasetError as error:
            self._refused(place, error)
            return
        self._overlaps.keep(run.needs.train_prompts, drawn.problems)
        self._keep(place, run, table, drawn)
        if drawn.short or (run.dataset.train_prompts or 0) > len(drawn.problems):
            self._count_train(origin, run, table, stage.prompts)

    def _count_train(self, origin: Origin, run: RunSpec, table: Table, wanted: int) -> None:
        """A size that is asked for by name must be there; a run that consumes more, cycles."""
        found, place = len(table.of("train")[0]), self._found.dataset(origin)
        asked, pool = run.dataset.train_prompts, run.train.pool
        have = f"{run.dataset_label}: the train split has {found} distinct prompts"
        if asked is not None and asked > found:
            self._found.problem(
                place.below("train_prompts"),
                f"{have}, {asked} are asked for: lower train_prompts, raise split.train, or leave "
                "train_prompts out to train on what there is",
            )
        elif pool is not None and pool.prompts is not None and pool.prompts > found:
            here = self._found.written(origin, "train", "pool") or place
            self._found.problem(
                here.below("prompts"),
                f"{have}, {pool.prompts} are asked for: lower train.pool.prompts, raise "
                "split.train, or leave it out to train on what there is",
            )
        elif found < wanted:
            self._found.warning(
                place,
                f"{have}, a run of {run.train.steps} steps x {run.train.prompts_per_step} prompts "
                f"asks for {wanted}: it will see them again and again",
            )

    def _eval_set(self, origin: Origin, run: RunSpec, one: EvalSetSpec) -> None:
        own = one is run.own
        place = self._found.dataset(origin) if own else self._found.eval_set(origin, one.label)
        table = self._table(place, one.dataset)
        if table is None:
            return
        try:
            if own:
                drawn = draw_of_table(table, "eval", one.prompts)
            else:
                drawn = draw_all_of_table(table, one.prompts)
        except DatasetError as error:
            if own and error.key == "prompts":
                here = self._found.written(origin, "eval", "prompts") or place
                hint = "lower eval.prompts, raise split.eval, or give more questions"
                self._found.problem(here, f"{error}: {hint}")
            else:
                self._refused(place, error)
            return
        self._overlaps.keep(one.needs.prompts, drawn.problems)
        self._keep(place, run, table, drawn)

    def _warm_start(self, origin: Origin, stage: WarmStart) -> None:
        place = self._found.dataset(origin)
        table = self._table(place, stage.dataset)
        if table is None:
            return
        try:
            drawn = draw_of_table(table, "warm_start", targets.WARM_START_PROMPTS)
            lesson = targets.lesson(stage, drawn.problems)
        except (DatasetError, targets.TargetError) as error:
            self._refused(place, error)
            return
        self._overlaps.keep(stage.stage_id, drawn.problems)
        self._gold(place, table).drawn.update(problem.prompt for problem in drawn.problems)
        grader = Grader(stage.dataset.answer_style, stage.dataset.answer_kind)
        tokens = targets.Tokens(stage.model)
        keys = grader.gold_keys([problem.gold for problem in drawn.problems])
        keyed = [one for one, key in zip(drawn.problems, keys, strict=True) if key is not None]
        texts = [text for one in drawn.problems for text in (one.prompt, one.target)]
        lengths = [tokens.count(problem.target) for problem in lesson.checked]
        limit, accuracy = stage.max_completion_length, stage.model.warm_start.target_accuracy
        self._lacking[id(stage.model)] = lacking = tokens.missing(texts)
        errors = [targets.alphabet_error(lacking)] if lacking else []
        with _kept(errors):
            targets.check_targets(grader, keyed)
        with _kept(errors):
            targets.check_lengths(lengths, limit, accuracy)
        for one in errors:
            if one.key == "max_completion_length":
                self._found.of_training(origin, one.key, str(one))
            else:
                entry = self._found.model(origin) if one.key == "alphabet" else place
                self._found.problem(entry.below(one.key), str(one))

    def _keep(self, place: Place, run: RunSpec, table: Table, drawn: Drawn) -> None:
        """Golds are looked at in the end; a tiny model must have a token for each character."""
        self._gold(place, table).drawn.update(problem.prompt for problem in drawn.problems)
        if drawn.dropped.bad:
            self._found.warning(place.below("on_bad_gold"), f"dropped {drawn.dropped}")
        if isinstance(run.model, TinyModel):
            tokens = targets.Tokens(run.model)
            texts = [problem.prompt for problem in drawn.problems]
            if missing := tokens.missing(texts) - self._lacking.get(id(run.model), set()):
                first = next(text for text in texts if missing & tokens.missing([text]))
                self._found.warning(
                    place,
                    f"the tiny model's alphabet lacks {''.join(sorted(missing))!r} of prompts, "
                    f"e.g. {excerpt(first)}: it cannot tell them apart",
                )

    def _gold(self, place: Place, table: Table) -> Golds:
        return self._golds.setdefault((place, id(table)), Golds(place, table))

    def _refused(self, place: Place, error: DatasetError | targets.TargetError) -> None:
        self._found.problem(place.below(error.key) if error.key else place, str(error))


@contextlib.contextmanager
def _kept(errors: list[targets.TargetError]) -> Iterator[None]:
    try:
        yield
    except targets.TargetError as error:
        errors.append(error)
