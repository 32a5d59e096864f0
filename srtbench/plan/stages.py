"""Work that runs share: one class per kind, with what it needs, what it costs and how it is named.

A stage is named by the hash of its inputs, so it is computed once and found again.
"""

import functools
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import Field, RootModel

from srtbench.config.datasets import DatasetConfig, FileDataset
from srtbench.config.generation import GenerationConfig
from srtbench.config.models import LocalModel, ModelConfig, TinyModel
from srtbench.plan.identity import Texts, content_id
from srtbench.plan.specs import Estimate, Sampling, Spec
from srtbench.sections import NotInId
from srtbench.votes import VotingPolicy

TEACHER_SEED = 7_919
"""Seed of a frozen teacher's samples and ties."""


class StageSpec(Spec):
    """What every stage has.

    Attributes:
        stage_id: the kind and the hash of everything else.
    """

    stage_id: Annotated[str, NotInId()]
    kind: str

    @classmethod
    def planned(cls, texts: Texts | None = None, **inputs: Any) -> Self:
        """A stage with the id that its inputs give.

        Args:
            texts: of a plan, see `content_id`.
        """
        (kind,) = get_args(cls.model_fields["kind"].annotation)
        spec = cls(stage_id=kind, **inputs)
        return spec.model_copy(update={"stage_id": f"{kind}-{content_id(spec, texts)}"})

    @property
    def requires(self) -> tuple[str, ...]:
        """Ids of the stages that must be done before."""
        return ()

    @property
    def estimate(self) -> Estimate:
        """Rollouts that it samples, and the tokens they have at most."""
        return Estimate(0, 0)


class TrainPrompts(StageSpec):
    """Draws the prompts to train on: the first ``prompts`` of the train split."""

    kind: Literal["train_prompts"] = "train_prompts"
    dataset: DatasetConfig
    prompts: int


class EvalPrompts(StageSpec):
    """Draws the prompts of an evaluation set.

    Attributes:
        prompts: the first so many; None: all.
        whole: all of a file or hub split is asked for, not its eval split, and each prompt's
            question is kept, so that it is found among train prompts in other words.
    """

    kind: Literal["eval_prompts"] = "eval_prompts"
    dataset: DatasetConfig
    prompts: int | None
    whole: bool = False


class WarmStart(StageSpec):
    """Makes a tiny start model, by supervised training on the warm-start split."""

    kind: Literal["warm_start"] = "warm_start"
    model: TinyModel
    dataset: DatasetConfig
    max_completion_length: int


class ConvertedModel(StageSpec):
    """Makes a start model from a GGUF file."""

    kind: Literal["converted_model"] = "converted_model"
    model: LocalModel


class StartModelStage(StageSpec):
    """Samples from the start model.

    Attributes:
        model_stage: makes the start model; None: it is loaded as it is.
        prompts_stage: drew the prompts.
        prompts: how many of them; None: as many as there are.
        generation: the engine that samples; None: transformers.
    """

    model: ModelConfig
    dataset: DatasetConfig
    model_stage: str | None
    prompts_stage: str
    prompts: int | None
    sampling: Sampling
    generation: GenerationConfig | None = None

    @property
    def requires(self) -> tuple[str, ...]:
        """Ids of the stages that must be done before."""
        before = (self.model_stage,) if self.model_stage else ()
        return (*before, self.prompts_stage)

    @property
    def estimate(self) -> Estimate:
        """Rollouts that it samples, and the tokens they have at most."""
        rollouts = prompt_count(self.dataset, self.prompts) * self.sampling.samples
        return Estimate(rollouts, rollouts * self.sampling.max_completion_length)


class StartEval(StartModelStage):
    """Evaluates the start model on an evaluation set."""

    kind: Literal["base_eval"] = "base_eval"


class VotesStage(StartModelStage):
    """Has the start model vote on the answer of each train prompt."""

    voting: VotingPolicy


class TeacherLabels(VotesStage):
    """Its votes are labels."""

    kind: Literal["teacher_labels"] = "teacher_labels"


class PoolVotes(VotesStage):
    """Its votes say which prompts of a pool are easy."""

    kind: Literal["pool_votes"] = "pool_votes"


_Kinds = (
    TrainPrompts | EvalPrompts | WarmStart | ConvertedModel | StartEval | TeacherLabels | PoolVotes
)


class AnyStage(RootModel[Annotated[_Kinds, Field(discriminator="kind")]]):
    """A stage of whichever kind its values name."""


def prompt_count(dataset: DatasetConfig, prompts: int | None) -> int:
    """Prompts of a set, or the rows of its file, which are no fewer; 0 if that is not known."""
    if prompts:
        return prompts
    return _rows(dataset.path) if isinstance(dataset, FileDataset) else 0


@functools.cache
def _rows(path: str) -> int:
    from srtbench.datasets.rows import count_rows  # few plans read a file

    return count_rows(Path(path))
