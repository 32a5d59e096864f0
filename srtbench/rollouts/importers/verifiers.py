"""verifiers' results: ``results.jsonl``, and the episodes of version 1.

prime-rl wrote the former too for some months: ``step_{x}/{train,eval}_rollouts.jsonl``.
"""

from __future__ import annotations

from collections.abc import Iterator

from srtbench.rollouts.importers.base import (
    Importer,
    completion_in,
    need,
    number_of,
    truth_of,
    whole_of,
)
from srtbench.rollouts.importers.columns import named_gold
from srtbench.rollouts.importers.episodes import episode_rows, is_episode
from srtbench.rollouts.importers.files import Record, SourceFile
from srtbench.rollouts.importers.row import Phase, Row, text_of

_VERDICTS = ("correct", "correct_answer", "is_correct", "accuracy")


class Verifiers(Importer):
    """See the module."""

    name = "verifiers"
    writer = "verifiers"

    @classmethod
    def recognises(cls, record: Record) -> bool:
        """A rollout of an example, or an episode of no run."""
        if is_episode(record):
            return not isinstance(record.get("run"), dict)
        return {"example_id", "prompt", "completion", "reward"} <= set(record)

    def of_record(self, record: Record, file: SourceFile) -> Iterator[Row]:
        """One rollout, or those of an episode."""
        if is_episode(record):
            yield from episode_rows(record, file)
            return
        phase: Phase = "train" if file.path.name.startswith("train") else "eval"
        step = file.step(default=0 if phase == "eval" else None)
        metrics = record.get("metrics") or {}
        verdict = next((metrics[one] for one in _VERDICTS if one in metrics), None)
        tokens = (record.get("token_usage") or {}).get("output_tokens")
        yield Row(
            prompt=need(text_of(record.get("prompt")), "prompt"),
            completion=completion_in(record, "completion"),
            step=step,
            phase=phase,
            group=str(record["example_id"]),
            gold=named_gold(record) or named_gold(record.get("info") or {}),
            reward=number_of(record.get("reward"), "reward"),
            correct=truth_of(verdict, "metrics"),
            completion_tokens=whole_of(tokens, "token_usage.output_tokens"),
            truncated=truth_of(record.get("is_truncated"), "is_truncated"),
        )
