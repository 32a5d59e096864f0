"""The adapter between variants and TRL: groups that span processes, and gold that stays hidden."""

import itertools
import math
import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter

from srtbench.answers.grader import Grader
from srtbench.config import VariantConfig
from srtbench.train.reward import LocalExtras, RewardAdapter, SplitGroupError
from srtbench.variants import (
    TOKEN_STATISTICS,
    VARIANTS,
    Group,
    Judgement,
    TeacherLabel,
    Variant,
    VariantContext,
    build_variant,
)

EOS = 1
PROMPTS = ["p0", "p1", "p2"]
SIZE = 4
TEXTS = ["\\boxed{4}", "\\boxed{04}", "\\boxed{5}", "none", "\\boxed{6}", "\\boxed{}"]
ENTRIES: list[Any] = [
    *sorted(VARIANTS),
    {"type": "all_of", "parts": ["srt", "no_repetition"]},
    {"type": "weighted", "parts": ["self_certainty", "format"], "weights": [1, 0.5]},
]


def rows() -> list[tuple[str, str]]:
    """(prompt_id, completion) of 3 groups of 4."""
    cycle = itertools.cycle(TEXTS)
    return [(prompt, next(cycle)) for prompt in PROMPTS for _ in range(SIZE)]


def make_adapter(
    entry: Any,
    gold: dict[str, str | None],
    gather: Callable[[list[Any]], list[Any]] = list,
    rank: int = 0,
) -> RewardAdapter:
    config = TypeAdapter(VariantConfig).validate_python(entry)
    if config.type == "ttrl":
        config = config.model_copy(update={"votes": 2 * SIZE})
    labels = {prompt: TeacherLabel("5", 0.5) for prompt in PROMPTS}
    return RewardAdapter(
        build_variant(config, VariantContext(labels)),
        Grader("boxed", "math"),
        gold,
        num_generations=SIZE,
        seed=3,
        gather=gather,
        process_index=lambda: rank,
        end_tokens=frozenset({EOS}),
    )


def extras(adapter: RewardAdapter, first: int, count: int) -> LocalExtras:
    """Statistics and votes that depend on the row alone."""
    places = range(first, first + count)
    statistics = {name: [0.1 * place for place in places] for name in TOKEN_STATISTICS}
    votes = [[(TEXTS[place % 3], [9, EOS])] * adapter.votes_per_row for place in places]
    return LocalExtras(statistics, votes)


def call(adapter: RewardAdapter, first: int = 0, count: int = 12, step: int = 0) -> list[float]:
    part = rows()[first : first + count]
    adapter.extras = extras(adapter, first, count)
    return adapter(
        prompts=["?"] * count,
        completions=[text for _, text in part],
        completion_ids=[[7, EOS]] * count,
        prompt_id=[prompt for prompt, _ in part],
        trainer_state=SimpleNamespace(global_step=step),
    )


def split_over(entry: Any, sizes: list[int], gold: dict[str, str | None]) -> list[float]:
    """Rewards when each process holds its own rows: what all of them gather is found first."""
    kept: list[list[Any]] = []
    starts = [sum(sizes[:rank]) for rank in range(len(sizes))]
    for first, size in zip(starts, sizes, strict=True):
        adapter = make_adapter(entry, gold, lambda local: kept.append(local) or _stop())
        with pytest.raises(_StopError):
            call(adapter, first, size)
    everything = [row for part in kept for row in part]
    found: list[float] = []
    for rank, (first, size) in enumerate(zip(starts, sizes, strict=True)):
        adapter = make_adapter(entry, gold, lambda local: everything, rank)
        found += call(adapter, first, size)
    return found


class _StopError(Exception):
    pass


def _stop() -> Any:
    raise _StopError


GOLD: dict[str, str | None] = {"p0": "4", "p1": "5", "p2": None}


def test_votes_and_columns_by_hand() -> None:
    adapter = make_adapter("srt", GOLD)
    assert call(adapter, step=4) == [1, 1, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0]
    assert adapter.batch is not None
    batch = adapter.batch
    assert (batch.phase, batch.step, len(batch)) == ("train", 5, 12)
    columns = batch.columns
    assert columns["answer_key"][:4] == ["4", "4", "5", None]
    assert columns["pseudo_label"] == ["4"] * 4 + ["4"] * 4 + ["5"] * 4
    assert columns["group_id"] == ["5-0"] * 4 + ["5-1"] * 4 + ["5-2"] * 4
    assert columns["sample_index"] == [0, 1, 2, 3] * 3
    assert columns["gold_reward"] == [1, 1, 0, 0] + [0, 0, 0, 0] + [0] * 4
    assert columns["verifier_status"][3] == "unparsable"
    assert columns["vote_share"][:4] == pytest.approx([2 / 3] * 4)
    assert columns["truncated"] == [False] * 12
    assert batch.metrics == {"groups/count": 3, "groups/size": 4, "groups/split": 0}
    assert not batch.votes


@pytest.mark.parametrize("entry", ENTRIES, ids=str)
@pytest.mark.parametrize("sizes", [[6, 6], [4, 4, 4], [3, 3, 3, 3], [1] * 12])
def test_groups_may_span_processes(entry: Any, sizes: list[int]) -> None:
    alone = make_adapter(entry, GOLD)
    assert split_over(entry, sizes, GOLD) == call(alone)


def test_without_a_gather_split_groups_are_refused() -> None:
    with pytest.raises(SplitGroupError, match="do not divide into groups of 4"):
        call(make_adapter("srt", GOLD), 0, 6)
    with pytest.raises(SplitGroupError, match="group 0 holds rows of 2 prompts"):
        call(make_adapter("srt", GOLD), 2, 4)


@pytest.mark.parametrize("entry", ENTRIES, ids=str)
def test_permuted_gold_changes_no_label_free_reward(entry: Any) -> None:
    """Whatever gold is, a variant that does not ask for it pays the same and labels the same."""
    adapter = make_adapter(entry, GOLD)
    rewards = call(adapter)
    assert adapter.batch is not None
    labels, graded = adapter.batch.columns["pseudo_label"], adapter.batch.columns["gold_reward"]
    seen_grades, seen_rewards = {tuple(graded)}, {tuple(rewards)}
    shuffler = random.Random(0)
    for _ in range(12):
        golds = [*GOLD.values(), "6", "17"]
        shuffler.shuffle(golds)
        other = make_adapter(entry, dict(zip(PROMPTS, golds, strict=False)))
        other_rewards = call(other)
        assert other.batch is not None
        seen_grades.add(tuple(other.batch.columns["gold_reward"]))
        seen_rewards.add(tuple(other_rewards))
        if not adapter.variant.uses_gold:
            assert other_rewards == rewards
            assert other.batch.columns["pseudo_label"] == labels
    assert len(seen_grades) > 1, "the permutation must matter to the grades"
    if entry == "gold":
        assert len(seen_rewards) > 1, "and to a reward that uses gold"


def test_label_free_variants_are_those_that_say_so() -> None:
    assert {name for name, variant in VARIANTS.items() if variant.uses_gold} == {
        "gold",
        "incorrect",
        "star",
        "rest_em",
        "rft",
    }


class _Spy(Variant):
    def judge(self, group: Group, rng: np.random.Generator) -> Judgement:
        self.config.append(group)
        return Judgement(self.reward(group))

    @staticmethod
    def reward(group: Group) -> Any:
        return np.zeros(len(group.completions))


def _spying(variant: type[Variant]) -> tuple[RewardAdapter, list[Group]]:
    groups: list[Group] = []
    adapter = make_adapter("srt", GOLD)
    adapter.variant = variant(groups, VariantContext())
    return adapter, groups


def test_a_group_holds_no_gold_and_no_statistics_unasked() -> None:
    adapter, groups = _spying(_Spy)
    call(adapter)
    assert all(not group.shown_gold for group in groups)
    assert all(not group.token_statistics and not group.vote_keys for group in groups)
    assert groups[1].prompt_id == "p1"
    assert groups[1].completion_ids == ((7, EOS),) * 4


def test_random_rewards_depend_on_seed_step_and_group_alone() -> None:
    adapter = make_adapter("random", GOLD)
    assert call(adapter, step=1) == call(make_adapter("random", GOLD), step=1)
    assert call(adapter, step=1) != call(adapter, step=2)


def test_wrong_rewards_are_refused() -> None:
    class Short(_Spy):
        @staticmethod
        def reward(group: Group) -> Any:
            return np.zeros(1)

    class NotFinite(_Spy):
        @staticmethod
        def reward(group: Group) -> Any:
            return np.full(len(group.completions), math.nan)

    with pytest.raises(ValueError, match=r"shape \(1,\) for 4 completions"):
        call(_spying(Short)[0])
    with pytest.raises(ValueError, match="not finite"):
        call(_spying(NotFinite)[0])


def test_further_votes_are_logged_but_not_trained() -> None:
    adapter = make_adapter("ttrl", GOLD)
    assert adapter.votes_per_row == 1
    rewards = call(adapter)
    assert len(rewards) == 12
    assert adapter.batch is not None
    votes = adapter.batch.votes
    assert votes["sample_index"] == [4, 5, 6, 7] * 3
    assert votes["train_reward"] == [None] * 12
    assert votes["answer_key"][:4] == ["4", "4", "5", "4"]
    assert adapter.batch.columns["vote_share"][0] == pytest.approx(5 / 7)
    wrong = make_adapter("ttrl", GOLD)
    wrong.variant.config = wrong.variant.config.model_copy(update={"votes": 7})
    with pytest.raises(ValueError, match="positive multiple"):
        _ = wrong.votes_per_row


def test_chat_messages_are_texts() -> None:
    adapter = make_adapter("srt", GOLD)
    chat = [[{"role": "assistant", "content": text}] for _, text in rows()[:4]]
    rewards = adapter(
        prompts=["?"] * 4,
        completions=chat,
        completion_ids=[[7], [], [7, EOS], [EOS]],
        prompt_id=["p0"] * 4,
        trainer_state=SimpleNamespace(global_step=0),
    )
    assert rewards == [1, 1, 0, 0]
    assert adapter.batch is not None
    assert adapter.batch.columns["truncated"] == [True, True, False, False]
