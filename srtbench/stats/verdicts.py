"""What an interval allows one to say: rose, fell, or undecided."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from srtbench.stats.intervals import Interval

VerdictWord = Literal["rose", "fell", "undecided"]

_MOST_DIGITS = 6


@dataclass(frozen=True)
class Verdict:
    """A word and the numbers behind it; ``str()`` is both: "rose, +4.2 points [+1.0, +7.4]"."""

    word: VerdictWord
    numbers: str

    @property
    def decided(self) -> bool:
        """Whether the interval excludes 0."""
        return self.word != "undecided"

    def __str__(self) -> str:
        return f"{self.word}, {self.numbers}"


def verdict(
    change: Interval, *, scale: float = 100.0, unit: str = "points", digits: int = 1
) -> Verdict:
    """Say "rose" or "fell" only if the interval of a change excludes 0, else "undecided".

    An interval that ends exactly at 0 does not exclude it. Numbers are signed; a bound that is not
    0 is given as many more digits as it takes to show that, so that the text carries the word.

    Args:
        change: interval of a difference, in any unit.
        scale: factor from that unit to the printed one, 100 from shares to points.
        unit: name of the printed unit, may be empty.
        digits: decimals, at least 0.

    Raises:
        ValueError: a limit that is NaN, or a scale that is not positive.
    """
    if math.isnan(change.low) or math.isnan(change.high) or not scale > 0.0 or digits < 0:
        raise ValueError(f"need limits, a positive scale and digits >= 0, got {change}, {scale}")
    word: VerdictWord = "rose" if change.low > 0.0 else "fell" if change.high < 0.0 else "undecided"
    nearest = scale * min(abs(change.low), abs(change.high))
    while word != "undecided" and round(nearest, digits) == 0.0 and digits < _MOST_DIGITS:
        digits += 1
    value, low, high = (
        f"{scale * number + 0.0:+.{digits}f}"
        for number in (change.estimate, change.low, change.high)
    )
    return Verdict(word, f"{value} {unit} [{low}, {high}]" if unit else f"{value} [{low}, {high}]")
