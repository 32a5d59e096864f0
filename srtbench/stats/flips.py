"""Vote-flip ledger: what became of each prompt's pseudo-label over training."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from srtbench.stats._validate import FloatArray, IntArray, finite_array, gold_keys, integer_array

FlipKind = Literal[
    "stable_right", "sharpened", "learned", "corrupted", "locked_wrong", "unsettled", "unlabelled"
]
FLIP_KINDS: tuple[FlipKind, ...] = get_args(FlipKind)
FLIP_STATES = ("right", "wrong", "none")


@dataclass(frozen=True)
class VoteFlip:
    """The story of one prompt."""

    prompt: int
    """Row of the prompt in the input arrays."""
    kind: FlipKind
    step: int
    """Training step from which the last state holds; for sharpened, at which the share arrived."""
    first_label: int
    last_label: int
    num_flips: int
    """How often the label changed from one evaluation to the next, to or from none included."""


def vote_flips(
    steps: ArrayLike,
    labels: ArrayLike,
    gold: ArrayLike,
    vote_shares: ArrayLike | None = None,
    *,
    sharp_share: float = 0.9,
    hold: int = 1,
) -> tuple[VoteFlip, ...]:
    """Classify every prompt by how its majority label moved against gold, one entry per prompt.

    With "right" meaning label = gold:

    - stable_right: right at the first and the last evaluation; also when it faltered between.
    - sharpened: the same, and the vote share rose from below ``sharp_share`` to at least that;
      needs ``vote_shares``.
    - learned: wrong or none at first, right at the last.
    - corrupted: not right at the last, although it was right for ``hold`` evaluations in a row.
    - locked_wrong: never right that long, and the last two evaluations or more have one same
      wrong label: training now rewards it.
    - unsettled: never right that long, wrong at the last, and the label still changes.
    - unlabelled: never right that long and no label at the last.

    Args:
        steps: (evaluations,) increasing integers.
        labels: (evaluations, prompts) integer majority keys, -1 for none.
        gold: (prompts,) integer gold keys; a negative key is never right.
        vote_shares: (evaluations, prompts) shares of the winning answer, 0..1, or None.
        sharp_share: share that counts as sharp, 0..1.
        hold: evaluations in a row that count as having been right, at least 1.

    Raises:
        ValueError: shapes differ, steps do not increase, no evaluations, or hold < 1.
    """
    step_array, label_array, gold_array = _history(steps, labels, gold)
    if hold < 1:
        raise ValueError(f"hold must be at least 1, got {hold}")
    shares: FloatArray | None = None
    if vote_shares is not None:
        shares = finite_array(vote_shares, "vote_shares", ndim=2)
        if shares.shape != label_array.shape:
            raise ValueError(f"vote_shares {shares.shape} and labels {label_array.shape} differ")
    right = (label_array == gold_array) & (gold_array >= 0)
    held = _longest_runs(right) >= hold
    right_since = _last_run_start(right)
    same_since = _last_run_start(label_array)
    num_flips = (label_array[1:] != label_array[:-1]).sum(axis=0)
    last = len(step_array) - 1
    ledger = []
    for prompt in range(label_array.shape[1]):
        since = int(right_since[prompt])
        kind: FlipKind
        if right[last, prompt]:
            kind = "stable_right" if right[0, prompt] else "learned"
            if kind == "stable_right" and shares is not None:
                share = shares[:, prompt]
                if share[0] < sharp_share <= share[last]:
                    kind, since = "sharpened", int(_last_run_start(share >= sharp_share))
        elif held[prompt]:
            kind = "corrupted"
        else:
            since = int(same_since[prompt])
            kind = "locked_wrong" if since < last else "unsettled"
            if label_array[last, prompt] < 0:
                kind = "unlabelled"
        ledger.append(
            VoteFlip(
                prompt=prompt,
                kind=kind,
                step=int(step_array[since]),
                first_label=int(label_array[0, prompt]),
                last_label=int(label_array[last, prompt]),
                num_flips=int(num_flips[prompt]),
            )
        )
    return tuple(ledger)


def flip_transitions(labels: ArrayLike, gold: ArrayLike) -> IntArray:
    """Prompts that move between states from one evaluation to the next, for a flow figure.

    Args:
        labels: (evaluations, prompts) integer keys, -1 for none. gold: (prompts,).

    Returns:
        Counts (evaluations - 1, from, to); states in the order of ``FLIP_STATES``: right, wrong,
        none. Every (from, to) table sums to the number of prompts.

    Raises:
        ValueError: shapes differ or there are no evaluations.
    """
    label_array = integer_array(labels, "labels")
    steps = np.arange(len(label_array)) if label_array.ndim else label_array
    _, label_array, gold_array = _history(steps, label_array, gold)
    right = (label_array == gold_array) & (gold_array >= 0)
    state = np.where(right, 0, np.where(label_array < 0, 2, 1))
    counts = np.zeros((len(state) - 1, 3, 3), dtype=np.int64)
    for t, (before, after) in enumerate(pairwise(state)):
        np.add.at(counts[t], (before, after), 1)
    return counts


def _history(
    steps: ArrayLike, labels: ArrayLike, gold: ArrayLike
) -> tuple[IntArray, IntArray, IntArray]:
    step_array = integer_array(steps, "steps")
    label_array = integer_array(labels, "labels")
    if label_array.ndim != 2 or label_array.shape[0] == 0:
        raise ValueError(f"labels must be (evaluations, prompts), got shape {label_array.shape}")
    if step_array.shape != (label_array.shape[0],):
        raise ValueError(f"steps {step_array.shape} and labels {label_array.shape} do not match")
    if np.any(np.diff(step_array) <= 0):
        raise ValueError("steps must increase")
    return step_array, label_array, gold_keys(gold, label_array.shape[1])


def _longest_runs(flags: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> IntArray:
    """Longest run of True down each column."""
    run = np.zeros(flags.shape[1], dtype=np.int64)
    longest = run.copy()
    for row in flags:
        run = np.where(row, run + 1, 0)
        longest = np.maximum(longest, run)
    return longest


def _last_run_start(values: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> IntArray:
    """Index at which the run of equal values that ends each column begins."""
    changed = values[1:] != values[:-1]
    index = np.arange(1, len(values)).reshape((-1,) + (1,) * (values.ndim - 1))
    starts: IntArray = np.max(np.where(changed, index, 0), axis=0, initial=0)
    return starts
