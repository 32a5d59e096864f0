"""The `eval_sets:` list: further prompts on which every run is evaluated, and never trained."""

from abc import abstractmethod
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from srtbench.config.datasets import (
    DatasetConfig,
    FileDataset,
    HubDataset,
    PromptSource,
    ReasoningGymDataset,
    SplitShares,
    TableColumns,
    expand_short_form,
)
from srtbench.config.hub import Commit
from srtbench.sections import FilePath, Name, slug

OWN = "own"
"""Label of the first set of every run: the held-out prompts of its own dataset."""

RESERVED = (OWN, "train")
"""What no entry may be called: prompts of a run have these names already."""

QUESTION_TARGET = "{question}"
"""Target template of an evaluation set: nothing is warmed up on it, so it holds the question."""


class EvalSetBase(PromptSource):
    """What every evaluation set may say."""

    name: Name | None = Field(None, description="label in tables, and of the folder in a run")
    prompts: int | None = Field(
        None, ge=1, description="the first so many in the order of their hash; null: all"
    )
    samples: int | None = Field(None, ge=1, description="null: `eval.samples` of the run")
    temperature: float | None = Field(
        None, ge=0, description="0: greedy; null: `eval.temperature` of the run"
    )
    max_completion_length: int | None = Field(
        None, ge=1, description="tokens; null: `train.max_completion_length` of the run"
    )
    every: int | None = Field(
        None, ge=1, description="steps between two evaluations; null: at the start and at the end"
    )
    batch_size: int | None = Field(None, ge=1, description="null: `eval.batch_size` of the run")
    on_overlap: Literal["error", "drop_from_train"] = Field(
        "error", description="if a run would train on one of its questions"
    )

    @property
    @abstractmethod
    def label(self) -> str:
        """Name in tables, and of the folder in a run."""

    @abstractmethod
    def dataset(self, shares: SplitShares) -> DatasetConfig:
        """The entry as a dataset.

        Args:
            shares: how the run's own dataset is divided; it divides a generated task alike.
        """

    def _shared(self) -> dict[str, Any]:
        """Values that a dataset entry has too."""
        own = {*EvalSetBase.model_fields} - {*PromptSource.model_fields}
        values = self.model_dump(exclude={*own, "split"})
        return values | {"target_template": QUESTION_TARGET}


class GymEvalSet(EvalSetBase):
    """The eval split of a Reasoning Gym task."""

    type: Literal["reasoning_gym"] = "reasoning_gym"
    task: str = Field(min_length=1, description="task name, e.g. spell_backward")
    prompts: int = Field(ge=1, description="the first so many of the eval split")
    level: int | None = Field(None, description="difficulty; `level_rule` turns it into a config")
    level_rule: dict[int | str, Any] | None = Field(None, description="as of a dataset")
    config: dict[str, Any] = Field(default_factory=dict, description="further task options")
    seed: int = Field(0, ge=0, description="seed of the generator")

    @property
    def label(self) -> str:
        """Name in tables, and of the folder in a run."""
        return self.name or (self.task if self.level is None else f"{self.task}-{self.level}")

    def dataset(self, shares: SplitShares) -> DatasetConfig:
        """The entry as a dataset."""
        return ReasoningGymDataset(**self._shared(), split=shares)


class HubEvalSet(TableColumns, EvalSetBase):
    """One split of a repository that the `datasets` library can load."""

    type: Literal["hub"] = "hub"
    id: str = Field(min_length=1, description="repository id, e.g. openai/gsm8k")
    subset: str | None = Field(None, description="configuration of the repository, e.g. main")
    revision: str | None = Field(None, description="branch, tag or commit")
    commit: Commit = None
    split: str = Field("test", min_length=1, description="all of it is evaluated")

    @property
    def label(self) -> str:
        """Name in tables, and of the folder in a run."""
        return self.name or slug(self.id.split("/")[-1])

    def dataset(self, shares: SplitShares) -> DatasetConfig:
        """The entry as a dataset."""
        return HubDataset(**self._shared(), train_split=self.split)


class FileEvalSet(TableColumns, EvalSetBase):
    """A JSONL, Parquet or CSV file; all of it is evaluated."""

    type: Literal["file"] = "file"
    path: Annotated[str, FilePath()] = Field(min_length=1, description="relative to the sweep file")

    @property
    def label(self) -> str:
        """Name in tables, and of the folder in a run."""
        return self.name or slug(self.path.rsplit("/", 1)[-1].rsplit(".", 1)[0])

    def dataset(self, shares: SplitShares) -> DatasetConfig:
        """The entry as a dataset."""
        return FileDataset(**self._shared())


_Set = Annotated[GymEvalSet | HubEvalSet | FileEvalSet, Field(discriminator="type")]
EvalSetEntry = Annotated[
    _Set, BeforeValidator(expand_short_form, json_schema_input_type=str | _Set)
]
