"""The reward interface: a variant judges whole groups and knows nothing of the trainer."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from srtbench.votes import Vote, VotingPolicy, vote

FloatArray = npt.NDArray[np.float64]
Voter = Literal["policy", "ema_teacher"]

TOKEN_STATISTICS = ("mean_logprob", "entropy_nats", "self_certainty")
"""Names of the token statistics: means over a completion's tokens, in nats."""


class VariantError(ValueError):
    """A variant cannot be built or used as configured; the message says why."""


@dataclass(frozen=True)
class Group:
    """The completions sampled for one prompt at one step.

    Attributes:
        prompt_id, group_id: explicit names; the same prompt can stand in two groups.
        completions: (samples,) texts. completion_ids: (samples,) their token ids; empty where
            rewards are derived again from a log, which keeps texts only.
        answers: (samples,) extracted answers, None where there is none.
        answer_keys: (samples,) canonical answers, None where unparsable.
        gold_key: the hidden answer, given to variants that declare ``uses_gold`` only.
        vote_keys: (votes,) answer keys of completions that vote but are not trained on, for
            variants with a ``voter``.
        token_statistics: name -> (samples,), see TOKEN_STATISTICS; nan where unknown. Given to
            variants that declare ``needs_token_statistics`` only.
    """

    prompt_id: str
    group_id: str
    completions: tuple[str, ...]
    completion_ids: tuple[tuple[int, ...], ...]
    answers: tuple[str | None, ...]
    answer_keys: tuple[str | None, ...]
    gold_key: str | None = None
    vote_keys: tuple[str | None, ...] = ()
    token_statistics: Mapping[str, FloatArray] = field(default_factory=dict)


@dataclass(frozen=True)
class Judgement:
    """What a variant says of a group.

    Attributes:
        train_reward: (samples,) what the optimiser sees.
        pseudo_label: answer key that earned reward, None if the variant has no label.
        vote_share: share of the votes for the most frequent key; None: not voted, and the log
            then shows the group's own.
    """

    train_reward: FloatArray
    pseudo_label: str | None = None
    vote_share: float | None = None


@dataclass(frozen=True)
class TeacherLabel:
    """A label that a frozen teacher voted for."""

    label: str | None
    share: float


@dataclass(frozen=True)
class VariantContext:
    """Artifacts that were computed before training."""

    teacher_labels: Mapping[str, TeacherLabel] = field(default_factory=dict)


class Variant(ABC):
    """A reward. One instance serves one run; it keeps no state between groups."""

    uses_gold: bool = False
    """Whether ``Group.gold_key`` is filled in. False: the variant cannot see a gold answer."""

    needs_token_statistics: bool = False
    """Whether ``Group.token_statistics`` is filled in, at the price of one forward pass."""

    voter: Voter | None = None
    """Who samples ``Group.vote_keys``; None: nobody."""

    method: ClassVar[str] = "online"
    """How it trains."""

    def __init__(self, config: Any, context: VariantContext):
        self.config = config
        self.context = context

    @abstractmethod
    def judge(self, group: Group, rng: np.random.Generator) -> Judgement:
        """Reward every completion of ``group``; ``rng`` is the group's own."""

    def keeps_prompt(self, prompt_id: str, gold_key: str | None) -> bool:
        """Whether a prompt is trained on; ``gold_key`` is None unless ``uses_gold``."""
        return True

    @property
    def electorate(self) -> "Variant | None":
        """The variant, or the part of it, whose ``voter`` samples votes; None: there is none."""
        return self if self.voter else None

    def extra_votes(self, num_generations: int) -> int:
        """Votes that ``voter`` casts per group, a multiple of ``num_generations``."""
        return 0


def group_rng(seed: int, step: int, position: int) -> np.random.Generator:
    """Random numbers of the ``position``-th group of a step: the same whenever it is judged."""
    return np.random.default_rng([seed, step, position])


def agreement(keys: tuple[str | None, ...], label: str | None) -> FloatArray:
    """1 where a key equals ``label``, else 0; all 0 without a label. Shape (samples,)."""
    return np.array([float(label is not None and key == label) for key in keys])


def weights(keys: tuple[str | None, ...], outcome: Vote) -> FloatArray:
    """Each key's agreement with the outcome of a vote, shape (samples,)."""
    return np.array([outcome.weight(key) for key in keys])


def vote_rewards(
    keys: tuple[str | None, ...], policy: VotingPolicy, rng: np.random.Generator
) -> tuple[Vote, FloatArray]:
    """Vote over a group; the vote and each completion's agreement with it, shape (samples,)."""
    outcome = vote(keys, policy, rng)
    return outcome, weights(keys, outcome)
