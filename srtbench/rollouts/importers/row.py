"""One completion as another trainer logged it, before the judge has seen it."""

from __future__ import annotations

import ast
import json
import math
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from srtbench.rollouts.texts import WRITTEN_BY_POLICY, completion_text, prompt_text

Phase = Literal["train", "eval"]

PHASES: dict[str, Phase] = {
    "train": "train",
    "training": "train",
    "rollout": "train",
    "eval": "eval",
    "evaluation": "eval",
    "val": "eval",
    "valid": "eval",
    "validation": "eval",
    "test": "eval",
    "testing": "eval",
    "dev": "eval",
    "holdout": "eval",
    "heldout": "eval",
    "held-out": "eval",
    "held_out": "eval",
    "validate": "eval",
}
"""What logs call the two phases."""

MAX_STEP = 99_999_999
"""The names of parts have eight digits for a step."""

_WORDS = re.compile(r"[^a-z]+")
_NUMBERED = re.compile(r"[A-Za-z][A-Za-z _-]*[ _-]?(\d+)")
_NOTHING = ("", "none", "null", "nan", "n/a")
_TRUE = ("true", "yes", "correct", "right", "pass", "passed", "t", "y", "c")
_FALSE = ("false", "no", "incorrect", "wrong", "fail", "failed", "f", "n", "i")
_CUT = ("length", "max_tokens", "max_output_tokens", "model_length", "max_length", "truncated",
        "incomplete", "context_length")  # fmt: skip
_ENDED = ("stop", "eos", "eos_token", "end_turn", "stop_sequence", "stop_token", "complete",
          "completed", "finished", "tool_calls", "function_call", "tool_use")  # fmt: skip
_MAX_LITERAL = 2**22


class RowError(ValueError):
    """A record is no rollout; the message says why, in a few words."""


@dataclass(slots=True)
class Row:
    """A completion, and what its log says of it; None where the log is silent.

    Attributes:
        group: what the completions that vote together share; None: the prompt, within its step.
        sample: place in the group; only the order counts.
        step: optimiser step that it trains (from 1), or steps done before an evaluation.
        gold: the hidden answer, as logged.
        reward: the trainer's own. correct: the trainer's own verdict.
        policy_step: steps that the policy had done when it wrote.
        record: a name that no other rollout of the log has, if there is one.
    """

    prompt: str
    completion: str
    step: int
    phase: Phase = "train"
    eval_set: str | None = None
    group: str | None = None
    sample: int | None = None
    gold: str | None = None
    reward: float | None = None
    correct: bool | None = None
    completion_tokens: int | None = None
    truncated: bool | None = None
    mean_logprob: float | None = None
    policy_step: int | None = None
    advantage: float | None = None
    record: str | None = None

    def __post_init__(self) -> None:
        """Hold what the columns of a rollout can hold.

        Raises:
            RowError: a number does not fit.
        """
        if not 0 <= self.step <= MAX_STEP:
            raise RowError(f"step: {self.step} is not from 0 to {MAX_STEP:,}")
        if self.completion_tokens is not None and self.completion_tokens < 0:
            raise RowError(f"completion_tokens: {self.completion_tokens} is less than 0")


def text_of(value: Any) -> str | None:
    """A prompt as text, see `prompt_text`; another value as it is written."""
    if value is None or isinstance(value, str):
        return value
    messages = messages_of(value)
    return _plain(value) if messages is None else prompt_text(messages)


def completion_of(value: Any) -> str | None:
    """A completion as text: of chat messages, what the assistant wrote, else all of them."""
    if value is None or isinstance(value, str):
        return value
    messages = messages_of(value)
    if messages is None:
        if isinstance(value, Mapping):
            names = ", ".join(map(str, [*value][:6]))
            raise RowError(f"completion: is an object of {names}; name what is in it")
        if isinstance(value, Sequence) and not isinstance(value, str | bytes) and len(value) != 1:
            raise RowError(f"completion: is a list of {len(value)}; one text is wanted")
        return completion_of(value[0]) if isinstance(value, list | tuple) else _plain(value)
    own = any((one.get("role") or WRITTEN_BY_POLICY) == WRITTEN_BY_POLICY for one in messages)
    return completion_text(messages) if own else prompt_text(messages)


def messages_of(value: Any) -> list[Mapping[str, Any]] | None:
    """Chat messages, however they are wrapped; None: it is none."""
    if isinstance(value, Mapping):
        for key in ("messages", "chat", "conversation"):
            if key in value:
                return messages_of(value[key])
        return [value] if "content" in value else None
    if not isinstance(value, Sequence) or isinstance(value, str | bytes) or not value:
        return None
    alike = all(isinstance(one, Mapping) and "content" in one for one in value)
    return list(value) if alike else None


def _plain(value: Any) -> str:
    """Any other value as text: a list of one element is the element."""
    if isinstance(value, Sequence) and not isinstance(value, str | bytes) and len(value) == 1:
        return _plain(value[0])
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, Mapping | Sequence):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


_TEXTS = re.compile(r"\s*\[\s*[\"']")
"""How a list of quoted texts begins."""


def gold_of(value: Any) -> str | None:
    """A gold answer as text; of several texts, also as text that holds their list, the first.

    Nothing, empty text, an empty list and an object are none: no completion is equal to one.
    """
    inside = listed(value) if isinstance(value, str) and _TEXTS.match(value) else value
    if isinstance(inside, list | tuple) and all(isinstance(one, str) for one in inside):
        value = next((one for one in inside if one.strip()), None)
    if value is None or isinstance(value, Mapping):
        return None
    if isinstance(value, float) and math.isnan(value):
        return None
    text = value if isinstance(value, str) else _plain(value)
    return text if text.strip() else None


def number_of(value: Any, name: str) -> float | None:
    """A finite number; text that is one, and sums of lists per token; NaN is none."""
    if value is None or (isinstance(value, str) and value.strip().lower() in _NOTHING):
        return None
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        parts = [number_of(part, name) for part in value]
        return None if not parts else math.fsum(part for part in parts if part is not None)
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        raise RowError(f"{name}: {_short(value)} is no number") from None
    return found if math.isfinite(found) else None


def whole_of(value: Any, name: str) -> int | None:
    """A whole number; ``"10"`` and ``10.0`` are ones."""
    found = value if type(value) is int else number_of(value, name)
    if found is None:
        return None
    if found != int(found) or not -(2**31) <= found < 2**31:
        raise RowError(f"{name}: {_short(value)} is no whole number")
    return int(found)


def truth_of(value: Any, name: str) -> bool | None:
    """True or false: also as text, and as a number, of which a half and more is true."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        word = value.strip().lower()
        if word in _NOTHING:
            return None
        if word in _TRUE or word in _FALSE:
            return word in _TRUE
    found = number_of(value, name)
    return None if found is None else found >= 0.5


def cut_of(value: Any, name: str) -> bool | None:
    """Whether a completion was cut off: true or false, or why it ended, as engines say it."""
    if isinstance(value, str):
        word = value.strip().lower()
        if word in _CUT or word in _ENDED:
            return word in _CUT
    return truth_of(value, name)


def step_of(value: Any, name: str = "step") -> int | None:
    """A step: a whole number, also behind a word, as in ``global_step_10``."""
    if isinstance(value, str) and (found := _NUMBERED.fullmatch(value.strip())):
        return int(found[1])
    return whole_of(value, name)


def phase_of(value: Any, column: str = "") -> Phase:
    """train or eval, by what logs call them, also in a name that is made of several words.

    Args:
        column: where it stands; it says what true and false mean, as ``is_eval`` does.
    """
    if isinstance(value, bool) or value in (0, 1, "0", "1") or str(value).lower() in _BOOLEAN:
        true = truth_of(value, "phase")
        named = _phases_in(column)
        if len(named) != 1:
            raise RowError(f"phase: {_short(value)} in '{column}' does not say which phase it is")
        return "train" if true == ("train" in named) else "eval"
    text = str(value).strip().lower()
    found = PHASES.get(text)
    if found is None:
        named = _phases_in(text)
        if len(named) != 1:
            raise RowError(f"phase: {_short(value)} is none of {', '.join(PHASES)}")
        (found,) = named
    return found


def _phases_in(text: str) -> set[Phase]:
    """Phases that the words of a name say; a rollout may be of either."""
    words = _WORDS.split(text.lower())
    return {PHASES[word] for word in words if word in PHASES and word != "rollout"}


_BOOLEAN = ("true", "false")


def mean_of(values: Any) -> float | None:
    """Mean of numbers; None of none. Of log-probabilities that stand beside their tokens too."""
    if not isinstance(values, Sequence) or isinstance(values, str | bytes) or not values:
        return None
    if isinstance(values[0], Mapping):
        values = [one.get("logprob") for one in values if isinstance(one, Mapping)]
    known = [one for one in values if isinstance(one, int | float) and math.isfinite(one)]
    return math.fsum(known) / len(known) if known else None


def parsed(text: str) -> Any:
    """What a text holds as JSON, or as Python writes lists and dictionaries; else the text."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    if len(text) > _MAX_LITERAL:
        return text
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return text


def listed(value: Any) -> Any:
    """A list that stands in a text, as in a cell of a CSV file; any other value as it is."""
    if isinstance(value, str) and value.lstrip()[:1] == "[":
        found = parsed(value)
        return list(found) if isinstance(found, list | tuple) else value
    return value


def chat_in(value: Any) -> Any:
    """Chat messages that stand in a text; any other value as it is."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{") and "content" in value:
        found = parsed(value)
        if (messages := messages_of(found)) and all("role" in one for one in messages):
            return messages
    return value


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
