"""The `variants:` axis: which reward trains the policy. The rewards are in `srtbench.variants`."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from srtbench.config.base import Name, Section
from srtbench.config.train import EvalOverride, TrainOverride


class VotingConfig(Section):
    """How a group's answers become one pseudo-label; see `srtbench.votes.VotingPolicy`."""

    tie: Literal["first", "random", "abstain", "split"] = "first"
    unparsable: Literal["exclude", "count"] = "exclude"
    min_share: float = Field(0.0, ge=0, le=1)
    denominator: Literal["votes", "samples"] = "votes"


class VariantBase(Section):
    """What every variant entry may carry."""

    type: str
    name: Name | None = Field(None, description="label in tables and run ids")
    train: TrainOverride = Field(default_factory=TrainOverride, description="overrides of `train`")
    eval: EvalOverride = Field(default_factory=EvalOverride, description="overrides of `eval`")

    @property
    def label(self) -> str:
        """Name in tables."""
        return self.name or self.type


class TeacherBase(VariantBase):
    """A variant whose labels are votes of the frozen start model, computed once."""

    votes: int | None = Field(None, ge=1, description="votes per prompt; null: num_generations")
    temperature: float = Field(1.0, gt=0)
    voting: VotingConfig = Field(default_factory=VotingConfig)


class SRTConfig(VariantBase):
    """Agreement with the group's own majority."""

    type: Literal["srt"] = "srt"
    voting: VotingConfig = Field(default_factory=VotingConfig)


class GoldConfig(VariantBase):
    """Agreement with the gold answer: the supervised ceiling."""

    type: Literal["gold"] = "gold"


class FixedTeacherConfig(TeacherBase):
    """Agreement with the majority of the frozen start model."""

    type: Literal["fixed_teacher"] = "fixed_teacher"


class RandomConfig(VariantBase):
    """A coin flip per completion."""

    type: Literal["random"] = "random"
    p: float = Field(0.5, ge=0, le=1, description="probability of reward 1")


class FormatConfig(VariantBase):
    """1 if the completion holds a non-empty answer in the asked format."""

    type: Literal["format"] = "format"


class IncorrectConfig(TeacherBase):
    """Agreement with a majority label that is wrong; prompts with a right majority are dropped."""

    type: Literal["incorrect"] = "incorrect"


def _expand(entry: Any) -> Any:
    return {"type": entry} if isinstance(entry, str) else entry


VariantConfig = Annotated[
    Annotated[
        SRTConfig | GoldConfig | FixedTeacherConfig | RandomConfig | FormatConfig | IncorrectConfig,
        Field(discriminator="type"),
    ],
    BeforeValidator(_expand),
]
