"""Any variant on plain lists: what it needs, and what it says of groups."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from srtbench.answers import KINDS, STYLES
from srtbench.answers.grader import Grader
from srtbench.config.errors import allowed
from srtbench.config.variants import VariantConfig
from srtbench.rollouts.judge import Columns, Judge, Judged, graded_rows
from srtbench.rollouts.texts import completion_text
from srtbench.variants import (
    COMBINATIONS,
    TOKEN_STATISTICS,
    VARIANTS,
    TeacherLabel,
    VariantContext,
    VariantError,
    build_variant,
    facts,
)
from srtbench.variants import Judgement as VariantJudgement
from srtbench.variants.external import PluginOptions, PythonOptions
from srtbench.votes import vote

_ENTRY: TypeAdapter[Any] = TypeAdapter(VariantConfig)
_OPTIONS: dict[str, Any] = {
    **{name: variant.Config for name, variant in VARIANTS.items()},
    **{name: variant.Config for name, variant in COMBINATIONS.items()},
    "python": PythonOptions,
    "plugin": PluginOptions,
}
_TEACHER_SEED = 1


@dataclass(frozen=True)
class Judgement(VariantJudgement):
    """What a variant says of a group, and what it was said of.

    Attributes:
        answers: (samples,) extracted answers. answer_keys: (samples,) their canonical form; equal
            keys are equal answers. Both None where there is none.
        verifier_status: (samples,) ok, unparsable, timeout or error.
        gold_reward: (samples,) 1.0 or 0.0 by agreement with gold; None where gold was not given.
    """

    answers: tuple[str | None, ...] = ()
    answer_keys: tuple[str | None, ...] = ()
    verifier_status: tuple[str, ...] = ()
    gold_reward: tuple[float | None, ...] = ()


class Reward:
    """A variant with its options, ready to judge groups.

    Args:
        variant: its name, e.g. "srt", or an entry as in a sweep file.
        options: options of the variant.

    Attributes:
        entry: the checked entry. facts: what the variant answers of itself.

    Raises:
        VariantError: there is no such variant, option, answer style or kind, or the variant does
            not train by rewards; one line that says what is allowed.
    """

    def __init__(
        self,
        variant: str | Mapping[str, Any],
        options: Mapping[str, Any],
        *,
        answer_style: str = "boxed",
        answer_kind: str = "math",
        seed: int = 0,
    ):
        for name, given, choices in (
            ("answer_style", answer_style, STYLES),
            ("answer_kind", answer_kind, KINDS),
        ):
            if given not in choices:
                raise VariantError(f"{name}: {given!r} is not allowed; {allowed(given, choices)}")
        self.entry = variant_entry(variant, options)
        self.facts = facts(self.entry)
        self.grader = Grader(answer_style, answer_kind)
        self.seed = seed
        for leaf in self.facts.leaves:
            if leaf.variant.method != "online":
                raise VariantError(
                    f"variant {leaf.name} trains in {leaf.variant.method}, not by rewards of a "
                    "step; train it with `srtbench sweep`"
                )

    @property
    def name(self) -> str:
        """Its name in tables."""
        return str(self.entry.label)

    def require(self, given: Mapping[str, str | None]) -> None:
        """Refuse what the variant needs and the caller cannot give.

        Args:
            given: need (gold, votes, teacher, statistics) -> how to give it; left out: it is
                given; None: it cannot be.

        Raises:
            VariantError: a need is not met; one line that names it.
        """
        needs = {
            "gold": (self.facts.uses_gold, "uses gold answers"),
            "votes": (self.facts.voter is not None, "needs further votes of each group"),
            "teacher": (self.facts.teacher is not None, "needs votes of the frozen start model"),
            "statistics": (self.facts.needs_token_statistics, "reads token statistics"),
        }
        for need, (is_due, words) in needs.items():
            if is_due and need in given:
                how = given[need] or "which are not to be had here; train with `srtbench sweep`"
                raise VariantError(f"variant {self.name} {words}: {how}")

    def graded(
        self,
        completions: Sequence[Any],
        group_ids: Sequence[str],
        prompt_ids: Sequence[str],
        statistics: Mapping[str, Sequence[float | None]] | None = None,
    ) -> Columns:
        """Columns of `graded_rows` for texts or chat messages; raises as that."""
        return graded_rows(
            [completion_text(completion) for completion in completions],
            group_ids,
            grader=self.grader,
            prompt_ids=prompt_ids,
            token_statistics=statistics,
        )

    def step(
        self,
        columns: Columns,
        golds: Mapping[str, str],
        *,
        step: int = 1,
        positions: Sequence[int] | None = None,
        votes: Mapping[str, Sequence[Any]] | None = None,
        teacher: Mapping[str, Sequence[Any]] | None = None,
    ) -> Judged:
        """Judge the groups of a step, in the order in which they are first seen.

        Args:
            columns: graded rows.
            golds: prompt_id -> gold answer, where there is one; only a variant that uses gold
                sees it.
            positions: of the groups among those of the step, where they are not all of them.
            votes: group_id -> completions that vote and are not trained on.
            teacher: prompt_id -> completions of the frozen start model.

        Raises:
            VariantError: a need of the variant is not met.
        """
        gold_keys = dict(zip(golds, self.grader.gold_keys([*golds.values()]), strict=True))
        variant = build_variant(self.entry, VariantContext(self._labels(teacher or {})))
        self._check_prompts(variant, columns["prompt_id"], gold_keys)
        cast = {group: self._keys(texts) for group, texts in (votes or {}).items()}
        try:
            return Judge(variant, self.seed, gold_keys).step(columns, step, cast, positions)
        except KeyError as error:
            if error.args[0] not in TOKEN_STATISTICS:
                raise
            raise VariantError(
                f"variant {self.name} reads the token statistic {error.args[0]}, which is not given"
            ) from None

    def _keys(self, completions: Sequence[Any]) -> list[str | None]:
        return self.grader.grade([completion_text(one) for one in completions]).keys

    def _labels(self, completions: Mapping[str, Sequence[Any]]) -> dict[str, TeacherLabel]:
        """Labels by votes of the frozen start model, by the variant's own rule."""
        teacher = self.facts.teacher
        if teacher is None:
            return {}
        found = {}
        for prompt_id, texts in completions.items():
            rng = np.random.default_rng([_TEACHER_SEED, self.seed])
            outcome = vote(self._keys(texts), teacher.voting, rng)
            found[prompt_id] = TeacherLabel(outcome.label, outcome.share)
        return found

    def _check_prompts(
        self, variant: Any, prompt_ids: Sequence[str], gold_keys: Mapping[str, str | None]
    ) -> None:
        """Every prompt has what the variant reads of it, and is one that it trains on."""
        labels = variant.context.teacher_labels
        for prompt_id in dict.fromkeys(prompt_ids):
            if self.facts.uses_gold and prompt_id not in gold_keys:
                raise VariantError(f"variant {self.name} uses gold, and a prompt has no gold")
            if self.facts.teacher is not None and prompt_id not in labels:
                raise VariantError(f"variant {self.name} needs votes of the frozen start model")
            gold = gold_keys.get(prompt_id) if self.facts.uses_gold else None
            if not variant.keeps_prompt(prompt_id, gold):
                raise VariantError(
                    f"variant {self.name} leaves this prompt out of training: drop it before"
                )


def variant_entry(variant: str | Mapping[str, Any], options: Mapping[str, Any]) -> Any:
    """The checked entry of a variant; raises as `Reward`."""
    content: dict[str, Any] = {"type": variant} if isinstance(variant, str) else dict(variant)
    name = content.get("type")
    if name not in _OPTIONS:
        raise VariantError(f"there is no variant {name!r}; {allowed(name, _OPTIONS)}")
    known = [key for key in _OPTIONS[name].model_fields if key != "type"]
    content |= options
    for key in content:
        if key not in known and key != "type":
            choices = allowed(key, known) if known else "it has none"
            raise VariantError(f"variant {name} has no option {key!r}; {choices}")
    try:
        return _ENTRY.validate_python(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        at = ".".join(str(part) for part in first["loc"] if part != name)
        message = first["msg"].removeprefix("Value error, ").splitlines()[0]
        raise VariantError(f"variant {name}: {at + ': ' if at else ''}{message}") from None


def judge(
    variant: str | Mapping[str, Any],
    completions: Sequence[Any],
    *,
    answer_style: str = "boxed",
    answer_kind: str = "math",
    gold: str | None = None,
    vote_completions: Sequence[Any] | None = None,
    teacher_completions: Sequence[Any] | None = None,
    token_statistics: Mapping[str, Sequence[float | None]] | None = None,
    seed: int = 0,
    step: int = 1,
    position: int = 0,
    **options: Any,
) -> Judgement:
    r"""What a variant says of one group: the completions sampled for one prompt.

    >>> judge("srt", ["\\boxed{1/2}", "\\boxed{0.5}", "\\boxed{3}"]).train_reward.tolist()
    [1.0, 1.0, 0.0]

    Args:
        variant: any name of `srtbench.variants.VARIANTS`, "all_of", "weighted", "python",
            "plugin", or an entry as in a sweep file.
        completions: (samples,) texts, or lists of chat messages.
        answer_style, answer_kind: how answers are found and compared; see docs/answers.md.
        gold: the right answer. A label-free variant does not see it; it fills ``gold_reward``.
        vote_completions: completions that vote and are not trained on, for ttrl and ema_teacher.
        teacher_completions: completions of the frozen start model, for fixed_teacher.
        token_statistics: name -> (samples,) means over tokens in nats, see `TOKEN_STATISTICS`.
        seed, step, position: what random numbers depend on (ties, coin flips): the same group
            gets the same; give the groups of a step their positions.
        options: of the variant, e.g. ``voting={"tie": "abstain"}``.

    Raises:
        VariantError: no such variant or option, or something that the variant needs is not given;
            one line. ValueError: there are no completions, or lengths differ.
    """
    if isinstance(completions, str):
        raise TypeError("completions: a list of texts is wanted, not one text")
    if not len(completions):
        raise ValueError("completions: there are none")
    reward = Reward(variant, options, answer_style=answer_style, answer_kind=answer_kind, seed=seed)
    offered = {
        "gold": (gold, "give gold=, the right answer"),
        "votes": (
            vote_completions or None,
            "give vote_completions=, texts that vote and do not train",
        ),
        "teacher": (
            teacher_completions or None,
            "give teacher_completions=, its texts for this prompt",
        ),
        "statistics": (
            token_statistics or None,
            f"give token_statistics= of {', '.join(TOKEN_STATISTICS)}",
        ),
    }
    reward.require({need: how for need, (value, how) in offered.items() if value is None})
    unknown = set(token_statistics or ()) - set(TOKEN_STATISTICS)
    if unknown:
        name = sorted(unknown)[0]
        raise VariantError(f"token_statistics: no {name!r}; {allowed(name, TOKEN_STATISTICS)}")
    rows = len(completions)
    due = reward.facts.extra_votes(rows)
    if vote_completions and "votes" in options and due != len(vote_completions):
        raise VariantError(
            f"variant {reward.name}: votes={options['votes']} and {rows} completions leave {due} "
            f"further votes, but vote_completions has {len(vote_completions)}"
        )
    columns = reward.graded(completions, ["group"] * rows, ["prompt"] * rows, token_statistics)
    judged = reward.step(
        columns,
        {} if gold is None else {"prompt": gold},
        step=step,
        positions=[position],
        votes={"group": vote_completions} if vote_completions else None,
        teacher={"prompt": teacher_completions} if teacher_completions else None,
    )
    found = judged.groups["group"]
    return Judgement(
        train_reward=found.train_reward,
        pseudo_label=found.pseudo_label,
        vote_share=found.vote_share,
        answers=tuple(columns["answer"]),
        answer_keys=tuple(columns["answer_key"]),
        verifier_status=tuple(columns["verifier_status"]),
        gold_reward=tuple(judged.columns["gold_reward"]),
    )
