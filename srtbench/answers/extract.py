"""Find the answer a completion gives, as text. Nothing here parses mathematics."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable

_BOX = re.compile(r"\\(?:boxed|fbox)(?![A-Za-z])")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_BARE = re.compile(r"[ \t]*([^\s{}$.,;]+(?:[.,]\d+)*)")
_HASH = re.compile(r"####[ \t]*([^\n]*)")
_ASIDE = r"(?:\s*\([^()\n]{0,80}\))?"
_PHRASE = re.compile(
    rf"\bthe\s+(?:final\s+|correct\s+)?answer{_ASIDE}\s+is\b[ \t*_]*:?[ \t*_]*", re.IGNORECASE
)
_LABEL = re.compile(rf"\banswer{_ASIDE}[ \t*_]*:[ \t*_]*", re.IGNORECASE)
_LABEL_FIRST = re.compile(r"[\s*_#>-]*(?:the\s+)?(?:final\s+|correct\s+)?answer\b", re.IGNORECASE)
_SENTENCE_END = re.compile(r"\n|[.!?](?:\s|[*_]*$)")
_DISPLAY = (("\\[", "\\]"), ("$$", "$$"))
# A number with more sentence behind it: what follows is about the answer and no part of it.
_NUMBER_FIRST = re.compile(
    r"([-+\u2212$]?\\?\$?[0-9][0-9,./]*(?<![,.])[$%]?)(?:,\s+(?!and\b|or\b)[A-Za-z]{2,}|[.;:!]\s+[A-Z])"
)
# What may stand between two boxes that are one list, and the name in front of a box.
_BLANK = re.compile(r"\\(?:q?quad(?![A-Za-z])|[()\[\],;:! ])|\\(?:text|mathrm)\s*\{|[\s${}]")
_NAMED = r"((?:[A-Za-z](?:_\w)?) ?=)"
_BETWEEN = re.compile(rf"([,;])? ?(and|or)? ?{_NAMED}?\Z")
_NAME = re.compile(rf"(?<![A-Za-z\\]){_NAMED} ?\Z")
MAX_BETWEEN = 60
MAX_BOXES = 64
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


def _unmarked(text: str) -> str:
    """Without Markdown's bold around the text, or the half of it that was cut off with the rest."""
    text = text.strip()
    if text.startswith("**") and (text.endswith("**") or text.count("**") % 2):
        text = text[2:]
    if text.endswith("**") and text.count("**") % 2:
        text = text[:-2]
    return text.strip()


def _content(text: str, end: int) -> str | None:
    """What the box holds whose command ends at ``end``; None when it is cut off or empty."""
    body = text[end:].lstrip(" \t\n")
    if body.startswith("{"):
        inner = _balanced(body, 0)
        return None if inner is None else _clean(inner)
    bare = _BARE.match(text, end)
    return _clean(bare[1]) if bare else None


def _box_end(text: str, end: int) -> int:
    """Where a whole box ends, given where its command does."""
    opening = text.find("{", end)
    if opening < 0 or text[end:opening].strip(" \t\n"):
        bare = _BARE.match(text, end)
        return bare.end() if bare else end
    inner = _balanced(text, opening)
    return len(text) if inner is None else opening + len(inner) + 2


def _boxed(completion: str) -> str | None:
    """The last box, with those joined to it by a comma, "and" or "or" as one list.

    If the last box is cut off there is no answer: an earlier box was not the final word.
    """
    boxes = deque(_BOX.finditer(completion), maxlen=MAX_BOXES)
    if not boxes:
        return None
    last = boxes.pop()
    content = _content(completion, last.end())
    parts = [] if content is None else [(content, "")]
    names: list[str] = []
    while boxes and content is not None:
        before = boxes.pop()
        gap = completion[_box_end(completion, before.end()) : last.start()]
        joint = _BETWEEN.match(_bare_text(gap)) if len(gap) <= MAX_BETWEEN else None
        if joint is None or not (joint[1] or joint[2]):
            break
        content = _content(completion, before.end())
        if content is None:
            break
        names.insert(0, joint[3] or "")
        word = " or " if joint[2] == "or" else f"{joint[1] or ','} "
        parts.insert(0, (content, word))
        last = before
    return _listed(completion[: last.start()], parts, names)


def _bare_text(text: str) -> str:
    """Text between boxes without the marks of mathematics, spaces single."""
    return " ".join(_BLANK.sub(" ", text).split())


def _listed(before: str, parts: list[tuple[str, str]], names: list[str]) -> str | None:
    """One text of the boxes of a list, each with its name when all have one."""
    if len({content for content, _ in parts}) < 2:
        return parts[-1][0] if parts else None
    first = _NAME.search(_bare_text(before[-MAX_BETWEEN:]))
    if any(names) != all(names) or bool(first) != any(names):
        return parts[-1][0]
    heads = [first[1] if first else "", *names]
    several = any(
        "," in content and not content.startswith(("(", "[", "\\")) for content, _ in parts
    )
    text = ""
    for head, (content, word) in zip(heads, parts, strict=True):
        joint = "; " if several and word.startswith(",") else word
        text += f"{head}{content}{joint}"
    return text


def _hash(completion: str) -> str | None:
    found = _last(_HASH, completion)
    return _clean(_unmarked(found[1])) if found else None


def _display(text: str) -> tuple[bool, str | None]:
    """Whether display mathematics opens a text, and what it holds unless it is cut off."""
    for opener, closer in _DISPLAY:
        if text.startswith(opener):
            end = text.find(closer, len(opener))
            return True, None if end < 0 else text[len(opener) : end]
    return False, None


def _after_phrase(rest: str, whole_line: bool) -> str | None:
    """The answer at the start of what follows a phrase: display mathematics, a box, or a text.

    The text ends with its sentence; after a label it is the whole line, since names have points.
    """
    rest = rest.lstrip(" \t\n*_") if rest.lstrip().startswith("**") else rest.lstrip()
    opened, inner = _display(rest)
    if opened:
        return None if inner is None else _within(inner)
    if _BOX.match(rest):
        return _boxed(rest)
    text = (rest.split("\n", 1) if whole_line else _SENTENCE_END.split(rest, maxsplit=1))[0]
    number = _NUMBER_FIRST.match(text)
    return _within(number[1] if number else text)


def _within(text: str) -> str | None:
    return _boxed(text) if _BOX.search(text) else _clean(_unmarked(text))


def _the_answer_is(completion: str) -> str | None:
    """What follows the last "the answer is", up to the end of its sentence or line."""
    found = _last(_PHRASE, completion)
    return None if found is None else _after_phrase(completion[found.end() :], whole_line=False)


def _answer(completion: str) -> str | None:
    """What follows the last "Answer:", on its line; "the answer is" after it belongs to it."""
    found = _last(_LABEL, completion)
    if found is None:
        return None
    rest = completion[found.end() :]
    phrase = _PHRASE.match(rest.lstrip())
    if phrase is not None:
        return _after_phrase(rest.lstrip()[phrase.end() :], whole_line=False)
    return _after_phrase(rest, whole_line=True)


def _tag(completion: str) -> str | None:
    start = completion.rfind(_OPEN_TAG)
    if start < 0:
        return None
    start += len(_OPEN_TAG)
    end = completion.find(_CLOSE_TAG, start)
    return None if end < 0 else _clean(completion[start:end])


def _line(completion: str) -> str | None:
    """The last line that is not empty, without a label "Answer:" in front."""
    lines = [line.strip() for line in completion.splitlines() if line.strip()]
    if not lines:
        return None
    labelled = _LABEL_FIRST.match(lines[-1]) and _LABEL.search(lines[-1])
    return _answer(lines[-1]) if labelled else _exact(_unmarked(lines[-1]))


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
    "answer": _answer,
}
STYLES: tuple[str, ...] = tuple(_EXTRACTORS)


def extract(completion: str, style: str = "boxed") -> str | None:
    r"""Return the answer text of a completion, or None when it gives none.

    Styles: ``boxed`` (last ``\boxed{}`` or ``\fbox{}``, braces balanced; a truncated last box is
    no answer), ``hash`` (last ``#### n``), ``the_answer_is`` (last "the answer is ..."), ``tag``
    (last ``<answer>...</answer>``), ``line`` (last non-empty line), ``text`` (the whole completion)
    and ``answer`` (last ``Answer: ...``). An answer that is empty or white space is None: it must
    never vote.
    """
    try:
        extractor = _EXTRACTORS[style]
    except KeyError:
        allowed = ", ".join(STYLES)
        raise ValueError(f"unknown extraction style {style!r}; choose one of: {allowed}") from None
    return extractor(completion)
