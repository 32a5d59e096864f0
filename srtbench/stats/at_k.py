"""avg@k, pass@k and exact maj@k from n logged samples per prompt. docs/estimators.md derives them.

pass@k is the unbiased estimator of Chen et al. 2021 (arXiv 2107.03374, eq. 1). maj@k is exact: the
probability that the vote of k samples, drawn without replacement from the n logged ones, is right.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, get_args, overload

import numpy as np
from numpy.typing import ArrayLike

from srtbench.stats._validate import FloatArray, IntArray, answer_keys, gold_keys, integer_array

Tie = Literal["split", "random", "first", "abstain"]

_CHUNK_FLOATS = 1 << 18  # working set of one batch of polynomials: stays in a core's cache


@overload
def pass_at_k(num_samples: int, num_correct: int, k: int) -> float: ...
@overload
def pass_at_k(num_samples: ArrayLike, num_correct: ArrayLike, k: ArrayLike) -> FloatArray: ...
def pass_at_k(num_samples: ArrayLike, num_correct: ArrayLike, k: ArrayLike) -> FloatArray | float:
    """Probability that at least one of k samples drawn without replacement is correct.

    pass@k = 1 - C(n - c, k) / C(n, k), unbiased for any k <= n (Chen et al. 2021, arXiv 2107.03374,
    eq. 1). The ratio is evaluated as the product over i < k of (n - c - i) / (n - i), so that no
    binomial overflows.

    Args:
        num_samples: n, samples logged per prompt; integers >= 1, any shape.
        num_correct: c, how many of them are right; integers in 0..n.
        k: draws; integers in 1..n. The three arguments broadcast.

    Returns:
        Probabilities in the broadcast shape; a float if all three are scalars.

    Raises:
        ValueError: not integers, shapes that do not broadcast, or a value out of its range.
    """
    n = integer_array(num_samples, "num_samples")
    c = integer_array(num_correct, "num_correct")
    draws = integer_array(k, "k")
    try:
        n, c, draws = np.broadcast_arrays(n, c, draws)
    except ValueError as error:
        raise ValueError(
            f"num_samples {n.shape}, num_correct {c.shape} and k {draws.shape} do not broadcast"
        ) from error
    if np.any(n < 1):
        raise ValueError("num_samples must be at least 1")
    if np.any((c < 0) | (c > n)):
        raise ValueError("num_correct must lie between 0 and num_samples")
    if np.any((draws < 1) | (draws > n)):
        raise ValueError("k must lie between 1 and num_samples: samples are never drawn twice")
    all_wrong = np.ones(n.shape)
    for i in range(int(draws.max(initial=0))):
        factor = np.maximum(n - c - i, 0) / np.maximum(n - i, 1)
        all_wrong = all_wrong * np.where(i < draws, factor, 1.0)
    result = 1.0 - all_wrong
    return float(result) if result.ndim == 0 else result


@overload
def avg_at_k(num_samples: int, num_correct: int) -> float: ...
@overload
def avg_at_k(num_samples: ArrayLike, num_correct: ArrayLike) -> FloatArray: ...
def avg_at_k(num_samples: ArrayLike, num_correct: ArrayLike) -> FloatArray | float:
    """Mean accuracy per prompt, c / n.

    It takes no k: the mean over k samples drawn without replacement from n has expectation c / n
    for every k, so using all n samples is the unbiased estimate of avg@k with the least variance.

    Args:
        num_samples: n, integers >= 1, any shape.
        num_correct: c, integers in 0..n; broadcasts with ``num_samples``.

    Raises:
        ValueError: as :func:`pass_at_k`.
    """
    return pass_at_k(num_samples, num_correct, 1)


def count_correct(keys: ArrayLike, gold: ArrayLike) -> IntArray:
    """Number of samples per prompt whose answer is the gold answer, shape (prompts,).

    ``keys`` and ``gold`` as in :func:`maj_at_k`; a negative gold key matches nothing.
    """
    key_array = answer_keys(keys)
    gold_array = gold_keys(gold, key_array.shape[0])
    matches = (key_array == gold_array[:, None]) & (gold_array[:, None] >= 0)
    correct: IntArray = matches.sum(axis=1, dtype=np.int64)
    return correct


def maj_at_k(
    keys: ArrayLike, gold: ArrayLike, k: int | Sequence[int] | IntArray, tie: Tie = "split"
) -> FloatArray:
    """Exact probability that the majority of k of the n logged samples is the gold answer.

    The k samples are drawn uniformly without replacement and in random order; unparsable samples
    take up draws and never vote; when nothing parses the vote is wrong. No resampling is done.
    With g gold answers, other answers counted c_1..c_m and n samples in all,

        maj@k = sum_j C(g, j) [z^(k-j)] integral over mu(y) of
                  (1 + z)^r_j * prod_{i: c_i >= j} (sum_{x<j} C(c_i, x) z^x + y C(c_i, j) z^j)
                / C(n, k)

    where j is the winning number of votes, r_j counts unparsable samples and answers that cannot
    reach j, and y marks a tie. The tie rule is the measure mu: uniform on [0, 1] gives weight
    1 / (1 + t) to a t-way tie (evaluated exactly by Gauss-Legendre nodes), a point mass at 0 gives
    ties away. Every term is positive, so nothing cancels: all k at once in O(n^3 log n) per
    distinct vector of counts at worst, relative error about 1e-13 at n = 256.

    Args:
        keys: integers (prompts, samples); equal keys are equal answers, -1 is unparsable. Call once
            per number of samples if prompts differ in it: padding with -1 would use up draws.
        gold: integers (prompts,); a negative key matches nothing, so that prompt scores 0.
        k: draws, one integer or several, each in 1..samples.
        tie: ``"split"`` shares the win evenly among the tied answers; ``"random"`` picks one of
            them at random; ``"first"`` (SRT's rule) takes the one seen first in the draw;
            ``"abstain"`` counts a tie as wrong. The first three are equal: in a random order each
            of t + 1 answers with the same number of votes is seen first with chance 1 / (1 + t).

    Returns:
        Probabilities, shape (prompts, len(k)); (prompts, 1) for a single integer.

    Raises:
        ValueError: wrong shapes, keys below -1, k out of range, an unknown tie rule, or a C(n, k)
            beyond the range of float64 (never below n = 1030).
    """
    key_array = answer_keys(keys)
    num_prompts, n = key_array.shape
    gold_array = gold_keys(gold, num_prompts)
    if tie not in get_args(Tie):
        raise ValueError(f"tie must be one of {', '.join(get_args(Tie))}; got {tie!r}")
    draws = np.atleast_1d(integer_array(k, "k"))
    if draws.ndim != 1 or draws.size == 0:
        raise ValueError("k must be an integer or a non-empty sequence of integers")
    if int(draws.min()) < 1 or int(draws.max()) > n:
        raise ValueError(f"k must lie between 1 and the {n} logged samples, got {draws.tolist()}")
    k_max = int(draws.max())
    if math.comb(n, min(k_max, n // 2)) > 1e300:
        raise ValueError(f"C({n}, k) leaves the range of float64; use fewer samples or smaller k")
    signatures, inverse = np.unique(_signatures(key_array, gold_array), axis=0, return_inverse=True)
    curves = np.zeros((len(signatures), k_max))
    possible = np.flatnonzero(signatures[:, 0] > 0)
    order = possible[np.lexsort(signatures[possible].T[::-1])]
    rows = max(1, _CHUNK_FLOATS // ((k_max + 1) * 4))
    for start in range(0, len(order), rows):
        chunk = order[start : start + rows]
        curves[chunk] = _winning_subsets(signatures[chunk], n, k_max, tie != "abstain")
    subsets = _binomials(n)[n, 1 : k_max + 1]
    probabilities = np.clip(curves / subsets, 0.0, 1.0)[inverse.reshape(-1)]
    return np.ascontiguousarray(probabilities[:, draws - 1])


def _signatures(keys: IntArray, gold: IntArray) -> IntArray:
    """Rows [gold count, other counts in falling order...], all that maj@k depends on given n."""
    num_prompts, n = keys.shape
    is_gold = (keys == gold[:, None]) & (gold[:, None] >= 0)
    others = np.sort(np.where(is_gold, -1, keys), axis=1)
    starts = np.ones(others.shape, dtype=bool)
    starts[:, 1:] = others[:, 1:] != others[:, :-1]
    votes = others >= 0
    run = np.cumsum(starts, axis=1) - 1 + np.arange(num_prompts)[:, None] * n
    counts = np.bincount(run[votes], minlength=num_prompts * n).reshape(num_prompts, n)
    counts = -np.sort(-counts, axis=1)
    width = int((counts > 0).sum(axis=1).max(initial=0))
    return np.column_stack([is_gold.sum(axis=1), counts[:, :width]]).astype(np.int64)


def _binomials(n: int) -> FloatArray:
    """Pascal's triangle C(a, b) for 0 <= a, b <= n."""
    table = np.zeros((n + 1, n + 1))
    table[:, 0] = 1.0
    for a in range(1, n + 1):
        table[a, 1 : a + 1] = table[a - 1, 1 : a + 1] + table[a - 1, :a]
    return table


def _winning_subsets(signatures: IntArray, n: int, k_max: int, share_ties: bool) -> FloatArray:
    """Number of k-subsets won by gold (a tie counts its share), k = 1..k_max, per signature."""
    choose = _binomials(n)
    gold, others = signatures[:, 0], signatures[:, 1:]
    totals = np.zeros((len(signatures), k_max + 1))
    for j in range(1, min(int(gold.max()), k_max) + 1):
        rows = np.flatnonzero(gold >= j)
        # An answer with fewer than j logged copies can neither win nor tie.
        width = int((others[rows] >= j).sum(axis=1).max(initial=0))
        rivals = others[rows, :width]
        rivals = np.where(rivals >= j, rivals, 0)
        rest = n - gold[rows] - rivals.sum(axis=1)
        degree = k_max - j
        nodes, weights = _tie_quadrature(min(width, degree // j) if share_ties else 0)
        # Polynomials in z up to z^degree, axes (degree, node, signature): shifts are contiguous.
        start = choose[rest, : degree + 1].T
        poly = np.repeat(start[:, None, :], len(nodes), axis=1)
        for i in range(width):
            count = rivals[:, i]
            product = poly.copy()  # the term x = 0
            for x in range(1, min(j, degree) + 1):
                kernel = choose[count, x]
                factor = kernel * nodes[:, None] if x == j else kernel[None, :]
                product[x:] += poly[: degree + 1 - x] * factor
            poly = product
        won = np.tensordot(weights, poly, axes=(0, 1))  # (degree, signature)
        totals[rows, j:] += choose[gold[rows], j][:, None] * won.T
    return totals[:, 1:]


def _tie_quadrature(max_ties: int) -> tuple[FloatArray, FloatArray]:
    """Nodes and weights on [0, 1] with sum w * y^t = 1 / (1 + t) for t = 0..max_ties.

    For ``max_ties`` 0 the single node is 0: a tie then weighs nothing, which is ``abstain``, and
    the right answer as well when no tie is possible.
    """
    if max_ties == 0:
        return np.zeros(1), np.ones(1)
    nodes, weights = np.polynomial.legendre.leggauss(max_ties // 2 + 1)
    return (nodes + 1.0) / 2.0, weights / 2.0
