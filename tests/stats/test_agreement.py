"""Agreement statistics on hand-worked groups."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtbench.stats import (
    answer_entropy,
    ground_truth_ratio,
    label_accuracy,
    majority_label,
    majority_ratio,
    modal_answer_share,
    pooled_answer_entropy,
    reward_accuracy,
    unanimous_share,
    vote_share,
)

KEYS = np.array([[3, 3, 1, -1], [2, 1, 1, 2], [-1, -1, -1, -1], [0, 0, 0, 0], [-1, -1, -1, 4]])


def test_vote_share_and_majority_ratio() -> None:
    np.testing.assert_allclose(vote_share(KEYS), [0.5, 0.5, 0.0, 1.0, 0.25])
    np.testing.assert_allclose(vote_share(KEYS, "parsed"), [2 / 3, 0.5, 0.0, 1.0, 1.0])
    assert majority_ratio(KEYS) == pytest.approx(2.25 / 5)
    assert unanimous_share(KEYS) == pytest.approx(1 / 5)


def test_majority_label_breaks_ties_by_the_first_seen_or_abstains() -> None:
    np.testing.assert_array_equal(majority_label(KEYS), [3, 2, -1, 0, 4])
    np.testing.assert_array_equal(majority_label(KEYS, "abstain"), [3, -1, -1, 0, 4])


def test_label_and_reward_accuracy_differ_by_design() -> None:
    assert label_accuracy([3, 2, -1, 0], [3, 1, -1, -2]) == pytest.approx(0.25)
    # The label is wrong (9), yet three of four completions get the reward gold would give.
    train_reward, gold_reward = [1, 0, 0, 0], [0, 0, 0, 0]
    assert reward_accuracy(train_reward, gold_reward) == pytest.approx(0.75)
    assert ground_truth_ratio([[1, 0], [0, 0]]) == pytest.approx(0.25)


def test_modal_share_and_entropies() -> None:
    assert modal_answer_share(KEYS) == pytest.approx(4 / 20)
    assert modal_answer_share([[1, 1], [1, 1]]) == 1.0
    assert modal_answer_share([[-1, -1]]) == 0.0
    entropy = answer_entropy(KEYS)
    expected = [0.5 * math.log(2) + 0.5 * math.log(4), math.log(2), 0.0, 0.0]
    np.testing.assert_allclose(entropy[:4], expected, atol=1e-15)
    assert pooled_answer_entropy([[1, 2], [3, 4]]) == pytest.approx(math.log(4))
    assert pooled_answer_entropy([[7, 7], [7, 7]]) == 0.0


@given(st.lists(st.lists(st.integers(-1, 4), min_size=7, max_size=7), min_size=1, max_size=6))
def test_votes_agree_with_a_counter(rows: list[list[int]]) -> None:
    labels, shares, entropies = majority_label(rows), vote_share(rows), answer_entropy(rows)
    for row, label, share, entropy in zip(rows, labels, shares, entropies, strict=True):
        votes = Counter(key for key in row if key >= 0)
        winner, count = votes.most_common(1)[0] if votes else (-1, 0)
        assert (label, share) == (winner, pytest.approx(count / 7))
        p = np.array(list(Counter(row).values())) / 7
        assert entropy == pytest.approx(float(-(p * np.log(p)).sum()), abs=1e-12)
    assert 0.0 <= pooled_answer_entropy(rows) <= math.log(6) + 1e-12


def test_errors_name_the_argument() -> None:
    with pytest.raises(ValueError, match="keys must be"):
        vote_share([1, 2])
    with pytest.raises(ValueError, match="denominator"):
        vote_share(KEYS, "all")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="tie"):
        majority_label(KEYS, "random")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="pseudo_labels"):
        label_accuracy([], [])
    with pytest.raises(ValueError, match="differ"):
        reward_accuracy([1.0], [1.0, 0.0])
    with pytest.raises(ValueError, match="NaN"):
        ground_truth_ratio([math.nan])
    for statistic in (modal_answer_share, pooled_answer_entropy, majority_ratio, unanimous_share):
        with pytest.raises(ValueError, match="keys"):
            statistic(KEYS[:0])
