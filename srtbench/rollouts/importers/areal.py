"""AReaL's ``{rollout,eval-rollout}/{policy version}/{task id}.jsonl``: a file per prompt."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePath

from srtbench.rollouts.importers.base import (
    Importer,
    completion_in,
    number_of,
    prompt_in,
    whole_of,
)
from srtbench.rollouts.importers.files import Record, SourceFile
from srtbench.rollouts.importers.row import Phase, Row, RowError

_END = re.compile(r"(?:<\|[\w▁]{1,40}\|>|<\uff5c[\w▁]{1,40}\uff5c>|</s>|<eos>|<end_of_turn>)\s*$")


class AReaL(Importer):
    """See the module."""

    name = "areal"
    writer = "AReaL"
    lost = ("A batch is called after the version of the policy that wrote it: it trains the next.",)

    def __init__(self, tokenizer: object = None):
        super().__init__()
        self._aged = 0

    @classmethod
    def recognises(cls, record: Record) -> bool:
        """By its versions of the policy."""
        return {"task_id", "sample_idx", "prompt", "completion", "head_version"} <= set(record)

    def of_record(self, record: Record, file: SourceFile) -> Iterator[Row]:
        """One sample; special tokens at its end are no text."""
        head = whole_of(record["head_version"], "head_version")
        tail = whole_of(record.get("tail_version"), "tail_version")
        if head is None:
            raise RowError("head_version: is missing")
        self._aged += tail is not None and head != tail
        version = PurePath(file.name).parent.name
        written = int(version) if version.isascii() and version.isdecimal() else head
        folders = {part.lower() for part in file.path.parts[-4:-1]}
        phase: Phase = "eval" if "eval-rollout" in folders else "train"
        total = whole_of(record.get("seqlen"), "seqlen")
        asked = whole_of(record.get("prompt_len"), "prompt_len")
        yield Row(
            prompt=prompt_in(record, "prompt"),
            completion=_END.sub("", completion_in(record, "completion")),
            step=written + 1 if phase == "train" else written,
            phase=phase,
            group=str(record["task_id"]),
            sample=whole_of(record["sample_idx"], "sample_idx"),
            reward=number_of(record.get("reward"), "reward"),
            completion_tokens=None if total is None or asked is None else total - asked,
            policy_step=head,
        )

    def notes(self) -> list[str]:
        """How many completions more than one policy wrote."""
        if not self._aged:
            return []
        return [
            f"The policy changed while it wrote {self._aged:,} completions; policy_step is that of "
            "their beginning."
        ]
