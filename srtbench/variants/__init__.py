"""Self-reward methods, one module each."""

from typing import Any

from srtbench.config.variants import AllOfConfig, PluginConfig, PythonConfig, WeightedConfig
from srtbench.variants.base import (
    TOKEN_STATISTICS,
    Group,
    Judgement,
    TeacherLabel,
    Variant,
    VariantContext,
    VariantError,
    group_rng,
)
from srtbench.variants.combine import AllOf, Combination, Weighted
from srtbench.variants.ema_teacher import EmaTeacher
from srtbench.variants.entropy import Entropy
from srtbench.variants.fixed_teacher import FixedTeacher
from srtbench.variants.format import Format
from srtbench.variants.gold import Gold
from srtbench.variants.incorrect import Incorrect
from srtbench.variants.min_entropy_cluster import MinEntropyCluster
from srtbench.variants.no_repetition import NoRepetition
from srtbench.variants.random import Random
from srtbench.variants.self_certainty import SelfCertainty
from srtbench.variants.soft_majority import SoftMajority
from srtbench.variants.srt import SRT
from srtbench.variants.ttrl import TTRL

VARIANTS: dict[str, type[Variant]] = {
    "srt": SRT,
    "gold": Gold,
    "fixed_teacher": FixedTeacher,
    "random": Random,
    "format": Format,
    "incorrect": Incorrect,
    "soft_majority": SoftMajority,
    "min_entropy_cluster": MinEntropyCluster,
    "self_certainty": SelfCertainty,
    "entropy": Entropy,
    "no_repetition": NoRepetition,
    "ttrl": TTRL,
    "ema_teacher": EmaTeacher,
}
"""`type` in a sweep file -> class. `all_of`, `weighted`, `python` and `plugin` build on these."""

COMBINATIONS: dict[str, type[Combination]] = {"all_of": AllOf, "weighted": Weighted}


def build_variant(config: Any, context: VariantContext) -> Variant:
    """The variant that an entry of `variants:` describes.

    Raises:
        VariantError: a class from outside cannot be loaded, or parts do not fit together.
    """
    if isinstance(config, AllOfConfig | WeightedConfig):
        parts = [build_variant(part, context) for part in config.parts]
        return COMBINATIONS[config.type](config, context, parts)
    if isinstance(config, PythonConfig | PluginConfig):
        from srtbench.variants.external import load_class

        return load_class(config)(config, context)
    return VARIANTS[config.type](config, context)


__all__ = [
    "COMBINATIONS",
    "TOKEN_STATISTICS",
    "VARIANTS",
    "Group",
    "Judgement",
    "TeacherLabel",
    "Variant",
    "VariantContext",
    "VariantError",
    "build_variant",
    "group_rng",
]
