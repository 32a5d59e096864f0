"""One look for all figures: the style sheet, a colour per variant type, direct labels."""

import colorsys
import functools
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from typing import Any, ParamSpec, TypeVar

import matplotlib as mpl
import polars as pl
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from srtbench.analysis.figures.fonts import give_fonts

# Okabe and Ito's colour-blind safe palette.
COLOURS = {
    "srt": "#0072B2",
    "gold": "#E69F00",
    "fixed_teacher": "#009E73",
    "random": "#7A7F87",
    "format": "#CC79A7",
    "incorrect": "#D55E00",
    "ttrl": "#56B4E9",
    "self_certainty": "#3B3B3B",
    # Further types, from Paul Tol's muted palette.
    "soft_majority": "#332288",
    "ema_teacher": "#117733",
    "snapshot_teacher": "#AA3377",
    "min_entropy_cluster": "#AA4499",
    "entropy": "#8F8F2B",
    "no_repetition": "#44AA99",
    "all_of": "#882255",
    "weighted": "#8C564B",
    # Variants that train by rounds.
    "star": "#7C5403",
    "rest_em": "#475629",
    "rft": "#CF8859",
    "lmsi": "#6FA404",
    "scpo": "#373772",
}
OUTSIDE_COLOURS = ("#861BBB", "#1BBB1B", "#0606F9", "#EC2EFA", "#0667F9", "#F906A8")
"""Of variants from outside, far from all of the above; neighbours differ in lightness too."""
_OUTSIDE_MARKERS = ("<", "H", ">", "8", "^", "p")
_MARKERS = {
    "srt": "o",
    "gold": "D",
    "fixed_teacher": "s",
    "random": "v",
    "format": "P",
    "incorrect": "X",
    "ttrl": "p",
    "self_certainty": "h",
    "soft_majority": "^",
    "ema_teacher": "s",
    "snapshot_teacher": "D",
    "min_entropy_cluster": "v",
    "entropy": "P",
    "no_repetition": "X",
    "all_of": "p",
    "weighted": "h",
    "star": "o",
    "rest_em": "^",
    "rft": "s",
    "lmsi": "D",
    "scpo": "v",
}
_OUTSIDE_FIRST = {"python": 0, "plugin": 3}
"""Where the colours of a type from outside begin, so that one of each differ."""
_RANK_MARKERS = ("o", "^", "s", "D", "v", "P", "X")
_RANK_LINES: tuple[Any, ...] = ("-", (0, (4, 1.6)), (0, (1.2, 1.4)), (0, (5, 1.4, 1.2, 1.4)))
INK = "#1d2126"
MUTED = "#6b727c"
ONSET = "#B3261E"

_P = ParamSpec("_P")
_R = TypeVar("_R")


@dataclass(frozen=True)
class Style:
    """How one variant is drawn."""

    colour: str
    marker: str
    line: Any

    @property
    def text_colour(self) -> str:
        """The colour, darkened until text in it is legible on white (contrast 4.5)."""
        return legible(self.colour)


def variant_style(variant_type: str, rank: int = 0) -> Style:
    """Colour by type; a further variant of the same type gets another shade, line and marker.

    Types from outside (``python``, ``plugin``, those of imports) have colours and markers of their
    own, and each further one another colour: they are other rewards, not other settings of one. A
    combination comes back after 24 of them.
    """
    if variant_type not in COLOURS:
        place = rank + _OUTSIDE_FIRST.get(variant_type, 1)
        number = len(OUTSIDE_COLOURS)
        marker = _OUTSIDE_MARKERS[(place + rank // number) % number]
        return Style(OUTSIDE_COLOURS[place % number], marker, _RANK_LINES[rank // number % 4])
    colour, marker = COLOURS[variant_type], _MARKERS[variant_type]
    if rank == 0:
        return Style(colour, marker, _RANK_LINES[0])
    marker = [mark for mark in _RANK_MARKERS if mark != marker][(rank - 1) % 6]
    return Style(_shade(colour, rank), marker, _RANK_LINES[rank % len(_RANK_LINES)])


def _shade(colour: str, rank: int) -> str:
    """A darker shade for odd ranks, a lighter for even; five in all."""
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    hue, lightness, saturation = colorsys.rgb_to_hls(red, green, blue)
    lightness *= (0.58, 1.35, 0.78, 1.2, 0.42)[(rank - 1) % 5]
    mixed = colorsys.hls_to_rgb(hue, min(lightness, 0.72), saturation)
    return "#" + "".join(f"{round(255 * part):02X}" for part in mixed)


@functools.cache
def legible(colour: str) -> str:
    """Darken a colour until its contrast with white is 4.5 (WCAG 2 level AA)."""
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    while 1.05 / (_luminance(red, green, blue) + 0.05) < 4.5:
        red, green, blue = 0.97 * red, 0.97 * green, 0.97 * blue
    return "#" + "".join(f"{round(255 * part):02X}" for part in (red, green, blue))


def _luminance(*channels: float) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def as_polars(frame: Any) -> pl.DataFrame:
    """Accept Polars, pandas or Arrow."""
    if isinstance(frame, pl.DataFrame):
        return frame
    return pl.DataFrame(frame)


def variants(frame: pl.DataFrame) -> list[tuple[str, Style]]:
    """Variants in the order of the plan, with their styles."""
    rows = (
        frame.select("variant", "variant_type", "variant_rank", "variant_order")
        .unique()
        .sort("variant_order", "variant")
        .iter_rows(named=True)
    )
    return [
        (row["variant"], variant_style(row["variant_type"], row["variant_rank"])) for row in rows
    ]


@functools.cache
def _sheet() -> dict[str, Any]:
    with as_file(files("srtbench.analysis").joinpath("srtbench.mplstyle")) as path:
        return dict(mpl.rc_params_from_file(path, use_default_template=False))


def styled(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Draw within the style sheet, and leave the user's settings as they were."""

    @functools.wraps(function)
    def wrapper(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        with mpl.rc_context(_sheet()):
            return function(*args, **kwargs)

    return wrapper


LEADER = (0, (1, 3))
"""Of a line that leads through a panel to a name, so that it is not read as a curve."""


def direct_labels(
    ax: Any,
    entries: Sequence[tuple[float, str, str]],
    gap: float,
    ends: Sequence[float] | None = None,
) -> None:
    """Write ``(y, text, colour)`` beside the right edge, moved apart by at least ``gap``.

    ``ends``: where each line ends, in data coordinates; None: at the right edge.
    """
    low, high = ax.get_ylim()
    order = sorted(range(len(entries)), key=lambda place: entries[place][:2])
    places = spread([entries[place][0] for place in order], gap, low, high)
    edge = ax.get_yaxis_transform()  # x in axes fractions, y in data
    for index, place in zip(order, places, strict=True):
        y, text, colour = entries[index]
        size = mpl.rcParams["legend.fontsize"]
        ax.text(
            1.055, place, text, transform=edge, color=colour, va="center", fontsize=size,
            fontweight="bold",
        )  # fmt: skip
        if ends is None:
            line = Line2D([1.015, 1.045], [y, place], transform=edge)
        else:
            right = ax.transAxes.transform((1.045, 0))[0]
            line = Line2D(
                [ends[index], ax.transData.inverted().transform((right, 0))[0]], [y, place]
            )
            if ends[index] < 0.9 * ax.get_xlim()[1]:  # through the panel: no curve goes on here
                line.set_linestyle(LEADER)
        line.set(color=colour, linewidth=0.6, alpha=0.7, clip_on=False, marker="")
        ax.add_artist(line)


def spread(values: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Sorted values, moved as little as possible so that none is within ``gap`` of the next."""
    room = high - low
    gap = min(gap, room / max(len(values) - 1, 1))
    wanted = [min(max(value, low), high) - index * gap for index, value in enumerate(values)]
    blocks: list[list[float]] = []  # isotonic regression: [mean, count]
    for value in wanted:
        blocks.append([value, 1.0])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (first, count), (second, more) = blocks[-2:]
            blocks[-2:] = [[(first * count + second * more) / (count + more), count + more]]
    flat = [mean for mean, count in blocks for _ in range(round(count))]
    top = high - (len(values) - 1) * gap
    return [min(max(value, low), top) + index * gap for index, value in enumerate(flat)]


def save(figure: Figure, kind: str) -> bytes:
    """The figure as ``png``, ``svg`` or ``pdf``; the same bytes for the same figure."""
    sink = io.BytesIO()
    metadata: dict[str, Any] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind, {})
    with mpl.rc_context(_sheet()):
        give_fonts(figure)
        figure.savefig(sink, format=kind, metadata=metadata)
    return sink.getvalue()
