"""Repositories of the `datasets` library, from the hub or a local folder."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from srtbench.config.datasets import HubDataset
from srtbench.datasets.columns import Columns, check_columns, columns_of
from srtbench.datasets.formats import Row, narrow_columns, shortest_floats
from srtbench.datasets.problems import DatasetError, Item
from srtbench.datasets.rows import items_of


class NotCachedError(DatasetError):
    """A repository is not on this machine, or not all of it."""


def read_hub(dataset: HubDataset, split: str, *, cached: bool = False) -> list[Item]:
    """Items of one split of the repository, in its order.

    Args:
        cached: what is on this machine must do; the network is not asked.

    Raises:
        DatasetError: it cannot be loaded (the reason of the `datasets` library is quoted), a column
            is missing, or rows are broken.
        NotCachedError: with ``cached``, it cannot be loaded from what is here.
    """
    source = f"{dataset.id}[{split}]"
    try:
        table = _cached_table(dataset, split) if cached else _table(dataset, split)
    except DatasetError:
        raise
    except Exception as error:  # no network, no such repository, subset or split, bad files, ...
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DatasetError(f"{source}: cannot be loaded: {reason}") from error
    columns = Columns.of(dataset)
    present = table.column_names
    tops = [(columns_of(name, present) or [name.split(".")[0]])[0] for name in columns.wanted]
    check_columns(source, present, tops)
    return items_of(source, _rows(table), columns)


def _cached_table(dataset: HubDataset, split: str) -> Any:
    """The split as this machine has it.

    Raises:
        NotCachedError: it has not.
    """
    if Path(dataset.id).is_dir():
        return _table(dataset, split)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        place = snapshot_download(
            dataset.id,
            repo_type="dataset",
            revision=dataset.commit or dataset.revision,
            local_files_only=True,
        )
    except (OSError, HfHubHTTPError, HFValidationError):
        raise NotCachedError("not in the cache of this machine") from None
    import datasets

    try:
        with _offline():
            return datasets.load_dataset(place, name=dataset.subset, split=split)
    except Exception as error:  # parts of it may be here only
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise NotCachedError(f"what the cache has of it cannot be loaded: {reason}") from None


@contextlib.contextmanager
def _offline() -> Iterator[None]:
    """Both libraries as if HF_HUB_OFFLINE were set."""
    import datasets
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE, datasets.config.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = datasets.config.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE, datasets.config.HF_HUB_OFFLINE = before


def _table(dataset: HubDataset, split: str) -> Any:
    """The split, of the dataset's commit where it has one.

    Raises:
        DatasetError: what was loaded is of another commit. Without an answer of the hub the
            `datasets` library takes whichever commit it has prepared last.
    """
    import datasets
    from huggingface_hub import constants, snapshot_download

    if not dataset.commit or Path(dataset.id).is_dir():
        return datasets.load_dataset(
            dataset.id, name=dataset.subset, revision=dataset.revision, split=split
        )
    if constants.HF_HUB_OFFLINE:
        place = snapshot_download(dataset.id, repo_type="dataset", revision=dataset.commit)
        return datasets.load_dataset(place, name=dataset.subset, split=split)
    table = datasets.load_dataset(
        dataset.id, name=dataset.subset, revision=dataset.commit, split=split
    )
    places = [file["filename"] for file in table.cache_files]
    if not all(dataset.commit in place for place in places):
        raise DatasetError(
            f"{dataset.id}: commit {dataset.commit} cannot be had, and the cache has another one "
            "in its place; without a network, set HF_HUB_OFFLINE=1"
        )
    return table


def _rows(table: Any) -> Iterator[Row]:
    narrow = narrow_columns(table.features.arrow_schema)
    for number, values in enumerate(table, start=1):
        yield Row(f"row {number}", shortest_floats(dict(values), narrow))
