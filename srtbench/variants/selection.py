"""Variants that train by rounds: what they select of the groups of a round, and fit on.

A round is: sample, judge, select, fit. Sampling and fitting are the method's; a variant judges a
group as any other does, and says which of its completions are fitted on, in what role.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator

from srtbench.lazy import np
from srtbench.sections import Section
from srtbench.variants.base import Group, Judgement, Variant, VariantOptions

Role = Literal["sft", "chosen", "rejected"]
Objective = Literal["sft", "dpo"]
Distinct = Literal["no", "text", "equations"]

ROLES: dict[str, tuple[Role, ...]] = {"sft": ("sft",), "dpo": ("chosen", "rejected")}
"""Objective -> the roles that it fits on."""

HINT = "{prompt} (The answer is {answer}.)"


@dataclass(frozen=True)
class Pick:
    """A completion that is fitted on.

    Attributes:
        index: place in the group, as `Candidates` counts.
        weight: factor of its loss; the pair's, where it is one of a pair.
    """

    index: int
    role: Role = "sft"
    weight: float = 1.0


@dataclass(frozen=True)
class Others:
    """Completions sampled for a group that do not vote; see `Group` for the fields."""

    completions: tuple[str, ...] = ()
    answer_keys: tuple[str | None, ...] = ()


@dataclass(frozen=True)
class Candidates:
    """What a variant selects from: a judged group, and what was sampled beside it.

    Places count through the group's own completions, then the hot ones, then the hinted ones.

    Attributes:
        step: the round, from 1.
        hot: sampled at a higher temperature. hinted: asked again, with the answer as a hint.
    """

    group: Group
    judgement: Judgement
    step: int
    hot: Others = field(default_factory=Others)
    hinted: Others = field(default_factory=Others)

    @property
    def completions(self) -> tuple[str, ...]:
        """Texts in the order of places."""
        return (*self.group.completions, *self.hot.completions, *self.hinted.completions)

    @property
    def answer_keys(self) -> tuple[str | None, ...]:
        """Answers in the order of places."""
        return (*self.group.answer_keys, *self.hot.answer_keys, *self.hinted.answer_keys)

    @property
    def first_hinted(self) -> int:
        """Place of the first hinted completion."""
        return len(self.group.completions) + len(self.hot.completions)


@dataclass(frozen=True)
class Further:
    """What is sampled for each group beside the completions that vote.

    Attributes:
        hot: completions at ``hot_temperature``.
        hinted: completions to the prompt in the words of ``hint``, with ``{prompt}`` and
            ``{answer}``, the gold answer, filled in. Asked only where no completion is right.
    """

    hot: int = 0
    hot_temperature: float = 1.0
    hinted: int = 0
    hint: str = HINT

    @property
    def most(self) -> int:
        """Completions per group, at most."""
        return self.hot + self.hinted


class TextFormat(Section):
    """One way to write a selected completion as a text to fit on."""

    prompt: str = Field("{prompt}", description="with {prompt} filled in")
    completion: str = Field("{completion}", description="with {completion} or {answer} filled in")

    @field_validator("prompt", "completion")
    @classmethod
    def _fills_in(cls, text: str, info: ValidationInfo) -> str:
        try:
            filled = text.format(prompt="\0", completion="\1", answer="\2")
        except (KeyError, ValueError, IndexError, AttributeError) as error:
            raise ValueError(
                f"{text!r}: {{prompt}}, {{completion}} and {{answer}} can be filled in, and a "
                f"brace is written twice ({type(error).__name__}: {error})"
            ) from None
        if info.field_name == "prompt" and "\0" not in filled:
            raise ValueError(f"{text!r}: needs {{prompt}}, or all prompts are the same text")
        if info.field_name == "completion" and not {"\1", "\2"} & {*filled}:
            raise ValueError(f"{text!r}: needs {{completion}} or {{answer}}")
        return text


class RoundsOptions(VariantOptions):
    """Options of a variant that keeps what agrees with its label."""

    max_per_prompt: int | None = Field(
        None, ge=1, description="completions kept of a prompt at most, drawn at random; null: all"
    )
    distinct: Distinct = Field(
        "no", description="text: equal texts count once; equations: one text per list of equations"
    )
    formats: tuple[TextFormat, ...] = Field(
        (), description="ways to write what is kept; none: the sampled tokens themselves"
    )


class RoundsVariant(Variant):
    """A variant of the method ``rounds``; it says what is selected of each group."""

    Config: ClassVar[type[VariantOptions]] = RoundsOptions

    method = "rounds"

    objective: ClassVar[Objective] = "sft"
    """What is fitted: completions (`sft`), or pairs of them (`dpo`)."""

    train_defaults: ClassVar[Mapping[str, Any]] = {}
    """Keys of `train:` where the method's own defaults are not this variant's."""

    @classmethod
    def further(cls, config: Any, samples: int) -> Further:
        """What is sampled of each prompt beside the ``samples`` completions that vote."""
        return Further()

    def select(self, candidates: Candidates, rng: np.random.Generator) -> Sequence[Pick]:
        """What to fit on of a group; ``rng`` is the group's own.

        Pairs are a `chosen` and a `rejected` one each: the first of both by place belong together,
        and so on. This one keeps every completion that has a train_reward, as the options say.
        """
        right = np.asarray(candidates.judgement.train_reward) > 0
        places = [int(place) for place in np.flatnonzero(right)]
        return kept(candidates, places, self.config, rng)

    def formats(self) -> tuple[TextFormat, ...]:
        """Ways to write what is selected; none: the sampled tokens themselves."""
        return tuple(getattr(self.config, "formats", ()))


def kept(
    candidates: Candidates, places: Sequence[int], config: Any, rng: np.random.Generator
) -> list[Pick]:
    """Completions at these places, distinct ones and as many as the options say, for SFT."""
    texts = candidates.completions
    found: dict[Any, int] = {}
    for place in places:
        found.setdefault(_sameness(texts[place], place, config.distinct), place)
    left = list(found.values())
    limit = config.max_per_prompt
    if limit is not None and len(left) > limit:
        left = sorted(int(place) for place in rng.choice(left, size=limit, replace=False))
    return [Pick(place) for place in left]


_EQUATION = re.compile(r"[-+*/()%.\d\s]{1,200}=\s*[-+]?[\d.]{1,40}")


def equations(text: str) -> tuple[str, ...]:
    """The equations between numbers in a text, without spaces, in order."""
    return tuple("".join(found.split()) for found in _EQUATION.findall(text))


def _sameness(text: str, place: int, distinct: Distinct) -> Any:
    if distinct == "no":
        return place
    return (equations(text) or text) if distinct == "equations" else text


def check_picks(
    picks: Sequence[Pick], count: int, objective: Objective, name: str
) -> Iterator[str]:
    """Why a selection cannot be fitted on.

    Args:
        count: completions there are to select from. name: of the variant's class.
    """
    places = [pick.index for pick in picks]
    if any(not 0 <= place < count for place in places) or len({*places}) < len(places):
        yield f"variant {name} selected places {places} of {count}; each may stand there once"
    if strange := sorted({pick.role for pick in picks} - {*ROLES[objective]}):
        yield (
            f"variant {name} gave the role {strange[0]!r}; its objective {objective} has "
            f"{' and '.join(ROLES[objective])}"
        )
    if any(not np.isfinite(pick.weight) or pick.weight <= 0 for pick in picks):
        yield f"variant {name} gave a weight that is not a number above 0"
    if objective == "sft" and any(pick.weight != 1 for pick in picks):
        yield f"variant {name} gave a weight other than 1, which the objective sft does not have"
    ordered = sorted(picks, key=lambda pick: pick.index)
    pairs = [[pick.weight for pick in ordered if pick.role == role] for role in ROLES["dpo"]]
    if objective == "dpo" and pairs[0] != pairs[1]:
        yield f"variant {name}: its chosen and rejected completions are not pairs of one weight"
