"""lm-eval's ``samples_{task}_{date}.jsonl`` (``--log_samples``): a document with its responses."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from srtbench.rollouts.importers.base import Importer, need
from srtbench.rollouts.importers.columns import named_gold
from srtbench.rollouts.importers.files import Record, SourceFile
from srtbench.rollouts.importers.row import Row, RowError, gold_of, text_of, truth_of

_TASK = re.compile(r"samples_(.+?)_\d{4}-\d\d-\d\d")
_ASKED = ("question", "problem", "prompt", "query", "input", "text")


class LmEval(Importer):
    """See the module."""

    name = "lm-eval"
    writer = "lm-eval"

    @classmethod
    def recognises(cls, record: Record) -> bool:
        """By its document and responses."""
        return {"doc_id", "doc", "resps"} <= set(record)

    def of_record(self, record: Record, file: SourceFile) -> Iterator[Row]:
        """A rollout per response; a document stands once per filter, which chooses among them."""
        doc, responses = record["doc"], record["resps"]
        texts = [one for request in responses for one in _each(request)]
        if not texts or not all(isinstance(one, str) for one in texts):
            raise RowError("its responses are no texts: the task scores likelihoods")
        task = _TASK.search(file.path.name)
        target = record.get("target")
        gold = gold_of(target) if isinstance(target, str) else None
        metrics = [one for one in record.get("metrics") or () if isinstance(one, str)]
        verdict = record.get(metrics[0]) if len(texts) == 1 and metrics else None
        number = record["doc_id"]
        for index, text in enumerate(texts):
            yield Row(
                prompt=need(_asked(record, doc), "arguments"),
                completion=text,
                step=file.step(default=0),
                phase="eval",
                eval_set=task[1] if task else None,
                group=None if number is None else str(number),
                sample=index,
                gold=gold or (named_gold(doc) if isinstance(doc, Mapping) else None),
                correct=truth_of(verdict, metrics[0]) if verdict is not None else None,
                record=None
                if number is None
                else f"{task[1] if task else file.name}/{number}/{index}",
            )


def _each(request: Any) -> list[Any]:
    return request if isinstance(request, list) else [request]


def _asked(record: Record, doc: Any) -> str | None:
    """What the model was asked: the first argument of the request, else a field of the document."""
    arguments = record.get("arguments")
    if isinstance(arguments, Mapping) and arguments:
        arguments = [next(iter(arguments.values()))]
    if isinstance(arguments, list) and arguments:
        first = arguments[0]
        if isinstance(first, Mapping) and first:
            first = next(iter(first.values()))
        if isinstance(first, list) and first:
            first = first[0]
        if isinstance(first, str):
            return first
    if isinstance(doc, Mapping):
        return next((text_of(doc[name]) for name in _ASKED if doc.get(name)), None)
    return text_of(doc)
