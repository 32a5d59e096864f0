"""Kaplan-Meier against redistribution to the right, and its limits against exact ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtbench.stats import kaplan_meier, rate_interval

runs = st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=1, max_size=12)


def redistributed(times: list[int], observed: list[bool]) -> dict[int, float]:
    """Efron 1967: a run that ends early gives its mass, in equal parts, to all that go on."""
    order = sorted(range(len(times)), key=lambda run: (times[run], not observed[run]))
    mass = [1 / len(times)] * len(times)
    for place, run in enumerate(order):
        later = order[place + 1 :]
        if not observed[run] and later:
            for other in later:
                mass[other] += mass[run] / len(later)
            mass[run] = 0.0
    return {
        at: 1 - sum(mass[run] for run in order if observed[run] and times[run] <= at)
        for at in {times[run] for run in order if observed[run]}
    }


@given(runs)
def test_equals_redistribution_to_the_right(data: list[tuple[int, bool]]) -> None:
    times, observed = [t for t, _ in data], [o for _, o in data]
    curve = kaplan_meier(times, observed)
    expected = redistributed(times, observed)
    assert dict(zip(curve.times, curve.survival, strict=True)) == pytest.approx(expected, abs=1e-12)


@given(runs)
def test_curve_falls_and_limits_hold_it_inside_0_to_1(data: list[tuple[int, bool]]) -> None:
    curve = kaplan_meier([t for t, _ in data], [o for _, o in data])
    assert np.all(np.diff(curve.survival) < 0)
    assert np.all((curve.low >= 0) & (curve.high <= 1))
    assert np.all((curve.low <= curve.survival + 1e-12) & (curve.survival <= curve.high + 1e-12))


@given(st.lists(st.integers(0, 6), min_size=1, max_size=12))
def test_with_every_run_followed_it_is_the_share_still_well_with_its_exact_limits(
    times: list[int],
) -> None:
    curve = kaplan_meier(times, [True] * len(times))
    for place, time in enumerate(curve.times):
        well = sum(t > time for t in times)
        found = rate_interval(well, len(times))
        assert curve.survival[place] == pytest.approx(found.estimate, abs=1e-12)
        assert (curve.low[place], curve.high[place]) == pytest.approx(
            (found.low, found.high), abs=1e-9
        )


def test_by_hand() -> None:
    """Ten runs: two collapse by step 100, one ends there, three collapse by 300, four never."""
    curve = kaplan_meier(
        [100, 100, 100, 300, 300, 300, 500, 500, 500, 500], [1, 1, 0, 1, 1, 1, 0, 0, 0, 0]
    )
    assert curve.times.tolist() == [100, 300]
    assert curve.at_risk.tolist() == [10, 7]
    assert curve.events.tolist() == [2, 3]
    assert curve.survival == pytest.approx([0.8, 0.8 * 4 / 7])
    assert [curve.at(step) for step in (0, 99, 100, 299, 1000)] == pytest.approx(
        [1, 1, 0.8, 0.8, 0.8 * 4 / 7]
    )


def test_no_collapse_seen_leaves_the_curve_at_1() -> None:
    curve = kaplan_meier([100, 200], [False, False])
    assert curve.times.size == curve.low.size == curve.high.size == 0
    assert curve.at(200) == 1.0


def test_limits_cover_with_runs_that_end_early() -> None:
    """Exponential collapse times, each run followed for a random while."""
    rng = np.random.default_rng(0)
    at, covered = 1.0, []
    for _ in range(300):
        collapse, end = rng.exponential(1.5, size=12), rng.uniform(0.3, 4.0, size=12)
        curve = kaplan_meier(np.minimum(collapse, end), collapse <= end)
        place = int(np.searchsorted(curve.times, at, side="right")) - 1
        if place >= 0:
            covered.append(curve.low[place] <= np.exp(-at / 1.5) <= curve.high[place])
    assert np.mean(covered) >= 0.95


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: kaplan_meier([1, 2], [True]), "differ in shape"),
        (lambda: kaplan_meier([], []), "empty"),
        (lambda: kaplan_meier([-1], [True]), "negative"),
        (lambda: kaplan_meier([np.inf], [False]), "infinity"),
        (lambda: kaplan_meier([1], [True], level=2), "level"),
    ],
)
def test_errors_name_what_is_wrong(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
