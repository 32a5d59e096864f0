"""The reward interface: a variant judges whole groups and knows nothing of the trainer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from pydantic import Field

from srtbench.lazy import np
from srtbench.sections import Section
from srtbench.variants.published import Recipe, RoundsRecipe
from srtbench.votes import Vote, VotingPolicy

if TYPE_CHECKING:
    import numpy.typing as npt

FloatArray: TypeAlias = "npt.NDArray[np.float64]"
Voter = Literal["policy", "ema_teacher", "snapshot_teacher"]
Method = Literal["online", "rounds"]

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
        shown_gold: (1,) the hidden answer, where the variant may see it; else empty. Read it as
            ``gold_key``.
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
    shown_gold: tuple[str | None, ...] = field(default=(), repr=False)
    vote_keys: tuple[str | None, ...] = ()
    token_statistics: Mapping[str, FloatArray] = field(default_factory=dict)

    @property
    def gold_key(self) -> str | None:
        """The hidden answer; None if it has no key.

        Raises:
            VariantError: the variant does not declare that it uses gold.
        """
        if not self.shown_gold:
            raise VariantError(
                "gold_key is hidden from a variant that does not declare it; write "
                "`uses_gold = True` in its class, and every page will say that the run uses gold"
            )
        return self.shown_gold[0]

    def with_gold(self, gold_key: str | None) -> Group:
        """The group as a variant sees it that declares ``uses_gold``."""
        return replace(self, shown_gold=(gold_key,))

    def without_gold(self) -> Group:
        """The group as any other variant sees it."""
        return replace(self, shown_gold=())


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


VOTING = "how answers become one pseudo-label"
"""What every `voting:` is."""


class VariantOptions(Section):
    """Options of a variant in a sweep file. A built-in one adds ``type``, its name there."""

    def under(self, voting: VotingPolicy) -> dict[str, Any]:
        """What changes in the options of a variant that votes, under another rule."""
        return {"voting": voting}


class TeacherOptions(VariantOptions):
    """Options of a variant whose labels are votes of the frozen start model, computed once."""

    votes: int | None = Field(None, ge=1, description="votes per prompt; null: num_generations")
    temperature: float = Field(1.0, gt=0, description="at which the teacher samples its votes")
    voting: VotingPolicy = Field(default_factory=VotingPolicy, description=VOTING)


@dataclass(frozen=True)
class Teacher:
    """How the frozen start model labels the prompts before training.

    Attributes:
        votes: per prompt; None: as many as there are completions in a group.
    """

    votes: int | None
    temperature: float
    voting: VotingPolicy


class Variant(ABC):
    """A reward. One instance serves one run; it keeps no state between groups.

    A plan asks the class, before there is an instance, what a run will need; answers that depend
    on the options take them as ``config``.
    """

    Config: ClassVar[type[VariantOptions]] = VariantOptions
    """Options; a class of its own nested in the variant if it has any."""

    votes_on_answers: ClassVar[bool] = False
    """Whether agreement of answers is taken for a sign of rightness, so that a question must have
    one right answer. Nothing finds this out of a class from outside: it must say so."""

    uses_gold: bool = False
    """Whether the variant sees ``Group.gold_key``; otherwise reading it is an error."""

    needs_token_statistics: bool = False
    """Whether ``Group.token_statistics`` is filled in, at the price of one forward pass."""

    voter: Voter | None = None
    """Who samples ``Group.vote_keys``; None: nobody."""

    method: ClassVar[Method] = "online"
    """How it trains; of ``rounds`` are the classes of `srtbench.variants.selection`."""

    published: ClassVar[Recipe | RoundsRecipe | None] = None
    """How its source trained with it."""

    def __init__(self, config: Any, context: VariantContext):
        self.config = config
        self.context = context

    @classmethod
    def sees_gold(cls, config: Any) -> bool:
        """What ``uses_gold`` will be of an instance with these options."""
        return bool(cls.uses_gold)

    @classmethod
    def extra_votes(cls, config: Any, num_generations: int) -> int:
        """Votes that ``voter`` casts per group, a multiple of ``num_generations``."""
        return 0

    @classmethod
    def model_copies(cls, config: Any) -> int:
        """Models of the policy's size that a run holds beside policy and reference model."""
        return 0 if cls.voter in (None, "policy") else 1

    @classmethod
    def voted_at(cls, config: Any, step: int) -> int | None:
        """Optimiser steps of ``voter`` when it votes on the rollouts that ``step`` trains.

        None: it is no policy of one step, or the log does not say.
        """
        return None

    @classmethod
    def teacher(cls, config: Any) -> Teacher | None:
        """Who labels the prompts before training, for ``VariantContext.teacher_labels``."""
        return None

    @classmethod
    def trains_on_eval_prompts(cls, config: Any) -> bool:
        """Whether the train prompts are the evaluation prompts, on purpose."""
        return False

    @abstractmethod
    def judge(self, group: Group, rng: np.random.Generator) -> Judgement:
        """Reward every completion of ``group``; ``rng`` is the group's own."""

    def keeps_prompt(self, prompt_id: str, gold_key: str | None) -> bool:
        """Whether a prompt is trained on; ``gold_key`` is None unless ``uses_gold``."""
        return True

    @property
    def electorate(self) -> Variant | None:
        """The variant, or the part of it, whose ``voter`` samples votes; None: there is none."""
        return self if self.voter else None


def group_rng(seed: int, step: int, position: int) -> np.random.Generator:
    """Random numbers of the ``position``-th group of a step: the same whenever it is judged."""
    return np.random.default_rng([seed, step, position])


def agreement(keys: tuple[str | None, ...], label: str | None) -> FloatArray:
    """1 where a key equals ``label``, else 0; all 0 without a label. Shape (samples,)."""
    return np.array([float(label is not None and key == label) for key in keys])


def weights(keys: tuple[str | None, ...], outcome: Vote) -> FloatArray:
    """Each key's agreement with the outcome of a vote, shape (samples,)."""
    return np.array([outcome.weight(key) for key in keys])
