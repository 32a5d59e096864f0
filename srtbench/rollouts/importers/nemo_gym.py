"""NeMo-Gym's ``*_rollouts.jsonl``: a request and the response to it, as OpenAI's Responses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from srtbench.rollouts.importers.base import Importer, need, number_of, truth_of, whole_of
from srtbench.rollouts.importers.columns import named_gold
from srtbench.rollouts.importers.files import Record, SourceFile
from srtbench.rollouts.importers.row import Row, completion_of, text_of


class NemoGym(Importer):
    """See the module."""

    name = "nemo-gym"
    writer = "NeMo-Gym"

    @classmethod
    def recognises(cls, record: Record) -> bool:
        """By request and response."""
        return "responses_create_params" in record and isinstance(record.get("response"), dict)

    def of_record(self, record: Record, file: SourceFile) -> Iterator[Row]:
        """One rollout."""
        response: Mapping[str, Any] = record["response"]
        written = [
            one for one in response.get("output") or [] if one.get("type", "message") == "message"
        ]
        asked = record["responses_create_params"].get("input")
        task, rollout = record.get("_ng_task_index"), record.get("_ng_rollout_index")
        usage = response.get("usage") or {}
        reason = (response.get("incomplete_details") or {}).get("reason")
        status = response.get("status")
        yield Row(
            prompt=need(text_of(asked), "responses_create_params.input"),
            completion=completion_of(written) or "",
            step=file.step(default=0),
            phase="eval",
            group=None if task is None else str(task),
            sample=whole_of(rollout, "_ng_rollout_index"),
            gold=named_gold(record) or named_gold(record.get("verifier_metadata") or {}),
            reward=number_of(record.get("reward"), "reward"),
            correct=truth_of(record.get("is_correct"), "is_correct"),
            completion_tokens=whole_of(usage.get("output_tokens"), "usage.output_tokens"),
            truncated=True
            if reason == "max_output_tokens"
            else (False if status == "completed" else None),
        )
