"""How far samples agree with each other, with the pseudo-label and with the gold answer.

label_accuracy, reward_accuracy, majority_ratio and ground_truth_ratio are the quantities TTRL logs
(Zuo et al. 2025, arXiv 2504.16084); the modal share and the entropies show collapse without labels.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from srtbench.stats._validate import (
    FloatArray,
    IntArray,
    answer_keys,
    finite_array,
    gold_keys,
    integer_array,
)

Denominator = Literal["samples", "parsed"]
VoteTie = Literal["first", "abstain"]


def vote_share(keys: ArrayLike, denominator: Denominator = "samples") -> FloatArray:
    """Share of the winning answer's votes per prompt, in 0..1, shape (prompts,).

    Args:
        keys: integers (prompts, samples), -1 for unparsable, which never votes.
        denominator: ``"samples"`` divides by all samples, ``"parsed"`` by those that parsed.
            A prompt where nothing parsed has share 0 either way.

    Raises:
        ValueError: wrong shape, keys below -1 or an unknown denominator.
    """
    if denominator not in get_args(Denominator):
        raise ValueError(f"denominator must be 'samples' or 'parsed', got {denominator!r}")
    key_array = answer_keys(keys)
    top = _own_counts(key_array).max(axis=1)
    voters = (key_array >= 0).sum(axis=1) if denominator == "parsed" else key_array.shape[1]
    share: FloatArray = top / np.maximum(voters, 1)
    return share


def majority_label(keys: ArrayLike, tie: VoteTie = "first") -> IntArray:
    """Winning answer key per prompt, shape (prompts,); -1 where there is none.

    Args:
        keys: integers (prompts, samples), -1 for unparsable, which never votes.
        tie: ``"first"`` takes the tied answer logged first (SRT, arXiv 2505.21444);
            ``"abstain"`` gives no label.

    Raises:
        ValueError: wrong shape, keys below -1 or an unknown tie rule.
    """
    if tie not in get_args(VoteTie):
        raise ValueError(f"tie must be 'first' or 'abstain', got {tie!r}")
    key_array = answer_keys(keys)
    counts = _own_counts(key_array)
    rows = np.arange(len(key_array))
    labels: IntArray = key_array[rows, counts.argmax(axis=1)]  # argmax: the first of the largest
    if tie == "abstain":
        top = counts.max(axis=1, keepdims=True)
        rivals = (counts == top) & (key_array != labels[:, None])
        labels = np.where(rivals.any(axis=1), -1, labels)
    return labels


def label_accuracy(pseudo_labels: ArrayLike, gold: ArrayLike) -> float:
    """Share of prompts whose pseudo-label is the gold answer, in 0..1.

    Args:
        pseudo_labels: integer keys (prompts,), -1 for no label, which counts as wrong.
        gold: integer keys (prompts,); a negative key matches nothing.

    Raises:
        ValueError: wrong or unequal shapes, or no prompts.
    """
    labels = integer_array(pseudo_labels, "pseudo_labels")
    if labels.ndim != 1 or labels.size == 0:
        raise ValueError(f"pseudo_labels must be (prompts,), not empty; got shape {labels.shape}")
    gold_array = gold_keys(gold, len(labels))
    return float(np.mean((labels == gold_array) & (gold_array >= 0)))


def reward_accuracy(train_reward: ArrayLike, gold_reward: ArrayLike) -> float:
    """Share of completions whose train_reward equals their gold_reward, in 0..1.

    It can be high while label_accuracy is low: with a wrong label a wrong answer that differs from
    the label still gets the 0 it deserves.

    Raises:
        ValueError: empty, not finite, or unequal shapes.
    """
    train = finite_array(train_reward, "train_reward")
    hidden = finite_array(gold_reward, "gold_reward")
    if train.shape != hidden.shape:
        raise ValueError(f"train_reward {train.shape} and gold_reward {hidden.shape} differ")
    return float(np.mean(train == hidden))


def majority_ratio(keys: ArrayLike, denominator: Denominator = "samples") -> float:
    """Mean :func:`vote_share` over prompts, in 0..1. Raises ValueError also without prompts."""
    return float(np.mean(finite_array(vote_share(keys, denominator), "keys")))


def ground_truth_ratio(gold_reward: ArrayLike) -> float:
    """Mean gold_reward over completions of any shape. Raises ValueError if empty or not finite."""
    return float(np.mean(finite_array(gold_reward, "gold_reward")))


def unanimous_share(keys: ArrayLike) -> float:
    """Share of prompts whose samples all parsed to one answer: groups with no signal to learn from.

    Raises ValueError for a wrong shape, keys below -1 or no prompts.
    """
    return float(np.mean(finite_array(vote_share(keys), "keys") == 1.0))


def modal_answer_share(keys: ArrayLike) -> float:
    """Share of all completions that give the one answer most common across prompts, in 0..1.

    Near 1 every prompt gets the same answer, the mark of a constant-answer collapse. Unparsable
    completions count in the denominator only. Compare it with what a perfect
    policy would show, ``modal_answer_share(gold[:, None])``.

    Args:
        keys: integers (prompts, samples), -1 for unparsable. Unlike in ``maj_at_k`` a key must
            stand for the same answer in every prompt.

    Raises:
        ValueError: wrong shape, keys below -1 or no prompts.
    """
    key_array = answer_keys(keys)
    if key_array.size == 0:
        raise ValueError("keys holds no prompts")
    _, counts = np.unique(key_array[key_array >= 0], return_counts=True)
    return float(counts.max(initial=0)) / key_array.size


def answer_entropy(keys: ArrayLike) -> FloatArray:
    """Plug-in entropy of the answers to each prompt, in nats, shape (prompts,).

    H = -sum p log p over the answers of one prompt, unparsable being one more answer. It is at most
    log(samples) and biased low by about (answers - 1) / (2 samples) (Miller 1955).

    Raises ValueError for a wrong shape or keys below -1.
    """
    key_array = answer_keys(keys)
    surprise: FloatArray = np.log(key_array.shape[1] / _run_sizes(key_array))
    entropy: FloatArray = surprise.mean(axis=1)
    return entropy


def pooled_answer_entropy(keys: ArrayLike) -> float:
    """Plug-in entropy of all answers across prompts, in nats; 0 when every completion is the same.

    Keys as in :func:`modal_answer_share`. Raises ValueError also without prompts.
    """
    key_array = answer_keys(keys)
    if key_array.size == 0:
        raise ValueError("keys holds no prompts")
    return float(answer_entropy(key_array.reshape(1, -1))[0])


def _own_counts(keys: IntArray) -> IntArray:
    """Votes each sample's answer has within its prompt, (prompts, samples); 0 for unparsable."""
    order = np.argsort(keys, axis=1, kind="stable")
    counts = np.empty_like(keys)
    np.put_along_axis(counts, order, _run_sizes(np.take_along_axis(keys, order, axis=1)), axis=1)
    return np.where(keys >= 0, counts, 0)


def _run_sizes(keys: IntArray) -> IntArray:
    """Size of each entry's run of equal keys after sorting every row, (prompts, samples)."""
    num_prompts, n = keys.shape
    ordered = np.sort(keys, axis=1)
    starts = np.ones(ordered.shape, dtype=bool)
    starts[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    run = np.cumsum(starts.reshape(-1)) - 1
    return np.bincount(run)[run].reshape(num_prompts, n) if keys.size else ordered
