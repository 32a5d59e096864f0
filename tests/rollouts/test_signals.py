"""Numbers of a batch beside the estimators of `srtbench.stats`, which count them another way."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtbench import stats
from srtbench.rollouts.signals import batch_signals

GROUPS = st.integers(1, 6).flatmap(
    lambda size: st.lists(
        st.lists(st.sampled_from("abc-"), min_size=size, max_size=size), min_size=1, max_size=5
    )
)


@given(groups=GROUPS)
def test_a_batch_has_the_numbers_of_the_estimators(groups: list[list[str]]) -> None:
    keys = [None if key == "-" else key for group in groups for key in group]
    size = len(groups[0])
    found = batch_signals(
        {
            "group_id": [f"1-{row // size}" for row in range(len(keys))],
            "answer_key": keys,
            "train_reward": [float(key is not None) for key in keys],
            "completion_tokens": [*range(len(keys))],
            "completion": ["one two three four five six seven eight nine"] * len(keys),
        }
    )
    numbers = np.array([["abc".find(key) for key in group] for group in groups])
    assert found == pytest.approx(
        {
            "train_reward": np.mean(numbers >= 0),
            "majority_ratio": stats.majority_ratio(numbers),
            "unanimous_share": stats.unanimous_share(numbers),
            "modal_share": stats.modal_answer_share(numbers),
            "answer_entropy_nats": stats.answer_entropy(numbers).mean(),
            "completion_tokens": (len(keys) - 1) / 2,
            "repetition": 0.0,
        },
        abs=1e-12,
    )


def test_what_a_log_does_not_have_is_left_out() -> None:
    columns = {"group_id": ["a"], "answer_key": ["1"], "train_reward": [1.0]}
    assert not {"completion_tokens", "repetition"} & {*batch_signals(columns)}
    found = batch_signals(columns | {"completion_tokens": [None], "completion": ["abc"]})
    assert not {"completion_tokens", "repetition"} & {*found}


def test_the_signals_of_trl_are_those_of_the_diagnosis() -> None:
    from srtbench.rollouts.signals import SIGNAL_COLUMNS

    assert {*SIGNAL_COLUMNS} == {*stats.ALARM_RULES}
