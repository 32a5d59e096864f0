"""Figures: each takes a frame and an ``ax``, draws, and returns the ``ax``; none runs SQL.

Colours are fixed per variant type, so a variant looks the same in every figure.
"""

from srtbench.analysis.figures.collapse import collapse_panel, phase_portrait
from srtbench.analysis.figures.compare import (
    curriculum_ladder,
    difference_curve,
    heat_map,
)
from srtbench.analysis.figures.curves import (
    accuracy_curves,
    collapse_gap,
    curves,
    label_accuracy,
    length_curves,
    majority_curves,
    modal_share,
)
from srtbench.analysis.figures.style import Style, save, styled, variant_style
from srtbench.analysis.figures.votes import majority_by_k_curves, vote_flow

__all__ = [
    "Style",
    "accuracy_curves",
    "collapse_gap",
    "collapse_panel",
    "curriculum_ladder",
    "curves",
    "difference_curve",
    "heat_map",
    "label_accuracy",
    "length_curves",
    "majority_by_k_curves",
    "majority_curves",
    "modal_share",
    "phase_portrait",
    "save",
    "styled",
    "variant_style",
    "vote_flow",
]
