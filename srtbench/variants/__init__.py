"""Self-reward methods, one module each."""

from typing import Any

from srtbench.variants.base import Group, Judgement, TeacherLabel, Variant, VariantContext
from srtbench.variants.fixed_teacher import FixedTeacher
from srtbench.variants.format import Format
from srtbench.variants.gold import Gold
from srtbench.variants.incorrect import Incorrect
from srtbench.variants.random import Random
from srtbench.variants.srt import SRT

VARIANTS: dict[str, type[Variant]] = {
    "srt": SRT,
    "gold": Gold,
    "fixed_teacher": FixedTeacher,
    "random": Random,
    "format": Format,
    "incorrect": Incorrect,
}
"""`type` in a sweep file -> class."""


def build_variant(config: Any, context: VariantContext) -> Variant:
    """The variant that an entry of `variants:` describes."""
    return VARIANTS[config.type](config, context)


__all__ = [
    "VARIANTS",
    "Group",
    "Judgement",
    "TeacherLabel",
    "Variant",
    "VariantContext",
    "build_variant",
]
