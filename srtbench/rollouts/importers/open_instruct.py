"""open-instruct's ``{run}_rollouts_{shard}.jsonl`` (``--save_traces``): token ids and no text."""

from __future__ import annotations

from collections.abc import Iterator

from srtbench.rollouts.importers.base import Importer, gold_of, mean_of, number_of, whole_of
from srtbench.rollouts.importers.files import Record, SourceFile
from srtbench.rollouts.importers.row import Row, RowError


class OpenInstruct(Importer):
    """See the module."""

    name = "open-instruct"
    writer = "open-instruct"
    needs_tokenizer = True

    @classmethod
    def recognises(cls, record: Record) -> bool:
        """By its tokens."""
        return {"prompt_tokens", "response_tokens", "prompt_idx", "step"} <= set(record)

    def of_record(self, record: Record, file: SourceFile) -> Iterator[Row]:
        """One sample."""
        step = whole_of(record["step"], "step")
        asked, written = record["prompt_tokens"], record["response_tokens"]
        if step is None or not isinstance(asked, list) or not isinstance(written, list):
            raise RowError("step, prompt_tokens and response_tokens are wanted")
        assert self.tokenizer is not None
        reason = record.get("finish_reason")
        yield Row(
            prompt=self.tokenizer(asked),
            completion=self.tokenizer(written),
            step=step,
            group=str(record["prompt_idx"]),
            sample=whole_of(record.get("sample_idx"), "sample_idx"),
            gold=gold_of(record.get("ground_truth")),
            reward=number_of(record.get("reward"), "reward"),
            completion_tokens=len(written),
            truncated=None if reason is None else reason == "length",
            mean_logprob=mean_of(record.get("logprobs")),
            advantage=number_of(record.get("advantage"), "advantage"),
        )
