"""tinker-cookbook's rollout summaries: rewards and lengths, and no texts, so nothing to judge."""

from __future__ import annotations

from collections.abc import Iterator

from srtbench.rollouts.importers.base import Importer
from srtbench.rollouts.importers.files import Record, SourceFile
from srtbench.rollouts.importers.row import Row, RowError

_NO_TEXT = "tinker-cookbook's summaries hold no texts"


class Tinker(Importer):
    """Knows the format, to say why it cannot be read."""

    name = "tinker"
    writer = "tinker-cookbook"
    refuses = f"{_NO_TEXT}, so there are no answers to judge"

    @classmethod
    def recognises(cls, record: Record) -> bool:
        """By its names."""
        return {"group_idx", "traj_idx", "total_reward"} <= set(record)

    def of_record(self, record: Record, file: SourceFile) -> Iterator[Row]:
        """Never any."""
        raise RowError(_NO_TEXT)
