"""Votes: every rule by hand, and what must hold for any group."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtbench.votes import VotingPolicy, vote, vote_groups, vote_table

KEYS = st.lists(st.one_of(st.none(), st.sampled_from("abcde")), max_size=24)
POLICIES = st.builds(
    VotingPolicy,
    tie=st.sampled_from(["first", "random", "abstain", "split"]),
    unparsable=st.sampled_from(["exclude", "count"]),
    min_share=st.sampled_from([0.0, 0.3, 0.5, 1.0]),
    denominator=st.sampled_from(["votes", "samples"]),
)


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def test_defaults_are_the_published_rule() -> None:
    outcome = vote(["b", None, "a", "b", None])
    assert (outcome.label, outcome.share) == ("b", 2 / 3)
    assert outcome.counts == {"b": 2, "a": 1}
    assert vote(["b", "a", "a", "b"]).label == "b", "ties go to the first seen"
    assert vote([None, None]).label is None
    assert vote([None, None]).share == 0
    assert vote([]).label is None


@pytest.mark.parametrize(
    ("tie", "label", "weights"),
    [
        ("first", "x", [1, 0, 1, 0, 0, 0]),
        ("abstain", None, [0, 0, 0, 0, 0, 0]),
        ("split", None, [0.5, 0.5, 0.5, 0.5, 0, 0]),
    ],
)
def test_each_tie_rule(tie: str, label: str | None, weights: list[float]) -> None:
    keys = ["x", "y", "x", "y", "z", None]
    outcome = vote(keys, VotingPolicy(tie=tie))  # type: ignore[arg-type]
    assert outcome.label == label
    assert outcome.share == 2 / 5
    assert [outcome.weight(key) for key in keys] == weights


def test_random_ties_draw_evenly_and_repeat_with_the_seed() -> None:
    policy = VotingPolicy(tie="random")
    keys = ["x", "y", "x", "y", "z"]
    drawn = Counter(vote(keys, policy, np.random.default_rng(i)).label for i in range(400))
    assert set(drawn) == {"x", "y"}
    assert 140 < drawn["x"] < 260
    assert vote(keys, policy, rng()).label == vote(keys, policy, rng()).label
    with pytest.raises(ValueError, match="needs an rng"):
        vote(keys, policy)
    assert vote(["x"], policy).label == "x", "without a tie no rng is needed"


def test_minimum_share_is_of_the_denominator() -> None:
    keys = ["a", "a", "b", None, None]
    assert vote(keys, VotingPolicy(min_share=2 / 3)).label == "a"
    assert vote(keys, VotingPolicy(min_share=0.67)).label is None
    assert vote(keys, VotingPolicy(min_share=0.67)).share == 2 / 3
    assert vote(keys, VotingPolicy(min_share=0.5, denominator="samples")).label is None
    assert vote(keys, VotingPolicy(min_share=0.4, denominator="samples")).share == 2 / 5


def test_unparsable_answers_can_count_as_one_answer() -> None:
    count = VotingPolicy(unparsable="count")
    assert vote(["a", "a", "a", None, None], count).label == "a"
    assert vote(["a", "a", "a", None, None], count).share == 3 / 5
    assert vote(["a", "a", None, None], count).label is None, "a tie with 'no answer'"
    assert vote(["a", None, None], count).label is None
    assert vote(["a", None, None]).label == "a"


@pytest.mark.parametrize(
    "wrong",
    [{"tie": "last"}, {"unparsable": "drop"}, {"denominator": "all"}, {"min_share": 1.5}],
)
def test_wrong_rules_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        VotingPolicy(**wrong)  # type: ignore[arg-type]


@given(KEYS, st.randoms(use_true_random=False), st.sampled_from(["abstain", "split"]), POLICIES)
def test_order_does_not_matter(keys: list[str | None], random, tie: str, other) -> None:  # type: ignore[no-untyped-def]
    policy = other.model_copy(update={"tie": tie})
    shuffled = list(keys)
    random.shuffle(shuffled)
    one, two = vote(keys, policy), vote(shuffled, policy)
    assert (one.label, one.share, set(one.winners)) == (two.label, two.share, set(two.winners))
    assert one.counts == two.counts
    assert sorted(map(one.weight, keys)) == sorted(map(two.weight, shuffled))


@given(KEYS)
def test_shares_sum_to_one(keys: list[str | None]) -> None:
    outcome = vote(keys)
    total = math.fsum(map(outcome.key_share, outcome.counts))
    assert total == pytest.approx(1.0) if outcome.counts else total == 0
    of_all = vote(keys, VotingPolicy(denominator="samples"))
    unparsable = keys.count(None) / len(keys) if keys else 0
    if of_all.counts:
        assert math.fsum(map(of_all.key_share, of_all.counts)) == pytest.approx(1 - unparsable)


@given(KEYS)
def test_policies_agree_without_a_tie(keys: list[str | None]) -> None:
    counts = sorted(Counter(key for key in keys if key is not None).values())
    if not counts or (len(counts) > 1 and counts[-1] == counts[-2]):
        return
    outcomes = [
        vote(keys, VotingPolicy(tie=tie), rng())  # type: ignore[arg-type]
        for tie in ("first", "random", "abstain", "split")
    ]
    assert len({(o.label, o.share, o.winners) for o in outcomes}) == 1
    assert outcomes[0].label is not None


@given(KEYS, POLICIES)
def test_rewards_are_paid_to_winners_only(keys: list[str | None], policy: VotingPolicy) -> None:
    outcome = vote(keys, policy, rng())
    assert outcome.weight(None) == 0
    assert all((outcome.weight(key) > 0) == (key in outcome.winners) for key in outcome.counts)
    assert (outcome.label is None) or outcome.winners == (outcome.label,)
    assert 0 <= outcome.share <= 1


@given(st.lists(st.lists(st.integers(-1, 4), min_size=6, max_size=6), max_size=8), POLICIES)
def test_the_table_is_the_same_vote(groups: list[list[int]], policy: VotingPolicy) -> None:
    keys = np.array(groups, dtype=np.int64).reshape(len(groups), 6)
    table = vote_table(keys, policy, rng())
    names = [[None if key < 0 else str(key) for key in group] for group in groups]
    outcomes = vote_groups(names, policy, rng())
    labels = [-1 if o.label is None else int(o.label) for o in outcomes]
    assert table.label.tolist() == labels
    assert table.share.tolist() == pytest.approx([o.share for o in outcomes])
    expected = [[o.weight(key) for key in row] for o, row in zip(outcomes, names, strict=True)]
    assert table.weight.tolist() == expected


def test_the_table_needs_a_matrix_and_an_rng_for_random_ties() -> None:
    with pytest.raises(ValueError, match="must be"):
        vote_table(np.zeros(3, dtype=np.int64))
    with pytest.raises(ValueError, match="needs an rng"):
        vote_table(np.array([[0, 1]]), VotingPolicy(tie="random"))
