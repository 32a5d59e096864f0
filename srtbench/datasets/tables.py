"""Files and hub datasets: rows that exist, divided by hash or by their own splits."""

from pathlib import Path

from srtbench.config.datasets import FileDataset, HubDataset
from srtbench.datasets.columns import Columns
from srtbench.datasets.golds import BadGold, Dropped, settle
from srtbench.datasets.problems import DatasetError, Item, Problem, Split
from srtbench.datasets.rows import read_file
from srtbench.datasets.splits import excerpt, listing, normalise, split_of
from srtbench.datasets.templates import Templates

TableDataset = FileDataset | HubDataset


def table_problems(dataset: TableDataset, split: Split) -> tuple[list[Problem], Dropped]:
    """Distinct problems of one split, in the order of the rows; and what was dropped of it.

    Raises:
        DatasetError: rows that are broken or contradict each other, or questions that are in the
            train and in the eval part while ``on_overlap`` is ``error``.
    """
    templates = Templates(dataset)
    main, bad = _distinct(dataset, "train", templates)
    if not _has_eval_part(dataset):

        def belongs(prompt: str) -> bool:
            return split_of(prompt, dataset.split) == split

    else:
        evaluation, bad_there = _distinct(dataset, "eval", templates)
        main = _without_overlap(dataset, main, evaluation)
        if split == "eval":
            main, bad = evaluation, bad_there

        def belongs(prompt: str) -> bool:
            warm = split == "warm_start"
            return split == "eval" or (split_of(prompt, dataset.split) == "warm_start") == warm

    problems = [
        templates.problem(item, prompt, split) for prompt, item in main.items() if belongs(prompt)
    ]
    return problems, Dropped(tuple(one for one in bad if belongs(one.prompt)))


def all_problems(dataset: TableDataset) -> tuple[list[Problem], Dropped]:
    """Distinct problems of the whole table, or of the hub split that is its ``train_split``.

    Raises:
        DatasetError: rows that are broken or contradict each other.
    """
    templates = Templates(dataset)
    found, bad = _distinct(dataset, "train", templates)
    problems = [templates.problem(item, prompt, "eval") for prompt, item in found.items()]
    return problems, Dropped(tuple(bad))


def _has_eval_part(dataset: TableDataset) -> bool:
    if isinstance(dataset, FileDataset):
        return dataset.eval_path is not None
    return dataset.eval_split is not None


def _read(dataset: TableDataset, part: Split) -> tuple[str, list[Item]]:
    """Name of the source, and its items."""
    if isinstance(dataset, FileDataset):
        path = dataset.eval_path if part == "eval" else dataset.path
        assert path is not None
        return Path(path).name, read_file(Path(path), Columns.of(dataset))
    from srtbench.datasets.hub import read_hub

    name = dataset.eval_split if part == "eval" else dataset.train_split
    assert name is not None
    return f"{dataset.id}[{name}]", read_hub(dataset, name)


def _distinct(
    dataset: TableDataset, part: Split, templates: Templates
) -> tuple[dict[str, Item], list[BadGold]]:
    """Prompt -> item, the first of several; prompts that differ in spacing only are one."""
    source, items = _read(dataset, part)
    same: dict[str, list[tuple[str, Item]]] = {}
    for item in items:
        prompt = templates.prompt_of(item)
        same.setdefault(" ".join(prompt.split()), []).append((prompt, item))
    return settle(source, same.values(), dataset.answer_kind, dataset.on_bad_gold == "drop")


def _without_overlap(
    dataset: TableDataset, main: dict[str, Item], evaluation: dict[str, Item]
) -> dict[str, Item]:
    held_out = {normalise(prompt): item for prompt, item in evaluation.items()}
    shared = {p: held_out[key] for p in main if (key := normalise(p)) in held_out}
    if shared and dataset.on_overlap == "error":
        lines = [f"{main[p].where} = eval {item.where}: {excerpt(p)}" for p, item in shared.items()]
        raise DatasetError(
            "\n".join(
                [
                    f"{dataset.label}: {len(shared)} questions are in train and eval; "
                    "on_overlap: drop_from_train would keep them for eval only",
                    *listing(lines, limit=5),
                ]
            )
        )
    return {prompt: item for prompt, item in main.items() if prompt not in shared}
