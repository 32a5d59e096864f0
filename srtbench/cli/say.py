"""What the command line prints: text of models, data and errors is untrusted, a terminal obeys it.

Light on purpose: no command waits for more than it prints.
"""

import re
import unicodedata

import click

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_].*?(?:\x07|\x1b\\|$)|.)", re.DOTALL)
"""ECMA-48 sequences: CSI (colours, cursor), strings (titles, links) and two-character ones."""

_KEPT = "\n\t"
_FORBIDDEN = {"Cc", "Cs", "Zl", "Zp"}
# Directions: they let a line read as another one than it is.
_DIRECTIONS = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def plain(text: object) -> str:
    """Text that only prints: no control sequences, no control characters, no lone surrogates."""
    string = str(text)
    if string.isascii() and string.isprintable():
        return string
    string = _ESCAPES.sub("", string)
    return "".join(
        char
        for char in string
        if char in _KEPT
        or (char not in _DIRECTIONS and unicodedata.category(char) not in _FORBIDDEN)
    )


def one_line(text: object) -> str:
    """The same on one line."""
    return " ".join(plain(text).split())


def say(text: object) -> None:
    """Print to the standard output."""
    click.echo(plain(text))


def complain(text: object) -> None:
    """Print to the standard error."""
    click.echo(plain(text), err=True)
