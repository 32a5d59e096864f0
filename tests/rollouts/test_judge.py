"""The one judge: the same rows however they are cut up, held against brute force."""

import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from srtbench.answers.grader import Grader
from srtbench.config import VariantConfig
from srtbench.rollouts.judge import (
    Columns,
    Judge,
    eval_votes,
    graded_rows,
    judge_evaluation,
    runs_of,
)
from srtbench.variants import (
    TOKEN_STATISTICS,
    VARIANTS,
    TeacherLabel,
    VariantContext,
    build_variant,
)
from srtbench.votes import VotingPolicy

KEYS = ["4", "5", "6", None]
GOLD: dict[str, str | None] = {"p0": "4", "p1": "5", "p2": "9"}


def variant(entry: Any) -> Any:
    labels = {prompt: TeacherLabel("5", 0.5) for prompt in GOLD}
    config = TypeAdapter(VariantConfig).validate_python(entry)
    return build_variant(config, VariantContext(labels))


def rows(sizes: Sequence[int], seed: int) -> Columns:
    """Groups of these sizes, answers drawn at random."""
    rng = random.Random(seed)
    groups = [f"g{number}" for number, size in enumerate(sizes) for _ in range(size)]
    keys = [rng.choice(KEYS) for _ in groups]
    return graded_rows(
        [f"so \\boxed{{{key}}}" for key in keys],
        groups,
        answer_keys=keys,
        prompt_ids=[f"p{int(group[1:]) % 3}" for group in groups],
        token_statistics={name: [rng.random() for _ in groups] for name in TOKEN_STATISTICS},
    )


def by_hand(keys: list[str | None]) -> tuple[str | None, float]:
    """SRT's vote, spelled out: most frequent key, the first of equals."""
    cast = [key for key in keys if key is not None]
    if not cast:
        return None, 0.0
    best = max(cast, key=lambda key: (cast.count(key), -cast.index(key)))
    return best, cast.count(best) / len(cast)


sizes_and_seed = given(
    st.lists(st.integers(1, 7), min_size=1, max_size=6), st.integers(0, 10_000), st.integers(1, 50)
)


@settings(max_examples=60)
@sizes_and_seed
def test_srt_and_gold_by_brute_force(sizes: list[int], seed: int, step: int) -> None:
    columns = rows(sizes, seed)
    srt = Judge(variant("srt"), 3, GOLD).step(columns, step).columns
    gold = Judge(variant("gold"), 3, GOLD).step(columns, step).columns
    for start, stop in runs_of(columns["group_id"]):
        keys = columns["answer_key"][start:stop]
        label, share = by_hand(keys)
        right = GOLD[columns["prompt_id"][start]]
        assert srt["pseudo_label"][start:stop] == [label] * len(keys)
        assert srt["vote_share"][start:stop] == pytest.approx([share] * len(keys))
        assert srt["train_reward"][start:stop] == [
            float(key == label and key is not None) for key in keys
        ]
        assert gold["train_reward"][start:stop] == [float(key == right) for key in keys]
        assert gold["gold_reward"] == gold["train_reward"]
        assert srt["gold_reward"] == gold["gold_reward"]


@pytest.mark.parametrize("entry", sorted(VARIANTS))
@settings(max_examples=10)
@sizes_and_seed
def test_the_same_rows_whatever_their_order(
    entry: str, sizes: list[int], seed: int, step: int
) -> None:
    """Rows of a group need not stand together; only the order within a group and of groups is."""
    columns = rows(sizes, seed)
    judge = Judge(variant(entry), 3, GOLD)
    votes = {"g0": ["6", None, "6"]}
    whole = judge.step(columns, step, votes)
    rng, places = random.Random(seed), list(range(len(columns["group_id"])))
    starts = [start for start, _ in runs_of(columns["group_id"])]
    rest = [place for place in places if place not in starts]
    lanes = [list(range(start + 1, stop)) for start, stop in runs_of(columns["group_id"])]
    mixed = [*starts]
    while any(lanes):
        mixed.append(rng.choice([lane for lane in lanes if lane]).pop(0))
    assert len(mixed) == len(starts) + len(rest)
    shuffled = {name: [values[place] for place in mixed] for name, values in columns.items()}
    again = judge.step(shuffled, step, votes)
    for name, values in whole.columns.items():
        assert again.columns[name] == [values[place] for place in mixed]


@pytest.mark.parametrize("entry", sorted(VARIANTS))
def test_one_group_at_a_time_is_the_whole_step(entry: str) -> None:
    columns = rows([4, 4, 2], 1)
    judge = Judge(variant(entry), 3, GOLD)
    whole = judge.step(columns, 7)
    for position, (start, stop) in enumerate(runs_of(columns["group_id"])):
        one = judge.group(columns, range(start, stop), 7, position)
        assert one.train_reward.tolist() == whole.columns["train_reward"][start:stop]
        assert [one.pseudo_label] == whole.columns["pseudo_label"][start : start + 1]
        assert one.vote_share == whole.columns["vote_share"][start]


@pytest.mark.parametrize("entry", sorted(VARIANTS))
def test_permuted_gold_changes_grades_and_no_label_free_reward(entry: str) -> None:
    columns, one = rows([6, 6, 6], 2), variant(entry)
    before = Judge(one, 3, GOLD).step(columns, 1).columns
    other = {"p0": "5", "p1": "6", "p2": "4"}
    after = Judge(one, 3, other).step(columns, 1).columns
    assert before["gold_reward"] != after["gold_reward"]
    if not one.uses_gold:
        for name in ("train_reward", "pseudo_label", "vote_share"):
            assert before[name] == after[name]
        blind = Judge(one, 3).step(columns, 1).columns
        assert blind["train_reward"] == before["train_reward"]
        assert set(blind["gold_reward"]) == {None}
    else:
        with pytest.raises(ValueError, match="uses gold, and prompt p0 has no gold"):
            Judge(one, 3).step(columns, 1)


def test_further_votes_decide_and_carry_the_outcome() -> None:
    columns = graded_rows(["a", "b"], ["g", "g"], answer_keys=["4", "5"], prompt_ids=["p0", "p0"])
    judged = Judge(variant("ttrl"), 0, GOLD).step(columns, 1, {"g": ["5", "5", None]})
    assert judged.columns["train_reward"] == [0, 1]
    votes = graded_rows(["c"] * 3, ["g"] * 3, answer_keys=["5", "5", None], prompt_ids=["p0"] * 3)
    assert judged.of_votes(votes) == {
        "pseudo_label": ["5"] * 3,
        "vote_share": [pytest.approx(3 / 4)] * 3,
        "train_reward": [None] * 3,
        "gold_reward": [0.0] * 3,
    }


def test_rows_are_graded_or_given() -> None:
    grader = Grader("boxed", "math")
    found = graded_rows(["\\boxed{04}", "no"], ["g", "g"], grader=grader, completion_ids=[[1], []])
    assert (found["answer"], found["answer_key"]) == (["04", None], ["4", None])
    assert found["verifier_status"] == ["ok", "unparsable"]
    assert found["prompt_id"] == ["g", "g"], "without prompts, a group is one"
    assert found["completion_ids"] == [(1,), ()]
    with pytest.raises(ValueError, match="either a grader or the answer keys"):
        graded_rows(["a"], ["g"])
    with pytest.raises(ValueError, match="1 completions, but 2 of group_id"):
        graded_rows(["a"], ["g", "g"], grader=grader, prompt_ids=["p"])


@settings(max_examples=60)
@given(
    st.lists(st.lists(st.sampled_from(KEYS), min_size=1, max_size=6), min_size=1, max_size=6),
    st.sampled_from(["first", "abstain", "split", "random"]),
    st.integers(1, 3),
)
def test_evaluation_votes_group_by_group(
    groups: list[list[str | None]], tie: Any, evaluations: int
) -> None:
    """Whether groups are of one size, and whether voted all at once, changes nothing."""
    policy = VotingPolicy(tie=tie)
    columns: Columns = {"step": [], "group_id": [], "answer_key": []}
    for step in range(evaluations):
        for number, keys in enumerate(groups):
            columns["step"] += [step] * len(keys)
            columns["group_id"] += [f"eval-{step}-{number}"] * len(keys)
            columns["answer_key"] += keys
    found = eval_votes(columns, policy)
    alone: Columns = {"pseudo_label": [], "vote_share": []}
    for step in range(evaluations):
        part = [row for row, one in enumerate(columns["step"]) if one == step]
        own = {name: [values[row] for row in part] for name, values in columns.items()}
        for name, values in eval_votes(own, policy).items():
            alone[name] += values
    assert found == alone
    for start, stop in runs_of(columns["group_id"]):
        counts = Counter(key for key in columns["answer_key"][start:stop] if key is not None)
        top = max(counts.values(), default=0)
        tied = {key for key, count in counts.items() if count == top}
        label = found["pseudo_label"][start]
        if tie in ("first", "random") or len(tied) == 1:
            assert label in (tied or {None})
        else:
            assert label is None
        assert found["vote_share"][start] == pytest.approx(
            top / sum(counts.values()) if counts else 0
        )


def test_an_evaluation_is_graded_and_voted() -> None:
    columns = graded_rows(["a"] * 4, ["g0", "g0", "g1", "g1"], answer_keys=["4", "4", "5", None])
    judged = judge_evaluation(columns | {"step": [0] * 4}, {"g0": "4", "g1": "7"})
    assert judged["pseudo_label"] == ["4", "4", "5", "5"]
    assert judged["gold_reward"] == [1, 1, 0, 0]
    assert np.array(judged["vote_share"]) == pytest.approx(np.ones(4))
