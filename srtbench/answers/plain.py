"""Keys for answers that are not mathematics: exact text, words, choices, numbers."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from fractions import Fraction

_NUMBER = re.compile(r"([+-]?)(\d{1,3}(?:,\d{3})+|\d+)?(\.\d*)?(?:/(\d+))?\Z", re.ASCII)
_BACKSLASH = re.compile(r"\\(?![A-Za-z])")
_ROUNDS = 8
MAX_PLAIN_CHARS = 100_000
_EDGE_PUNCTUATION = " \t\n.,;:!?\"'`*_()[]{}"
_CHOICE = re.compile(
    r"(?:option|choice|answer)?\s*:?\s*(?:\(([A-Z])\)|\[([A-Z])\]|([A-Z])(?=[).:,\]]|\s*$))",
    re.IGNORECASE | re.ASCII,
)
_TEXT_COMMAND = re.compile(
    r"\\(?:text(?:bf|rm|it|tt|sf)?|mathrm|mathbf|mathit|mbox)\s*\{([^{}]*)\}"
)


def text_key(answer: str) -> str | None:
    """Exact text, case kept: Unicode NFC, white space collapsed to single spaces."""
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
    """One upper-case letter: ``(B)``, ``B.``, ``b``, ``B) some text``, ``option B`` give ``B``."""
    text = text_key(_TEXT_COMMAND.sub(r"\1", answer).replace("$", "").replace("*", ""))
    match = _CHOICE.match(text) if text else None
    return next(group for group in match.groups() if group).upper() if match else None


def parse_number(text: str) -> Fraction | None:
    """An exact number from ``-1,234.50`` or ``3/4``; None when it is anything else."""
    match = _NUMBER.match(text.replace(" ", "").replace("\u2212", "-"))
    if match is None or len(text) > 1000:
        return None
    sign, whole, decimals, denominator = match.groups()
    digits = (decimals or ".")[1:]
    if whole is None and not digits:
        return None
    value = Fraction(int((whole or "0").replace(",", "") + digits), 10 ** len(digits))
    if denominator is not None:
        if int(denominator) == 0:
            return None
        value /= int(denominator)
    return -value if sign == "-" else value


def _bare_number(answer: str) -> Fraction | None:
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
