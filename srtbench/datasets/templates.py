"""Prompt and target text from a question."""

from typing import Any

from srtbench.config.datasets import (
    PROMPT_FIELDS,
    TARGET_FIELDS,
    DatasetBase,
    FileDataset,
    HubDataset,
    check_template,
)
from srtbench.config.errors import allowed
from srtbench.config.sameness import prompt_id
from srtbench.datasets.columns import columns_of
from srtbench.datasets.problems import DatasetError, Item, Problem, Split
from srtbench.sections import Section


class Templates:
    """The two templates of a dataset, checked once and used for every item."""

    def __init__(self, dataset: DatasetBase):
        self.prompt = _checked(dataset, "prompt_template", PROMPT_FIELDS)
        self.target = _checked(dataset, "target_template", TARGET_FIELDS)
        self.answer_column = (
            dataset.answer_column if isinstance(dataset, FileDataset | HubDataset) else None
        )
        """What no prompt may show, with the column in which it lies."""

    def prompt_of(self, item: Item) -> str:
        """The text given to the policy.

        Raises:
            DatasetError: the template asks for metadata that the item has not, or for the answer.
        """
        return _render("prompt_template", self.prompt, item, self.answer_column)

    def problem(self, item: Item, prompt: str, split: Split) -> Problem:
        """The finished problem.

        Raises:
            DatasetError: the target template asks for metadata that the item has not.
        """
        target = _render("target_template", self.target, item)
        return Problem(
            prompt_id(prompt), prompt, item.answer, item.level, split, target, item.where
        )


def _checked(dataset: Section, name: str, fields: tuple[str, ...]) -> str:
    try:  # again: model_copy and model_construct validate nothing
        return check_template(getattr(dataset, name), fields)
    except ValueError as error:
        raise DatasetError(f"{name}: {error}", name) from None


class _Missing(dict[str, Any]):
    """Stands for a level that is not there."""

    def __format__(self, spec: str) -> str:
        raise LookupError("the dataset has no level: set `level` or `level_column`")


def _render(name: str, template: str, item: Item, answer_column: str | None = None) -> str:
    level = _Missing() if item.level is None else item.level
    metadata = item.metadata
    hidden = [] if answer_column is None else columns_of(answer_column, metadata)
    if hidden:
        metadata = {key: value for key, value in metadata.items() if key not in hidden}
    try:
        return template.format(
            question=item.question, answer=item.answer, level=level, metadata=metadata
        )
    except KeyError as error:
        key = str(error.args[0])
        if key in hidden:
            raise DatasetError(
                f"{name}: {{metadata[{key}]}}: the policy must not see the gold answer", name
            ) from None
        raise DatasetError(
            f"{name}: {item.where} has no metadata '{key}'. {allowed(key, map(str, metadata))}",
            name,
        ) from None
    except (LookupError, TypeError, ValueError) as error:
        raise DatasetError(f"{name}: {item.where}: {error}", name) from None
