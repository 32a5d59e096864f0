"""Every variant on groups computed by hand."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from srtbench.config import VariantConfig
from srtbench.variants import (
    COMBINATIONS,
    VARIANTS,
    Group,
    Judgement,
    TeacherLabel,
    VariantContext,
    VariantError,
    build_variant,
    group_rng,
)

GROUP = Group(
    prompt_id="p",
    group_id="3-0",
    completions=("so 4", "so 4", "so 5", "?", "so 6"),
    completion_ids=((1,), (1,), (2,), (3,), (4,)),
    answers=("4", "4", "5", None, "6"),
    answer_keys=("4", "4", "5", None, "6"),
)
CONTEXT = VariantContext({"p": TeacherLabel("5", 0.6)})
STATISTICS = {
    "mean_logprob": np.array([-0.1, -0.2, -0.3, -0.4, -0.5]),
    "entropy_nats": np.array([0.5, 0.25, 1.0, math.nan, 0.75]),
    "self_certainty": np.array([2.0, 3.0, 1.0, math.nan, 1.5]),
}


def config(entry: Any) -> Any:
    return TypeAdapter(VariantConfig).validate_python(entry)


def judge(entry: Any, group: Group = GROUP, context: VariantContext = CONTEXT) -> Judgement:
    return build_variant(config(entry), context).judge(group, group_rng(0, 3, 0))


def rewards(entry: Any, group: Group = GROUP) -> list[float]:
    return judge(entry, group).train_reward.tolist()


def test_srt() -> None:
    result = judge("srt")
    assert result.train_reward.tolist() == [1, 1, 0, 0, 0]
    assert (result.pseudo_label, result.vote_share) == ("4", 0.5)
    strict = judge({"type": "srt", "voting": {"min_share": 0.6}})
    assert strict.train_reward.tolist() == [0, 0, 0, 0, 0]
    assert (strict.pseudo_label, strict.vote_share) == (None, 0.5)
    tied = replace(GROUP, answer_keys=("4", "5", "4", "5", None))
    assert rewards("srt", tied) == [1, 0, 1, 0, 0]
    assert rewards({"type": "srt", "voting": {"tie": "split"}}, tied) == [0.5] * 4 + [0]
    nothing = replace(GROUP, answer_keys=(None,) * 5)
    assert judge("srt", nothing).pseudo_label is None
    assert rewards("srt", nothing) == [0] * 5


def test_gold() -> None:
    assert rewards("gold", GROUP.with_gold("6")) == [0, 0, 0, 0, 1]
    assert rewards("gold", GROUP.with_gold(None)) == [0] * 5, "None is no answer"


def test_reading_gold_without_declaring_it_is_an_error_that_says_what_to_write() -> None:
    with pytest.raises(VariantError, match=r"write `uses_gold = True` in its class"):
        _ = GROUP.gold_key
    again = replace(GROUP, answer_keys=("4",) * 5)
    assert "gold" not in repr(GROUP.with_gold("6"))
    assert again.with_gold("6").gold_key == "6"
    with pytest.raises(VariantError):
        _ = again.with_gold("6").without_gold().gold_key


@pytest.mark.parametrize("entry", ["fixed_teacher", "incorrect"])
def test_frozen_labels(entry: str) -> None:
    result = judge(entry)
    assert result.train_reward.tolist() == [0, 0, 1, 0, 0]
    assert (result.pseudo_label, result.vote_share) == ("5", 0.6)
    with pytest.raises(KeyError):
        judge(entry, context=VariantContext())


def test_incorrect_keeps_prompts_with_a_wrong_majority_only() -> None:
    variant = build_variant(config("incorrect"), CONTEXT)
    assert variant.uses_gold
    assert variant.keeps_prompt("p", "4")
    assert not variant.keeps_prompt("p", "5")
    silent = VariantContext({"p": TeacherLabel(None, 0.0)})
    assert not build_variant(config("incorrect"), silent).keeps_prompt("p", "4")


def test_random_is_a_fair_coin_that_repeats() -> None:
    assert rewards("random") == rewards("random")
    assert rewards({"type": "random", "p": 0.0}) == [0] * 5
    assert rewards({"type": "random", "p": 1.0}) == [1] * 5
    variant = build_variant(config("random"), CONTEXT)
    drawn = [variant.judge(GROUP, group_rng(0, step, 0)).train_reward for step in range(200)]
    assert 0.45 < np.mean(drawn) < 0.55


def test_format_pays_for_any_answer() -> None:
    assert rewards("format") == [1, 1, 1, 0, 1]


def test_soft_majority_pays_the_vote_share() -> None:
    result = judge("soft_majority")
    assert result.train_reward.tolist() == [0.5, 0.5, 0.25, 0, 0.25]
    assert (result.pseudo_label, result.vote_share) == ("4", 0.5)
    of_all = {"type": "soft_majority", "voting": {"denominator": "samples"}}
    assert rewards(of_all) == [0.4, 0.4, 0.2, 0, 0.2]
    strict = {"type": "soft_majority", "voting": {"min_share": 0.5}}
    assert rewards(strict) == [0.5, 0.5, 0, 0, 0]


def test_min_entropy_cluster_and_its_gate() -> None:
    result = judge("min_entropy_cluster")
    assert result.train_reward.tolist() == [0.4, 0.4, 0.2, 0, 0.2]
    assert (result.pseudo_label, result.vote_share) == ("4", 0.4)
    # H = -(.4 log .4 + 3 * .2 log .2) = 1.3322 nats = .8277 log 5.
    closed = {"type": "min_entropy_cluster", "entropy_high": 0.82}
    assert rewards(closed) == [0] * 5
    assert judge(closed).pseudo_label is None
    assert rewards({"type": "min_entropy_cluster", "entropy_high": 0.83})[0] == 0.4
    assert rewards({"type": "min_entropy_cluster", "entropy_low": 0.83}) == [0] * 5
    sure = replace(GROUP, answer_keys=("4",) * 5)
    assert rewards("min_entropy_cluster", sure) == [1] * 5
    with pytest.raises(ValidationError, match="entropy_low"):
        config({"type": "min_entropy_cluster", "entropy_low": 0.9, "entropy_high": 0.1})


def test_token_statistics_as_rewards() -> None:
    group = replace(GROUP, token_statistics=STATISTICS)
    assert rewards("self_certainty", group) == [2, 3, 1, 1, 1.5]
    assert rewards("entropy", group) == [-0.5, -0.25, -1, -1, -0.75]
    nothing = {name: np.full(5, math.nan) for name in STATISTICS}
    assert rewards("entropy", replace(GROUP, token_statistics=nothing)) == [0] * 5
    for name in ("self_certainty", "entropy"):
        assert VARIANTS[name].needs_token_statistics


def test_no_repetition() -> None:
    texts = ("a b c", "a b a b a b", "A b a B", "", "x x x x")
    group = replace(GROUP, completions=texts)
    # n = 3: 1 of 1; aba bab aba bab -> 2 of 4; aba bab -> 2 of 2; none; xxx xxx -> 1 of 2.
    assert rewards("no_repetition", group) == [1, 0.5, 1, 1, 0.5]
    letters = {"type": "no_repetition", "unit": "character", "n": 2}
    assert rewards(letters, replace(GROUP, completions=("abab", "a", "aaaa", "ab", "abc"))) == (
        pytest.approx([2 / 3, 1, 1 / 3, 1, 1])
    )


def test_ttrl_votes_with_all_and_pays_the_trained() -> None:
    variant = build_variant(config({"type": "ttrl", "votes": 10}), CONTEXT)
    assert variant.voter == "policy"
    assert variant.extra_votes(variant.config, 5) == 5
    outcome = variant.judge(
        replace(GROUP, vote_keys=("5", "5", "5", None, "6")), group_rng(0, 3, 0)
    )
    assert outcome.train_reward.tolist() == [0, 0, 1, 0, 0]
    assert (outcome.pseudo_label, outcome.vote_share) == ("5", 4 / 8)
    assert config("ttrl").votes == 64
    assert config("ttrl").trains_on_eval_prompts


@pytest.mark.parametrize("teacher", ["ema_teacher", "snapshot_teacher"])
def test_a_copy_of_the_policy_alone_votes(teacher: str) -> None:
    variant = build_variant(config(teacher), CONTEXT)
    assert variant.voter == teacher
    assert variant.model_copies(variant.config) == 1
    assert variant.extra_votes(variant.config, 5) == 5
    outcome = variant.judge(
        replace(GROUP, vote_keys=("6", "6", "4", None, None)), group_rng(0, 3, 0)
    )
    assert outcome.train_reward.tolist() == [0, 0, 0, 0, 1]
    assert (outcome.pseudo_label, outcome.vote_share) == ("6", 2 / 3)


def test_combinations() -> None:
    group = replace(GROUP, completions=("a b c", "x x x x", "a", "b", "c"))
    both = {"type": "all_of", "parts": ["srt", "no_repetition"]}
    result = judge(both, group)
    assert result.train_reward.tolist() == [1, 0.5, 0, 0, 0]
    assert (result.pseudo_label, result.vote_share) == ("4", 0.5)
    weighted = {"type": "weighted", "parts": ["srt", "format"], "weights": [2, -1]}
    assert rewards(weighted) == [1, 1, -1, 0, -1]
    assert rewards({"type": "weighted", "parts": ["srt", "format"]}) == [2, 2, 1, 0, 1]
    grouped = weighted | {"normalise": "group", "weights": [1, 1]}
    # srt 1 1 0 0 0 and format 1 1 1 0 1: mean .4 and .8, std (n - 1) .5477 and .4472.
    assert rewards(grouped) == pytest.approx(
        [1.5425, 1.5425, -0.2830, -2.5186, -0.2830], abs=2e-3
    ), "each part by its own mean and std in the group"
    alike = {"type": "weighted", "parts": ["format"], "normalise": "group"}
    assert rewards(alike, replace(GROUP, answers=("1",) * 5)) == [0] * 5
    nested = {"type": "all_of", "parts": [weighted, "format"]}
    assert rewards(nested) == [1, 1, -1, 0, -1]


def test_a_part_sees_gold_only_if_it_asks() -> None:
    mixed = build_variant(config({"type": "all_of", "parts": ["srt", "gold"]}), CONTEXT)
    assert mixed.uses_gold
    seen: list[Group] = []
    original = mixed.parts[0].judge  # type: ignore[attr-defined]
    mixed.parts[0].judge = lambda group, rng: (  # type: ignore[attr-defined]
        seen.append(group) or original(group, rng)
    )
    result = mixed.judge(GROUP.with_gold("4"), group_rng(0, 3, 0))
    assert result.train_reward.tolist() == [1, 1, 0, 0, 0]
    with pytest.raises(VariantError, match="uses_gold = True"):
        _ = seen[0].gold_key
    dropping = build_variant(config({"type": "all_of", "parts": ["srt", "incorrect"]}), CONTEXT)
    assert not dropping.keeps_prompt("p", "5")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"type": "weighted", "parts": ["srt"], "weights": [1, 2]}, "1 parts, but 2 weights"),
        ({"type": "all_of", "parts": []}, "at least 1"),
        (
            {"type": "all_of", "parts": [{"type": "srt", "train": {"steps": 3}}]},
            "belong to the combination",
        ),
        (
            {"type": "all_of", "parts": ["fixed_teacher", {"type": "incorrect", "votes": 3}]},
            "must agree on votes",
        ),
    ],
)
def test_wrong_combinations(entry: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        config(entry)


def test_one_electorate_per_combination() -> None:
    with pytest.raises(ValidationError, match="at most one part"):
        config({"type": "all_of", "parts": ["ttrl", "ema_teacher"]})
    one = build_variant(config({"type": "all_of", "parts": ["format", "ttrl"]}), CONTEXT)
    assert (one.voter, one.extra_votes(one.config, 32)) == ("policy", 32)


def test_every_variant_names_its_source_and_deviations() -> None:
    for name, variant in (VARIANTS | COMBINATIONS).items():
        text = variant.__doc__ or ""
        assert "Deviations: " in text, name
        assert "r_i" in text, name
