"""What can still be looked at of a sweep file that has mistakes, so that all are told at once."""

import difflib
from collections.abc import Iterable
from typing import Any

from srtbench.config.errors import Problem

_STAND_INS: dict[str, dict[str, str]] = {
    "models": {"type": "tiny"},
    "datasets": {"type": "file", "path": "rows.jsonl"},
    "variants": {"type": "srt"},
}
"""Axis -> what stands for an entry at fault, which nothing is then said of."""

_HARMLESS = ("seeds", "description", "execution")
"""Keys that say nothing of data and variants."""


def without_faults(
    content: dict[str, Any], problems: Iterable[Problem], known: Iterable[str]
) -> dict[str, Any] | None:
    """The content of a sweep file with stand-ins for the entries at fault.

    A key at fault that says nothing of data and variants is left out.

    Args:
        content: as it was read, of a file that is no valid sweep.
        known: keys of a sweep file.

    Returns:
        None: a mistake is one on which what is said of other keys may depend.
    """
    mended = dict(content)
    for problem in problems:
        axis, *below = problem.key_path or ("",)
        entries = mended.get(str(axis))
        if axis in _STAND_INS and below and isinstance(entries, list):
            place = below[0]
            assert isinstance(place, int)
            stand_in = _STAND_INS[str(axis)] | {"name": f"entry-{place}"}
            mended[str(axis)] = [*entries[:place], stand_in, *entries[place + 1 :]]
        elif axis == "name":
            mended["name"] = "sweep"
        elif axis in mended and _is_harmless(str(axis), known):
            del mended[str(axis)]
        elif axis in mended or axis in (*_STAND_INS, ""):
            return None
    return mended


def _is_harmless(key: str, known: Iterable[str]) -> bool:
    """Whether nothing changes without a key; a misspelt one may be meant for another."""
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.6)
    return not near or near[0] in _HARMLESS
