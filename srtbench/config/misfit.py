"""What does not fit together in a cell, and the keys of the sweep file that it is about."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Misfit:
    """One mistake in the merged sections of a cell.

    Attributes:
        keys: as ``train.pool.keep``; the first that the file says tells the line. Keys begin with
            ``train`` or ``eval``, which every entry may override, with ``model``, ``dataset`` or
            ``variant``, whose entry is meant, or with a key of the sweep file.
    """

    text: str
    keys: tuple[str, ...] = ("variant",)


def misfit(text: str, *keys: str) -> Misfit:
    """The same, written shortly; without a key the entry of the variant is meant."""
    return Misfit(text, keys or ("variant",))
