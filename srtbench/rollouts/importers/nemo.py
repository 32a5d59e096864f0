"""NeMo-RL's ``train_data_step{N}.jsonl`` and ``val_data_step{N}.jsonl``.

The writer walks over micro-batches of one, so each value stands in a list of length 1. Under
dynamic sampling ``rewards`` is of all samples, and ``filtered_rewards`` of those that are written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from srtbench.rollouts.importers.base import Importer, need
from srtbench.rollouts.importers.files import Record, SourceFile
from srtbench.rollouts.importers.row import (
    Phase,
    Row,
    RowError,
    completion_of,
    mean_of,
    number_of,
    text_of,
)


class NemoRl(Importer):
    """See the module."""

    name = "nemo-rl"
    writer = "NeMo-RL"
    lost = ("It names no groups: equal prompts of a step are one.",)

    def __init__(self, tokenizer: object = None):
        super().__init__()
        self._unnamed: dict[str, int] = {}

    def prepare(self, files: Sequence[SourceFile]) -> None:
        """Number the files whose names tell no step, in the order of their names."""
        untold = [file.name for file in files if not file.names_step]
        self._unnamed = {name: number for number, name in enumerate(untold, 1)}

    def reading_of(self, file: SourceFile) -> str:
        """Under which step a file is read whose name tells none."""
        return f"step {self._unnamed[file.name]}" if file.name in self._unnamed else ""

    def notes(self) -> list[str]:
        """That steps were made up."""
        if not self._unnamed:
            return []
        return [
            f"The names of {len(self._unnamed)} files tell no step, and their rows neither: they "
            "are numbered in the order of their names."
        ]

    @classmethod
    def recognises(cls, record: Record) -> bool:
        """By lists of turns and of rewards."""
        content, rewards = record.get("content"), record.get("rewards")
        return isinstance(content, list) and bool(content) and isinstance(rewards, list)

    def of_record(self, record: Record, file: SourceFile) -> Iterator[Row]:
        """The samples of a line, of which there is one."""
        content = record["content"]
        if not isinstance(content[0], list):
            content = [content]
        phase: Phase = "train" if "token_ids" in record else "eval"
        step = file.step(default=self._unnamed.get(file.name))
        rewards = record["rewards"]
        if len(rewards) != len(content):
            rewards = record.get("filtered_rewards") or []
        if len(rewards) != len(content):
            raise RowError(f"{len(content)} texts and {len(rewards)} rewards")
        for at, turns in enumerate(content):
            asked, answered = _split(turns)
            mask = _at(record.get("token_loss_mask"), at)
            yield Row(
                prompt=need(text_of(asked), "prompt"),
                completion=need(completion_of(answered), "completion"),
                step=step,
                phase=phase,
                reward=number_of(rewards[at], "rewards"),
                completion_tokens=None if mask is None else sum(map(bool, mask)),
                mean_logprob=_masked(_at(record.get("generation_logprobs"), at), mask),
                advantage=_masked(_at(record.get("advantages"), at), mask),
            )


def _split(turns: Sequence[Any]) -> tuple[Any, Any]:
    """What was asked, and what came after: of texts the first and the rest."""
    if len(turns) < 2:
        raise RowError("content: a prompt and a completion are wanted")
    if all(isinstance(turn, str) for turn in turns):
        return turns[0], "\n\n".join(turns[1:])
    roles = [turn.get("role") for turn in turns]
    first = roles.index("assistant") if "assistant" in roles else 1
    return turns[:first], turns[first:]


def _at(values: Any, at: int) -> list[Any] | None:
    found = values[at] if isinstance(values, list) and at < len(values) else None
    return found if isinstance(found, list) else None


def _masked(values: list[Any] | None, mask: list[Any] | None) -> float | None:
    if values is None or mask is None or len(values) != len(mask):
        return None
    return mean_of([value for value, kept in zip(values, mask, strict=True) if kept])
