"""Repositories of the `datasets` library, from the hub or a local folder."""

from collections.abc import Iterator
from typing import Any

from srtbench.config.datasets import HubDataset
from srtbench.datasets.columns import Columns, check_columns, columns_of
from srtbench.datasets.formats import Row, narrow_columns, shortest_floats
from srtbench.datasets.problems import DatasetError, Item
from srtbench.datasets.rows import items_of


def read_hub(dataset: HubDataset, split: str) -> list[Item]:
    """Items of one split of the repository, in its order.

    Raises:
        DatasetError: it cannot be loaded (the reason of the `datasets` library is quoted), a column
            is missing, or rows are broken.
    """
    import datasets

    source = f"{dataset.id}[{split}]"
    try:
        table = datasets.load_dataset(
            dataset.id, name=dataset.subset, revision=dataset.revision, split=split
        )
    except Exception as error:  # no network, no such repository, subset or split, bad files, ...
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DatasetError(f"{source}: cannot be loaded: {reason}") from error
    columns = Columns.of(dataset)
    present = table.column_names
    tops = [(columns_of(name, present) or [name.split(".")[0]])[0] for name in columns.wanted]
    check_columns(source, present, tops)
    return items_of(source, _rows(table), columns)


def _rows(table: Any) -> Iterator[Row]:
    narrow = narrow_columns(table.features.arrow_schema)
    for number, values in enumerate(table, start=1):
        yield Row(f"row {number}", shortest_floats(dict(values), narrow))
