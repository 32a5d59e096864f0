"""Inspect's logs, ``.eval`` or ``.json``, through the reader of inspect_ai itself.

An evaluation has no training steps; the step is what the path names, as ``checkpoint-100`` does.
The epochs of a sample are the completions of its prompt.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from srtbench.rollouts.importers.base import NO_ROLLOUT, Importer, ImporterError, need
from srtbench.rollouts.importers.files import Record, SourceFile
from srtbench.rollouts.importers.row import Row, RowError, gold_of, text_of, whole_of
from srtbench.sections import slug

_VERDICTS = {"C": True, "I": False, "N": False, 1: True, 0: False}
_ZIP = b"PK\x03\x04"


class Inspect(Importer):
    """See the module."""

    name = "inspect"
    writer = "Inspect"

    @classmethod
    def recognises(cls, record: Record) -> bool:
        """By its header; the samples of a .json log stand in one record with it."""
        header = record.get("eval")
        return isinstance(header, dict) and {"task", "model"} <= set(header)

    @classmethod
    def recognises_file(cls, file: SourceFile, records: Sequence[Record]) -> bool:
        """An archive, or the header."""
        if file.kind != "eval":
            return super().recognises_file(file, records)
        with file.path.open("rb") as source:
            return source.read(4) == _ZIP

    def of_record(self, record: Record, file: SourceFile) -> Iterator[Row]:
        """Never by records: the files are read by inspect_ai."""
        raise RowError("is read by inspect_ai")

    def rows(self, file: SourceFile) -> Iterator[Row]:
        """A rollout per sample and epoch.

        Raises:
            ImporterError: inspect_ai is not installed.
        """
        try:
            from inspect_ai.log import read_eval_log, read_eval_log_samples
        except ImportError as error:
            raise ImporterError(
                f"{file.name}: Inspect's logs are read by inspect_ai, which is not installed "
                f"({error}); pip install 'srtbench[inspect]'"
            ) from None
        file.stop = 0
        try:
            path, how = str(file.path), "eval" if file.kind == "eval" else "json"
            header = read_eval_log(path, header_only=True, format=how).eval
            if header.dataset.sample_ids is None:  # as a log is that a program has put together
                samples = iter(read_eval_log(path, format=how).samples or ())
            else:
                samples = read_eval_log_samples(path, all_samples_required=False, format=how)
            for number, sample in enumerate(samples, 1):
                file.stop = number
                where = f"{file.name} sample {sample.id} epoch {sample.epoch}"
                try:
                    row = self._row(sample, header, file)
                except NO_ROLLOUT as error:
                    file.skip(where, self.why(error))
                    continue
                yield row
        except (OSError, ValueError, KeyError, EOFError, RuntimeError) as error:
            file.skip(file.name, f"no whole log ({type(error).__name__}: {error})")

    def _row(self, sample: Any, header: Any, file: SourceFile) -> Row:
        output = sample.output
        if not output.choices:
            raise RowError("has no output" if sample.error is None else "failed")
        given = sample.input
        if not isinstance(given, str):
            given = [{"role": one.role, "content": one.text} for one in given]
        target = sample.target if isinstance(sample.target, str) else (sample.target or [None])[0]
        used = [one.output_tokens for one in (sample.model_usage or {}).values()]
        reason = output.choices[0].stop_reason
        return Row(
            prompt=need(text_of(given), "input"),
            completion=output.completion,
            step=file.step(default=0),
            phase="eval",
            eval_set=slug(header.task.rpartition("/")[2]),
            group=str(sample.id),
            sample=sample.epoch,
            gold=gold_of(target),
            correct=_verdict(sample.scores),
            completion_tokens=whole_of(used[0], "output_tokens") if len(used) == 1 else None,
            truncated=reason in ("max_tokens", "model_length"),
            record=f"{header.run_id}/{sample.uuid or f'{sample.id}/{sample.epoch}'}",
        )


def _verdict(scores: Any) -> bool | None:
    """The first score, where it is a verdict."""
    for score in (scores or {}).values():
        value = score.value
        if isinstance(value, str | int | float) and value in _VERDICTS:
            return _VERDICTS[value]
        return None
    return None
