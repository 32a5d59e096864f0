"""Group rewards of verifiers, slime and tinker-cookbook; by the packages where they are installed.

pip install verifiers==0.1.14 tinker-cookbook==0.6.1
"""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from srtbench.rewards import judge, slime_reward, tinker_rewards, verifiers_reward
from srtbench.variants import VariantError

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
TEXTS = [r"\boxed{1/2}", r"so \boxed{0.5}", r"\boxed{3}", ""]
CHATS = [[{"role": "assistant", "content": text}] for text in TEXTS]


def states_of(completions: list[Any], answer: Any = "3") -> list[dict[str, Any]]:
    question = [{"role": "user", "content": "half?"}]
    return [
        {
            "prompt": question,
            "completion": completion,
            "answer": answer,
            "task": "sums",
            "info": {},
            "timing": {"scoring_ms": 0.0, "total_ms": 0.0},
            "trajectory": [],
        }
        for completion in completions
    ]


def call(reward: Any, states: list[dict[str, Any]]) -> list[float]:
    """As `verifiers.Rubric` calls it."""
    columns = {"prompts": "prompt", "completions": "completion", "answers": "answer"}
    given = {name: [state[key] for state in states] for name, key in columns.items()}
    found: list[float] = reward(states=states, **given)
    return found


@pytest.mark.parametrize("completions", [TEXTS, CHATS])
def test_verifiers_gets_what_judge_says(completions: list[Any]) -> None:
    states = states_of(completions)
    reward = verifiers_reward("srt")
    assert call(reward, states) == judge("srt", TEXTS).train_reward.tolist() == [1, 1, 0, 0]
    assert reward.__name__ == "srt"
    assert [state["srt_answer_key"] for state in states] == ["1/2", "1/2", "3", None]
    assert [state["srt_gold_reward"] for state in states] == [0, 0, 1, 0]
    assert {state["srt_pseudo_label"] for state in states} == {"1/2"}


def test_no_answer_is_no_gold() -> None:
    for answer in ("", None):
        states = states_of(TEXTS, answer)
        assert call(verifiers_reward("srt"), states) == [1, 1, 0, 0]
        assert "srt_gold_reward" not in states[0]
        with pytest.raises(VariantError, match="variant gold uses gold, and a prompt has no gold"):
            call(verifiers_reward("gold"), states)
    assert call(verifiers_reward("gold"), states_of(TEXTS, 0.5)) == [1, 1, 0, 0]


def test_chance_depends_on_the_prompt_and_how_often_it_came() -> None:
    first, again = verifiers_reward("random"), verifiers_reward("random")
    coins = [call(first, states_of(TEXTS * 4)) for _ in range(3)]
    assert [call(again, states_of(TEXTS * 4)) for _ in range(3)] == coins
    assert len({tuple(one) for one in coins}) == 3
    other = verifiers_reward("random", seed=1)
    assert call(other, states_of(TEXTS * 4)) != coins[0]


@pytest.mark.parametrize("make", [verifiers_reward, slime_reward, tinker_rewards])
def test_what_cannot_be_had_is_said_when_it_is_made(make: Any) -> None:
    for variant in ("ttrl", "fixed_teacher", "entropy", "lmsi", "srtt"):
        with pytest.raises(VariantError) as raised:
            make(variant)
        assert "\n" not in str(raised.value)
    with pytest.raises(VariantError, match="did you mean 'boxed'"):
        make("srt", answer_style="box")


def test_verifiers_itself_scores_a_group() -> None:
    verifiers = pytest.importorskip("verifiers", reason="pip install verifiers==0.1.14")
    if not hasattr(verifiers, "Rubric"):
        pytest.skip("verifiers 0.4 has no group rewards")
    rubric = verifiers.Rubric(
        funcs=[verifiers_reward("srt"), verifiers_reward("gold")], weights=[1, 0]
    )
    states = states_of(CHATS)
    asyncio.run(rubric.score_group(states))
    assert [state["reward"] for state in states] == [1, 1, 0, 0]
    assert [state["metrics"]["gold"] for state in states] == [0, 0, 1, 0]
    assert [state["advantage"] for state in states] == [0.5, 0.5, -0.5, -0.5]


def samples_of(texts: list[str]) -> list[Any]:
    """Fields of slime's `Sample` that are read or written."""
    return [
        SimpleNamespace(prompt="half?", response=text, label="3", metadata={"rm_type": ""})
        for text in texts
    ]


def test_slime_calls_with_a_group() -> None:
    samples = samples_of(TEXTS)
    reward = slime_reward("srt")
    args = SimpleNamespace(reward_key=None)
    assert asyncio.run(reward(args, samples)) == [1, 1, 0, 0]
    assert samples[0].metadata == {
        "rm_type": "",
        "srt": {
            "answer_key": "1/2",
            "pseudo_label": "1/2",
            "vote_share": pytest.approx(2 / 3),
            "gold_reward": 0,
        },
    }
    args.reward_key = "score"
    assert asyncio.run(reward(args, samples, evaluation=False))[0] == {"score": 1.0}
    with pytest.raises(TypeError, match="start slime with --group-rm"):
        asyncio.run(reward(args, samples[0]))
    with pytest.raises(TypeError, match="one completion per sample"):
        asyncio.run(reward(args, [samples, samples]))


class Env:
    """What `tinker_rewards` reads of a `ProblemEnv`."""

    def __init__(self) -> None:
        self.renderer = SimpleNamespace(
            parse_response=lambda tokens: (
                {"role": "assistant", "content": TEXTS[tokens[0]]},
                "stop_sequence",
            )
        )

    def get_question(self) -> str:
        return "half?"

    def get_reference_answer(self) -> str:
        return "3"


def trajectories() -> list[Any]:
    actions = [SimpleNamespace(tokens=[place]) for place in range(3)]
    actions.append(SimpleNamespace(tokens=[]))
    return [SimpleNamespace(transitions=[SimpleNamespace(ac=action)]) for action in actions]


def test_tinker_calls_with_a_group() -> None:
    envs = [Env() for _ in range(4)]
    found = asyncio.run(tinker_rewards("srt")(trajectories(), envs))
    assert [reward for reward, _ in found] == [1, 1, 0, 0]
    assert found[2][1] == {"srt/vote_share": pytest.approx(2 / 3), "srt/gold_reward": 1.0}
    with pytest.raises(VariantError, match="SimpleNamespace has no renderer; give text="):
        asyncio.run(tinker_rewards("srt")(trajectories(), [SimpleNamespace()] * 4))
    read = tinker_rewards("srt", text=lambda one, env: r"\boxed{7}")
    found = asyncio.run(read(trajectories(), [SimpleNamespace()] * 4))
    assert [reward for reward, _ in found] == [1, 1, 1, 1]


def test_tinker_itself_rolls_out_a_group() -> None:
    types = pytest.importorskip("tinker_cookbook.rl.types", reason="pip install tinker-cookbook")
    import tinker
    from tinker_cookbook.completers import TokenCompleter, TokensWithLogprobs
    from tinker_cookbook.rl.rollouts import do_group_rollout

    class Question(Env, types.Env):  # type: ignore[misc, name-defined]
        async def initial_observation(self) -> Any:
            return tinker.ModelInput.from_ints([1]), []

        async def step(self, action: Any, *, extra: Any = None) -> Any:
            return types.StepResult(0.0, True, tinker.ModelInput.empty(), [])

    class Builder(types.EnvGroupBuilder):  # type: ignore[misc, name-defined]
        _vote = staticmethod(tinker_rewards("srt"))

        async def make_envs(self) -> Any:
            return [Question() for _ in TEXTS]

        async def compute_group_rewards(self, trajectory_group: Any, env_group: Any) -> Any:
            return await self._vote(trajectory_group, env_group)

    class Policy(TokenCompleter):  # type: ignore[misc]
        def __init__(self) -> None:
            self.sampled = 0

        async def __call__(self, *_: Any, **__: Any) -> Any:
            self.sampled += 1
            return TokensWithLogprobs([self.sampled - 1], [0.0])

    group = asyncio.run(do_group_rollout(Builder(), Policy()))
    assert group.get_total_rewards() == [1, 1, 0, 0]
    assert group.metrics_G[2]["srt/gold_reward"] == 1


def test_the_recipe_for_verl_rewards_the_majority() -> None:
    pytest.importorskip("verl", reason="pip install verl==0.9.1")
    import numpy as np
    import torch
    from omegaconf import OmegaConf
    from tensordict import TensorDict
    from verl import DataProto
    from verl.experimental.reward_loop.reward_manager.naive import NaiveRewardManager
    from verl.trainer.config.algorithm import AlgoConfig
    from verl.trainer.ppo.ray_trainer import compute_advantage
    from verl.utils.import_utils import load_extern_object

    compute_score = load_extern_object(str(EXAMPLES / "verl_srt.py"), "compute_score")
    tokenizer = SimpleNamespace(decode=lambda ids, skip_special_tokens: TEXTS[int(ids[0])])
    manager = NaiveRewardManager(OmegaConf.create({}), tokenizer, compute_score)
    places, length = [0, 3, 1, 2, 3, 2], 2
    data = DataProto(
        TensorDict(
            {
                "responses": torch.tensor([[place, 9] for place in places]),
                "attention_mask": torch.ones(6, 3, dtype=torch.long),
                "prompts": torch.ones(6, 1),
            },
            batch_size=6,
        ),
        {
            "data_source": np.array(["x"] * 6, dtype=object),
            "reward_model": np.array([{"ground_truth": "3"}] * 6, dtype=object),
            "extra_info": np.array([{} for _ in places], dtype=object),
        },
    )
    found = [manager.loop.run_until_complete(manager.run_single(data[i : i + 1])) for i in range(6)]
    assert [one["reward_extra_info"]["acc"] for one in found] == [0, 0, 0, 1, 0, 1]
    scores = torch.zeros(6, length)
    scores[:, -1] = torch.tensor([one["reward_score"] for one in found])
    groups = ["a", "b", "a", "a", "a", "b"]
    batch = TensorDict(
        {"token_level_rewards": scores, "response_mask": torch.ones(6, length)}, batch_size=6
    )
    done = compute_advantage(
        DataProto(batch, {"uid": np.array(groups, dtype=object)}), "srt", config=AlgoConfig()
    )
    for group in "ab":
        rows = [row for row, name in enumerate(groups) if name == group]
        rewards = judge("srt", [TEXTS[places[row]] for row in rows]).train_reward
        expected = (rewards - rewards.mean()) / (rewards.std(ddof=1) + 1e-6)
        assert done.batch["advantages"][rows, 0].tolist() == pytest.approx([*expected], abs=1e-4)
