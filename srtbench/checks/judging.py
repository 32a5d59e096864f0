"""A class from outside judges groups that are made up, in the process that this module is.

The process reads a list of jobs as JSON, and writes one JSON line per job: what would stop a run,
and what may be otherwise where the run is.
"""

import inspect
import json
import sys
import traceback
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np

from srtbench.answers.grader import Grader
from srtbench.rollouts.judge import Columns, Judge, graded_rows
from srtbench.variants import (
    TOKEN_STATISTICS,
    Candidates,
    Judgement,
    Pick,
    RoundsVariant,
    TeacherLabel,
    Variant,
    VariantContext,
    VariantError,
    group_rng,
)
from srtbench.variants.external import PluginOptions, PythonOptions, resolve
from srtbench.variants.interface import expected
from srtbench.variants.selection import ROLES, check_picks

_PROMPT = "made-up-prompt"
_WRITTEN = {
    "boxed": "so it is \\boxed{{{}}}",
    "hash": "so it is\n#### {}",
    "the_answer_is": "The answer is {}.",
    "tag": "<answer>{}</answer>",
    "answer": "Answer: {}",
}
_ANSWERS = {"choice": ("B", "C", "D"), "text": ("ab", "cd", "ef"), "word": ("ab", "cd", "ef")}
_NUMBERS = ("12", "7", "3")


@dataclass(frozen=True)
class _Case:
    """Completions of a made-up group, and in words what is special about them."""

    words: str
    answers: Sequence[str | None]


class Job(TypedDict):
    """A class, and how a run would use it; ``size``: completions of a group."""

    entry: dict[str, Any]
    answer_style: str
    answer_kind: str
    size: int


class Verdict(TypedDict):
    """What was found of a class."""

    problems: list[str]
    warnings: list[str]


_MISTAKES = (
    TypeError,
    AttributeError,
    NameError,
    ImportError,
    LookupError,
    ValueError,
    ArithmeticError,
    AssertionError,
    NotImplementedError,
    RecursionError,
)
"""Errors of the code. Others, as OSError or torch's RuntimeError, may be of this machine alone."""


def tried(job: Job) -> Verdict:
    """Make the class, and let it judge groups as training does."""
    found = Verdict(problems=[], warnings=[])
    kind = PythonOptions if job["entry"]["type"] == "python" else PluginOptions
    grader = Grader(job["answer_style"], job["answer_kind"])
    answers = _ANSWERS.get(job["answer_kind"], _NUMBERS)
    keys = grader.gold_keys(answers)
    try:
        variant, options = resolve(kind.model_validate(job["entry"]))
        instance = _made(variant, options, VariantContext({_PROMPT: TeacherLabel(keys[0], 0.5)}))
        _try(instance, grader, job["size"], answers, keys, found)
    except _UntriedError as error:
        found["warnings"].append(f"could not be tried: {error}")
    except (_MistakeError, VariantError) as error:
        found["problems"].append(str(error))
    return found


def main() -> None:
    """Serve one list of jobs."""
    jobs: list[Job] = json.load(sys.stdin)
    sink, sys.stdout = sys.stdout, sys.stderr  # a class may print
    for job in jobs:
        sink.write(json.dumps(tried(job)) + "\n")
        sink.flush()


class _UntriedError(Exception):
    """A class fails in a way that the machines that train may not share."""


class _MistakeError(Exception):
    """What is wrong with a class."""


def _made(variant: type[Variant], options: Any, context: VariantContext) -> Variant:
    missing = sorted(getattr(variant, "__abstractmethods__", ()))
    if missing:
        base = RoundsVariant if issubclass(variant, RoundsVariant) else Variant
        wanted = "; ".join(expected(base, name) for name in missing)
        raise _MistakeError(f"{variant.__name__} has no {', '.join(missing)}; write: {wanted}")
    made: Variant = _called(variant, "__init__", "its options", variant, options, context)
    return made


def _try(
    variant: Variant,
    grader: Grader,
    size: int,
    answers: Sequence[str],
    keys: Sequence[str | None],
    found: Verdict,
) -> None:
    """Judge groups as training does.

    Raises:
        _MistakeError: the first thing that is wrong. _UntriedError: nothing can be said.
    """
    name = type(variant)
    gold = keys[0] if variant.uses_gold else None
    kept = _called(name, "keeps_prompt", "a prompt", variant.keeps_prompt, _PROMPT, gold)
    if not isinstance(kept, bool | np.bool_):
        raise _MistakeError(
            f"{name.__name__}.keeps_prompt returns {_kind(kept)}, not True or False; write: "
            f"{expected(Variant, 'keeps_prompt')}"
        )
    mixed = [answers[0], answers[1], None, answers[0], answers[2]]
    votes = (keys[0], keys[1], None)
    for case in (
        _Case("with right, wrong and no answers", [mixed[n % len(mixed)] for n in range(size)]),
        _Case("that all agree", [answers[0]] * size),
        _Case("without an answer", [None] * size),
    ):
        columns = _columns(grader, case.answers)
        judge = Judge(variant, 0, {_PROMPT: keys[0]})
        cast = (votes * size)[:size] if variant.voter else ()
        group = judge.group_of(columns, range(size), cast)
        on = f"a made-up group of {size} completions {case.words}"
        said = [
            _called(name, "judge", on, variant.judge, group, group_rng(0, 1, 0)) for _ in range(2)
        ]
        if (reason := _not_a_judgement(said[0], size)) is not None:
            raise _MistakeError(
                f"{name.__name__}.judge of {on}: {reason}; write: {expected(Variant, 'judge')}, "
                "with Judgement(train_reward=np.array of shape (len(group.completions),))"
            )
        if not np.array_equal(said[0].train_reward, said[1].train_reward):
            found["warnings"].append(
                f"{name.__name__}.judge gives the same group other rewards each time: take random "
                "numbers from rng alone, and keep nothing between groups, or no audit can follow"
            )
        if isinstance(variant, RoundsVariant):
            candidates = Candidates(group, said[0], 1)
            picks = _called(name, "select", on, variant.select, candidates, group_rng(0, 1, 0))
            _check_picks(variant, picks, size, on)


def _columns(grader: Grader, answers: Sequence[str | None]) -> Columns:
    form = _WRITTEN.get(grader.answer_style, "{}")
    texts = ["" if answer is None else form.format(answer) for answer in answers]
    rows = len(texts)
    return graded_rows(
        texts,
        ["made-up-group"] * rows,
        grader=grader,
        prompt_ids=[_PROMPT] * rows,
        completion_ids=[(1, 2, 3)] * rows,
        token_statistics={name: [-0.5] * rows for name in TOKEN_STATISTICS},
    )


def _called(variant: type[Variant], method: str, on: str, call: Any, *given: Any) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a run has them in its log
            found = call(*given)
    except (Exception, SystemExit) as error:
        kind = _MistakeError if isinstance(error, _MISTAKES) else _UntriedError
        raise kind(_failure(variant, method, error, on)) from error
    if inspect.iscoroutine(found):
        found.close()
    return found


def _failure(variant: type[Variant], method: str, error: BaseException, on: str) -> str:
    """What went wrong, with the line of the class's own file."""
    frames = traceback.extract_tb(error.__traceback__)
    try:
        own = inspect.getsourcefile(variant)
    except TypeError:
        own = None
    lines = [frame.lineno for frame in frames if frame.filename == own]
    where = f" (line {lines[-1]} of its file)" if lines else ""
    return (
        f"{variant.__name__}.{method} fails on {on}: {type(error).__name__}: "
        f"{' '.join(str(error).split())}{where}"
    )


def _not_a_judgement(found: Any, size: int) -> str | None:
    """Why what `judge` returned is none for so many completions."""
    if not isinstance(found, Judgement):
        return f"it returns {_kind(found)}, not a Judgement"
    rewards = found.train_reward
    if not isinstance(rewards, np.ndarray):
        return f"train_reward is {_kind(rewards)}, not an array"
    if rewards.shape != (size,):
        return f"train_reward has the shape {rewards.shape}, not ({size},)"
    if rewards.dtype.kind not in "biuf":
        return f"train_reward holds {rewards.dtype}, not numbers"
    if not np.isfinite(rewards).all():
        return "train_reward holds a value that is not finite"
    label, share = found.pseudo_label, found.vote_share
    if label is not None and not isinstance(label, str):
        return f"pseudo_label is {_kind(label)}, not an answer key or None"
    if share is not None and not (
        isinstance(share, int | float | np.floating) and -1e-9 <= share <= 1 + 1e-9
    ):
        return f"vote_share is {share!r}, not a share between 0 and 1, or None"
    return None


def _check_picks(variant: RoundsVariant, picks: Any, size: int, on: str) -> None:
    """Each pick names a completion, and a role that the objective fits on; pairs are pairs."""
    roles = ROLES[variant.objective]
    wanted = f"write: {expected(RoundsVariant, 'select')}"
    name = f"{type(variant).__name__}.select of {on}"
    if not isinstance(picks, Sequence):
        raise _MistakeError(f"{name}: it returns {_kind(picks)}, not a list of picks; {wanted}")
    for pick in picks:
        if not isinstance(pick, Pick):
            raise _MistakeError(f"{name}: the list holds {_kind(pick)}, not a Pick; {wanted}")
        if not isinstance(pick.index, int | np.integer) or not isinstance(
            pick.weight, int | float | np.number
        ):
            raise _MistakeError(f"{name}: {pick}: index and weight are numbers; {wanted}")
        if not 0 <= pick.index < size:
            raise _MistakeError(f"{name}: there is no completion {pick.index} of {size}")
        if pick.role not in roles:
            raise _MistakeError(f"{name}: {pick.role!r} is no role of {variant.objective}: {roles}")
    for problem in check_picks(picks, size, variant.objective, type(variant).__name__):
        raise _MistakeError(f"{name}: {problem}")


def _kind(value: Any) -> str:
    """What a value is, in words."""
    if value is None:
        return "None"
    kind = type(value).__name__
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


if __name__ == "__main__":
    main()
