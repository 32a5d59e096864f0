"""The tables of a plan: each part is read once, whoever asks for it."""

from collections.abc import Iterator
from pathlib import Path

from srtbench.config.datasets import FileDataset
from srtbench.datasets import DatasetError
from srtbench.datasets.columns import Columns
from srtbench.datasets.hub import NotCachedError, read_hub
from srtbench.datasets.problems import Item, MissingColumnsError, Split
from srtbench.datasets.rows import read_file
from srtbench.datasets.tables import Table, TableDataset, has_eval_part

_NOT_OF_THE_TABLE = {"name", "train", "eval", "train_prompts", "warm_start_levels"}
"""Keys of an entry that the prompts of a table do not depend on."""


class Tables:
    """Tables by what they hold.

    Attributes:
        unread: what could not be read without the network -> why.
    """

    def __init__(self) -> None:
        self.unread: dict[str, str] = {}
        self._parts: dict[tuple[object, ...], tuple[str, list[Item]] | DatasetError] = {}
        self._tables: dict[str, Table] = {}

    def table(self, dataset: TableDataset) -> Table:
        """The table of an entry, the same for entries that differ in nothing that it shows."""
        ident = dataset.model_dump_json(exclude=_NOT_OF_THE_TABLE)
        if ident not in self._tables:
            self._tables[ident] = Table(dataset, self._read)
        return self._tables[ident]

    def unreadable(self, dataset: TableDataset) -> Iterator[tuple[str, str]]:
        """(key of the entry, message) for each part that cannot be read; nothing if all can.

        Raises:
            NotCachedError: the table is of the hub, and not on this machine.
        """
        is_file = isinstance(dataset, FileDataset)
        keys: dict[Split, str] = {"train": "path" if is_file else "train_split"}
        if has_eval_part(dataset):
            keys["eval"] = "eval_path" if is_file else "eval_split"
        for part, key in keys.items():
            try:
                self._read(dataset, part)
            except NotCachedError as error:
                self.unread[str(getattr(dataset, "id", dataset.label))] = str(error)
                raise
            except MissingColumnsError as error:
                for name, message in error.lines.items():
                    yield _column_key(dataset, name), message
            except DatasetError as error:
                yield error.key or key, str(error)

    def _read(self, dataset: TableDataset, part: Split) -> tuple[str, list[Item]]:
        columns = Columns.of(dataset)
        if isinstance(dataset, FileDataset):
            path = Path((dataset.eval_path if part == "eval" else dataset.path) or "")
            key: tuple[object, ...] = (path, columns)
        else:
            split = (dataset.eval_split if part == "eval" else dataset.train_split) or ""
            key = (dataset.id, dataset.subset, dataset.revision, dataset.commit, split, columns)
        if key not in self._parts:
            try:
                if isinstance(dataset, FileDataset):
                    self._parts[key] = path.name, read_file(path, columns)
                else:
                    source = f"{dataset.id}[{split}]"
                    self._parts[key] = source, read_hub(dataset, split, cached=True)
            except DatasetError as error:
                self._parts[key] = error
        found = self._parts[key]
        if isinstance(found, DatasetError):
            raise found
        return found


def _column_key(dataset: TableDataset, name: str) -> str:
    """The key of an entry that names a column."""
    keys = ("question_column", "answer_column", "level_column")
    # The hub's check names the outermost column of a path.
    named = [key for key in keys if (getattr(dataset, key) or "") == name]
    within = [key for key in keys if (getattr(dataset, key) or "").startswith(f"{name}.")]
    return (*named, *within, "path")[0]
