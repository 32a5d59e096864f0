"""What a plan is made of: runs and shared stages, as data that a worker can read."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict

from srtbench.config.datasets import DatasetConfig
from srtbench.config.models import ModelConfig
from srtbench.config.train import EvalConfig, TrainConfig
from srtbench.config.variants import StartRule, VariantConfig
from srtbench.sections import AnyOrder, NotInId
from srtbench.votes import VotingPolicy

StageKind = Literal[
    "train_prompts",
    "eval_prompts",
    "warm_start",
    "converted_model",
    "teacher_labels",
    "pool_votes",
    "base_eval",
    "eval_set_prompts",
    "eval_set_start",
]


class _Spec(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SetSampling(_Spec):
    """How completions of an evaluation set are sampled; temperature 0 is greedy."""

    samples: int
    temperature: float
    max_completion_length: int
    batch_size: int
    seed: int


class StageSpec(_Spec):
    """Work that runs share, named by the hash of its inputs.

    Attributes:
        prompts: how many; 0 for an evaluation set that is taken whole.
    """

    stage_id: Annotated[str, NotInId()]
    kind: StageKind
    needs: dict[StageKind, str]
    model: ModelConfig | None = None
    dataset: DatasetConfig | None = None
    prompts: int = 0
    eval: EvalConfig | None = None
    votes: int = 0
    temperature: float = 1.0
    voting: VotingPolicy | None = None
    batch_size: int = 0
    max_completion_length: int = 0
    sampling: SetSampling | None = None

    @property
    def requires(self) -> tuple[str, ...]:
        """Ids of the work that must be done before."""
        return tuple(self.needs.values())


class StartsFrom(_Spec):
    """The run, and which of its policies, that another run starts from."""

    run_id: str
    rule: StartRule


class EvalSetSpec(_Spec):
    """Further prompts on which a run is evaluated.

    Attributes:
        prompts: the first so many; None: all.
        every: steps between two evaluations; None: at the start and at the end.
        needs: the shared stages of the set.
    """

    label: str
    dataset: DatasetConfig
    prompts: int | None
    every: int | None
    sampling: SetSampling
    on_overlap: Literal["error", "drop_from_train"]
    needs: Annotated[dict[StageKind, str], NotInId()]

    def steps(self, last: int) -> tuple[int, ...]:
        """Steps after which a run of ``last`` steps is evaluated on it."""
        return evaluation_steps(self.every or last, last)


class RunSpec(_Spec):
    """One training run: everything a worker needs to know.

    Its id is the hash of what is not marked `NotInId`.

    Attributes:
        part: name of the part of the sweep that it belongs to, if the sweep has parts.
        starts_from: the run before it in a curriculum.
        keep_best: policies to keep for the runs that start from this one.
        eval_sets: further prompts to evaluate on.
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
    eval: EvalConfig
    needs: Annotated[dict[StageKind, str], NotInId()]
    starts_from: StartsFrom | None = None
    keep_best: Annotated[tuple[StartRule, ...], NotInId()] = ()
    eval_sets: Annotated[tuple[EvalSetSpec, ...], AnyOrder()] = ()

    @property
    def stages(self) -> tuple[str, ...]:
        """Ids of the shared stages that it needs, those of its evaluation sets included."""
        return (*self.needs.values(), *(s for one in self.eval_sets for s in one.needs.values()))

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
    def trains_on_eval_prompts(self) -> bool:
        """Whether train and eval prompts are the same on purpose, as in test-time training."""
        return self.needs.get("train_prompts") == self.needs.get("eval_prompts")

    @property
    def eval_steps(self) -> tuple[int, ...]:
        """Steps after which the policy is evaluated; 0 is the start model."""
        return evaluation_steps(self.eval.every, self.train.steps)


def evaluation_steps(every: int, last: int) -> tuple[int, ...]:
    """0, every so many steps, and the last."""
    return tuple(sorted({*range(0, last + 1, every), last}))


@dataclass(frozen=True)
class Estimate:
    """Upper bounds on the work of a plan."""

    rollouts: int
    completion_tokens: int

    def __add__(self, other: "Estimate") -> "Estimate":
        return Estimate(
            self.rollouts + other.rollouts, self.completion_tokens + other.completion_tokens
        )
