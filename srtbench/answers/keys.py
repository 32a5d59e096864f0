"""One canonical key per answer, with a status, for every kind of answer."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import Literal, TypeAlias, cast

from srtbench.answers.cache import ByteCache
from srtbench.answers.exact import ExactEngine, NeedsEngineError
from srtbench.answers.lexer import MalformedError
from srtbench.answers.math_keys import settle
from srtbench.answers.plain import MAX_PLAIN_CHARS, PLAIN_KINDS
from srtbench.answers.sandbox import Sandbox

Status: TypeAlias = Literal["ok", "unparsable", "timeout", "error"]
Keyed: TypeAlias = tuple[str | None, Status]
KINDS: tuple[str, ...] = ("math", *PLAIN_KINDS)
CACHE_BYTES = 32 * 1024 * 1024

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})\Z")
_UNPARSABLE: Keyed = (None, "unparsable")
_exact = ExactEngine()
_sandbox = Sandbox()
_cache: ByteCache[Keyed] = ByteCache(CACHE_BYTES)


def _math_here(answer: str) -> Keyed | None:
    """Key of an answer that needs no sympy; None when it does."""
    if _INTEGER.match(answer):
        return ("0" if answer == "-0" else answer, "ok")
    try:
        return settle(answer, _exact), "ok"
    except NeedsEngineError:
        return None
    except RecursionError:  # the caller stands deep in its own stack; the worker does not
        return None
    except MalformedError:
        return _UNPARSABLE


def _math_keys(answers: Sequence[str]) -> list[Keyed]:
    results: dict[str, Keyed] = {}
    waiting: list[str] = []
    for answer in dict.fromkeys(answers):
        known = _cache.get(answer) or _math_here(answer)
        if known is None:
            waiting.append(answer)
        else:
            results[answer] = known
    if waiting:
        for answer, (status, key) in zip(waiting, _sandbox.ask(waiting), strict=True):
            result: Keyed = (key if status == "ok" else None, cast(Status, status))
            results[answer] = result
            if status in {"ok", "unparsable"}:
                _cache.put(answer, result, sys.getsizeof(key))
    return [results[answer] for answer in answers]


def answer_keys(answers: Sequence[str], kind: str = "math") -> list[tuple[str | None, Status]]:
    """Keys and statuses of many answers, in order; one round trip to the worker for all."""
    if kind == "math":
        return _math_keys(answers)
    if kind not in PLAIN_KINDS:
        raise ValueError(f"unknown answer kind {kind!r}; choose one of: {', '.join(KINDS)}")
    make_key = PLAIN_KINDS[kind]
    results: dict[str, Keyed] = {}
    for answer in dict.fromkeys(answers):
        key = make_key(answer) if len(answer) <= MAX_PLAIN_CHARS else None
        results[answer] = _UNPARSABLE if key is None else (key, "ok")
    return [results[answer] for answer in answers]


def answer_key_status(answer: str, kind: str = "math") -> tuple[str | None, Status]:
    """Key of one answer and how it went.

    ``ok``: there is a key. ``unparsable``: the answer cannot have one. ``timeout``: it exceeded the
    time or memory of the worker. ``error``: the worker failed; the answer itself was not judged.
    """
    return answer_keys([answer], kind)[0]


def answer_key(answer: str, kind: str = "math") -> str | None:
    """Canonical key of one answer, or None: equal keys mean equal answers.

    Kinds: ``math`` (numbers, expressions, sets, intervals, matrices, words), ``text`` (exact, case
    kept), ``word`` (case ignored), ``choice`` (one letter), ``integer`` and ``number``.
    """
    return answer_keys([answer], kind)[0][0]
