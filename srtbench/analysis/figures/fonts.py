"""Letters of every script in figures: fonts of this machine that have what the usual one lacks."""

import functools
from collections.abc import Iterator

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font
from matplotlib.text import Text
from matplotlib.ticker import PercentFormatter, ScalarFormatter

_WHITE_SPACE = frozenset(map(ord, " \t\n\r\u00a0"))


def give_fonts(figure: Figure) -> None:
    """Let every text of a figure be drawn: by the style's font, and others for what it lacks.

    A letter that no font of this machine has is written as its code point, ``U+6570``: boxes would
    make two labels look alike.
    """
    for text in figure.findobj(Text):
        fitted, families = _fitted(text.get_text())
        if families:
            text.set_fontfamily(families)
        if fitted != text.get_text():
            text.set_text(fitted)
    for axis in (one for ax in figure.axes for one in (ax.xaxis, ax.yaxis)):
        if isinstance(axis.get_major_formatter(), ScalarFormatter | PercentFormatter):
            continue  # numbers
        shown = [label.get_text() for label in axis.get_ticklabels()]
        names = [_fitted(name) for name in shown]
        families = list(dict.fromkeys(one for _, found in names for one in found))
        if families:  # a tick's text is written anew whenever it is drawn
            axis.set_ticks(axis.get_ticklocs(), labels=[name for name, _ in names])
            axis.set_tick_params(labelfontfamily=families)


def _fitted(text: str) -> tuple[str, list[str]]:
    """A text that can be drawn, and the families for it; none: the usual one has all of it."""
    usual = list(mpl.rcParams["font.family"])
    lacking = (
        frozenset(map(ord, text))
        - _letters(_files().get(usual[0]) or findfont(FontProperties()))
        - _WHITE_SPACE
    )
    if not lacking:
        return text, []
    names, missing = _fallbacks(lacking)
    return "".join(_told(text, missing)), [*usual, *names]


def _told(text: str, missing: frozenset[int]) -> Iterator[str]:
    """The text, with code points in the place of these letters."""
    before = False
    for letter in text:
        now = ord(letter) in missing
        yield (" " if before and now else "") + (f"U+{ord(letter):04X}" if now else letter)
        before = now


@functools.cache
def _fallbacks(wanted: frozenset[int]) -> tuple[tuple[str, ...], frozenset[int]]:
    """Families that have these letters between them, few of them; and the letters none has."""
    chosen: list[str] = []
    left = wanted
    while left:
        have = {name: left & _letters(file) for name, file in _files().items()}
        best = max(have, key=lambda name: len(have[name]))
        found = have[best]
        if not found:
            break
        chosen.append(best)
        left -= found
    return tuple(chosen), left


@functools.cache
def _files() -> dict[str, str]:
    """Family -> its plainest file, of all that are installed but last resorts, in a fixed order."""
    best: dict[str, tuple[float, str]] = {}
    for one in fontManager.ttflist:
        if "lastresort" in one.name.replace(" ", "").lower():
            continue
        slanted = 1000 if one.style != "normal" else 0
        weight = one.weight if isinstance(one.weight, int) else 400
        place = (abs(weight - 400) + slanted, one.fname)
        best[one.name] = min(best.get(one.name, place), place)
    return {name: file for name, (_, file) in sorted(best.items())}


@functools.cache
def _letters(file: str) -> frozenset[int]:
    """Code points that a font file has a glyph for."""
    return frozenset(get_font(file).get_charmap())
