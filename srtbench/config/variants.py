"""The `variants:` axis: which reward trains the policy. The rewards are in `srtbench.variants`."""

import importlib.metadata
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from srtbench.config.train import EvalOverride, TrainOverride
from srtbench.sections import Name, Section, slug


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


class SoftMajorityConfig(VariantBase):
    """The vote share of the answer."""

    type: Literal["soft_majority"] = "soft_majority"
    voting: VotingConfig = Field(default_factory=VotingConfig)


class MinEntropyClusterConfig(VariantBase):
    """The share of the answer's cluster, for prompts inside an entropy gate (EMPO)."""

    type: Literal["min_entropy_cluster"] = "min_entropy_cluster"
    entropy_low: float = Field(0.0, ge=0, le=1, description="lower bound, as a fraction of log n")
    entropy_high: float = Field(1.0, ge=0, le=1, description="upper bound, as a fraction of log n")

    @model_validator(mode="after")
    def _ordered(self) -> "MinEntropyClusterConfig":
        if self.entropy_low > self.entropy_high:
            raise ValueError("entropy_low must not be above entropy_high")
        return self


class SelfCertaintyConfig(VariantBase):
    """Mean self-certainty of the completion's tokens (Intuitor)."""

    type: Literal["self_certainty"] = "self_certainty"


class EntropyConfig(VariantBase):
    """Minus the mean entropy of the completion's tokens (RENT)."""

    type: Literal["entropy"] = "entropy"


class NoRepetitionConfig(VariantBase):
    """Share of the completion's n-grams that are distinct."""

    type: Literal["no_repetition"] = "no_repetition"
    n: int = Field(3, ge=1, description="length of an n-gram")
    unit: Literal["word", "character"] = "word"


class TTRLConfig(VariantBase):
    """Agreement with the majority of more votes than are trained, on the evaluation prompts."""

    type: Literal["ttrl"] = "ttrl"
    votes: int = Field(64, ge=2, description="votes per prompt, a multiple of num_generations")
    trains_on_eval_prompts: bool = Field(
        True, description="train on the very prompts that are evaluated, as the method does"
    )
    voting: VotingConfig = Field(default_factory=VotingConfig)


class EmaTeacherConfig(VariantBase):
    """Agreement with the majority of a moving average of the policy."""

    type: Literal["ema_teacher"] = "ema_teacher"
    votes: int | None = Field(None, ge=1, description="votes per prompt; null: num_generations")
    temperature: float = Field(1.0, gt=0)
    decay_start: float = Field(0.99, ge=0, le=1, description="weight of the old teacher, first")
    decay_end: float = Field(0.9999, ge=0, le=1, description="the same at the last step")
    voting: VotingConfig = Field(default_factory=VotingConfig)


class _Combination(VariantBase):
    """Parts that are judged apart and then combined."""

    parts: tuple["VariantConfig", ...] = Field(min_length=1)

    @field_validator("parts")
    @classmethod
    def _plain_parts(cls, parts: tuple[Any, ...]) -> tuple[Any, ...]:
        for part in parts:
            if part.train != TrainOverride() or part.eval != EvalOverride():
                raise ValueError("overrides of `train` and `eval` belong to the combination")
        teachers = [t.model_dump(exclude={"type", "name"}) for t in map(teacher_of, parts) if t]
        if any(teacher != teachers[0] for teacher in teachers):
            raise ValueError("parts with a teacher must agree on votes, temperature and voting")
        own = [
            p.type
            for part in parts
            for p in flat_parts(part)
            if isinstance(p, TTRLConfig | EmaTeacherConfig)
        ]
        if len(own) > 1:
            raise ValueError(
                f"{' and '.join(own)} each sample votes of their own; at most one part may, as a "
                "group has room for one electorate"
            )
        return parts


class AllOfConfig(_Combination):
    """The product of the parts' rewards."""

    type: Literal["all_of"] = "all_of"


class WeightedConfig(_Combination):
    """The weighted sum of the parts' rewards."""

    type: Literal["weighted"] = "weighted"
    weights: tuple[float, ...] = Field((), description="one per part; empty: all 1")

    @model_validator(mode="after")
    def _one_weight_each(self) -> "WeightedConfig":
        if self.weights and len(self.weights) != len(self.parts):
            raise ValueError(f"{len(self.parts)} parts, but {len(self.weights)} weights")
        return self


class PythonConfig(VariantBase):
    """A class in a Python file of the user. Its source is part of the run id."""

    type: Literal["python"] = "python"
    path: str = Field(
        pattern=r"^.+\.py:[A-Za-z_]\w*$", description="FILE.py:CLASS, relative to the sweep file"
    )
    options: dict[str, Any] = Field(default_factory=dict, description="what the class is given")

    @property
    def label(self) -> str:
        """Name in tables."""
        return self.name or slug(self.path.rpartition(":")[2])


class PluginConfig(VariantBase):
    """A class that an installed package offers under the entry point group `srtbench.variants`."""

    type: Literal["plugin"] = "plugin"
    plugin: str = Field(min_length=1, description="name of the entry point")
    distribution: str = Field("", description="package and version; filled in when read")
    options: dict[str, Any] = Field(default_factory=dict, description="what the class is given")

    @model_validator(mode="before")
    @classmethod
    def _find(cls, content: Any) -> Any:
        if not isinstance(content, dict) or content.get("distribution"):
            return content
        found = importlib.metadata.entry_points(group=ENTRY_POINTS)
        for entry in found:
            if entry.name == content.get("plugin") and entry.dist is not None:
                return content | {"distribution": f"{entry.dist.name} {entry.dist.version}"}
        names = ", ".join(sorted(entry.name for entry in found)) or "none"
        raise ValueError(f"no installed package has this variant; installed: {names}")

    @property
    def label(self) -> str:
        """Name in tables."""
        return self.name or slug(self.plugin)


ENTRY_POINTS = "srtbench.variants"
"""Group of entry points that packages put variant classes into."""


def _expand(entry: Any) -> Any:
    return {"type": entry} if isinstance(entry, str) else entry


_Reward = (
    SRTConfig
    | GoldConfig
    | FixedTeacherConfig
    | RandomConfig
    | FormatConfig
    | IncorrectConfig
    | SoftMajorityConfig
    | MinEntropyClusterConfig
    | SelfCertaintyConfig
    | EntropyConfig
    | NoRepetitionConfig
    | TTRLConfig
    | EmaTeacherConfig
    | AllOfConfig
    | WeightedConfig
    | PythonConfig
    | PluginConfig
)

VariantConfig = Annotated[
    Annotated[_Reward, Field(discriminator="type")],
    BeforeValidator(_expand),
]
"""A reward: the variant of one run."""

StartRule = Literal["last", "best_avg_at_k", "best_maj_at_k"]


class CurriculumStage(Section):
    """One run of a curriculum."""

    level: int = Field(description="replaces the level of the dataset")
    variant: VariantConfig
    start_from: StartRule | None = Field(
        None,
        description="policy of the stage before to start from: its last, or the best of its "
        "evaluations (which looks at gold answers); null: last",
    )
    train: TrainOverride = Field(default_factory=TrainOverride, description="overrides of `train`")
    eval: EvalOverride = Field(default_factory=EvalOverride, description="overrides of `eval`")


class CurriculumConfig(VariantBase):
    """Runs in a row, each from a policy of the one before, usually at rising levels."""

    type: Literal["curriculum"] = "curriculum"
    stages: tuple[CurriculumStage, ...] = Field(min_length=2)

    @model_validator(mode="after")
    def _plain_stages(self) -> "CurriculumConfig":
        if self.stages[0].start_from is not None:
            raise ValueError(
                "stages[0].start_from: the first stage starts from the start model; remove the key"
            )
        for number, stage in enumerate(self.stages):
            if stage.variant.name is not None:
                raise ValueError(
                    f"stages[{number}].variant.name: the curriculum gives the name of its stages; "
                    "remove the key"
                )
        return self


VariantEntry = Annotated[
    Annotated[_Reward | CurriculumConfig, Field(discriminator="type")],
    BeforeValidator(_expand),
]
"""An entry of `variants:`: a reward, or a curriculum."""


def flat_parts(variant: Any) -> Iterator[Any]:
    """The entry itself, or the entries that a combination is made of, at any depth."""
    if isinstance(variant, _Combination):
        for part in variant.parts:
            yield from flat_parts(part)
    else:
        yield variant


def teacher_of(variant: Any) -> TeacherBase | None:
    """The part that needs labels of the frozen start model, if there is one."""
    return next((part for part in flat_parts(variant) if isinstance(part, TeacherBase)), None)


VOTING_TYPES = frozenset(
    {"srt", "fixed_teacher", "incorrect", "soft_majority", "ttrl", "ema_teacher"}
    | {"min_entropy_cluster"}
)
"""Variants that take agreement of answers for a sign of rightness."""


def votes_on_answers(variant: Any) -> bool:
    """Whether the variant, or a part of it, needs prompts with one right answer."""
    return any(part.type in VOTING_TYPES for part in flat_parts(variant))


def trains_on_eval_prompts(variant: Any) -> bool:
    """Whether the method trains on the very prompts that it is evaluated on."""
    return any(getattr(part, "trains_on_eval_prompts", False) for part in flat_parts(variant))


def extra_votes(variant: Any, num_generations: int) -> int:
    """Completions per group that vote and are not trained on."""
    total = 0
    for part in flat_parts(variant):
        if isinstance(part, TTRLConfig):
            total += part.votes - num_generations
        elif isinstance(part, EmaTeacherConfig):
            total += part.votes or num_generations
    return total


def vote_problems(variant: Any, num_generations: int) -> Iterator[str]:
    """What is wrong with the numbers of votes for groups of that size."""
    for part in flat_parts(variant):
        votes = getattr(part, "votes", None)
        if isinstance(part, TTRLConfig | EmaTeacherConfig) and votes is not None:
            extra = votes - num_generations if isinstance(part, TTRLConfig) else votes
            if extra <= 0 or extra % num_generations:
                more = "greater than and " if isinstance(part, TTRLConfig) else ""
                yield (
                    f"{part.type}: votes = {votes} must be {more}a multiple of "
                    f"num_generations = {num_generations}"
                )


def resolve_variant(variant: Any, folder: Path) -> Any:
    """The entry with the paths in it, and in its parts, made absolute."""
    if isinstance(variant, _Combination):
        parts = tuple(resolve_variant(part, folder) for part in variant.parts)
        return variant.model_copy(update={"parts": parts})
    if isinstance(variant, PythonConfig):
        file, _, name = variant.path.rpartition(":")
        place = (folder / Path(file).expanduser()).resolve()
        return variant.model_copy(update={"path": f"{place}:{name}"})
    return variant


AllOfConfig.model_rebuild()
WeightedConfig.model_rebuild()
CurriculumStage.model_rebuild()
CurriculumConfig.model_rebuild()
