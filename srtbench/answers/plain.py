"""Keys for answers that are not mathematics: exact text, words, choices, numbers."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from fractions import Fraction

from srtbench.answers.spelling import ascii_digits

MAX_PLAIN_CHARS = 100_000
MAX_NUMBER_CHARS = 1_000
# Unicode's own limit for text in streams. Normalising sorts such runs in quadratic time.
MAX_COMBINING_RUN = 30
_ROUNDS = 8
_NUMBER = re.compile(
    r"""(?P<sign>[+-]?)\ *
    (?:(?P<mixed>[0-9]+)\ +(?=[0-9]+\ */))?
    (?P<whole>[1-9][0-9]{0,2}(?:,[0-9]{3})+|[0-9]+)?
    (?:\.(?P<decimals>[0-9]*)(?:\((?P<cycle>[0-9]+)\))?)?
    (?:[eE](?P<exponent>[+-]?[0-9]{1,3}))?
    (?:\ */\ *(?P<denominator>[0-9]+))?\Z""",
    re.VERBOSE,
)
_GROUP_SPACE = re.compile(r"(?<=[0-9])[\u00a0\u2009\u202f](?=[0-9]{3}(?![0-9]))")
_MINUS = str.maketrans(dict.fromkeys("\u2212\u2010\u2011\u2012\u2013\u2014\ufe63\uff0d", "-"))
_BACKSLASH = re.compile(r"\\(?![A-Za-z])")
_EDGE_PUNCTUATION = " \t\n.,;:!?\"'`*_()[]{}"
_CHOICE = re.compile(
    r"(?:option|choice|answer)?\s*:?\s*(?:\(([A-Z])\)|\[([A-Z])\]|([A-Z])(?=[).:,\]]|\s*$))",
    re.IGNORECASE | re.ASCII,
)
# After the first letter: a second one right away, or one marked as an option further on.
_SECOND_CHOICE = re.compile(
    r"[\])]?[.:,]?\s*(?:(?:[,;/&+]|and\b|or\b|option\b|choice\b)\s*)*"
    r"(?:\([A-Z]\)|\[[A-Z]\]|[A-Z](?:[).:,;\]&/]|\s*\Z))"
    r"|[\])]?\s*(?:[,;/&+]|and\b|or\b)\s*[A-Z]\b"
    r"|[\s\S]*?[\s)\]](?:\([A-J]\)|\[[A-J]\]|[A-J]\))",
    re.ASCII | re.IGNORECASE,
)
_TEXT_COMMAND = re.compile(
    r"\\(?:text(?:bf|rm|it|tt|sf)?|mathrm|mathbf|mathit|mbox)\s*\{([^{}]*)\}"
)


def _stacked(text: str) -> bool:
    """Whether more combining marks follow each other than any writing uses."""
    if text.isascii():
        return False
    run = 0
    for char in text:
        run = run + 1 if unicodedata.combining(char) else 0
        if run > MAX_COMBINING_RUN:
            return True
    return False


def text_key(answer: str) -> str | None:
    """Exact text, case kept: Unicode NFC, white space collapsed to single spaces."""
    if len(answer) > MAX_PLAIN_CHARS or _stacked(answer):
        return None
    key = " ".join(unicodedata.normalize("NFC", answer).split())
    return key if any(c.isprintable() and not c.isspace() for c in key) else None


def word_key(answer: str) -> str | None:
    r"""Words, case ignored: ``\text{}`` and punctuation at both ends removed."""
    text = answer
    for _ in range(_ROUNDS):
        plain = _BACKSLASH.sub(" ", _TEXT_COMMAND.sub(r"\1", text)).replace("$", "")
        key = text_key(plain.casefold().strip(_EDGE_PUNCTUATION))
        if key is None or key == text:
            return key
        text = key
    return None


def choice_key(answer: str) -> str | None:
    """One upper-case letter: ``(B)``, ``B.``, ``b``, ``B) some text``, ``option B`` give ``B``.

    Two letters are no choice: ``A, C`` and ``A) and B)`` are unparsable, like ``A or C``.
    """
    text = text_key(_TEXT_COMMAND.sub(r"\1", answer).replace("$", "").replace("*", ""))
    match = _CHOICE.match(text) if text else None
    if text is None or match is None or _SECOND_CHOICE.match(text, match.end()):
        return None
    return next(group for group in match.groups() if group).upper()


def parse_number(text: str) -> Fraction | None:
    """An exact number from ``-1,234.50``, ``3/4``, ``2 1/2``, ``1e-5`` or ``0.1(6)``, or None.

    Spaces stand only where people write them: after a sign, around a slash, in a mixed number,
    and, when they do not break lines, between groups of three digits.
    """
    if len(text) > MAX_NUMBER_CHARS:
        return None
    text = ascii_digits(text.translate(_MINUS))
    match = _NUMBER.match(_GROUP_SPACE.sub("", text).strip())
    if match is None:
        return None
    part = match.groupdict(default="")
    whole, decimals, cycle = part["whole"], part["decimals"], part["cycle"]
    if not whole + decimals + cycle or (part["mixed"] and not part["denominator"]):
        return None
    value = _decimal(whole.replace(",", ""), decimals, cycle)
    value *= Fraction(10) ** int(part["exponent"] or 0)
    if part["denominator"]:
        if int(part["denominator"]) == 0:
            return None
        value /= int(part["denominator"])
    if part["mixed"]:
        if not 0 < value < 1 or decimals or cycle or part["exponent"]:
            return None
        value += int(part["mixed"])
    return -value if part["sign"] == "-" else value


def _decimal(whole: str, decimals: str, cycle: str) -> Fraction:
    """``whole.decimals(cycle)`` exactly."""
    value = Fraction(int((whole or "0") + decimals), 10 ** len(decimals))
    if cycle:
        value += Fraction(int(cycle), 10 ** len(decimals) * (10 ** len(cycle) - 1))
    return value


def _bare_number(answer: str) -> Fraction | None:
    if len(answer) > MAX_NUMBER_CHARS:
        return None
    text = answer.strip().strip("$").replace("\\$", "").replace("\\%", "").strip()
    return parse_number(text.rstrip("%").rstrip(".") if not text.endswith("..") else text)


def number_key(answer: str) -> str | None:
    """An exact rational in lowest terms; a dollar or percent sign is dropped, nothing else is."""
    value = _bare_number(answer)
    return None if value is None else str(value)


def integer_key(answer: str) -> str | None:
    """A whole number; ``5.0`` is 5 and ``5.5`` is unparsable."""
    value = _bare_number(answer)
    return str(value) if value is not None and value.denominator == 1 else None


PLAIN_KINDS: dict[str, Callable[[str], str | None]] = {
    "text": text_key,
    "word": word_key,
    "choice": choice_key,
    "integer": integer_key,
    "number": number_key,
}
