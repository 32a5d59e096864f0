"""The one way to get the problems of a dataset, whatever its type."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from srtbench.config.datasets import DatasetConfig, ReasoningGymDataset
from srtbench.datasets.golds import Dropped
from srtbench.datasets.gym import distinct_problems
from srtbench.datasets.problems import DatasetError, Item, Problem, Split
from srtbench.datasets.tables import Table

GENERATED_PROMPTS = 4096
"""Problems of a generated task when no number is asked for."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Drawn:
    """Problems of one split, and what `on_bad_gold: drop` left out of all of the split.

    Attributes:
        short: why there are fewer than were asked for, a sentence per level; none: there are not.
    """

    problems: list[Problem]
    dropped: Dropped
    short: tuple[str, ...] = ()


def load_problems(dataset: DatasetConfig, split: Split, count: int | None = None) -> list[Problem]:
    """The problems of ``draw_problems`` alone."""
    return draw_problems(dataset, split, count).problems


def draw_problems(dataset: DatasetConfig, split: Split, count: int | None = None) -> Drawn:
    """Distinct problems of one split, in a fixed order: a larger request starts with a smaller one.

    With ``count`` None: all of a file or hub dataset, 4096 of a generated task; for train,
    ``dataset.train_prompts`` if given. For warm_start, ``count`` is per level of
    ``warm_start_levels``, and the levels take turns in the list.

    If there are fewer than ``count``, train and warm_start return what there is, with a warning in
    the log.

    Raises:
        DatasetError: the dataset cannot be read or used, the split has no problem at all, or eval
            has fewer than ``count``.
    """
    if not isinstance(dataset, ReasoningGymDataset):
        return _logged(dataset, split, draw_of_table(Table(dataset), split, count))
    if count is None and split == "train":
        count = dataset.train_prompts
    levels = _levels(dataset, split)
    count = GENERATED_PROMPTS if count is None else count
    seen: dict[str, Item] = {}
    streams = [distinct_problems(dataset, split, level, seen) for level in levels]
    problems = _take_turns(streams, count)
    return _logged(dataset, split, _drawn(dataset, split, count, levels, problems, Dropped()))


def draw_of_table(table: Table, split: Split, count: int | None = None) -> Drawn:
    """The same of a table, which is read once for several calls; nothing is logged."""
    dataset = table.dataset
    if count is None and split == "train":
        count = dataset.train_prompts
    levels = _levels(dataset, split)
    if levels != [None] and dataset.level_column is None:
        raise DatasetError(
            f"{dataset.label}: warm_start_levels needs a level_column", "warm_start_levels"
        )
    # Files are often sorted, by topic or difficulty; the first few must stand for all.
    found, dropped = table.of(split)
    found.sort(key=lambda problem: problem.prompt_id)
    if split == "warm_start" and dataset.warm_start_levels:
        streams = [iter([p for p in found if p.level == level]) for level in levels]
        problems = _take_turns(streams, count)
    else:
        problems = found[:count]
    return _drawn(dataset, split, count, levels, problems, dropped)


def load_eval_set(dataset: DatasetConfig, count: int | None = None) -> list[Problem]:
    """The problems of ``draw_eval_set`` alone."""
    return draw_eval_set(dataset, count).problems


def draw_eval_set(dataset: DatasetConfig, count: int | None = None) -> Drawn:
    """The first ``count`` distinct problems of an evaluation set, in the order of their ids.

    All of a file or hub split is evaluated, whatever its shares; of a generated task the eval split
    is, in the order in which it is drawn. ``count`` None: all, and 4096 of a generated task.

    Raises:
        DatasetError: the set cannot be read or used, is empty, or has fewer than ``count``.
    """
    if isinstance(dataset, ReasoningGymDataset):
        return draw_problems(dataset, "eval", count)
    return _logged(dataset, "eval", draw_all_of_table(Table(dataset), count))


def draw_all_of_table(table: Table, count: int | None = None) -> Drawn:
    """The same of a table, which is read once for several calls; nothing is logged."""
    found, dropped = table.whole()
    found.sort(key=lambda problem: problem.prompt_id)
    return _drawn(table.dataset, "eval", count, [None], found[:count], dropped)


def _logged(dataset: DatasetConfig, split: Split, drawn: Drawn) -> Drawn:
    if drawn.dropped.bad:
        _log.warning("%s: %s: dropped %s", dataset.label, split, drawn.dropped)
    for reason in drawn.short:
        _log.warning("%s", reason)
    return drawn


def _drawn(
    dataset: DatasetConfig,
    split: Split,
    count: int | None,
    levels: Sequence[int | None],
    problems: list[Problem],
    dropped: Dropped,
) -> Drawn:
    short = tuple(_shortage(dataset, split, count, levels, problems))
    return Drawn(problems, dropped, short)


def _levels(dataset: DatasetConfig, split: Split) -> list[int | None]:
    if split == "warm_start" and dataset.warm_start_levels:
        levels = sorted(level for level, weight in dataset.warm_start_levels.items() if weight > 0)
        if not levels:
            raise DatasetError(
                f"{dataset.label}: warm_start_levels has no level of positive weight",
                "warm_start_levels",
            )
        return [*levels]
    return [dataset.level if isinstance(dataset, ReasoningGymDataset) else None]


def _take_turns(streams: Sequence[Iterator[Problem]], rounds: int | None) -> list[Problem]:
    """One of each stream per round, so that the order does not depend on ``rounds``."""
    taken: list[Problem] = []
    left = list(streams)
    done = 0
    while left and (rounds is None or done < rounds):
        for stream in list(left):
            problem = next(stream, None)
            if problem is None:
                left.remove(stream)
            else:
                taken.append(problem)
        done += 1
    return taken


def _shortage(
    dataset: DatasetConfig,
    split: Split,
    count: int | None,
    levels: Sequence[int | None],
    problems: Sequence[Problem],
) -> Iterator[str]:
    """Why there are fewer problems than asked for.

    Raises:
        DatasetError: there are none, or not enough to evaluate on.
    """
    by_level = len(levels) > 1
    for level in levels:
        found = sum(p.level == level for p in problems) if by_level else len(problems)
        where = f"{dataset.label}: {split}" + (f", level {level}" if by_level else "")
        if found == 0:
            share = getattr(dataset.split, split)
            hint = f"split.{split} is {share:g}" if share == 0 else "none of its questions is there"
            raise DatasetError(f"{where}: no problems ({hint})", "split")
        if count is not None and found < count:
            message = f"{where}: {found} distinct problems, {count} asked for"
            if split == "eval":
                raise DatasetError(message, "prompts")
            yield message
