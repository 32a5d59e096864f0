"""CSV cells that no spreadsheet takes for a formula.

Labels and answers come from models and data files. A spreadsheet executes a cell that begins with
one of a few characters (OWASP, "CSV injection"); an apostrophe before it makes it text.
"""

import re

_STARTS = ("=", "+", "-", "@", "\t", "\r")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def csv_cell(text: str) -> str:
    """The text as a cell; a number, as ``-1.5``, stays as it is."""
    if text.startswith(_STARTS) and not _NUMBER.fullmatch(text):
        return f"'{text}"
    return text
