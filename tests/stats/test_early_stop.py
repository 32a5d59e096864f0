"""When a run ends early and what it keeps, against loops that read the rules aloud."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtbench.stats import AlarmRule, EarlyStop, stop_at_alarm, stop_without_progress

ABOVE_2 = AlarmRule("above", "level", 2.0)
VALUES = st.lists(st.sampled_from([0.0, 1.0, 2.0, 3.0, math.nan]), min_size=1, max_size=9)


@given(VALUES, st.integers(1, 3))
def test_it_ends_at_the_first_alarms_in_a_row(values: list[float], patience: int) -> None:
    found = stop_at_alarm(values, ABOVE_2, patience)
    rings = [False] + [value > 2 for value in values[1:]]
    ends = [
        place
        for place in range(patience, len(values))
        if all(rings[place - patience + 1 : place + 1])
    ]
    assert found.stopped == (ends[0] if ends else None)
    seen = (ends[0] if ends else len(values) - 1) + 1
    assert found.kept == max(place for place in range(seen) if not rings[place])


@given(VALUES, st.integers(1, 3))
def test_it_ends_when_nothing_better_came_for_long_enough(
    values: list[float], patience: int
) -> None:
    found = stop_without_progress(values, patience)
    seen = values if found.stopped is None else values[: found.stopped + 1]
    known = [-1.0 if math.isnan(value) else value for value in seen]
    assert found.kept == int(np.argmax(known))
    if found.stopped is not None:
        assert found.stopped - found.kept == patience
    else:
        assert len(values) - 1 - found.kept < patience


@given(VALUES, st.integers(1, 3))
def test_what_comes_later_changes_no_decision(values: list[float], patience: int) -> None:
    for rule in (lambda v: stop_at_alarm(v, ABOVE_2, patience), stop_without_progress):
        whole = rule(values)
        if whole.stopped is not None:
            assert rule(values[: whole.stopped + 1]) == whole


def test_the_start_gives_no_alarm_and_sets_the_scale() -> None:
    assert stop_at_alarm([9.0, 1.0, 9.0], ABOVE_2) == EarlyStop(kept=1, stopped=2)
    tenth = AlarmRule("outside", "relative", 0.1)
    assert stop_at_alarm([10.0, 10.5, 11.5, 8.0], tenth, 2) == EarlyStop(kept=1, stopped=3)


@pytest.mark.parametrize(("values", "patience"), [([], 1), ([[1.0]], 1), ([1.0], 0)])
def test_what_is_no_row_of_evaluations_is_refused(values: list[float], patience: int) -> None:
    with pytest.raises(ValueError, match="at least"):
        stop_without_progress(values, patience)
