"""From a name and a file to a sweep file: the steps of `srtbench init`, in order."""

import functools
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from srtbench.config.schema import SCHEMA_FILE, schema_text
from srtbench.init.find import Found, find_columns
from srtbench.init.items import Usable, usable_items
from srtbench.init.look import Table, read_table
from srtbench.init.propose import Proposal, propose
from srtbench.init.settings import GOOD_START, Settings, for_trial, judged, settings, shapes
from srtbench.init.trial import try_warm_start
from srtbench.init.write import sweep_text


@dataclass(frozen=True)
class Made:
    """What was looked at, and what was chosen."""

    table: Table
    found: Found
    usable: Usable
    proposal: Proposal
    data: Path

    @classmethod
    def of(cls, data: Path, copy: Path, question: str | None, answer: str | None) -> "Made":
        """Look at a file and propose.

        Args:
            copy: where a copy of the rows will be, if one is needed.

        Raises:
            DatasetError: the file cannot be used.
        """
        table = read_table(data)
        found = find_columns(str(data), table.sample(), question, answer)
        usable = usable_items(table, found)
        proposal = propose(str(data), found, usable)
        return cls(table, found, usable, proposal, copy if usable.copied else data)

    def text(self, name: str, file: Path, command: str, chosen: Settings) -> str:
        """The sweep file."""
        return sweep_text(name, _relative(self.data, file.parent), command, self.proposal, chosen)

    def untried(self) -> Settings:
        """Settings without a trial."""
        found = shapes(self.proposal)
        if not found:
            return settings(self.proposal, None, "pipeline", 0, None)
        return settings(self.proposal, found[0], "untried", 0.3, None)

    def known(self) -> Settings:
        """Settings for the data of `sample`, which were tried beforehand."""
        return settings(self.proposal, shapes(self.proposal)[0], "learns", GOOD_START, None)

    def tried(self, on_check: Callable[[str, int, float], None]) -> Settings:
        """Settings after as many trials as it takes to find a tiny model that learns.

        Args:
            on_check: called with the name of the shape, step and accuracy.

        Raises:
            TrialError: a trial did not run.
        """
        best = self.untried()
        size: dict[str, Any] | None = None
        for shape in shapes(self.proposal):
            if best.outlook == "weak" and shape.size != size:
                break  # another size is for data that this one does not learn at all
            size = shape.size
            with tempfile.TemporaryDirectory(prefix="srtbench-init-") as name:
                folder = Path(name)
                rows, file = folder / "rows.jsonl", folder / "trial.yaml"
                data = self.data
                if self.usable.copied:
                    self.usable.write_copy(rows)
                    data = rows
                text = sweep_text(
                    "trial", str(data.resolve()), "", self.proposal, for_trial(self.proposal, shape)
                )
                file.write_text(text, encoding="utf-8")
                checks = try_warm_start(file, functools.partial(on_check, shape.name))
            chosen = judged(self.proposal, shape, [accuracy for _, accuracy in checks])
            if best.best is None or (chosen.best or 0) > best.best:
                best = chosen
            if best.outlook == "learns":
                break
        return best


def write_schema(folder: Path) -> Path | None:
    """Put the schema beside sweep files, for editors; None: one is there."""
    path = folder / SCHEMA_FILE
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(schema_text())
    except FileExistsError:
        return None
    return path


def _relative(data: Path, folder: Path) -> str:
    """A path as the sweep file names it."""
    text = Path(os.path.relpath(data.resolve(), folder.resolve())).as_posix()
    return str(data.resolve()) if text.startswith("~") else text
