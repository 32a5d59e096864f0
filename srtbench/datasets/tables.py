"""Files and hub datasets: rows that exist, divided by hash or by their own splits."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from srtbench.config.datasets import FileDataset, HubDataset
from srtbench.datasets.columns import Columns
from srtbench.datasets.golds import BadGold, Dropped, settle
from srtbench.datasets.problems import DatasetError, Item, Problem, Split
from srtbench.datasets.rows import read_file
from srtbench.datasets.splits import excerpt, listing, normalise, split_of
from srtbench.datasets.templates import Templates

TableDataset = FileDataset | HubDataset

Read = Callable[[TableDataset, Split], tuple[str, list[Item]]]
"""(dataset, part) -> name of the source, and its items."""


def read_part(dataset: TableDataset, part: Split) -> tuple[str, list[Item]]:
    """Name of the source of the ``eval`` part, or of the main one, and its items.

    Raises:
        DatasetError: it cannot be read.
    """
    if isinstance(dataset, FileDataset):
        path = dataset.eval_path if part == "eval" else dataset.path
        assert path is not None
        return Path(path).name, read_file(Path(path), Columns.of(dataset))
    from srtbench.datasets.hub import read_hub

    name = dataset.eval_split if part == "eval" else dataset.train_split
    assert name is not None
    return f"{dataset.id}[{name}]", read_hub(dataset, name)


def has_eval_part(dataset: TableDataset) -> bool:
    """Whether all held-out prompts are in a file or split of their own."""
    if isinstance(dataset, FileDataset):
        return dataset.eval_path is not None
    return dataset.eval_split is not None


@dataclass(frozen=True)
class _Part:
    """Prompt -> item, the first of several; prompts that differ in spacing only are one.

    Attributes:
        repeats: places of the rows of each prompt that stands several times.
    """

    source: str
    items: dict[str, Item]
    bad: list[BadGold]
    repeats: list[list[str]]


class Table:
    """The distinct prompts of a table; each of its parts is read once, when it is first needed.

    What is wrong is raised as DatasetError: rows that are broken or contradict each other, or
    questions that are in the train and in the eval part while ``on_overlap`` is ``error``.

    Args:
        read: reads a part.
    """

    def __init__(self, dataset: TableDataset, read: Read = read_part):
        self.dataset = dataset
        self._read = read
        self._templates = Templates(dataset)
        self._parts: dict[Split, _Part] = {}

    def of(self, split: Split) -> tuple[list[Problem], Dropped]:
        """Distinct problems of one split, in the order of the rows; and what was dropped of it."""
        part, shares = self._part("train"), self.dataset.split
        items = part.items
        if not has_eval_part(self.dataset):

            def belongs(prompt: str) -> bool:
                return split_of(prompt, shares) == split

        else:
            evaluation = self._part("eval")
            items = _without_overlap(self.dataset, items, evaluation.items)
            if split == "eval":
                part, items = evaluation, evaluation.items

            def belongs(prompt: str) -> bool:
                warm = split == "warm_start"
                return split == "eval" or (split_of(prompt, shares) == "warm_start") == warm

        problems = [
            self._templates.problem(item, prompt, split)
            for prompt, item in items.items()
            if belongs(prompt)
        ]
        return problems, Dropped(tuple(one for one in part.bad if belongs(one.prompt)))

    def whole(self) -> tuple[list[Problem], Dropped]:
        """All problems of the main part, to evaluate on; and what was dropped of it."""
        part = self._part("train")
        problems = [
            self._templates.problem(item, prompt, "eval") for prompt, item in part.items.items()
        ]
        return problems, Dropped(tuple(part.bad))

    def items(self) -> Iterator[tuple[str, str, Item]]:
        """Name of the source, prompt, and item, of every distinct prompt."""
        names: tuple[Split, ...] = ("train", "eval") if has_eval_part(self.dataset) else ("train",)
        for name in names:
            part = self._part(name)
            yield from ((part.source, prompt, item) for prompt, item in part.items.items())

    def repeats(self) -> Iterator[tuple[str, list[str], int]]:
        """Of each part with rows that ask the same: its source, such rows, how many are too many.

        The first of them is used; rows with another answer are no repeats.
        """
        for part in self._parts.values():
            if part.repeats:
                count = sum(len(rows) - 1 for rows in part.repeats)
                yield part.source, part.repeats[0], count

    def _part(self, name: Split) -> _Part:
        if name not in self._parts:
            source, items = self._read(self.dataset, name)
            same: dict[str, list[tuple[str, Item]]] = {}
            for item in items:
                prompt = self._templates.prompt_of(item)
                same.setdefault(" ".join(prompt.split()), []).append((prompt, item))
            drop = self.dataset.on_bad_gold == "drop"
            kept, bad = settle(source, same.values(), self.dataset.answer_kind, drop)
            bad_prompts = {one.prompt for one in bad}
            repeats = [
                [item.where for _, item in group]
                for group in same.values()
                if len(group) > 1 and bad_prompts.isdisjoint(prompt for prompt, _ in group)
            ]
            self._parts[name] = _Part(source, kept, bad, repeats)
        return self._parts[name]


def _without_overlap(
    dataset: TableDataset, main: dict[str, Item], evaluation: dict[str, Item]
) -> dict[str, Item]:
    held_out = {normalise(prompt): item for prompt, item in evaluation.items()}
    shared = {p: held_out[key] for p in main if (key := normalise(p)) in held_out}
    if shared and dataset.on_overlap == "error":
        lines = [f"{main[p].where} = eval {item.where}: {excerpt(p)}" for p, item in shared.items()]
        message = "\n".join(
            [
                f"{dataset.label}: {len(shared)} questions are in train and eval; "
                "on_overlap: drop_from_train would keep them for eval only",
                *listing(lines, limit=5),
            ]
        )
        raise DatasetError(message, "on_overlap")
    return {prompt: item for prompt, item in main.items() if prompt not in shared}
