"""One completion as another trainer logged it, before the judge has seen it."""

from __future__ import annotations

import json
import math
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
}
"""What logs call the two phases."""


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
        return _plain(value)
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
    if isinstance(value, int | float):
        return str(value)
    return json.dumps(value, ensure_ascii=False, default=str)


def gold_of(value: Any) -> str | None:
    """A gold answer as text; nothing and empty text are none."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    text = value if isinstance(value, str) else _plain(value)
    return text if text.strip() else None


def number_of(value: Any, name: str) -> float | None:
    """A finite number; text that is one, and sums of lists per token; NaN is none."""
    if value is None or value == "":
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
        if word in ("", "none", "null", "nan"):
            return None
        if word in ("true", "yes", "correct"):
            return True
        if word in ("false", "no", "incorrect"):
            return False
    found = number_of(value, name)
    return None if found is None else found >= 0.5


def phase_of(value: Any) -> Phase:
    """train or eval, by what logs call them."""
    found = PHASES.get(str(value).strip().lower())
    if found is None:
        raise RowError(f"phase: {_short(value)} is none of {', '.join(PHASES)}")
    return found


def mean_of(values: Any) -> float | None:
    """Mean of numbers; None of none."""
    if not isinstance(values, Sequence) or isinstance(values, str | bytes) or not values:
        return None
    known = [one for one in values if isinstance(one, int | float) and math.isfinite(one)]
    return math.fsum(known) / len(known) if known else None


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
