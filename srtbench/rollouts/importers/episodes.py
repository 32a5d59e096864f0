"""Episodes of verifiers, as prime-rl logs them: ``.../step_{n}/{train,eval}/*/traces.jsonl``.

An episode has a task, and traces of the agents that worked on it: nodes of messages, those that
the policy wrote marked as sampled, with its tokens and their log-probabilities.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from srtbench.rollouts.importers.base import Importer, need
from srtbench.rollouts.importers.columns import named_gold
from srtbench.rollouts.importers.files import Record, SourceFile
from srtbench.rollouts.importers.row import (
    Phase,
    Row,
    RowError,
    completion_of,
    mean_of,
    number_of,
    phase_of,
    text_of,
    whole_of,
)


def is_episode(record: Record) -> bool:
    """Whether a record is an episode."""
    traces = record.get("traces")
    return isinstance(traces, list) and "task" in record and bool({"env", "run", "ok"} & {*record})


def episode_rows(record: Record, file: SourceFile) -> Iterator[Row]:
    """A rollout per trace of an agent that is trained, or of all if none is marked.

    Raises:
        RowError: the episode has none.
    """
    work = (record.get("run") or {}).get("work") or {}
    phase: Phase = "eval" if work.get("type") is None else phase_of(work["type"])
    step = whole_of(work.get("step"), "run.work.step")
    if step is None:
        step = file.step(default=0 if phase == "eval" else None)
    policy = work.get("policy") or {}
    task = record.get("task") or {}
    env = record.get("env") or {}
    group = (record.get("group") or {}).get("id") or task.get("key")
    traces = [one for one in record["traces"] if (one.get("agent") or {}).get("trainable", True)]
    if not traces:
        errors = record.get("errors")
        raise RowError("the episode has no trace" + (" and failed" if errors else ""))
    for index, trace in enumerate(traces):
        agent = (trace.get("agent") or {}).get("name")
        own = trace.get("task") or task
        data = own.get("data") or task.get("data") or {}
        nodes = trace.get("nodes") or []
        sampled = [node for node in nodes if node.get("sampled")]
        if not sampled:
            raise RowError("a trace without text of the policy")
        first = nodes.index(sampled[0])
        asked = [node["message"] for node in nodes[:first]] or data.get("prompt")
        logprobs = [one for node in sampled for one in node.get("logprobs") or ()]
        calls = trace.get("calls") or []
        yield Row(
            prompt=need(text_of(asked), "prompt"),
            completion=need(completion_of([node["message"] for node in sampled]), "completion"),
            step=step,
            phase=phase,
            eval_set=env.get("name") or env.get("id") if phase == "eval" else None,
            group=None if group is None else f"{group}/{agent}" if len(traces) > 1 else str(group),
            gold=named_gold(data) or named_gold(task.get("data") or {}),
            reward=_reward(trace.get("rewards")),
            completion_tokens=_tokens(sampled, calls),
            truncated=_truncated(trace, calls),
            mean_logprob=mean_of(logprobs),
            policy_step=whole_of(policy.get("start"), "policy.start"),
            advantage=mean_of([one for node in sampled for one in node.get("advantages") or ()])
            if phase == "train"
            else None,
            record=f"{record.get('id')}/{trace.get('id', index)}" if record.get("id") else None,
        )


class PrimeRl(Importer):
    """See the module."""

    name = "prime-rl"
    writer = "prime-rl"

    def __init__(self, tokenizer: object = None):
        super().__init__()
        self._aged = 0

    @classmethod
    def recognises(cls, record: Record) -> bool:
        """An episode of a run."""
        return is_episode(record) and isinstance(record.get("run"), dict)

    def of_record(self, record: Record, file: SourceFile) -> Iterator[Row]:
        """See `episode_rows`."""
        policy = (record["run"].get("work") or {}).get("policy") or {}
        self._aged += policy.get("start") != policy.get("end")
        yield from episode_rows(record, file)

    def notes(self) -> list[str]:
        """How many completions more than one policy wrote."""
        if not self._aged:
            return []
        return [
            f"The policy changed while it wrote in {self._aged:,} episodes; policy_step is that of "
            "their beginning."
        ]


def _reward(rewards: Any) -> float | None:
    if not isinstance(rewards, Mapping):
        return number_of(rewards, "rewards")
    parts = []
    for name, one in rewards.items():
        score = number_of(one.get("score") if isinstance(one, Mapping) else one, name)
        weight = number_of(one.get("weight", 1.0), name) if isinstance(one, Mapping) else 1.0
        if score is not None:
            parts.append(score * (1.0 if weight is None else weight))
    return sum(parts) if parts else None


def _tokens(sampled: list[Mapping[str, Any]], calls: list[Mapping[str, Any]]) -> int | None:
    masks = [node.get("mask") for node in sampled]
    if all(isinstance(mask, list) and mask for mask in masks):
        return sum(sum(map(bool, mask)) for mask in masks if mask)
    used = [(call.get("usage") or {}).get("completion_tokens") for call in calls]
    counts = [one for one in used if isinstance(one, int)]
    return sum(counts) if counts and len(counts) == len(used) else None


def _truncated(trace: Mapping[str, Any], calls: list[Mapping[str, Any]]) -> bool | None:
    if isinstance(trace.get("is_truncated"), bool):
        return bool(trace["is_truncated"])
    reasons = [call.get("finish_reason") for call in calls]
    return None if not reasons or reasons[-1] is None else reasons[-1] == "length"
