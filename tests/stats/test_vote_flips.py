"""The vote-flip ledger: what became of each prompt's majority."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtbench.stats import FLIP_KINDS, flip_transitions, vote_flips

FLIP_STEPS = [0, 10, 20, 30]
LABELS = np.array(
    [
        #  0  1  2  3  4  5  6  7  8
        [1, 1, 2, 1, 2, 2, 2, -1, 1],
        [1, 1, 2, 2, 2, 3, -1, -1, 1],
        [1, 1, 1, 3, 2, 1, 4, 2, 2],
        [1, 1, 1, 3, 2, 4, -1, 1, 1],
    ]
)
SHARES = np.full(LABELS.shape, 0.6)
SHARES[2:, 1] = 0.95


def test_vote_flip_ledger() -> None:
    ledger = vote_flips(FLIP_STEPS, LABELS, [1] * 9, SHARES, hold=2)
    assert [(f.kind, f.step, f.num_flips) for f in ledger] == [
        ("stable_right", 0, 0),
        ("sharpened", 20, 0),
        ("learned", 20, 1),
        ("locked_wrong", 20, 2),  # right once is not right for two evaluations
        ("locked_wrong", 0, 0),
        ("unsettled", 30, 3),
        ("unlabelled", 30, 3),
        ("learned", 30, 2),
        ("stable_right", 30, 2),
    ]
    at_once = vote_flips(FLIP_STEPS, LABELS, [1] * 9)
    assert [f.kind for f in at_once[:6]] == [
        "stable_right", "stable_right", "learned", "corrupted", "locked_wrong", "corrupted"
    ]  # fmt: skip
    assert at_once[3].step == 10
    assert (at_once[2].first_label, at_once[2].last_label) == (2, 1)


def test_flip_transitions_count_every_prompt_once() -> None:
    counts = flip_transitions(LABELS, [1] * 9)
    assert counts.shape == (3, 3, 3)
    np.testing.assert_array_equal(counts.sum(axis=(1, 2)), [9, 9, 9])
    np.testing.assert_array_equal(counts[0], [[3, 1, 0], [0, 3, 1], [0, 0, 1]])
    assert flip_transitions(LABELS[:1], [1] * 9).shape == (0, 3, 3)


@given(
    history=st.lists(st.lists(st.integers(-1, 2), min_size=4, max_size=4), min_size=1, max_size=8),
    gold=st.lists(st.integers(-1, 2), min_size=4, max_size=4),
)
def test_ledger_gives_every_prompt_one_story(history: list[list[int]], gold: list[int]) -> None:
    steps = np.arange(len(history)) * 5
    ledger = vote_flips(steps, history, gold)
    assert [f.prompt for f in ledger] == [0, 1, 2, 3]
    for flip in ledger:
        assert flip.kind in FLIP_KINDS
        right = gold[flip.prompt] >= 0 and flip.last_label == gold[flip.prompt]
        assert right == (flip.kind in ("stable_right", "sharpened", "learned"))
        assert flip.step in steps


def test_ledger_names_what_is_wrong() -> None:
    with pytest.raises(ValueError, match="hold"):
        vote_flips(FLIP_STEPS, LABELS, [1] * 9, hold=0)
    with pytest.raises(ValueError, match="vote_shares"):
        vote_flips(FLIP_STEPS, LABELS, [1] * 9, SHARES[:2])
    with pytest.raises(ValueError, match="gold"):
        vote_flips(FLIP_STEPS, LABELS, [1] * 8)
    with pytest.raises(ValueError, match="do not match"):
        vote_flips([0], LABELS, [1] * 9)
    with pytest.raises(ValueError, match="steps must increase"):
        vote_flips([0, 0, 1, 2], LABELS, [1] * 9)
    with pytest.raises(ValueError, match="evaluations, prompts"):
        flip_transitions([1, 2], [1, 2])
