"""pass@k and maj@k against enumeration, exact fractions and simulation."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtbench.stats import avg_at_k, count_correct, maj_at_k, pass_at_k

TIES = ("split", "random", "first", "abstain")
GOLD = 0


def partitions(total: int, largest: int) -> Iterator[tuple[int, ...]]:
    if total == 0:
        yield ()
    for first in range(min(total, largest), 0, -1):
        for rest in partitions(total - first, first):
            yield (first, *rest)


def count_vectors(n: int) -> Iterator[list[int]]:
    """One row of keys for each vector (gold count, unparsable count, other counts) of total n."""
    for gold in range(n + 1):
        for unparsable in range(n + 1 - gold):
            rest = n - gold - unparsable
            for others in partitions(rest, rest):
                row = [GOLD] * gold + [-1] * unparsable
                for key, count in enumerate(others, start=1):
                    row += [key] * count
                yield row


def enumerate_subsets(row: list[int], k: int, tie: str) -> Fraction:
    """The definition: every k-subset of the row, votes counted one by one."""
    won, subsets = Fraction(0), 0
    for draw in combinations(row, k):
        subsets += 1
        votes = Counter(key for key in draw if key >= 0)
        if not votes:
            continue
        leaders = [key for key in votes if votes[key] == max(votes.values())]
        if GOLD in leaders and (len(leaders) == 1 or tie != "abstain"):
            won += Fraction(1, len(leaders))
    return won / subsets


@cache
def all_orders(n: int) -> np.ndarray:
    return np.array(list(permutations(range(n))), dtype=np.int64)


def enumerate_orders_first(row: list[int]) -> list[float]:
    """SRT's loop over every order of the row: the first k draws vote, ties to the first seen."""
    orders = np.array(row)[all_orders(len(row))]
    # Equal answers make equal orders, each equally often: one of each is enough.
    codes = orders @ 10 ** np.arange(len(row))
    orders = orders[np.unique(codes, return_index=True)[1]]
    num_orders, n = orders.shape
    keys = max(row) + 1 if max(row) >= 0 else 1
    votes = np.zeros((num_orders, keys), dtype=np.int64)
    seen = np.full((num_orders, keys), n)
    everyone = np.arange(num_orders)
    curve = []
    for position in range(n):
        key = orders[:, position]
        voter = everyone[key >= 0]
        votes[voter, key[voter]] += 1
        seen[voter, key[voter]] = np.minimum(seen[voter, key[voter]], position)
        # Most votes first, then the earliest appearance: one number orders both.
        winner = (votes * (n + 1) - seen).argmax(axis=1)
        curve.append(float(np.mean((winner == GOLD) & (votes[:, GOLD] > 0))))
    return curve


@pytest.mark.parametrize("n", range(1, 9))
def test_maj_at_k_equals_enumeration_on_every_count_vector(n: int) -> None:
    rows = list(count_vectors(n))
    gold = np.full(len(rows), GOLD)
    for tie in TIES:
        exact = maj_at_k(np.array(rows), gold, range(1, n + 1), tie=tie)  # type: ignore[arg-type]
        for row, curve in zip(rows, exact, strict=True):
            expected = [float(enumerate_subsets(row, k, tie)) for k in range(1, n + 1)]
            np.testing.assert_allclose(
                curve, expected, rtol=1e-12, atol=1e-14, err_msg=f"{tie} {row}"
            )


@pytest.mark.parametrize("n", range(1, 9))
def test_first_seen_in_random_order_splits_ties_evenly(n: int) -> None:
    rows = list(count_vectors(n))
    exact = maj_at_k(np.array(rows), np.full(len(rows), GOLD), range(1, n + 1), tie="first")
    expected = [enumerate_orders_first(row) for row in rows]
    np.testing.assert_allclose(exact, expected, rtol=1e-12, atol=1e-14)


def fraction_maj_at_k(counts: list[int], gold: int, n: int, k: int, abstain: bool) -> Fraction:
    """The same sum in exact rationals, ties tracked one by one instead of by quadrature."""
    total = Fraction(0)
    for j in range(1, min(gold, k) + 1):
        state = {(0, 0): 1}
        for count in counts:
            grown: dict[tuple[int, int], int] = {}
            for (drawn, ties), ways in state.items():
                for x in range(min(count, j, k - j - drawn) + 1):
                    place = (drawn + x, ties + (x == j))
                    grown[place] = grown.get(place, 0) + ways * math.comb(count, x)
            state = grown
        unparsable = n - gold - sum(counts)
        for (drawn, ties), ways in state.items():
            share = Fraction(int(ties == 0)) if abstain else Fraction(1, 1 + ties)
            total += math.comb(gold, j) * ways * math.comb(unparsable, k - j - drawn) * share
    return total / math.comb(n, k)


@pytest.mark.parametrize(
    ("gold", "counts", "n"),
    [
        (60, [61, 60, 40, 20, 5], 256),
        (8, [8] * 31, 256),
        (128, [128], 256),
        (1, [1] * 255, 256),
        (3, [4] * 20 + [1] * 100, 256),
        (200, [3], 256),
    ],
)
def test_maj_at_k_is_exact_to_ten_digits_at_256_samples(
    gold: int, counts: list[int], n: int
) -> None:
    row = [GOLD] * gold + [key for key, count in enumerate(counts, 1) for _ in range(count)]
    keys = np.array([row + [-1] * (n - len(row))])
    for tie in ("split", "abstain"):
        curve = maj_at_k(keys, [GOLD], range(1, n + 1), tie=tie)[0]  # type: ignore[arg-type]
        assert np.all((curve >= 0) & (curve <= 1))
        for k in (1, 2, 7, 32, 64) + ((256,) if len(counts) < 10 else ()):
            exact = float(fraction_maj_at_k(counts, gold, n, k, tie == "abstain"))
            assert curve[k - 1] == pytest.approx(exact, rel=1e-10, abs=1e-300), (tie, k)


def test_maj_at_k_agrees_with_a_million_draws_at_64_samples() -> None:
    rng = np.random.default_rng(20250607)
    counts = [18, 17, 10, 6, 4, 2, 1, 1, 1]
    n, num_draws, chunk = 64, 1_000_000, 50_000
    row = np.array([key for key, count in enumerate(counts) for _ in range(count)] + [-1] * 4)
    assert len(row) == n
    checked = (1, 2, 5, 16, 33, 48)
    scores = {k: np.zeros(2) for k in checked}  # sum and sum of squares
    for _ in range(num_draws // chunk):
        order = rng.random((chunk, n), dtype=np.float32).argsort(axis=1)
        draws = row[order]
        for k in checked:
            drawn = draws[:, :k]
            votes = np.stack([(drawn == key).sum(axis=1) for key in range(len(counts))], axis=1)
            top = votes.max(axis=1)
            leaders = (votes == top[:, None]).sum(axis=1)
            won = np.where((votes[:, GOLD] == top) & (top > 0), 1.0 / leaders, 0.0)
            scores[k] += (won.sum(), (won**2).sum())
    exact = maj_at_k(row[None, :], [GOLD], checked)[0]
    for value, (total, squares) in zip(exact, scores.values(), strict=True):
        mean = total / num_draws
        error = math.sqrt((squares / num_draws - mean**2) / num_draws)
        assert abs(value - mean) < 4 * error


answers = st.lists(st.integers(-1, 5), min_size=1, max_size=24)


@given(row=answers, gold=st.integers(-2, 5), seed=st.integers(0, 2**32 - 1))
def test_maj_at_k_properties(row: list[int], gold: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = len(row)
    keys = np.array([row, rng.permutation(row)])
    curve = maj_at_k(keys, [gold, gold], range(1, n + 1))
    np.testing.assert_array_equal(curve[0], curve[1])  # the order of samples does not matter
    assert np.all((curve >= 0) & (curve <= 1))
    renamed = np.where(keys >= 0, keys * 7 + 3, -1)
    renamed_gold = gold * 7 + 3 if gold >= 0 else gold
    np.testing.assert_array_equal(
        curve, maj_at_k(renamed, [renamed_gold, renamed_gold], range(1, n + 1))
    )
    correct = count_correct(keys, [gold, gold])
    assert curve[0, 0] == pytest.approx(float(avg_at_k(n, int(correct[0]))))  # maj@1 = avg@1
    # No vote is right without a right sample: maj@k <= pass@k.
    assert np.all(curve[0] <= pass_at_k(n, int(correct[0]), np.arange(1, n + 1)) + 1e-12)
    abstain = maj_at_k(keys, [gold, gold], range(1, n + 1), tie="abstain")
    assert np.all(abstain <= curve + 1e-12)


@given(
    rows=st.lists(st.lists(st.integers(-1, 9), min_size=12, max_size=12), min_size=2, max_size=9)
)
def test_prompts_do_not_influence_each_other(rows: list[list[int]]) -> None:
    gold = np.arange(len(rows)) % 4 - 1
    together = maj_at_k(np.array(rows), gold, (3, 12))
    alone = [maj_at_k(np.array([row]), gold[i : i + 1], (3, 12))[0] for i, row in enumerate(rows)]
    np.testing.assert_allclose(together, alone, rtol=1e-13)


def test_maj_at_k_known_values() -> None:
    keys = np.array([[5, 5, 7, -1], [-1, -1, -1, -1], [5, 7, 8, 9]])
    curve = maj_at_k(keys, [5, 5, 5], [4, 1])
    np.testing.assert_allclose(curve, [[1.0, 0.5], [0.0, 0.0], [0.25, 0.25]])
    assert maj_at_k(keys, [5, 5, 5], 2).shape == (3, 1)
    assert maj_at_k(keys[:0], [], 2).shape == (0, 1)
    np.testing.assert_array_equal(maj_at_k(keys, [-1, -2, 4], [1, 4]), np.zeros((3, 2)))


@pytest.mark.parametrize(
    ("keys", "gold", "k", "tie", "message"),
    [
        ([1, 2], [1], 1, "split", "prompts, samples"),
        ([[1, 2]], [1, 2], 1, "split", "gold must have shape"),
        ([[1, -3]], [1], 1, "split", "-1 for unparsable"),
        ([[1, 2]], [1], 0, "split", "between 1 and"),
        ([[1, 2]], [1], [1, 3], "split", "between 1 and"),
        ([[1, 2]], [1], [], "split", "non-empty"),
        ([[1, 2]], [1], 1, "coin", "tie must be one of"),
        ([[1.5, 2]], [1], 1, "split", "integers"),
        ([["a", "b"]], [1], 1, "split", "integers"),
        ([[]], [1], 1, "split", "no samples"),
        (np.zeros((1, 2000), dtype=int), [1], 1000, "split", "float64"),
    ],
)
def test_maj_at_k_names_what_is_wrong(
    keys: object, gold: object, k: object, tie: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        maj_at_k(keys, gold, k, tie=tie)  # type: ignore[arg-type]


@pytest.mark.parametrize("n", range(1, 13))
def test_pass_at_k_equals_the_binomial_ratio(n: int) -> None:
    c, k = np.meshgrid(np.arange(n + 1), np.arange(1, n + 1), indexing="ij")
    expected = [
        [1 - math.comb(n - i, j) / math.comb(n, j) for j in range(1, n + 1)] for i in range(n + 1)
    ]
    np.testing.assert_allclose(pass_at_k(n, c, k), expected, atol=1e-14)


def test_pass_at_k_broadcasts_and_stays_finite_for_many_samples() -> None:
    result = pass_at_k(np.array([10, 4]), np.array([[0], [4]]), 4)
    np.testing.assert_allclose(result, [[0.0, 0.0], [1 - 15 / 210, 1.0]])
    assert isinstance(pass_at_k(10, 3, 5), float)
    assert pass_at_k(100_000, 1, 1000) == pytest.approx(0.01)
    assert pass_at_k(np.zeros(0, dtype=int) + 1, np.zeros(0, dtype=int), 1).shape == (0,)


@pytest.mark.parametrize(
    ("n", "c", "k", "message"),
    [
        (0, 0, 1, "num_samples"),
        (4, 5, 1, "num_correct"),
        (4, -1, 1, "num_correct"),
        (4, 1, 0, "k must lie"),
        (4, 1, 5, "k must lie"),
        (4, 1.5, 1, "integers"),
        ([4, 4], [1, 2, 3], 1, "broadcast"),
    ],
)
def test_pass_at_k_names_what_is_wrong(n: object, c: object, k: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pass_at_k(n, c, k)  # type: ignore[call-overload]


def test_avg_at_k_is_the_share_of_correct_samples() -> None:
    np.testing.assert_allclose(avg_at_k(4, [0, 1, 4]), [0.0, 0.25, 1.0])
    np.testing.assert_array_equal(count_correct([[1, 1, -1], [2, 0, 0]], [1, -1]), [2, 0])
