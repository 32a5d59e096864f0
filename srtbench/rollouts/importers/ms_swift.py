"""ms-swift's ``{output_dir}/completions.jsonl``: a line per log, with a list per column."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from srtbench.rollouts.importers.base import Importer, completion_in, prompt_in
from srtbench.rollouts.importers.columns import named_gold
from srtbench.rollouts.importers.files import Record, SourceFile
from srtbench.rollouts.importers.row import Row, RowError, number_of, whole_of
from srtbench.rollouts.importers.trl import Trl, numeric

_NO_REWARDS = {"step", "gen_step", "prompt", "completion", "advantages", "entropy", "images"}


class MsSwift(Trl):
    """See the module. Groups and rewards are found as in TRL's log, from which it is derived."""

    name = "ms-swift"
    writer = "ms-swift"
    lost: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def recognises(cls, record: Record) -> bool:
        """By lists of prompts and completions."""
        return all(isinstance(record.get(one), list) for one in ("step", "prompt", "completion"))

    def of_record(self, record: Record, file: SourceFile) -> Iterator[Row]:
        """The rows of a line."""
        lists = {name: values for name, values in record.items() if isinstance(values, list)}
        count = len(lists["completion"])
        uneven = [name for name, values in lists.items() if len(values) != count]
        if any(name in uneven for name in ("step", "prompt")):
            raise RowError(f"its lists differ in length ({', '.join(uneven)})")
        for name in uneven:
            del lists[name]
        found = []
        for at in range(count):
            one: dict[str, Any] = {name: values[at] for name, values in lists.items()}
            step = whole_of(one["step"], "step")
            if step is None:
                raise RowError("step: is missing")
            found.append(
                Row(
                    prompt=prompt_in(one, "prompt"),
                    completion=completion_in(one, "completion"),
                    step=step,
                    gold=named_gold(one),
                    advantage=number_of(one.get("advantages"), "advantages"),
                )
            )
        others = {name: values for name, values in lists.items() if name not in _NO_REWARDS}
        yield from self.judged(found, numeric(others))

    rows = Importer.rows
    """Line by line, unlike TRL's files, which are one batch each."""
