"""Alarms as they come: those of `alarm_index`, on trailing means; how repetitive a text is."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtbench.stats import ALARM_RULES, AlarmRule, alarm_index
from srtbench.stats.repetition import repeated_share
from srtbench.stats.watch import AlarmWatch

VALUES = st.lists(st.one_of(st.floats(-2, 3), st.just(math.nan)), max_size=12)
RULES = st.sampled_from([*ALARM_RULES.values(), AlarmRule("outside", "ratio", 1.5)])


@given(values=VALUES, rule=RULES, window=st.integers(1, 4))
def test_it_rings_where_the_rule_rings_on_trailing_means(
    values: list[float], rule: AlarmRule, window: int
) -> None:
    watch = AlarmWatch({"one": rule}, window)
    for step, value in enumerate(values):
        watch.add(step, {"one": value, "another": 1.0})
    logged = [step for step, value in enumerate(values) if math.isfinite(value)]
    kept = [values[step] for step in logged]
    means = [math.fsum(kept[i : i + window]) / window for i in range(len(kept) - window + 1)]
    at = alarm_index(np.array(means), rule)
    expected = [] if at is None else [logged[at + window - 1]]
    assert [alarm.step for alarm in watch.alarms] == expected


def test_an_alarm_says_what_moved_and_rings_once() -> None:
    watch = AlarmWatch()
    assert not watch.add(1, {"modal_share": 0.2, "vote_share": 0.5, "kl": None})
    (alarm,) = watch.add(7, {"modal_share": 0.35, "vote_share": 0.6})
    assert str(alarm) == (
        "step 7: modal_share is 0.35, from 0.2 at the start (alarm above its start by 0.1)"
    )
    assert not watch.add(8, {"modal_share": 0.9})
    (second,) = watch.add(9, {"vote_share": 0.99})
    assert [one.signal for one in watch.alarms] == ["modal_share", "vote_share"]
    assert "(alarm above 0.98)" in str(second)


def test_one_bad_batch_is_no_alarm_with_a_window() -> None:
    shares = [0.2, 0.25, 0.2, 0.4, 0.2, 0.2]
    alone, smooth = AlarmWatch(window=1), AlarmWatch(window=3)
    for step, share in enumerate(shares):
        alone.add(step, {"modal_share": share})
        smooth.add(step, {"modal_share": share})
    assert [alarm.step for alarm in alone.alarms] == [3]
    assert not smooth.alarms
    with pytest.raises(ValueError, match="window must be at least 1"):
        AlarmWatch(window=0)


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("abc", None),
        ("gfedcba", 0.0),
        ("aaaaaaa", 0.75),
        ("one two three four five six seven eight nine ten", 0.0),
        ("I think so. " * 40, 1 - 3 / 117),
        ("The sum of 12 and 30 is 42, so the answer must be \\boxed{42}.", 0.0),
    ],
)
def test_repeated_share(text: str, share: float | None) -> None:
    assert repeated_share(text) == (share if share is None else pytest.approx(share))
