"""A headline says "rose" or "fell" only if its interval excludes 0."""

from __future__ import annotations

import dataclasses
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtbench.stats import SHARE_DIFFERENCE, Interval, mean_interval, paired_difference, verdict


def change(estimate: float, low: float, high: float) -> Interval:
    some = mean_interval([0.0, 0.1])
    return dataclasses.replace(some, estimate=estimate, low=low, high=high)


def test_the_three_words() -> None:
    assert str(verdict(change(0.027, -0.073, 0.128))) == "undecided, +2.7 points [-7.3, +12.8]"
    assert str(verdict(change(0.042, 0.01, 0.074))) == "rose, +4.2 points [+1.0, +7.4]"
    assert str(verdict(change(-0.3, -0.5, -0.1))) == "fell, -30.0 points [-50.0, -10.0]"
    assert verdict(change(0.042, 0.01, 0.074)).decided
    assert not verdict(change(0.0, 0.0, 0.0)).decided


def test_an_interval_that_ends_at_0_does_not_exclude_it() -> None:
    assert verdict(change(0.1, 0.0, 0.2)).word == "undecided"
    assert verdict(change(-0.1, -0.2, 0.0)).word == "undecided"
    assert str(verdict(change(0.0, -0.0, 0.0))) == "undecided, +0.0 points [+0.0, +0.0]"


def test_other_units() -> None:
    told = verdict(change(12.3, 4.0, 20.6), scale=1.0, unit="tokens", digits=0)
    assert str(told) == "rose, +12 tokens [+4, +21]"
    assert (
        verdict(change(0.5, 0.1, 0.9), scale=1, unit="", digits=2).numbers == "+0.50 [+0.10, +0.90]"
    )


@given(st.floats(-1, 1), st.floats(0, 1), st.floats(0, 1), st.integers(0, 3))
def test_the_printed_numbers_carry_the_word(
    estimate: float, below: float, above: float, digits: int
) -> None:
    """As far as six decimals of a point tell, who reads only the numbers comes to the same word."""
    interval = change(estimate, estimate - below, estimate + above)
    told = verdict(interval, digits=digits)
    assert told.decided == (interval.low > 0 or interval.high < 0)
    _, low, high = (float(n) for n in re.findall(r"[+-]\d+(?:\.\d+)?", told.numbers))
    if told.decided and min(abs(interval.low), abs(interval.high)) > 1e-8:
        assert low > 0 or high < 0
    if not told.decided:
        assert low <= 0 <= high


def test_a_verdict_is_the_test_of_its_interval() -> None:
    rng = np.random.default_rng(0)
    words = []
    for _ in range(100):
        after, before = rng.uniform(0.4, 0.7, size=5), rng.uniform(0.3, 0.6, size=5)
        found = paired_difference(after, before, bounds=SHARE_DIFFERENCE)
        words.append(verdict(found).word)
        assert verdict(found).decided == (found.p_value < 0.05)
    assert set(words) == {"rose", "undecided"}


def test_errors_name_what_is_wrong() -> None:
    with pytest.raises(ValueError, match="limits"):
        verdict(change(0.1, math.nan, 0.2))
    with pytest.raises(ValueError, match="positive scale"):
        verdict(change(0.1, 0.0, 0.2), scale=-1)
