"""Audit of rounds: what each selects and how often its fit updates, derived again from the log."""

import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

from srtbench.replay.audit_values import Found, compare
from srtbench.rollouts import METRIC_SCHEMA, SELECTION, read_table
from srtbench.rollouts.judge import Columns, Judge, runs_of
from srtbench.rollouts.selection import select_step
from srtbench.store.runs import LoggedRun
from srtbench.variants import RoundsVariant, facts


def check_selection(
    run: LoggedRun, columns: Columns, judge: Judge | None, checked: Counter[str]
) -> Found:
    """The selection of each round, and what was sampled beside its groups.

    Args:
        judge: None: the variant's code is not run, and only what rows say of themselves is checked.
    """
    further = run.further_columns()
    for name, table in (("train", columns), ("further", further)):
        yield from _check_alike(run, table, name)
    if run.spec.train.rounds is None or judge is None:
        return
    plan = facts(run.spec.variant).further(run.spec.train.num_generations)
    steps = {further["step"][start]: (start, stop) for start, stop in runs_of(further["step"])}
    for start, stop in runs_of(columns["step"]):
        step = columns["step"][start]
        first, last = steps.pop(step, (0, 0))
        own = {name: values[start:stop] for name, values in columns.items()}
        beside = {name: values[first:last] for name, values in further.items()}
        yield from _check_counts(run, own, beside, step, plan.hot, plan.hinted)
        judged = judge.step(own, step)
        selections = select_step(judge, own, judged, beside, step, plan.hot)
        for table, again, where in (
            (own, selections[0], f"train step {step}"),
            (beside, selections[1], f"further step {step}"),
        ):
            for name in SELECTION:
                yield from compare(table, slice(None), name, again[name], where)
        voted = judged.of_votes(beside)
        for name in ("pseudo_label", "vote_share"):
            where = f"further step {step}"
            yield from compare(beside, slice(None), name, voted[name], where)
        checked.update(dict.fromkeys(SELECTION, stop - start + last - first))
    for step in steps:
        yield "step", "further", f"step {step} has no groups that voted"


def _check_alike(run: LoggedRun, table: Columns, name: str) -> Found:
    """A row that is selected has a role and a weight; no other row has."""
    online = run.spec.train.rounds is None
    for row, (selected, role, weight) in enumerate(
        zip(*(table[column] for column in SELECTION), strict=True)
    ):
        where = f"{name} step {table['step'][row]} row {row}"
        if online and (selected, role, weight) != (None, None, None):
            yield "selected", where, "online runs select nothing"
        elif not online and selected is None:
            yield "selected", where, "is not said"
        elif bool(selected) != (role is not None) or bool(selected) != (weight is not None):
            yield "role", where, f"selected is {selected}, role {role!r}, weight {weight}"


def _check_counts(
    run: LoggedRun, own: Columns, beside: Columns, step: int, hot: int, hinted: int
) -> Found:
    """Each group has its hot completions, and its hinted ones if it has no right one."""
    size = run.spec.train.num_generations
    right: dict[str, bool] = {}
    for group_id, reward in zip(own["group_id"], own["gold_reward"], strict=True):
        right[group_id] = right.get(group_id, False) or bool(reward)
    found: dict[str, list[int]] = {group_id: [] for group_id in right}
    for group_id, index in zip(beside["group_id"], beside["sample_index"], strict=True):
        found.setdefault(group_id, []).append(index)
    for group_id, indices in found.items():
        due = hot + (0 if right.get(group_id, True) else hinted)
        if indices != list(range(size, size + due)):
            where = f"further step {step} group {group_id}"
            yield "sample_index", where, f"{len(indices)} further completions, {due} were due"


def made_updates(run: LoggedRun, columns: Columns) -> bool:
    """Whether the optimiser had anything to do: rounds may all select nothing."""
    if run.spec.train.rounds is None:
        return True
    return any(columns["selected"]) or any(run.further_columns()["selected"])


def check_updates(run: LoggedRun, columns: Columns, checked: Counter[str], *, judge: bool) -> Found:
    """metrics.parquet of rounds: each update once, and as many a round as its selection gives.

    Args:
        judge: whether the variant's code may run; else how many texts it writes is not known.
    """
    variant = run.variant() if judge else None
    texts = len(variant.formats()) if isinstance(variant, RoundsVariant) else 0
    due = dict(_updates_due(run, columns, max(1, texts)))
    if not run.folder.metrics_path.is_file():
        return
    table = read_table(run.folder.metrics_path, METRIC_SCHEMA).to_pydict()
    if set(table["run_id"]) - {run.spec.run_id}:
        yield "metrics", "run_id", "is not the run everywhere"
    by_step: dict[int, dict[str, Any]] = {}
    for step, name, value in zip(table["step"], table["metric"], table["value"], strict=True):
        if name in by_step.setdefault(step, {}):
            yield "metrics", f"step {step}", f"{name} stands twice"
        by_step[step][name] = value
    if list(by_step) != list(range(1, len(by_step) + 1)):
        yield "metrics", "step", "the updates are not 1, 2, ..., each once and in order"
    made = Counter(found.get("round") for found in by_step.values())
    if run.revoted is None and judge:
        for number, updates in due.items():
            if made[float(number)] != updates:
                message = f"{made[float(number)]} updates, what is selected gives {updates}"
                yield "metrics", f"round {number}", message
    if strange := {number for number in made if number not in due}:
        yield "metrics", "round", f"{strange.pop()} has no rollouts"
    peak = run.spec.train.learning_rate
    for step, found in by_step.items():
        loss, rate = found.get("loss"), found.get("learning_rate")
        if run.revoted is None and (loss is None or not math.isfinite(loss)):
            yield "metrics", f"step {step}", f"loss is {loss}"
        if rate is not None and not -1e-12 <= rate <= peak * (1 + 1e-6):
            yield "metrics", f"step {step}", f"learning_rate {rate} is above {peak}"
    checked["updates"] += len(by_step)


def _updates_due(run: LoggedRun, columns: Columns, texts: int) -> Iterator[tuple[int, int]]:
    """Round -> optimiser steps of its fit; ``texts``: written of each completion, for SFT."""
    rounds = run.spec.train.rounds
    assert rounds is not None
    counts: Counter[int] = Counter(dict.fromkeys(columns["step"], 0))
    counted = "chosen" if run.spec.train.algorithm == "dpo" else "sft"
    further = run.further_columns()
    for table in (columns, further):
        counts.update(
            step for step, role in zip(table["step"], table["role"], strict=True) if role == counted
        )
    for step, count in counts.items():
        rows = count * (texts if counted == "sft" else 1)
        yield step, rounds.fit.epochs * math.ceil(rows / rounds.fit.batch_size)
