"""The `variants:` axis: the options of `srtbench.variants`, and what an entry may say beside them.

The union of entries is built from the classes, so a new variant needs no line here.
"""

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, Union, cast

from pydantic import BeforeValidator, Field, create_model, field_validator, model_validator

from srtbench.config.train import EvalOverride, TrainOverride
from srtbench.sections import Name, NotInId, Section, deep_merge, slug
from srtbench.variants import VARIANTS, AllOf, Variant, Weighted
from srtbench.variants.external import PluginOptions, PythonOptions
from srtbench.variants.published import Recipe, RoundsRecipe


class VariantEntryBase(Section):
    """What every variant entry may carry."""

    if TYPE_CHECKING:
        type: str

    name: Annotated[Name | None, NotInId()] = Field(None, description="label in tables and run ids")
    train: Annotated[TrainOverride, NotInId()] = Field(
        default_factory=TrainOverride, description="overrides of `train`"
    )
    eval: Annotated[EvalOverride, NotInId()] = Field(
        default_factory=EvalOverride, description="overrides of `eval`"
    )

    @property
    def label(self) -> str:
        """Name in tables."""
        return self.name or self.type


class _CombinationEntry(VariantEntryBase):
    parts: tuple["VariantConfig", ...] = Field(min_length=1, description="the rewards combined")

    @field_validator("parts")
    @classmethod
    def _plain_parts(cls, parts: tuple[Any, ...]) -> tuple[Any, ...]:
        for part in parts:
            if part.train != TrainOverride() or part.eval != EvalOverride():
                raise ValueError("overrides of `train` and `eval` belong to the combination")
        return parts


class AllOfEntry(_CombinationEntry, AllOf.Config):
    """The product of the parts' rewards."""


class WeightedEntry(_CombinationEntry, Weighted.Config):
    """The weighted sum of the parts' rewards."""


class PythonEntry(PythonOptions, VariantEntryBase):
    """A class in a Python file of the user. Its source is part of the run id."""

    @property
    def label(self) -> str:
        """Name in tables."""
        return self.name or slug(self.class_name)


class PluginEntry(PluginOptions, VariantEntryBase):
    """A class that an installed package offers under the entry point group `srtbench.variants`."""

    @property
    def label(self) -> str:
        """Name in tables."""
        return self.name or slug(self.class_name)


def _entry(variant: type[Variant]) -> type[VariantEntryBase]:
    """The section of a built-in variant: its options, and those of every entry."""
    options, published = variant.Config, variant.published
    further: dict[str, Any] = {}
    validators: dict[str, Any] = {}
    if published is not None:
        recipe = Annotated[Literal["published"] | None, NotInId()]
        description = f"published: the settings of its source ({published})"
        further["recipe"] = (recipe, Field(None, description=description))
        validators["follow"] = model_validator(mode="before")(_follow(published))
    bases: Any = (options, VariantEntryBase)
    made = create_model(
        f"{variant.__name__}Entry",
        __base__=bases,
        __doc__=options.__doc__,
        __module__=__name__,
        __validators__=validators,
        **further,
    )
    return cast("type[VariantEntryBase]", made)


def _follow(published: Recipe | RoundsRecipe) -> Any:
    """Fill in what an entry with `recipe: published` leaves out."""

    def follow(content: Any) -> Any:
        if not isinstance(content, dict) or content.get("recipe") != "published":
            return content
        given = {key: value for key, value in content.items() if value is not None}
        train = content.get("train")
        if train is not None and not isinstance(train, dict):
            return content  # wrong, or read already
        return deep_merge(published.entry(), given)

    return follow


BUILT_IN = {name: _entry(variant) for name, variant in VARIANTS.items()}
"""Section of each built-in variant by its `type`."""


def _expand(entry: Any) -> Any:
    return {"type": entry} if isinstance(entry, str) else entry


if TYPE_CHECKING:
    VariantConfig: TypeAlias = VariantEntryBase
    VariantEntry: TypeAlias = VariantEntryBase
else:
    _REWARDS = (*BUILT_IN.values(), AllOfEntry, WeightedEntry, PythonEntry, PluginEntry)
    _SHORT = Literal[tuple(BUILT_IN)]
    _Reward = Annotated[Union[_REWARDS], Field(discriminator="type")]  # noqa: UP007
    VariantConfig = Annotated[
        _Reward, BeforeValidator(_expand, json_schema_input_type=_SHORT | _Reward)
    ]
    """A reward: the variant of one run."""

StartRule = Literal["last", "best_avg_at_k", "best_maj_at_k"]


class CurriculumStage(Section):
    """One run of a curriculum."""

    level: int = Field(description="replaces the level of the dataset")
    variant: VariantConfig = Field(description="its reward")
    start_from: StartRule | None = Field(
        None,
        description="policy of the stage before to start from: its last, or the best of its "
        "evaluations (which looks at gold answers); null: last",
    )
    train: TrainOverride = Field(default_factory=TrainOverride, description="overrides of `train`")
    eval: EvalOverride = Field(default_factory=EvalOverride, description="overrides of `eval`")


class CurriculumConfig(VariantEntryBase):
    """Runs in a row, each from a policy of the one before, usually at rising levels."""

    type: Literal["curriculum"] = "curriculum"
    stages: tuple[CurriculumStage, ...] = Field(min_length=2, description="in their order")

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


if not TYPE_CHECKING:
    _Entry = Annotated[Union[(*_REWARDS, CurriculumConfig)], Field(discriminator="type")]
    VariantEntry = Annotated[
        _Entry, BeforeValidator(_expand, json_schema_input_type=_SHORT | _Entry)
    ]
    """An entry of `variants:`: a reward, or a curriculum."""

AllOfEntry.model_rebuild()
WeightedEntry.model_rebuild()
