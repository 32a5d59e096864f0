"""Find the answer a completion gives, as text. Nothing here parses mathematics."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable

_BOX = re.compile(r"\\(?:boxed|fbox)(?![A-Za-z])")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_BARE = re.compile(r"[ \t]*([^\s{}$.,;]+(?:[.,]\d+)*)")
_HASH = re.compile(r"####[ \t]*([^\n]*)")
_PHRASE = re.compile(r"\bthe\s+(?:final\s+|correct\s+)?answer\s+is\b[ \t]*:?", re.IGNORECASE)
_SENTENCE_END = re.compile(r"\n|[.!?](?:\s|$)")
_OPEN_TAG, _CLOSE_TAG = "<answer>", "</answer>"


def _clean(text: str) -> str | None:
    """Strip white space and one pair of dollar signs; None when nothing that could vote is left."""
    text = text.strip()
    for mark in ("$$", "$"):
        inner = text[len(mark) : -len(mark)]
        if len(text) > 2 * len(mark) and text.startswith(mark) and text.endswith(mark):
            if "$" not in inner and not inner.endswith("\\"):
                text = inner.strip()
            break
    return text if any(c.isprintable() and not c.isspace() for c in text) else None


def _balanced(text: str, start: int) -> str | None:
    r"""The inside of the brace group that opens at ``start``; ``\{`` and ``\}`` do not count."""
    depth = 0
    for match in _BRACE.finditer(text, start):
        if match[0] == "{":
            depth += 1
        elif match[0] == "}":
            depth -= 1
            if depth == 0:
                return text[start + 1 : match.start()]
    return None


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    tail = deque(pattern.finditer(text), maxlen=1)
    return tail[0] if tail else None


def _boxed(completion: str) -> str | None:
    """The last box. If it is cut off there is no answer: an earlier box was not the final word."""
    last = _last(_BOX, completion)
    if last is None:
        return None
    rest = completion[last.end() :]
    body = rest.lstrip(" \t\n")
    if body.startswith("{"):
        inner = _balanced(body, 0)
        return None if inner is None else _clean(inner)
    bare = _BARE.match(rest)
    return _clean(bare[1]) if bare else None


def _hash(completion: str) -> str | None:
    found = _last(_HASH, completion)
    return _clean(found[1]) if found else None


def _the_answer_is(completion: str) -> str | None:
    """What follows the last "the answer is", up to the end of its sentence or line."""
    found = _last(_PHRASE, completion)
    if found is None:
        return None
    rest = completion[found.end() :].lstrip()
    if _BOX.match(rest):
        return _boxed(rest)
    return _clean(_SENTENCE_END.split(rest, maxsplit=1)[0])


def _tag(completion: str) -> str | None:
    start = completion.rfind(_OPEN_TAG)
    if start < 0:
        return None
    start += len(_OPEN_TAG)
    end = completion.find(_CLOSE_TAG, start)
    return None if end < 0 else _clean(completion[start:end])


def _line(completion: str) -> str | None:
    lines = [line.strip() for line in completion.splitlines() if line.strip()]
    return _exact(lines[-1]) if lines else None


def _exact(completion: str) -> str | None:
    text = completion.strip()
    return text if any(c.isprintable() and not c.isspace() for c in text) else None


_EXTRACTORS: dict[str, Callable[[str], str | None]] = {
    "boxed": _boxed,
    "hash": _hash,
    "the_answer_is": _the_answer_is,
    "tag": _tag,
    "line": _line,
    "text": _exact,
}
STYLES: tuple[str, ...] = tuple(_EXTRACTORS)


def extract(completion: str, style: str = "boxed") -> str | None:
    r"""Return the answer text of a completion, or None when it gives none.

    Styles: ``boxed`` (last ``\boxed{}`` or ``\fbox{}``, braces balanced; a truncated last box is
    no answer), ``hash`` (last ``#### n``), ``the_answer_is`` (last "the answer is ..."), ``tag``
    (last ``<answer>...</answer>``), ``line`` (last non-empty line) and ``text`` (the whole
    completion). An answer that is empty or white space is None: it must never vote.
    """
    try:
        extractor = _EXTRACTORS[style]
    except KeyError:
        allowed = ", ".join(STYLES)
        raise ValueError(f"unknown extraction style {style!r}; choose one of: {allowed}") from None
    return extractor(completion)
