"""Youden's J: its rates by counting, its standard error by the jackknife, its coverage."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from srtbench.stats import youden_j


def rates(reward: np.ndarray, gold: np.ndarray) -> float:
    return float(reward[gold == 1].mean() - reward[gold == 0].mean())


def judged(num_groups: int, accuracy: float, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Groups that vote: the majority of eight completions with three possible answers, 0 right."""
    ease = rng.normal(math.log(accuracy / (1 - accuracy)), 1.5, size=(num_groups, 1))
    right = rng.random((num_groups, 8)) < 1 / (1 + np.exp(-ease))
    answers = np.where(right, 0, rng.integers(1, 3, size=right.shape))
    label = np.array([np.bincount(row, minlength=3).argmax() for row in answers])
    return (answers == label[:, None]).astype(float), (answers == 0).astype(float)


def test_the_three_landmarks() -> None:
    rng = np.random.default_rng(0)
    gold = rng.integers(0, 2, size=(40, 8)).astype(float)
    perfect, inverted = youden_j(gold, gold), youden_j(1 - gold, gold)
    assert perfect is not None
    assert inverted is not None
    assert (perfect.estimate, perfect.high) == (1.0, 1.0)
    assert (inverted.estimate, inverted.low) == (-1.0, -1.0)
    assert 0.8 < perfect.low == pytest.approx(-inverted.high)
    coin = youden_j(np.tile([1.0, 0.0], (40, 4)), gold)
    assert coin is not None
    assert coin.low < 0 < coin.high


def test_counts_by_hand() -> None:
    """Of four right completions three are rewarded, of four wrong ones one: .75 - .25."""
    gold = [[1, 1, 0, 0], [1, 1, 0, 0]]
    found = youden_j([[1, 1, 1, 0], [1, 0, 0, 0]], gold)
    assert found is not None
    assert found.estimate == 0.5
    assert (found.resampled, found.num_units) == (("groups",), (2,))
    soft = youden_j([[0.9, 0.9, 0.1, 0.1], [0.7, 0.7, 0.3, 0.3]], gold)
    assert soft is not None
    assert soft.estimate == pytest.approx(0.6)  # a reward in 0..1: difference of its means


def test_standard_error_is_that_of_leaving_out_one_group() -> None:
    reward, gold = judged(60, 0.6, np.random.default_rng(1))
    found = youden_j(reward, gold)
    assert found is not None
    left_out = [rates(np.delete(reward, g, axis=0), np.delete(gold, g, axis=0)) for g in range(60)]
    jackknife = math.sqrt(59 / 60 * np.sum((left_out - np.mean(left_out)) ** 2))
    assert found.standard_error == pytest.approx(jackknife, rel=0.05)


def test_flat_rewards_with_groups_are_the_same() -> None:
    reward, gold = judged(20, 0.6, np.random.default_rng(2))
    shuffle = np.random.default_rng(3).permutation(reward.size)
    names = np.array([f"g{n}" for n in range(20)]).repeat(8)
    flat = youden_j(reward.ravel()[shuffle], gold.ravel()[shuffle], names[shuffle])
    table = youden_j(reward, gold)
    assert flat is not None
    assert table is not None
    assert flat.standard_error == pytest.approx(table.standard_error)
    assert flat.estimate == pytest.approx(table.estimate)


def test_no_right_or_no_wrong_completion_leaves_j_undefined() -> None:
    assert youden_j(np.ones((4, 2)), np.zeros((4, 2))) is None
    assert youden_j(np.ones((4, 2)), np.ones((4, 2))) is None


@pytest.mark.parametrize(("num_groups", "accuracy"), [(16, 0.6), (32, 0.6), (64, 0.3), (64, 0.85)])
def test_covers(num_groups: int, accuracy: float) -> None:
    rng = np.random.default_rng([num_groups, round(100 * accuracy)])
    truth = rates(*judged(100_000, accuracy, rng))
    covered = []
    for _ in range(1000):
        found = youden_j(*judged(num_groups, accuracy, rng))
        assert found is not None
        covered.append(found.low <= truth <= found.high)
    assert 0.92 <= np.mean(covered) <= 0.98


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: youden_j([[1, 0]], [[1, 0]]), "two groups"),
        (lambda: youden_j([1, 0], [1, 0]), "give groups"),
        (lambda: youden_j([[1], [0]], [[1], [0]], [1, 2]), "give groups"),
        (lambda: youden_j([1, 0], [1, 0], [1]), "groups"),
        (lambda: youden_j([[1.5], [0]], [[1], [0]]), r"0\.\.1"),
        (lambda: youden_j([[1], [0]], [[0.5], [0]]), "0 or 1"),
        (lambda: youden_j([[1], [0]], [[1], [0], [1]]), "must both be"),
    ],
)
def test_errors_name_what_is_wrong(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
