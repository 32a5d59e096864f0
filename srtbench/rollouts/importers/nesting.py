"""Lists of a record that hold rollouts, also lists within lists."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from srtbench.rollouts.importers.paths import Steps, look_up, parse_path
from srtbench.rollouts.importers.row import RowError, listed


@dataclass(frozen=True)
class _List:
    """A list that is taken apart.

    Attributes:
        path: as the map writes it. steps: from the record. parent: the list whose elements hold
            it, if there is one. rest: the path from there.
    """

    path: str
    steps: Steps
    parent: int | None
    rest: Steps


class Nesting:
    """The lists that a map explodes.

    Lists beside each other go in step, element by element, and must be of one length. A list whose
    path leads through another one is within each element of that one: ``groups``, then
    ``groups.responses``.
    """

    def __init__(self, paths: Sequence[str]):
        steps = [parse_path(path) for path in paths]
        self.lists = [
            _List(path, one, parent, one if parent is None else one[len(steps[parent]) :])
            for path, one in zip(paths, steps, strict=True)
            for parent in [_longest(one, steps, whole=False)]
        ]
        depths = [self._depth(number) for number in range(len(self.lists))]
        self.levels = [
            [number for number, own in enumerate(depths) if own == depth]
            for depth in range(max(depths, default=-1) + 1)
        ]

    def _depth(self, number: int) -> int:
        parent = self.lists[number].parent
        return 0 if parent is None else 1 + self._depth(parent)

    def holder(self, steps: Steps) -> tuple[int, Steps] | None:
        """The list that a path leads into, and the rest of the path; None: into none."""
        found = _longest(steps, [one.steps for one in self.lists], whole=True)
        return None if found is None else (found, steps[len(self.lists[found].steps) :])

    def innermost(self, number: int) -> bool:
        """Whether the elements of a list are the rollouts themselves."""
        return number in self.levels[-1]

    def places(self, record: Any) -> Iterator[tuple[list[Any], tuple[int, ...]]]:
        """(element of each list, place at each level) of every rollout of a record.

        Raises:
            RowError: a path leads to no list, or lists that go in step differ in length.
        """
        yield from self._within(record, [None] * len(self.lists), ())

    def _within(
        self, record: Any, elements: list[Any], trail: tuple[int, ...]
    ) -> Iterator[tuple[list[Any], tuple[int, ...]]]:
        if len(trail) == len(self.levels):
            yield elements, trail
            return
        level = self.levels[len(trail)]
        found = [listed(self._held(number, record, elements)) for number in level]
        lengths = {len(one) for one in found if isinstance(one, list)}
        if len(lengths) != 1:
            raise RowError(f"explode: {self._lengths(level, found)}")
        for index in range(lengths.pop()):
            inside = [*elements]
            for number, one in zip(level, found, strict=True):
                inside[number] = one[index] if isinstance(one, list) else one
            yield from self._within(record, inside, (*trail, index))

    def _held(self, number: int, record: Any, elements: list[Any]) -> Any:
        one = self.lists[number]
        if one.parent is None:
            return look_up(record, one.steps, one.path)
        return look_up(elements[one.parent], one.rest)

    def _lengths(self, level: list[int], found: list[Any]) -> str:
        """What is wrong with lists that are to be exploded."""
        said = [
            f"{self.lists[number].path} has {len(one)}"
            if isinstance(one, list)
            else f"{self.lists[number].path} is no list"
            for number, one in zip(level, found, strict=True)
        ]
        return ", ".join(said)


def _longest(steps: Steps, starts: Sequence[Steps], *, whole: bool) -> int | None:
    """Which of ``starts`` is the longest that a path begins with, or with ``whole`` is."""
    fitting = [
        number
        for number, start in enumerate(starts)
        if steps[: len(start)] == start and (whole or len(start) < len(steps))
    ]
    return max(fitting, key=lambda number: len(starts[number]), default=None)
