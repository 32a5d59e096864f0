"""What a plan is made of: runs and shared stages, as data that a worker can read."""

from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, field_validator

from srtbench.config.datasets import DatasetConfig
from srtbench.config.eval_sets import OWN
from srtbench.config.generation import GenerationConfig
from srtbench.config.models import ModelConfig
from srtbench.config.rounds import KeepRule
from srtbench.config.train import EvalConfig, TrainConfig
from srtbench.config.variants import StartRule, VariantConfig
from srtbench.sections import AnyOrder, NotInId


class Spec(BaseModel):
    """Part of a plan."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Sampling(Spec):
    """How completions of prompts are sampled; temperature 0 is greedy."""

    samples: int
    temperature: float
    max_completion_length: int
    batch_size: int
    seed: int

    @classmethod
    def of(cls, evaluation: EvalConfig, max_completion_length: int) -> Self:
        """As an `eval` section says."""
        return cls(
            samples=evaluation.samples,
            temperature=evaluation.temperature,
            max_completion_length=max_completion_length,
            batch_size=evaluation.batch_size,
            seed=evaluation.seed,
        )


class _Ids(Spec):
    """Ids of shared stages, by what they are needed for; None: not needed."""

    @property
    def ids(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(value for _, value in self if value is not None)


class Needs(_Ids):
    """The shared stages of a run.

    Attributes:
        train_prompts: drew the prompts to train on; the held-out prompts if it trains on those.
        start_model: makes the start model; None: it is loaded as it is.
        teacher_labels: votes of the start model that are labels.
        pool_votes: votes of the start model that say which prompts are easy.
    """

    train_prompts: str
    start_model: str | None = None
    teacher_labels: str | None = None
    pool_votes: str | None = None


class SetNeeds(_Ids):
    """The shared stages of an evaluation set.

    Attributes:
        prompts: drew its prompts.
        start: evaluated the start model on it; None: the run starts from another one's policy.
    """

    prompts: str
    start: str | None = None


class StartsFrom(Spec):
    """The run, and which of its policies, that another run starts from."""

    run_id: str
    rule: StartRule


class EvalSetSpec(Spec):
    """Prompts on which a run is evaluated.

    Attributes:
        label: its name in every table; `OWN` for the held-out prompts of the run's dataset.
        prompts: the first so many; None: all.
        every: steps between two evaluations; None: at the start and at the end.
        needs: the shared stages of the set.
    """

    label: str
    dataset: DatasetConfig
    prompts: int | None
    every: int | None
    sampling: Sampling
    on_overlap: Literal["error", "drop_from_train"]
    needs: Annotated[SetNeeds, NotInId()]

    def steps(self, last: int) -> tuple[int, ...]:
        """Steps after which a run of ``last`` steps is evaluated on it; 0 is the start model."""
        return tuple(sorted({*range(0, last + 1, self.every or last), last}))

    def steps_done(self, planned: int, last: int) -> tuple[int, ...]:
        """The same of a run of ``planned`` steps that ended with step ``last``."""
        return tuple(sorted({*(step for step in self.steps(planned) if step < last), last}))


class RunSpec(Spec):
    """One training run: everything a worker needs to know.

    Its id is the hash of what is not marked `NotInId`.

    Attributes:
        part: name of the part of the sweep that it belongs to, if the sweep has parts.
        starts_from: the run before it in a curriculum.
        generation: the engine that samples; None: transformers.
        keep_best: policies to keep for the runs that start from this one.
        eval_sets: prompts to evaluate on; the first set is `OWN`, as the `eval:` section says.
    """

    run_id: Annotated[str, NotInId()]
    sweep: Annotated[str, NotInId()]
    part: Annotated[str | None, NotInId()] = None
    model_label: Annotated[str, NotInId()]
    dataset_label: Annotated[str, NotInId()]
    variant_label: Annotated[str, NotInId()]
    seed: int
    model: ModelConfig
    dataset: DatasetConfig
    variant: VariantConfig
    train: TrainConfig
    needs: Annotated[Needs, NotInId()]
    starts_from: StartsFrom | None = None
    generation: GenerationConfig | None = None
    keep_best: Annotated[tuple[StartRule, ...], NotInId()] = ()
    eval_sets: Annotated[tuple[EvalSetSpec, ...], AnyOrder()]

    @field_validator("eval_sets")
    @classmethod
    def _begin_with_own(cls, sets: tuple[EvalSetSpec, ...]) -> tuple[EvalSetSpec, ...]:
        labels = [one.label for one in sets]
        if labels[:1] != [OWN] or len({*labels}) < len(labels):
            raise ValueError(f"must be '{OWN}' and then sets of other names, each once")
        return sets

    @property
    def own(self) -> EvalSetSpec:
        """The held-out prompts of its dataset."""
        return self.eval_sets[0]

    @property
    def further(self) -> tuple[EvalSetSpec, ...]:
        """The evaluation sets beside those, in the order of the sweep."""
        return self.eval_sets[1:]

    @property
    def stages(self) -> tuple[str, ...]:
        """Ids of the shared stages that it needs, those of its evaluation sets included."""
        return (*self.needs.ids, *(stage for one in self.eval_sets for stage in one.needs.ids))

    @property
    def requires(self) -> tuple[str, ...]:
        """Ids of the work that must be done before."""
        before = (self.starts_from.run_id,) if self.starts_from else ()
        return (*self.stages, *before)

    @property
    def cell(self) -> str:
        """The run without its seed."""
        return f"{self.model_label}/{self.dataset_label}/{self.variant_label}"

    @property
    def stops_by_gold(self) -> bool:
        """Whether hidden answers decide when it ends, and which policy it keeps."""
        stop = self.train.stop
        return stop is not None and stop.labelled_prompts is not None

    @property
    def keep(self) -> KeepRule | None:
        """By what it chooses among the epochs of each fit; None: the last one, or it is online."""
        return None if self.train.rounds is None else self.train.rounds.fit.keep

    @property
    def chosen_by_gold(self) -> bool:
        """Whether hidden answers choose among its policies, by `train.stop` or `train.fit.keep`."""
        return self.stops_by_gold or self.keep == "gold"

    @property
    def trains_on_eval_prompts(self) -> bool:
        """Whether train and eval prompts are the same on purpose, as in test-time training."""
        return self.needs.train_prompts == self.own.needs.prompts


@dataclass(frozen=True)
class Estimate:
    """Upper bounds on the work of a plan."""

    rollouts: int
    completion_tokens: int

    def __add__(self, other: "Estimate") -> "Estimate":
        return Estimate(
            self.rollouts + other.rollouts, self.completion_tokens + other.completion_tokens
        )
