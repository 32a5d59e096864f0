"""`trl_reward`: groups that it finds by itself, columns, gold that stays hidden; no trainer yet."""

import math
import pickle
from types import SimpleNamespace
from typing import Any

import pytest

from srtbench.rewards import GroupError, judge, trl_reward
from srtbench.rewards.signals import signals
from srtbench.variants import VariantError

TEXTS = [r"\boxed{1/2}", r"\boxed{0.5}", r"\boxed{3}", "none"]
TEXTS += [r"\boxed{7}", r"\boxed{8}", r"\boxed{8}", r"\boxed{8}"]
PROMPTS = ["half?"] * 4 + ["eight?"] * 4
GOLD = ["1/2"] * 4 + ["8"] * 4


class FakeTrainer:
    """What `trl_reward` reads of a trainer, and what it logs there."""

    def __init__(self, size: int = 4, eval_size: int = 2, seed: int = 0):
        self.num_generations, self.num_generations_eval = size, eval_size
        self.args = SimpleNamespace(seed=seed)
        self.model = SimpleNamespace(training=True)
        self.accelerator = SimpleNamespace(num_processes=1, process_index=0, is_main_process=True)
        self.callback_handler = SimpleNamespace(callbacks=[])
        self.eos_token_ids, self._tokenizer = [9], SimpleNamespace(pad_token_id=0)
        self.extra: dict[str, list[Any]] = {}
        self.metrics: dict[str, float] = {}

    def log_extra(self, name: str, values: list[Any]) -> None:
        self.extra[name] = values

    def log_metric(self, name: str, value: float) -> None:
        self.metrics[name] = value

    def ask(self, reward: Any, step: int = 0, **columns: Any) -> list[float]:
        state = SimpleNamespace(global_step=step)
        given: dict[str, Any] = {"prompts": PROMPTS, "completions": TEXTS}
        given |= {"completion_ids": [[5, 9]] * len(TEXTS)} | columns
        found: list[float] = reward(
            trainer_state=state, log_extra=self.log_extra, log_metric=self.log_metric, **given
        )
        return found


def test_it_is_judge_group_by_group() -> None:
    reward = trl_reward("srt")
    expected = [*judge("srt", TEXTS[:4]).train_reward, *judge("srt", TEXTS[4:]).train_reward]
    assert FakeTrainer().ask(reward) == expected == [1, 1, 0, 0, 0, 1, 1, 1]
    assert reward.__name__ == "srt"


def test_it_tells_trl_what_it_saw() -> None:
    trainer = FakeTrainer()
    trainer.ask(trl_reward("srt", gold_column="answer"), answer=GOLD)
    assert trainer.extra["srt_answer_key"] == ["1/2", "1/2", "3", None, "7", "8", "8", "8"]
    assert trainer.extra["srt_pseudo_label"] == ["1/2"] * 4 + ["8"] * 4
    assert trainer.extra["srt_vote_share"] == pytest.approx([2 / 3] * 4 + [0.75] * 4)
    assert trainer.extra["srt_gold_reward"] == [1, 1, 0, 0, 0, 1, 1, 1]
    assert trainer.metrics == pytest.approx(
        {
            "srt/train_reward": 5 / 8,
            "srt/majority_ratio": (2 / 4 + 3 / 4) / 2,
            "srt/answer_entropy_nats": (1.5 * math.log(2) + math.log(4) - 0.75 * math.log(3)) / 2,
            "srt/completion_tokens": 2,
            "srt/repetition": 0,
            "srt/vote_share": (2 / 3 + 0.75) / 2,
            "srt/unanimous_share": 0,
            "srt/answers_per_prompt": 2,
            "srt/modal_share": 3 / 8,
            "srt/parsed_share": 7 / 8,
            "srt/gold_reward": 5 / 8,
            "srt/reward_accuracy": 1,
            "srt/label_accuracy": 1,
        }
    )


def test_without_gold_nothing_of_gold_is_logged() -> None:
    trainer = FakeTrainer()
    trainer.ask(trl_reward("srt"), answer=GOLD)
    assert not [name for name in (*trainer.extra, *trainer.metrics) if "gold" in name]
    assert "srt/label_accuracy" not in trainer.metrics


def test_chat_messages_give_the_same() -> None:
    prompts = [[{"role": "user", "content": text}] for text in PROMPTS]
    completions = [[{"role": "assistant", "content": text}] for text in TEXTS]
    reward, trainer = trl_reward("srt"), FakeTrainer()
    chat = trainer.ask(reward, prompts=prompts, completions=completions)
    assert chat == trainer.ask(reward)


@pytest.mark.parametrize("variant", ["srt", "soft_majority", "random", "format", "no_repetition"])
def test_permuted_gold_changes_no_label_free_reward(variant: str) -> None:
    reward = trl_reward(variant, gold_column="answer")
    right = FakeTrainer().ask(reward, answer=GOLD)
    assert (
        FakeTrainer().ask(reward.__reduce__()[0](*reward.__reduce__()[1]), answer=GOLD[::-1])
        == right
    )
    assert FakeTrainer().ask(trl_reward(variant)) == right


def test_gold_is_read_from_its_column() -> None:
    reward = trl_reward("gold", gold_column="answer")
    assert FakeTrainer().ask(reward, answer=["3"] * 4 + ["7"] * 4) == [0, 0, 1, 0, 1, 0, 0, 0]
    with pytest.raises(VariantError, match="no column 'answer'; did you mean 'answers'"):
        FakeTrainer().ask(reward, answers=GOLD)
    with pytest.raises(VariantError, match="variant gold uses gold, and a prompt has no gold"):
        FakeTrainer().ask(reward, answer=["1"] * 4 + [None] * 4)


def test_one_text_with_two_golds_is_two_prompts() -> None:
    reward = trl_reward("gold", gold_column="answer")
    found = FakeTrainer().ask(reward, prompts=["?"] * 8, answer=["3"] * 4 + ["8"] * 4)
    assert found == [0, 0, 1, 0, 0, 1, 1, 1]


def test_votes_of_the_start_model_come_in_a_column() -> None:
    reward = trl_reward("fixed_teacher", teacher_column="votes")
    votes = [[r"\boxed{3}", r"\boxed{3.0}", r"\boxed{4}"]] * 4 + [[r"\boxed{7}"]] * 4
    assert FakeTrainer().ask(reward, votes=votes) == [0, 0, 1, 0, 1, 0, 0, 0]


@pytest.mark.parametrize(
    ("variant", "message"),
    [
        ("gold", "variant gold uses gold answers: give gold_column="),
        ("ttrl", "variant ttrl needs further votes of each group: which are not to be had here"),
        ("entropy", "variant entropy reads token statistics: which are not to be had here"),
        ("fixed_teacher", "give teacher_column="),
        ("srtt", "did you mean 'srt'"),
    ],
)
def test_what_trl_cannot_give_is_said_before_training(variant: str, message: str) -> None:
    with pytest.raises(VariantError, match=message):
        trl_reward(variant)


def test_the_trainer_says_how_large_a_group_is() -> None:
    """Equal prompts that follow each other are two groups, if the trainer has groups of that."""
    reward, trainer = trl_reward("srt"), FakeTrainer(size=2)
    assert trainer.ask(reward, prompts=["same"] * 8) == [1, 1, 1, 0, 1, 0, 1, 1]
    trainer.model.training = False
    trainer.num_generations_eval = 8
    assert trainer.ask(reward, prompts=["same"] * 8) == [0, 0, 0, 0, 0, 1, 1, 1]
    with pytest.raises(GroupError, match="3 was given, but the trainer has 4"):
        FakeTrainer().ask(trl_reward("srt", num_generations=3))
    with pytest.raises(GroupError, match="group 0 holds rows of 2 prompts"):
        FakeTrainer(size=8).ask(reward)
    with pytest.raises(GroupError, match="8 rollouts do not make groups of 3"):
        FakeTrainer(size=3).ask(reward)


def test_without_a_trainer_the_prompts_say_it() -> None:
    assert trl_reward("srt")(prompts=PROMPTS, completions=TEXTS) == [1, 1, 0, 0, 0, 1, 1, 1]
    given = trl_reward("srt", num_generations=2)
    assert given(prompts=["same"] * 8, completions=TEXTS) == [1, 1, 1, 0, 1, 0, 1, 1]
    with pytest.raises(GroupError, match="give num_generations="):
        trl_reward("srt")(prompts=[*"abcdefgh"], completions=TEXTS)


def test_chance_depends_on_seed_step_and_place() -> None:
    """A pickled copy that goes on elsewhere draws the same; two batches of a step do not."""
    reward = trl_reward("random")
    copy = pickle.loads(pickle.dumps(reward))
    first, second = (FakeTrainer(seed=3).ask(reward, step=5) for _ in range(2))
    assert FakeTrainer(seed=3).ask(copy, step=5) == first
    assert FakeTrainer(seed=3).ask(copy, step=5) == second
    others = [
        FakeTrainer(seed=seed).ask(copy, step=step) for seed, step in ((4, 5), (3, 6), (3, 7))
    ]
    assert len({tuple(one) for one in (first, second, *others)}) > 2


def test_signals_by_hand() -> None:
    columns = {
        "group_id": ["a", "a", "b", "b"],
        "prompt_id": ["p", "p", "q", "q"],
        "answer_key": ["1", "1", None, None],
        "vote_share": [1.0, 1.0, 0.0, 0.0],
        "pseudo_label": ["1", "1", None, None],
        "train_reward": [1.0, 1.0, 0.0, 0.0],
        "gold_reward": [0.0, 0.0, 0.0, 0.0],
    }
    found = signals(columns, {"p": "2", "q": None})
    assert found == {
        "train_reward": 0.5,
        "majority_ratio": 0.5,
        "answer_entropy_nats": 0,
        "vote_share": 0.5,
        "unanimous_share": 0.5,
        "answers_per_prompt": 0.5,
        "modal_share": 0.5,
        "parsed_share": 0.5,
        "gold_reward": 0,
        "reward_accuracy": 0.5,
        "label_accuracy": 0,
    }
