"""Holm's adjustment is the closed test of Bonferroni tests: try every subset of hypotheses."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from srtbench.stats import holm


def closed_bonferroni(p_values: list[float]) -> list[float]:
    """A hypothesis falls at level a if every subset that holds it falls by Bonferroni at a."""
    everyone = range(len(p_values))
    subsets = [subset for size in everyone for subset in combinations(everyone, size + 1)]
    return [
        max(
            min(1.0, len(subset) * min(p_values[i] for i in subset))
            for subset in subsets
            if hypothesis in subset
        )
        for hypothesis in everyone
    ]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=7))
def test_holm_is_closed_bonferroni(p_values: list[float]) -> None:
    np.testing.assert_allclose(holm(p_values), closed_bonferroni(p_values), rtol=1e-12)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_holm_is_that_of_statsmodels(p_values: list[float]) -> None:
    expected = multipletests(p_values, method="holm")[1]
    np.testing.assert_allclose(holm(p_values), expected, rtol=1e-12)


def test_the_chance_of_any_false_claim_stays_below_the_level() -> None:
    """Eight true hypotheses whose tests share most of their noise."""
    from statistics import NormalDist

    rng = np.random.default_rng(0)
    false_claims = 0
    for _ in range(2000):
        z = 0.8 * rng.normal() + 0.6 * rng.normal(size=8)
        p_values = [2 * NormalDist().cdf(-abs(value)) for value in z]
        false_claims += bool(holm(p_values).min() < 0.05)
    assert false_claims / 2000 == pytest.approx(0.03, abs=0.02)
