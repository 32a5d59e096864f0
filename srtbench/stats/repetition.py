"""How much a text repeats itself."""

from __future__ import annotations

ORDER = 4
MIN_WORDS = 8


def repeated_share(text: str) -> float | None:
    """Share of a text's 4-grams that stood in it before, 0..1; None below four units.

    The units are words, or characters where there are fewer than ``MIN_WORDS`` words. It is
    seq-rep-4 of Welleck et al. 2020 (arXiv 1908.04319) on words instead of tokens.
    """
    units: list[str] | str = text.split()
    if len(units) < MIN_WORDS:
        units = text.strip()
    total = len(units) - ORDER + 1
    if total < 1:
        return None
    return 1.0 - len({tuple(units[i : i + ORDER]) for i in range(total)}) / total
