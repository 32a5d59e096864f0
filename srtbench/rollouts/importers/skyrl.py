"""SkyRL's ``dumped_evals/global_step_{N}_evals/{data_source}.jsonl``.

Its training batches are pickles, which are programs, and are not read.
"""

from __future__ import annotations

from collections.abc import Iterator

from srtbench.rollouts.importers.base import Importer, completion_in, number_of, prompt_in
from srtbench.rollouts.importers.columns import named_gold
from srtbench.rollouts.importers.files import Record, SourceFile
from srtbench.rollouts.importers.row import Row


class SkyRl(Importer):
    """See the module."""

    name = "skyrl"
    writer = "SkyRL"
    lost = ("SkyRL dumps training batches as pickles only, which are not read.",)

    @classmethod
    def recognises(cls, record: Record) -> bool:
        """By its names of prompt and response."""
        return {"input_prompt", "output_response", "score"} <= set(record)

    def of_record(self, record: Record, file: SourceFile) -> Iterator[Row]:
        """One sample of an evaluation; a score per token counts as their sum."""
        extras = record.get("env_extras") or {}
        reason, source = record.get("stop_reason"), record.get("data_source")
        yield Row(
            prompt=prompt_in(record, "input_prompt"),
            completion=completion_in(record, "output_response"),
            step=file.step(default=0),
            phase="eval",
            eval_set=None if source is None else str(source),
            gold=named_gold(extras.get("reward_spec") or {}) or named_gold(extras),
            reward=number_of(record.get("score"), "score"),
            truncated=None if reason is None else reason == "length",
        )
