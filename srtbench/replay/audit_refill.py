"""Audit of refilled batches: what was drawn, and which of it was trained on."""

from collections import Counter

from srtbench.plan.refill import RefillRule
from srtbench.replay.audit_rollouts import (
    Author,
    check_group,
    check_text,
    check_votes,
    votes_due,
)
from srtbench.replay.audit_values import Found, compare
from srtbench.rollouts.judge import Columns, group_number, runs_of
from srtbench.store.runs import LoggedRun
from srtbench.variants import TOKEN_STATISTICS


def check_refill(
    run: LoggedRun, train: Columns, checked: Counter[str], *, judge: bool = True
) -> Found:
    """The groups of each step are all that the rule draws, and those in the batch what it keeps.

    Args:
        judge: whether the vote shares, which decide, may be derived: code from outside may run.
    """
    spec, size = run.spec, run.spec.train.num_generations
    dropped = run.dropped_columns()
    if spec.train.refill is None:
        if dropped["step"]:
            yield "structure", "dropped", "rollouts, but the run does not refill its batches"
        return
    author = Author(spec.run_id, run.grader, run.prompts, spec.train.max_completion_length, None, 1)
    yield from check_text(author, dropped, "dropped")
    yield from _check_nulls(run, dropped, judge=judge)
    shares: dict[str, float] = {}
    due = votes_due(run, load=judge)
    judging = run.judge(run.variant()) if judge else None
    for columns, name in ((train, "train"), (dropped, "dropped")):
        for start, stop in runs_of(columns["group_id"]):
            part, group_id = slice(start, stop), columns["group_id"][start]
            step, number = columns["step"][start], group_number(group_id)
            where = f"{name} step {step} group {group_id}"
            if number is None or group_id in shares or group_id != f"{step}-{number}":
                yield "group_id", where, "is no group of the step, or stands twice"
                continue
            shares[group_id] = 0.0
            if name == "dropped":
                yield from check_group(columns, part, size, group_id, where)
                if columns["prompt_id"][start] not in run.learnt:
                    yield "prompt_id", where, "is no prompt that the run trains on"
                    continue
                if due is not None:
                    yield from check_votes(run, columns, part, group_id, where, due)
            if judging is None or stop - start != size:
                continue
            keys = run.vote_keys.get(group_id, [])
            judgement = judging.group(columns, range(start, stop), step, number, keys)
            shares[group_id] = judgement.vote_share or 0.0
            if name == "dropped":
                labels, same = [judgement.pseudo_label] * size, [judgement.vote_share] * size
                yield from compare(columns, part, "pseudo_label", labels, where)
                yield from compare(columns, part, "vote_share", same, where)
                checked.update({"pseudo_label": size, "vote_share": size})
    rule = RefillRule.of(spec) if judge else None
    yield from _check_steps(run, rule, train, dropped, shares, checked)


def _check_nulls(run: LoggedRun, dropped: Columns, *, judge: bool) -> Found:
    """Nothing was rewarded; token statistics are there only if the variant judged by them."""
    names = ["train_reward", "advantage"]
    if judge and not run.variant().needs_token_statistics:
        names += TOKEN_STATISTICS
    for name in names:
        if any(value is not None for value in dropped[name]):
            yield name, "dropped", "groups that are not trained on have none"


def _check_steps(
    run: LoggedRun,
    rule: RefillRule | None,
    train: Columns,
    dropped: Columns,
    shares: dict[str, float],
    checked: Counter[str],
) -> Found:
    """Each step's groups by the rule; only that none is missing where it cannot be asked."""
    kept = _numbers(train)
    left = _numbers(dropped)
    for step in sorted({*left} - {*kept}):
        yield "step", f"dropped step {step}", "has no rollouts that are trained on"
    for step, places in kept.items():
        where, count = f"train step {step}", len(places) + len(left.get(step, []))
        if sorted([*places, *left.get(step, [])]) != list(range(count)):
            yield "group_id", where, f"not every one of the {count} groups drawn is logged once"
            continue
        if rule is None or run.revoted is not None:
            continue  # which groups are kept was decided by the shares of the training
        found = [shares[f"{step}-{number}"] for number in range(count)]
        if rule.drawn(found) != count:
            yield "group_id", where, f"{count} groups were drawn, the rule draws another number"
        elif rule.kept(found) != places:
            message = f"groups {places} are trained on, the vote shares give {rule.kept(found)}"
            yield "group_id", where, message
        checked["refill"] += count


def _numbers(columns: Columns) -> dict[int, list[int]]:
    """Step -> numbers of its groups, in the order of the log."""
    found: dict[int, list[int]] = {}
    for start, _ in runs_of(columns["group_id"]):
        number = group_number(columns["group_id"][start])
        found.setdefault(columns["step"][start], []).append(-1 if number is None else number)
    return found
