"""`srtbench.rewards.judge`: any variant on plain lists, and one line on what is missing."""

import itertools
import subprocess
import sys
from typing import Any

import pytest

from srtbench.rewards import Judgement, judge
from srtbench.variants import VARIANTS, VariantError
from srtbench.variants import Judgement as VariantJudgement

HALVES = [r"\boxed{1/2}", r"so \boxed{0.5}", r"\boxed{\frac{2}{4}}", r"\boxed{3}", "none"]
TIED = [r"\boxed{1}", r"\boxed{2}", r"\boxed{2}", r"\boxed{1}"]
FURTHER: dict[str, Any] = {
    "vote_completions": [r"\boxed{3}"] * 5,
    "teacher_completions": [r"\boxed{3}", r"\boxed{3}", r"\boxed{1}"],
    "token_statistics": {
        name: [0.5, 0.1, 0.3, 0.2, None] for name in ("mean_logprob", "entropy_nats")
    }
    | {"self_certainty": [1.0, 2.0, 3.0, 4.0, 5.0]},
}
LABEL_FREE = sorted(
    name
    for name, variant in VARIANTS.items()
    if variant.method == "online" and not variant.uses_gold
)


def test_equal_answers_vote_together() -> None:
    found = judge("srt", HALVES)
    assert isinstance(found, Judgement)
    assert isinstance(found, VariantJudgement)
    assert found.train_reward.tolist() == [1, 1, 1, 0, 0]
    assert (found.pseudo_label, found.vote_share) == ("1/2", 0.75)
    assert found.answer_keys == ("1/2", "1/2", "1/2", "3", None)
    assert found.answers[1] == "0.5"
    assert found.verifier_status[-1] == "unparsable"
    assert found.gold_reward == (None,) * 5


def test_gold_is_graded_beside_the_variant() -> None:
    found = judge("srt", HALVES, gold="3")
    assert found.train_reward.tolist() == [1, 1, 1, 0, 0]
    assert found.gold_reward == (0, 0, 0, 1, 0)
    assert judge("gold", HALVES, gold="3").train_reward.tolist() == [0, 0, 0, 1, 0]


@pytest.mark.parametrize("variant", LABEL_FREE)
def test_no_gold_changes_a_label_free_reward(variant: str) -> None:
    without = judge(variant, HALVES, **FURTHER)
    for gold in ("1/2", "3", "no such answer"):
        other = judge(variant, HALVES, gold=gold, **FURTHER)
        assert other.train_reward.tolist() == without.train_reward.tolist()
        assert (other.pseudo_label, other.vote_share) == (without.pseudo_label, without.vote_share)


def test_options_are_those_of_the_variant() -> None:
    assert judge("srt", TIED).pseudo_label == "1"
    abstained = judge("srt", TIED, voting={"tie": "abstain"})
    assert (abstained.pseudo_label, abstained.train_reward.tolist()) == (None, [0, 0, 0, 0])
    split = judge({"type": "srt", "voting": {"tie": "split"}}, TIED)
    assert split.train_reward.tolist() == [0.5] * 4
    parts = judge("weighted", HALVES, parts=["srt", "format"], weights=[1, 0.5])
    assert parts.train_reward.tolist() == [1.5, 1.5, 1.5, 0.5, 0]


def test_votes_of_others() -> None:
    cast = [r"\boxed{3}"] * 4
    assert judge("ttrl", HALVES, vote_completions=cast).train_reward.tolist() == [0, 0, 0, 1, 0]
    assert judge("ema_teacher", HALVES, vote_completions=cast).pseudo_label == "3"
    assert judge("fixed_teacher", HALVES, teacher_completions=cast[:1]).pseudo_label == "3"
    with pytest.raises(VariantError, match="leave 5 further votes, but vote_completions has 4"):
        judge("ttrl", HALVES, votes=10, vote_completions=cast)


def test_chat_messages_are_read_by_role() -> None:
    """What a tool answered is not what the policy wrote; a text may come in parts."""
    tool = [
        {"role": "assistant", "content": "let me see"},
        {"role": "tool", "content": r"\boxed{9}"},
        {"role": "assistant", "content": [{"type": "text", "text": r"\boxed{4}"}]},
    ]
    plain = [{"role": "assistant", "content": r"\boxed{4}"}]
    last = [{"role": "assistant", "content": None}, {"role": "tool", "content": r"\boxed{4}"}]
    assert judge("srt", [tool, plain, last]).answer_keys == ("4", "4", None)


def test_chance_is_seeded_by_place() -> None:
    group = [r"\boxed{1}", r"\boxed{2}"] * 8
    for variant, options in (("random", {}), ("srt", {"voting": {"tie": "random"}})):
        places = itertools.product(range(4), (1, 2), range(4))
        found = {
            place: judge(variant, group, seed=place[0], step=place[1], position=place[2], **options)
            for place in places
        }
        again = judge(variant, group, seed=3, step=2, position=1, **options)
        assert again.train_reward.tolist() == found[3, 2, 1].train_reward.tolist()
        assert len({tuple(one.train_reward) for one in found.values()}) > 1


@pytest.mark.parametrize(
    ("variant", "given", "message"),
    [
        ("srtt", {}, "there is no variant 'srtt'; did you mean 'srt'"),
        ("srt", {"votting": {}}, "variant srt has no option 'votting'; did you mean 'voting'"),
        ("srt", {"train": {}}, "variant srt has no option 'train'"),
        ("srt", {"voting": {"tie": "x"}}, "variant srt: voting.tie: Input should be 'first'"),
        ("format", {"p": 1}, "variant format has no option 'p'; it has none"),
        (
            "srt",
            {"answer_style": "box"},
            "answer_style: 'box' is not allowed; did you mean 'boxed'",
        ),
        ("srt", {"answer_kind": "mth"}, "answer_kind: 'mth' is not allowed; did you mean 'math'"),
        ("gold", {}, "variant gold uses gold answers: give gold="),
        ("ttrl", {}, "variant ttrl needs further votes of each group: give vote_completions="),
        ("ema_teacher", {"vote_completions": []}, "give vote_completions="),
        ("fixed_teacher", {}, "needs votes of the frozen start model: give teacher_completions="),
        ("entropy", {}, "variant entropy reads token statistics: give token_statistics="),
        (
            "entropy",
            {"token_statistics": {"mean_logprob": [0.0] * 5}},
            "variant entropy reads the token statistic entropy_nats, which is not given",
        ),
        ("entropy", {"token_statistics": {"entropy": [0.0] * 5}}, "did you mean 'entropy_nats'"),
        ("all_of", {"parts": ["srt", "gold"]}, "uses gold answers"),
        ("python", {"path": "nowhere.py:Mine"}, "file 'nowhere.py' not found"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    variant: str, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(VariantError) as caught:
        judge(variant, HALVES, **given)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="there are none"):
        judge("srt", [])
    with pytest.raises(TypeError, match="not one text"):
        judge("srt", r"\boxed{1}")
    with pytest.raises(ValueError, match="5 completions, but 2 of entropy_nats"):
        judge("entropy", HALVES, token_statistics={"entropy_nats": [1.0, 2.0]})


def test_a_class_of_ones_own_judges_too(tmp_path: Any) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "import numpy as np\n"
        "from srtbench.variants import Judgement, Variant\n"
        "class Long(Variant):\n"
        "    def judge(self, group, rng):\n"
        "        return Judgement(np.array([len(text) for text in group.completions]))\n"
    )
    found = judge("python", ["a", "bcd"], path=f"{file}:Long")
    assert found.train_reward.tolist() == [1, 3]


def test_importing_and_judging_loads_no_torch() -> None:
    code = (
        "import sys, srtbench.rewards as r; r.judge('srt', ['\\\\boxed{1}']); "
        "sys.exit(any(name in sys.modules for name in ('torch', 'transformers', 'trl')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
