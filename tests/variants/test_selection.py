"""What rounds variants select of a group, on groups computed by hand."""

import random
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from srtbench.config.variants import VariantConfig
from srtbench.rollouts.judge import Columns, Judge, graded_rows
from srtbench.rollouts.selection import select_step, selected_pairs
from srtbench.variants import (
    VARIANTS,
    Judgement,
    Pick,
    RoundsVariant,
    VariantContext,
    build_variant,
    facts,
)
from srtbench.variants.selection import check_picks, equations

KEYS = ["4", "4", "4", "5", "5", "6", None, "4"]
GOLD = {"p": "5"}
ROUNDS = sorted(name for name, one in VARIANTS.items() if one.method == "rounds")


def entry(content: Any) -> Any:
    return TypeAdapter(VariantConfig).validate_python(content)


def rows(keys: list[str | None], first: str = "text") -> Columns:
    texts = [f"{first} {place}" for place in range(len(keys))]
    return graded_rows(texts, ["g"] * len(keys), answer_keys=keys, prompt_ids=["p"] * len(keys))


def select(
    content: Any,
    keys: list[str | None] = KEYS,
    further: list[str | None] | None = None,
    *,
    hot: int = 0,
    step: int = 1,
    seed: int = 0,
    gold: dict[str, str | None] | None = None,
    texts: list[str] | None = None,
) -> tuple[list[tuple[int, str, float]], list[tuple[int, str, float]]]:
    """(place, role, weight) of what is selected of the group, and of what is beside it."""
    judge = Judge(build_variant(entry(content), VariantContext()), seed, gold or GOLD)
    columns, beside = rows(keys), rows(further or [], "beside")
    if texts is not None:
        columns["completion"] = texts
    found = select_step(judge, columns, judge.step(columns, step), beside, step, hot)
    return tuple(  # type: ignore[return-value]
        [
            (place, one["role"][place], one["weight"][place])
            for place in range(len(one["role"]))
            if one["selected"][place]
        ]
        for one in found
    )


def test_lmsi_keeps_every_path_to_the_majority() -> None:
    own, beside = select("lmsi")
    assert own == [(place, "sft", 1.0) for place in (0, 1, 2, 7)]
    assert beside == []
    strict = {"type": "lmsi", "voting": {"min_share": 0.51, "denominator": "samples"}}
    assert select(strict) == ([], [])
    assert select(strict | {"voting": {"min_share": 0.5, "denominator": "samples"}})[0]


@pytest.mark.parametrize("name", ["star", "rest_em", "rft"])
def test_gold_filters_keep_what_is_right(name: str) -> None:
    assert select(name)[0] == [(3, "sft", 1.0), (4, "sft", 1.0)]


def test_at_most_so_many_are_kept_and_which_ones_is_chance() -> None:
    kept = {
        tuple(place for place, *_ in select({"type": "lmsi", "max_per_prompt": 2}, seed=seed)[0])
        for seed in range(20)
    }
    assert all(len(one) == 2 and set(one) <= {0, 1, 2, 7} for one in kept)
    assert len(kept) > 1


def test_equal_texts_and_equal_equations_count_once() -> None:
    texts = ["1+3=4", "so 1 + 3 = 4 .", "2+2=4", "x", "y", "z", "", "1+3=4"]
    places = {
        distinct: [
            place for place, *_ in select({"type": "lmsi", "distinct": distinct}, texts=texts)[0]
        ]
        for distinct in ("no", "text", "equations")
    }
    assert places == {"no": [0, 1, 2, 7], "text": [0, 1, 2], "equations": [0, 2]}
    assert equations("so 1 + 3 = 4, then 4*2=8") == ("1+3=4", "4*2=8")


def test_a_second_chance_counts_where_nothing_was_right() -> None:
    star = {"type": "star", "rationalise": True, "second_chances": 2}
    wrong: list[str | None] = ["4", "6"]
    assert select(star, wrong, ["5", "4"]) == ([], [(0, "sft", 1.0)])
    assert select(star, ["4", "5"], []) == ([(1, "sft", 1.0)], [])
    assert select("star", wrong, ["5", "4"])[1] == [(0, "sft", 1.0)], "asked is asked"


def test_scpo_pairs_the_most_voted_with_the_least_voted_weighted_by_the_votes() -> None:
    own, beside = select("scpo")
    (winner, role, weight), (loser, other, same) = own
    assert (role, other, beside) == ("chosen", "rejected", [])
    assert winner in (0, 1, 2, 7)
    assert loser == 5, "6 has one vote, 5 has two; what has no answer never loses"
    assert weight == same == pytest.approx((4 - 1) / 8)
    (_, _, one), _ = select({"type": "scpo", "weighted": False})[0]
    assert one == 1.0


def test_a_hot_completion_with_a_new_answer_loses_first() -> None:
    own, beside = select("scpo", further=["9", "4", "5", None], hot=4)
    assert [role for _, role, _ in own] == ["chosen"]
    assert beside == [(0, "rejected", pytest.approx(0.5))]


def test_the_threshold_of_scpo_is_that_of_the_round() -> None:
    content = {"type": "scpo", "min_share_by_round": [0.5, 0.6]}
    assert select(content, step=1)[0]
    assert select(content, step=2) == select(content, step=9) == ([], [])
    assert select("scpo", ["4", "4"]) == ([], []), "nothing to avoid"
    split = {"type": "scpo", "voting": {"denominator": "samples"}}
    assert select(split, ["4", "5"]) == ([], []), "a weight of 0 is no pair"


def test_semi_supervised_pairs_are_gold_and_say_so() -> None:
    content = {"type": "scpo", "gold_share": 1.0}
    (winner, _, weight), (loser, _, _) = sorted(select(content)[0], key=lambda one: one[1])
    assert winner in (3, 4)
    assert loser in (0, 1, 2, 5, 7)
    assert weight == 1.0
    assert facts(entry(content)).uses_gold
    assert not facts(entry("scpo")).uses_gold


@pytest.mark.parametrize("name", ROUNDS)
def test_a_label_free_selection_is_the_same_whatever_the_gold_answers(name: str) -> None:
    rng, seen = random.Random(5), set()
    for _ in range(30):
        keys = [rng.choice(["4", "5", "6", None]) for _ in range(8)]
        found = [select(name, keys, seed=3, gold={"p": gold}) for gold in ("4", "5", "6")]
        seen.add(found[0] == found[1] == found[2])
    assert seen == ({True} if not facts(entry(name)).uses_gold else {False})


def test_pairs_are_found_again_in_the_columns() -> None:
    own = {"group_id": ["a", "a", "b"], "role": ["chosen", "rejected", "chosen"]}
    beside = {"group_id": ["b", "b"], "role": [None, "rejected"]}
    assert selected_pairs(own, beside) == [
        ((False, 0), (False, 1)),
        ((False, 2), (True, 1)),
    ]


class Picking(RoundsVariant):
    """Selects what it is told to."""

    picks: tuple[Pick, ...] = ()

    def judge(self, group: Any, rng: np.random.Generator) -> Judgement:
        return Judgement(np.zeros(len(group.completions)))


@pytest.mark.parametrize(
    ("picks", "objective", "message"),
    [
        ([Pick(8)], "sft", "places [8] of 8"),
        ([Pick(1), Pick(1)], "sft", "places [1, 1] of 8"),
        ([Pick(0, "chosen")], "sft", "the role 'chosen'"),
        ([Pick(0, "sft")], "dpo", "the role 'sft'"),
        ([Pick(0, weight=0.5)], "sft", "a weight other than 1"),
        ([Pick(0, "chosen")], "dpo", "not pairs"),
        ([Pick(0, "chosen", 0.5), Pick(1, "rejected")], "dpo", "not pairs of one weight"),
        ([Pick(0, "chosen", float("nan")), Pick(1, "rejected")], "dpo", "not a number above 0"),
    ],
)
def test_what_cannot_be_fitted_on_is_named(picks: Any, objective: Any, message: str) -> None:
    assert any(message in problem for problem in check_picks(picks, 8, objective, "Mine"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"type": "star", "hint": "{prompt}"}, "needs {prompt} and {answer}"),
        ({"type": "star", "hint": "{prompt}{answer}{other}"}, "needs {prompt} and {answer}"),
        ({"type": "lmsi", "formats": [{"prompt": "{question}"}]}, "can be filled in"),
        ({"type": "lmsi", "formats": [{"prompt": "Answer:"}]}, "'Answer:': needs {prompt}"),
        ({"type": "rft", "formats": [{"completion": "yes"}]}, "needs {completion} or {answer}"),
        ({"type": "star", "second_chances": 2}, "need rationalise: true"),
        ({"type": "star", "hint": "{prompt} ({answer})"}, "need rationalise: true"),
        ({"type": "scpo", "hot_samples": 0, "hot_temperature": 2}, "says nothing with hot_samples"),
        ({"type": "scpo", "min_share_by_round": [0.5, 1.7]}, "less than or equal to 1"),
        ({"type": "all_of", "parts": ["srt", "lmsi"]}, "can be no part"),
        ({"type": "scpo", "gold_share": 1.5}, "less than or equal to 1"),
    ],
)
def test_options_that_make_no_sense(content: Any, message: str) -> None:
    with pytest.raises(ValidationError) as error:
        entry(content)
    assert message in str(error.value)
