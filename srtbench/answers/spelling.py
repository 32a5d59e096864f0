"""One spelling for what people write in several: Unicode signs, spacing, delimiters, edges.

Works on text alone, in linear time, and guesses at nothing: what a rewrite cannot decide is left
as it is, for the grammar to read or to refuse.
"""

from __future__ import annotations

import re
import unicodedata
from fractions import Fraction

from srtbench.answers.vocabulary import (
    BASE_WORDS,
    CURRENCIES,
    PROSE_PAIRS,
    UNICODE,
    is_compound_unit,
    is_unit,
)

_SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿⁱ", "0123456789+-=()ni", strict=True))
_SUBSCRIPTS = dict(zip("₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₙₖₘₓₐₑ", "0123456789+-=()nkmxae", strict=True))
_RAISED = re.compile(f"[{''.join(_SUPERSCRIPTS)}]+")
_LOWERED = re.compile(f"[{''.join(_SUBSCRIPTS)}]+")
_VULGAR = re.compile("[\u00bc-\u00be\u2150-\u215e\u2189]")
_STYLED = re.compile("[\U0001d400-\U0001d7ff\uff01-\uff5e\u210e\u212f\u2113]")
_ORDINAL_LETTERS = str.maketrans({"ᵗ": "t", "ʰ": "h", "ˢ": "s", "ᵈ": "d", "ʳ": "r"})
# A dash is a minus unless it stands between two numbers, where it may be a range.
_DASH = re.compile(
    "(?<![0-9 ])[\u2012-\u2015]|(?<![0-9]) [\u2012-\u2015]|[\u2012-\u2015](?! ?[0-9])"
)
_GROUP_SPACE = re.compile("(?<=[0-9])[\u00a0\u2009\u202f](?=[0-9]{3}(?![0-9]))")
_OVERLINED = re.compile("(?:[0-9][\u0304\u0305])+")
_DOTTED = re.compile("(?<=\\.)([0-9]*?)([0-9])\u0307(?:([0-9]*)([0-9])\u0307)?")
_DOT_COMMANDS = re.compile(
    r"(?<=[.0-9])\\dot\s*\{?([0-9])\}?(?:([0-9]*)\\dot\s*\{?([0-9])\}?)?(?![0-9])"
)
_CYCLE = re.compile(r"(?<![0-9.])([0-9]*\.[0-9]*)\(([0-9]+)\)(?![0-9^_!(])")
_BAR = re.compile(r"(?<=[.0-9])\\(?:bar|overline)\s*(?:\{\s*([0-9]+)\s*\}|([0-9]))")

_DROPPED = re.compile(
    r"\\\\|\\(?:left|right)\s*\.|\\(?:left|right|[bB]igg?[lrm]?|displaystyle|textstyle|limits|"
    r"nolimits|middle)(?![A-Za-z])|\\[,;:! ]|~|\\(?:q?quad|thinspace|enspace|hfill|newline)"
    r"(?![A-Za-z])|\\[()\[\]$]|[$\u00a3\u00a5\u0e3f\u20a0-\u20c0]"
)
# Digits of other scripts, and roots of whole numbers as the signs are written: the root of 12.
_OTHER_DIGIT = re.compile(r"(?![0-9])\d")
_ROOT_SIGN = re.compile("([\u221a\u221b\u221c])\\s*([0-9]+(?:\\.[0-9]+)?)?")
_ROOTS = {"\u221a": "", "\u221b": "[3]", "\u221c": "[4]"}
# How it looks: colours, sizes, lines below, gaps.
_LOOKS = re.compile(
    r"\\(?:textcolor|colorbox)\s*\{[^{}]*\}|\\color\s*\{[^{}]*\}"
    r"|\\(?:tiny|scriptsize|footnotesize|small|normalsize|large|Large|LARGE|huge|Huge|bf)"
    r"(?![A-Za-z])|\\[hv]space\*?\s*\{[^{}]*\}|\\[hv]?phantom\s*\{[^{}]*\}"
)
# Around a whole answer; capitals below which there is a line may be digits of a number.
_UNDERLINED = re.compile(r"\A\\underline\s*(?=\{[^{}A-Z]*\}\Z)")
_MONEY = re.compile(rf"(?:{'|'.join(sorted(CURRENCIES))}|Rs)\.? ?(?=[0-9])")
_COMPOUND = re.compile(
    r"(?<=[0-9}]) ((?:[A-Za-z]{1,12}(?: ?\^ ?(?:-?[0-9]|\{ ?-?[0-9] ?\}))?"
    r"(?: ?(?:/|\\cdot|\*) ?| |\Z))+)\Z"
)
_DIGIT_GAP = re.compile(r"(?<=[0-9])(?:,\\!|\\,|\{,\}|\\!)\s*(?=[0-9]{3}(?![0-9]))")
_PLAIN_SIGNS = (
    ("**", "^"),
    (r"\ldots", "..."),
    (r"\dots", "..."),
    (r"\cdots", "..."),
    ("!=", r"\ne "),
    ("<=", r"\le "),
    (">=", r"\ge "),
    ("==", "="),
)
_FRACTION_ALIAS = re.compile(r"\\[dtc]frac(?![A-Za-z])")
_DOUBLED = re.compile(
    r"\\\\(?=(?:d?frac|sqrt|text|mathrm|pi|cdot|times|left|right|boxed|infty|pm|cup|ln|log|sin|cos"
    r"|tan|theta|circ|overline|alpha|beta|le|ge|in)(?![A-Za-z]))"
)
_PRIME = re.compile(r"\^\s*(?:\{\s*((?:\\prime\s*)+)\}|(\\prime(?![A-Za-z])))")
_TIMES_TEN = re.compile(r"(?<=[0-9}])\s*[xX]\s*(?=10\s*\^)")
_BASED_BRACKET = re.compile(r"\(\s*([0-9][0-9A-F]*)\s*\)\s*(?=_\s*(?:\{|[0-9]))")
_BASE_INDEX = re.compile(
    r"_\s*\{?\s*(?:\\text\s*\{)?\s*\(?\s*(?:base[\s-]*)?([0-9]+|" + "|".join(BASE_WORDS) + r")"
    r"\s*\)?\s*\}\s*\}?"
)
_DEGREE_SCALE = re.compile(
    r"(?:\^\s*(?:\{\s*\\circ\s*\}|\\circ)|\\degree)\s*"
    r"(?:\\(?:text|mathrm|rm)\s*\{\s*[CF]\s*\}|[CF])(?![A-Za-z_^(])"
)
_BRACKETED_UNIT = re.compile(
    r"(?<=[0-9}])\s*[(\[]\s*((?:\\(?:text|mathrm)\s*\{[^{}()]*\}|[A-Za-z/. ])+)"
    r"(\^\s*\{?[0-9]\}?)?\s*[)\]]\Z"
)
TEXT_NAMES = r"text(?:rm|bf|it|sf|tt|up|normal)?|mbox|hbox|mathrm|mathit|mathsf|operatorname\*?"
_WHOLE_TEXT = re.compile(rf"\\(?:{TEXT_NAMES})\s*\{{([^{{}}]*)\}}\Z")
TEXT_COMMAND = re.compile(rf"\\(?:{TEXT_NAMES})\s*\{{([^{{}}]*)\}}")
# Half-open intervals with brackets turned outwards, ``]0, 1]``.
_OUTWARD = re.compile(r"([\[\]])([^\[\]]*,[^\[\]]*)([\[\]])\Z")
_TEXT_SIGN = re.compile(rf"\\(?:{TEXT_NAMES})\s*\{{\s*([:;,])\s*\}}")
_BOLD = re.compile(r"(?:(?<=^)|(?<=[\s=:(,]))\*\*(?=[^\s*])([^*]+)\*\*(?=\Z|[\s.,;:!)])")
_QUOTES = {'"': '"', "'": "'", "`": "`", "\u201c": "\u201d", "\u2018": "\u2019"}


def _cycle_of_dots(match: re.Match[str]) -> str:
    first, between, last = (match[k] or "" for k in (1, 2, 3))
    return f"\\overline{{{first}{between}{last}}}"


def _cycle_of_marks(match: re.Match[str]) -> str:
    head, first, between, last = (match[k] or "" for k in (1, 2, 3, 4))
    return f"{head}\\overline{{{first}{between}{last}}}"


def _fraction(match: re.Match[str]) -> str:
    value = Fraction(unicodedata.numeric(match[0])).limit_denominator(10)
    return f"\\frac{{{value.numerator}}}{{{value.denominator}}}"


def ascii_digits(text: str) -> str:
    """Digits of any script as those of ASCII."""
    if text.isascii():
        return text
    return _OTHER_DIGIT.sub(lambda match: str(unicodedata.digit(match[0])), text)


def _root(match: re.Match[str]) -> str:
    radicand = f"{{{match[2]}}}" if match[2] else ""
    return f"\\sqrt{_ROOTS[match[1]]}{radicand or ' '}"


def plain_unicode(text: str) -> str:
    """Mathematical signs of Unicode as LaTeX, raised and lowered digits as whole numbers."""
    if text.isascii():
        return text
    text = ascii_digits(text)
    text = _ROOT_SIGN.sub(_root, text)
    text = _GROUP_SPACE.sub("", text.translate(_ORDINAL_LETTERS))
    text = _STYLED.sub(lambda match: unicodedata.normalize("NFKC", match[0]), text)
    text = _RAISED.sub(
        lambda match: "^{" + "".join(map(_SUPERSCRIPTS.__getitem__, match[0])) + "}", text
    )
    text = _LOWERED.sub(
        lambda match: "_{" + "".join(map(_SUBSCRIPTS.__getitem__, match[0])) + "}", text
    )
    text = _VULGAR.sub(_fraction, text)
    text = _OVERLINED.sub(
        lambda match: "\\overline{" + match[0].translate({0x304: "", 0x305: ""}) + "}", text
    )
    text = _DOTTED.sub(_cycle_of_marks, text)
    text = _DASH.sub(lambda match: match[0][:-1] + "-", text)
    return "".join(UNICODE.get(char, char) for char in text)


def _unmarked(text: str) -> str:
    """Without Markdown's bold and without quotation marks around the whole."""
    text = _BOLD.sub(r"\1", text)
    if text.startswith("**"):
        text = text[2:].lstrip()
    if text.endswith("**") and not text.endswith("***"):
        text = text[:-2].rstrip()
    for mark in ("*", "__"):
        inner = text[len(mark) : -len(mark)]
        if text.startswith(mark) and text.endswith(mark) and inner and mark[0] not in inner:
            text = inner.strip()
    if len(text) > 2 and _QUOTES.get(text[0]) == text[-1] and text[-1] not in text[1:-1]:
        text = text[1:-1].strip()
    return text


def _numerals(text: str) -> str:
    """Recurring decimals, powers of ten and other bases in the spelling of the lexer."""
    if "." in text:
        text = _CYCLE.sub(r"\1\\overline{\2}", text)
        text = _DOT_COMMANDS.sub(_cycle_of_dots, text)
        text = _BAR.sub(lambda match: f"\\overline{{{match[1] or match[2]}}}", text)
    text = _TIMES_TEN.sub(r"\\times ", text)
    if "_" in text:
        text = _BASED_BRACKET.sub(r"\1", text)
        text = re.sub(
            r"(?<=[0-9A-F])" + _BASE_INDEX.pattern,
            lambda match: f"_{{{BASE_WORDS.get(match[1], match[1])}}}",
            text,
        )
    return text


def _units(text: str) -> str:
    r"""``20^\circ C`` and ``9 (cm)`` with the unit as text."""
    text = _MONEY.sub("", text, count=1) if _MONEY.match(text) else text
    text = _DEGREE_SCALE.sub(r" \\text{degrees}", text)
    compound = _COMPOUND.search(text)
    if compound is not None:
        phrase = re.sub(r"[\^{} ]+", " ", compound[1].replace("\\cdot", "*")).strip()
        if is_compound_unit(phrase):
            text = f"{text[: compound.start()]} \\text{{{phrase}}}"
    match = _BRACKETED_UNIT.search(text)
    if match is not None:
        phrase = TEXT_COMMAND.sub(r"\1", match[1]).strip()
        if is_unit(phrase) and (len(phrase) > 1 or "\\" in match[1]):
            text = f"{text[: match.start()]} \\text{{{phrase}}}{match[2] or ''}"
    return text


def _whole_braces(text: str) -> str:
    """Without braces that surround everything, as in ``{f(n)=n}``."""
    while text.startswith("{") and text.endswith("}") and not text.endswith("\\}"):
        depth = 0
        for at, char in enumerate(text):
            escaped = at > 0 and text[at - 1] == "\\"
            depth += 0 if escaped else (char == "{") - (char == "}")
            if depth == 0 and at < len(text) - 1:
                return text
        text = text[1:-1].strip()
        if "," in text:
            return "{" + text + "}"
    return text


def clean(answer: str) -> str:
    """Rewrite spelling variants to one spelling."""
    text = _unmarked(plain_unicode(answer).strip())
    for plain, command in _PLAIN_SIGNS:
        text = text.replace(plain, command)
    if "\\begin" not in text:
        text = _DOUBLED.sub(r"\\", text)
    text = _DIGIT_GAP.sub("", text)
    if "\\" in text:
        text = _UNDERLINED.sub("", _LOOKS.sub(" ", text).strip())
    text = _PRIME.sub(lambda match: "'" * match[0].count("\\prime"), text)
    text = _DROPPED.sub(_spaced, text)
    text = _TEXT_SIGN.sub(r"\1", text)
    text = _FRACTION_ALIAS.sub(r"\\frac", text)
    text = _units(_numerals(text))
    text = " ".join(text.split())
    while text and text[-1] in ".,;:\\" and not text.endswith("..."):
        text = text[:-1].rstrip()
    text = _whole_braces(text)
    outward = _OUTWARD.match(text)
    if outward is not None:
        opener = "[" if outward[1] == "[" else "("
        text = f"{opener}{outward[2]}{']' if outward[3] == ']' else ')'}"
    whole = _WHOLE_TEXT.match(text)
    if whole is not None:
        inner = whole[1].strip().rstrip(".,;:")
        if not (len(inner) == 2 and inner.isalpha() and inner.lower() not in PROSE_PAIRS):
            return inner if inner == text else clean(inner)
    return text


def _spaced(match: re.Match[str]) -> str:
    if match[0] == "\\\\":
        return match[0]
    # One-sided delimiters belong to systems and evaluation bars, which the grammar does not read.
    return "\\onesided " if match[0].endswith(".") else " "
