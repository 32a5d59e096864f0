"""Self-reward methods, one module each."""

from typing import Any

from srtbench.variants.base import (
    TOKEN_STATISTICS,
    Group,
    Judgement,
    Teacher,
    TeacherLabel,
    TeacherOptions,
    Variant,
    VariantContext,
    VariantError,
    VariantOptions,
    group_rng,
)
from srtbench.variants.combine import AllOf, Combination, Weighted
from srtbench.variants.published import Recipe, RoundsRecipe
from srtbench.variants.registry import (
    VARIANTS,
    CombinationOptions,
    Facts,
    facts,
    from_outside,
    leaves,
    with_voting,
)
from srtbench.variants.selection import (
    Candidates,
    Further,
    Pick,
    RoundsOptions,
    RoundsVariant,
    TextFormat,
)

COMBINATIONS: dict[str, type[Combination]] = {"all_of": AllOf, "weighted": Weighted}


def build_variant(config: Any, context: VariantContext) -> Variant:
    """The variant that an entry of `variants:` describes.

    Raises:
        VariantError: a class from outside cannot be loaded.
    """
    if isinstance(config, CombinationOptions):
        parts = [build_variant(part, context) for part in config.parts]
        return COMBINATIONS[config.type](config, context, parts)  # type: ignore[attr-defined]
    (leaf,) = leaves(config)
    return leaf.variant(leaf.config, context)


__all__ = [
    "COMBINATIONS",
    "TOKEN_STATISTICS",
    "VARIANTS",
    "AllOf",
    "Candidates",
    "Facts",
    "Further",
    "Group",
    "Judgement",
    "Pick",
    "Recipe",
    "RoundsOptions",
    "RoundsRecipe",
    "RoundsVariant",
    "Teacher",
    "TeacherLabel",
    "TeacherOptions",
    "TextFormat",
    "Variant",
    "VariantContext",
    "VariantError",
    "VariantOptions",
    "Weighted",
    "build_variant",
    "facts",
    "from_outside",
    "group_rng",
    "with_voting",
]
