"""Any variant as a group reward of verifiers, slime and tinker-cookbook.

Each of them hands over the completions of one prompt and nothing of other groups, the step or the
seed. So what chance decides (ties at random, coin flips) depends on the seed given here, the
prompt, and how often this process has judged the prompt before.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from srtbench.config.sameness import prompt_id
from srtbench.rewards.judging import Judgement, Reward, as_judgement
from srtbench.rollouts.texts import prompt_text
from srtbench.variants import VariantError

_PLACES = 2**32


class _Groups:
    """A variant that judges one group after another."""

    def __init__(
        self,
        variant: str | Mapping[str, Any],
        answer_style: str,
        answer_kind: str,
        seed: int,
        options: Mapping[str, Any],
    ):
        self.reward = Reward(
            variant, options, answer_style=answer_style, answer_kind=answer_kind, seed=seed
        )
        self.name = self.reward.name
        self.reward.require({"votes": None, "teacher": None, "statistics": None})
        self._judged: Counter[str] = Counter()

    def __call__(self, prompt: Any, completions: Sequence[Any], gold: Any = None) -> Judgement:
        """Judge the completions of a prompt.

        Raises:
            VariantError: the variant uses gold and there is none. TypeError: no texts.
        """
        ident = prompt_id(prompt_text(prompt))
        self._judged[ident] += 1
        rows = len(completions)
        columns = self.reward.graded(completions, ["group"] * rows, [ident] * rows)
        known = gold is not None and str(gold) != ""
        judged = self.reward.step(
            columns,
            {ident: str(gold)} if known else {},
            step=self._judged[ident],
            positions=[int(ident, 16) % _PLACES],
        )
        return as_judgement(columns, judged, "group")


class VerifiersReward(Protocol):
    """A group reward of `verifiers.Rubric`."""

    __name__: str

    def __call__(
        self, prompts: list[Any], completions: list[Any], answers: list[Any], states: list[Any]
    ) -> list[float]:
        """Rewards of the rollouts of one example."""
        ...


def verifiers_reward(
    variant: str | Mapping[str, Any],
    *,
    answer_style: str = "boxed",
    answer_kind: str = "math",
    seed: int = 0,
    **options: Any,
) -> VerifiersReward:
    """A group reward function for `verifiers.Rubric`: ``Rubric(funcs=[verifiers_reward("srt")])``.

    The example's ``answer`` is gold: it fills ``state["srt_gold_reward"]``, and only a variant that
    uses gold sees it. ``srt_answer_key``, ``srt_pseudo_label`` and ``srt_vote_share`` are in the
    states too, after the variant's name; name them in ``state_columns`` to have them saved.

    Args:
        variant, answer_style, answer_kind, options: as of `srtbench.rewards.judge`.

    Raises:
        VariantError: no such variant or option, or it needs what verifiers does not hand over.
    """
    judge = _Groups(variant, answer_style, answer_kind, seed, options)

    def reward(
        prompts: list[Any], completions: list[Any], answers: list[Any], states: list[Any]
    ) -> list[float]:
        found = judge(prompts[0], completions, answers[0])
        for place, state in enumerate(states):
            state |= {f"{judge.name}_{name}": value for name, value in _said(found, place).items()}
        return [float(value) for value in found.train_reward]

    reward.__name__ = judge.name
    return reward


def slime_reward(
    variant: str | Mapping[str, Any],
    *,
    answer_style: str = "boxed",
    answer_kind: str = "math",
    seed: int = 0,
    **options: Any,
) -> Callable[..., Awaitable[list[Any]]]:
    """A reward for slime: ``--group-rm --custom-rm-path my_module.reward``.

    ``my_module.py`` has two lines: ``from srtbench.rewards import slime_reward`` and
    ``reward = slime_reward("srt")``. ``sample.label`` is gold, as in `verifiers_reward`. What was
    decided is in ``sample.metadata["srt"]``, after the variant's name; with ``--reward-key`` the
    reward is a dict with that key.

    Args:
        variant, answer_style, answer_kind, options: as of `srtbench.rewards.judge`.

    Raises:
        VariantError: no such variant or option, or it needs what slime does not hand over.
    """
    judge = _Groups(variant, answer_style, answer_kind, seed, options)

    async def reward(args: Any, samples: Any, **_: Any) -> list[Any]:
        if not isinstance(samples, Sequence):
            raise TypeError("slime_reward judges groups: start slime with --group-rm")
        if any(isinstance(sample, Sequence) for sample in samples):
            raise TypeError("slime_reward judges one completion per sample, not several")
        found = judge(samples[0].prompt, [sample.response for sample in samples], samples[0].label)
        for place, sample in enumerate(samples):
            sample.metadata = dict(sample.metadata or {}) | {judge.name: _said(found, place)}
        rewards = [float(value) for value in found.train_reward]
        key = getattr(args, "reward_key", None)
        return [{key: value} for value in rewards] if key else rewards

    reward.__name__ = judge.name
    return reward


def tinker_rewards(
    variant: str | Mapping[str, Any],
    *,
    answer_style: str = "boxed",
    answer_kind: str = "math",
    seed: int = 0,
    text: Callable[[Any, Any], Any] | None = None,
    **options: Any,
) -> Callable[..., Awaitable[list[tuple[float, dict[str, float]]]]]:
    """``compute_group_rewards`` of an `EnvGroupBuilder` of tinker-cookbook.

    In the class: ``_vote = staticmethod(tinker_rewards("srt"))``, and
    ``async def compute_group_rewards(self, trajectories, envs): return await
    self._vote(trajectories, envs)``. Its rewards are added to those of ``Env.step``, so a
    label-free run needs an environment whose steps give 0. The environments are like
    `ProblemEnv`: ``renderer`` reads the last action, ``get_question()`` is the prompt,
    ``get_reference_answer()`` is gold, as in `verifiers_reward`.

    Args:
        variant, answer_style, answer_kind, options: as of `srtbench.rewards.judge`.
        text: (trajectory, env) -> completion, for environments without ``renderer``.

    Raises:
        VariantError: no such variant or option, or it needs what tinker does not hand over.
    """
    judge = _Groups(variant, answer_style, answer_kind, seed, options)
    read = text or _last_action

    async def compute_group_rewards(
        trajectory_group: Sequence[Any], env_group: Sequence[Any]
    ) -> list[tuple[float, dict[str, float]]]:
        envs = list(env_group)
        completions = [read(one, env) for one, env in zip(trajectory_group, envs, strict=True)]
        question = getattr(envs[0], "get_question", None)
        answer = getattr(envs[0], "get_reference_answer", None)
        found = judge(question() if question else "", completions, answer() if answer else None)
        return [
            (
                float(found.train_reward[place]),
                {
                    f"{judge.name}/{name}": value
                    for name, value in _said(found, place).items()
                    if isinstance(value, float)
                },
            )
            for place in range(len(completions))
        ]

    return compute_group_rewards


def _last_action(trajectory: Any, env: Any) -> Any:
    """What the policy wrote last; an overflowed prompt has an empty action."""
    if not hasattr(env, "renderer"):
        raise VariantError(
            f"tinker_rewards: {type(env).__name__} has no renderer; give text=, which reads a "
            "completion from (trajectory, env)"
        )
    tokens = trajectory.transitions[-1].ac.tokens if trajectory.transitions else []
    return env.renderer.parse_response(tokens)[0] if tokens else ""


def _said(found: Judgement, place: int) -> dict[str, Any]:
    """What was decided of one completion, without what is not known."""
    said: dict[str, Any] = {
        "answer_key": found.answer_keys[place],
        "pseudo_label": found.pseudo_label,
    }
    for name, value in (
        ("vote_share", found.vote_share),
        ("gold_reward", found.gold_reward[place]),
    ):
        if value is not None:
            said[name] = float(value)
    return said
