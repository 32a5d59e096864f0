"""verl's dumps: ``{trainer.rollout_data_dir}/{step}.jsonl`` and the validation's.

V1 (default since 0.8) has a ``uid`` of sample, session and output; rows are sorted by it, as text.
The legacy trainer has none, and reorders a training batch before it writes. Both write the
validation's ``reward`` beside ``score``; a training row has only the latter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from srtbench.rollouts.importers.base import (
    Importer,
    completion_in,
    gold_of,
    number_of,
    prompt_in,
    truth_of,
    whole_of,
)
from srtbench.rollouts.importers.files import Record, SourceFile
from srtbench.rollouts.importers.row import Phase, Row, RowError

_UID = re.compile(r"(.+)_(\d+)_(\d+)")
_HELD_OUT = re.compile(r"(?:^|[/_.-])(?:val|valid|validation|eval|evaluation|test)(?:[/_.-]|$)")
_OUTPUTS = 1000
"""More outputs of one session than there are."""


class Verl(Importer):
    """See the module."""

    name = "verl"
    writer = "verl"

    def __init__(self, tokenizer: object = None):
        super().__init__()
        self._no_uid_in_train = False

    @classmethod
    def recognises(cls, record: Record) -> bool:
        """By its own names of the columns."""
        return {"input", "output", "score"} <= set(record) and ("gts" in record or "step" in record)

    def of_record(self, record: Record, file: SourceFile) -> Iterator[Row]:
        """One completion."""
        step = whole_of(record.get("step"), "step")
        name = file.path.name.partition(".")[0]
        if step is None and name.isascii() and name.isdecimal():  # 10.jsonl is of step 10
            step = int(name)
        if step is None:
            raise RowError("step: is missing")
        phase: Phase = "train"
        if "reward" in record or step == 0 or _held_out(file):
            phase = "eval"
        group, sample = None, None
        uid = record.get("uid")
        if uid is not None:
            match = _UID.fullmatch(str(uid))
            group = match[1] if match else str(uid)
            sample = int(match[2]) * _OUTPUTS + int(match[3]) if match else None
        elif phase == "train":
            self._no_uid_in_train = True
        reward = number_of(record.get("score"), "score")
        yield Row(
            prompt=prompt_in(record, "input"),
            completion=completion_in(record, "output"),
            step=step,
            phase=phase,
            group=group,
            sample=sample,
            gold=gold_of(record.get("gts")),
            reward=reward,
            correct=truth_of(record.get("acc"), "acc"),
        )

    def notes(self) -> list[str]:
        """What the legacy trainer loses."""
        if not self._no_uid_in_train:
            return []
        return [
            "The legacy dump has no uid and writes a training batch in another order than it was "
            "sampled in, so a tie goes to another answer than in training, and two equal prompts "
            "of a step are one group."
        ]


def _held_out(file: SourceFile) -> bool:
    """Whether the folder is called after a validation, for rows that do not tell."""
    return bool(_HELD_OUT.search(file.name) or _HELD_OUT.search(file.path.parent.name))
