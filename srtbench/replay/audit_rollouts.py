"""Audit of rollouts: each value against what the text, the configuration and the votes give."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from srtbench.answers.grader import Grader, gold_reward
from srtbench.plan.generation import GenerationShape
from srtbench.replay.advantages import advantage_tolerance, advantages
from srtbench.replay.audit_rounds import check_selection
from srtbench.replay.audit_values import Found, compare
from srtbench.rollouts import SELECTION, eval_group_id, read_rollouts
from srtbench.rollouts.judge import Columns, Judge, eval_votes, group_number, runs_of
from srtbench.store.configs import declared
from srtbench.store.runs import LoggedRun, LoggedSet
from srtbench.variants import TOKEN_STATISTICS, Facts, facts, from_outside
from srtbench.votes import VotingPolicy

_FAILED = ("timeout", "error")


def check_train(
    run: LoggedRun,
    columns: Columns,
    checked: Counter[str],
    notes: list[str],
    *,
    done: bool,
    judge: bool = True,
) -> Found:
    """Everything that the train rollouts claim; ``judge`` False: but what the variant decides."""
    spec, size = run.spec, run.spec.train.num_generations
    shape = GenerationShape.of(spec)
    author = Author(spec.run_id, run.grader, run.prompts, spec.train.max_completion_length, None, 1)
    yield from _check_rows(author, columns, "train", checked)
    yield from _check_further(run, author, checked)
    due = votes_due(run, load=judge)
    asked = facts(spec.variant) if judge or not from_outside(spec.variant) else None
    yield from _check_further_votes(run, author, asked, checked)
    judging = run.judge(run.variant()) if judge else None
    refilled = spec.train.refill is not None
    steps = list(runs_of(columns["step"]))
    expected = shape.steps(run.last_step if done else max(columns["step"], default=0))
    if [columns["step"][start] for start, _ in steps] != expected:
        yield "step", "train", f"the steps are not {expected[:3]}...{expected[-1:]}, each once"
    trained = run.learnt
    for start, stop in steps:
        step = columns["step"][start]
        if stop - start != shape.rollouts:
            yield "step", f"train step {step}", f"{stop - start} rollouts, not {shape.rollouts}"
        rewards = []
        for place, first in enumerate(range(start, stop, size)):
            part = slice(first, min(first + size, stop))
            number = group_number(columns["group_id"][first]) if refilled else place
            position = place if number is None else number
            group_id = f"{step}-{position}"
            where = f"train step {step} group {group_id}"
            split = list(check_group(columns, part, size, group_id, where))
            yield from split
            if columns["prompt_id"][first] not in trained:
                yield "prompt_id", where, "is no prompt that the run trains on"
                continue
            if not split:
                rewards.append(columns["train_reward"][part])
                if due is not None:
                    yield from check_votes(run, columns, part, group_id, where, due)
                if judging is not None:
                    where_is = (step, position)
                    yield from _check_judgement(run, judging, columns, part, *where_is, checked)
        if len(rewards) * size == stop - start and None not in columns["train_reward"][start:stop]:
            yield from _check_advantages(run, columns, start, stop, rewards, checked, notes)
    yield from check_selection(run, columns, judging, checked)


def check_eval(run: LoggedRun, one: LoggedSet, checked: Counter[str], *, done: bool) -> Found:
    """Everything that the evaluations on a set claim."""
    columns, size, held_out = one.columns, one.spec.sampling.samples, {*one.prompts}
    limit, label = one.spec.sampling.max_completion_length, one.spec.label
    author = Author(run.spec.run_id, one.grader, one.prompts, limit, label)
    yield from _check_rows(author, columns, "eval", checked)
    steps = list(runs_of(columns["step"]))
    logged = [columns["step"][start] for start, _ in steps]
    planned, newest = run.spec.train.steps, max(logged, default=-1)
    expected = one.spec.steps_done(planned, run.last_step)
    due = [step for step in expected if done or step <= newest]
    if logged != due:
        yield "step", "eval", f"evaluated at steps {logged}, not {due}"
    order: list[str] = []
    for start, stop in steps:
        step = columns["step"][start]
        if {*columns["prompt_id"][start:stop]} != held_out or stop - start != size * len(held_out):
            yield "prompt_id", f"eval step {step}", "not every held-out prompt has its completions"
        order = order or columns["prompt_id"][start:stop]
        if columns["prompt_id"][start:stop] != order:
            yield "prompt_id", f"eval step {step}", "not in the order of the evaluation before"
        yield from check_evaluation(columns, start, stop, size, run.revoted, label)
        checked.update({"pseudo_label": stop - start, "vote_share": stop - start})


def check_evaluation(
    columns: Columns,
    start: int,
    stop: int,
    size: int,
    rule: VotingPolicy | None,
    label: str | None,
) -> Found:
    """Groups and majorities of an evaluation on a set, whose rows are ``start`` to ``stop``."""
    step = columns["step"][start] if stop > start else 0
    names = [eval_group_id(label, step, row // size) for row in range(stop - start)]
    keys = columns["answer_key"][start:stop]
    voted: Columns = {"step": [step] * len(keys), "group_id": names, "answer_key": keys}
    outcomes = eval_votes(voted, rule) if keys else {}
    for first in range(start, stop, size):
        part = slice(first, min(first + size, stop))
        group_id = names[first - start]
        where = f"eval step {step} group {group_id}"
        yield from check_group(columns, part, size, group_id, where)
        for name, values in outcomes.items():
            again = values[first - start : part.stop - start]
            yield from compare(columns, part, name, again, where)
        for name in ("train_reward", "advantage", *TOKEN_STATISTICS):
            yield from compare(columns, part, name, [None] * size, where)


def _check_rows(author: "Author", columns: Columns, name: str, checked: Counter[str]) -> Found:
    yield from check_text(author, columns, name)
    graded = ("answer", "answer_key", "gold_reward", "verifier_status")
    checked.update(dict.fromkeys(graded, len(columns["run_id"])))


def _check_further(run: LoggedRun, author: "Author", checked: Counter[str]) -> Found:
    """Rows of rounds that did not vote: hot and hinted completions."""
    rows: Columns = read_rollouts(run.folder.further_path).to_pydict()
    yield from _check_rows(author, rows, "further", checked)
    yield from _check_untrained(rows, "further")


def _check_further_votes(
    run: LoggedRun, author: "Author", asked: Facts | None, checked: Counter[str]
) -> Found:
    """Rows that voted and were not trained on; ``asked``: what the variant answers, if known."""
    votes: Columns = read_rollouts(run.folder.votes_path).to_pydict()
    yield from _check_rows(author, votes, "votes", checked)
    for row, (step, logged) in enumerate(zip(votes["step"], votes["policy_step"], strict=True)):
        if asked is not None and logged != (at := asked.voted_at(step)):
            yield "policy_step", f"votes step {step} row {row}", f"is {logged}, not {at}"
    yield from _check_untrained(votes, "votes")


def _check_untrained(rows: Columns, name: str) -> Found:
    for column in ("train_reward", "advantage", *TOKEN_STATISTICS):
        if any(value is not None for value in rows[column]):
            yield column, name, "such rows have none"


@dataclass(frozen=True)
class Author:
    """Who logged rollouts, and what of.

    Attributes:
        run_id: of the run, or id of the stage. prompts: prompt_id -> its row.
        limit: longest completion, in tokens.
        label: of the evaluation set; None in train, and in a shared stage.
        behind: steps from the policy that wrote to the step of a row: 1 in train, 0 in eval.
    """

    run_id: str
    grader: Grader
    prompts: Mapping[str, Mapping[str, Any]]
    limit: int
    label: str | None = None
    behind: int = 0


def check_text(author: Author, columns: Columns, name: str) -> Found:
    """What each row says of its own text; and that only what a round may fit on is selected."""
    if name not in ("train", "further"):
        for column in SELECTION:
            if any(value is not None for value in columns[column]):
                yield column, name, "nothing is selected of such rows"
    graded, limit = author.grader.grade(columns["completion"]), author.limit
    phase = "train" if author.behind else "eval"
    golds = [author.prompts.get(one, {}).get("gold_key") for one in columns["prompt_id"]]
    rows = zip(*(columns[column] for column in _ROW_COLUMNS), strict=True)
    for row, values in enumerate(rows):
        found = dict(zip(_ROW_COLUMNS, values, strict=True))
        where = f"{name} step {columns['step'][row]} row {row}"
        if found["phase"] != phase:
            yield "phase", where, f"is {found['phase']!r}"
        if found["eval_set"] != author.label:
            yield "eval_set", where, f"is {found['eval_set']!r}"
        policy_step = columns["step"][row] - author.behind
        if name != "votes" and found["policy_step"] not in (None, policy_step):
            yield "policy_step", where, f"is {found['policy_step']}"
        if found["run_id"] != author.run_id:
            yield "run_id", where, f"is {found['run_id']!r}"
        if found["prompt_id"] not in author.prompts:
            yield "prompt_id", where, f"{found['prompt_id']!r} is no prompt that was asked"
        if found["answer"] != graded.answers[row]:
            yield "answer", where, f"{found['answer']!r}, the text gives {graded.answers[row]!r}"
        status, key = graded.statuses[row], graded.keys[row]
        if found["verifier_status"] in _FAILED or status in _FAILED:
            # A failure need not repeat itself; but it never leaves a key.
            key = None if found["answer_key"] is None else key
            if found["verifier_status"] in _FAILED and found["answer_key"] is not None:
                yield "verifier_status", where, f"{found['verifier_status']}, but there is a key"
        elif found["verifier_status"] != status:
            yield "verifier_status", where, f"{found['verifier_status']}, again it is {status}"
        if found["answer_key"] != key:
            yield "answer_key", where, f"{found['answer_key']!r}, the answer gives {key!r}"
        right = gold_reward(found["answer_key"], golds[row])
        if found["gold_reward"] != right:
            yield "gold_reward", where, f"{found['gold_reward']}, the key gives {right}"
        tokens = found["completion_tokens"]
        if tokens is None or not 0 <= tokens <= limit:
            yield "completion_tokens", where, f"{tokens} of at most {limit}"
        if found["truncated"] is None or (found["truncated"] and tokens not in (0, limit)):
            yield "truncated", where, f"cut off after {tokens} of {limit} tokens"
        yield from _check_ranges(found, where)


_ROW_COLUMNS = (
    "run_id",
    "phase",
    "eval_set",
    "policy_step",
    "prompt_id",
    "answer",
    "answer_key",
    "verifier_status",
    "gold_reward",
    "completion_tokens",
    "truncated",
    *TOKEN_STATISTICS,
)


def _check_ranges(found: dict[str, Any], where: str) -> Found:
    for name, sign in zip(TOKEN_STATISTICS, (-1, 1, 1), strict=True):
        value = found[name]
        if value is not None and not (math.isfinite(value) and sign * value >= -1e-3):
            yield name, where, f"{value} cannot be"


def check_group(columns: Columns, part: slice, size: int, group_id: str, where: str) -> Found:
    """The rows of ``part`` are a whole group of that id, of one prompt."""
    if len(columns["step"][part]) != size:
        yield "sample_index", where, f"{len(columns['step'][part])} rollouts, not {size}"
    if columns["sample_index"][part] != list(range(len(columns["sample_index"][part]))):
        yield "sample_index", where, f"{columns['sample_index'][part]}, not 0 to {size - 1}"
    if set(columns["group_id"][part]) != {group_id}:
        yield "group_id", where, f"holds rows of {sorted(set(columns['group_id'][part]))}"
    if len(set(columns["prompt_id"][part])) != 1:
        yield "prompt_id", where, "split: its rows are of several prompts"


def votes_due(run: LoggedRun, *, load: bool) -> int | None:
    """Votes per group beside the trained completions; None: not known without loading a class."""
    answers = declared(run.folder, run.spec)
    if answers is not None:
        return answers.extra_votes
    return facts(run.spec.variant).extra_votes(run.spec.train.num_generations) if load else None


def check_votes(
    run: LoggedRun, columns: Columns, part: slice, group_id: str, where: str, due: int
) -> Found:
    """The group has the further votes that it must have."""
    prompt, size = columns["prompt_id"][part.start], part.stop - part.start
    votes = run.votes.get(group_id)
    indices = votes["sample_index"] if votes else []
    if indices != list(range(size, size + due)) or {*(votes or {}).get("prompt_id", [])} - {prompt}:
        yield "votes", where, f"{len(indices)} further votes are logged, {due} were due"


def _check_judgement(
    run: LoggedRun,
    judge: Judge,
    columns: Columns,
    part: slice,
    step: int,
    position: int,
    checked: Counter[str],
) -> Found:
    where = f"train step {step} group {step}-{position}"
    size, votes = part.stop - part.start, run.votes.get(f"{step}-{position}")
    keys = run.vote_keys.get(f"{step}-{position}", [])
    judgement = judge.group(columns, range(part.start, part.stop), step, position, keys)
    yield from compare(columns, part, "train_reward", judgement.train_reward.tolist(), where)
    yield from compare(columns, part, "pseudo_label", [judgement.pseudo_label] * size, where)
    yield from compare(columns, part, "vote_share", [judgement.vote_share] * size, where)
    if votes:
        count = len(votes["sample_index"])
        every = slice(0, count)
        labels, shares = [judgement.pseudo_label] * count, [judgement.vote_share] * count
        yield from compare(votes, every, "pseudo_label", labels, f"{where} votes")
        yield from compare(votes, every, "vote_share", shares, f"{where} votes")
    checked.update(dict.fromkeys(("train_reward", "pseudo_label", "vote_share"), size))


def _check_advantages(
    run: LoggedRun,
    columns: Columns,
    start: int,
    stop: int,
    rewards: list[list[float]],
    checked: Counter[str],
    notes: list[str],
) -> Found:
    if run.spec.train.rounds is not None:
        rows = [None] * (stop - start)
        where = f"train step {columns['step'][start]}"
        yield from compare(columns, slice(start, stop), "advantage", rows, where)
        return
    derived = advantages(np.array(rewards), run.spec)
    if derived is None:
        notes.append(
            f"{run.spec.run_id}: its options make advantages that rewards alone do not give"
        )
        return
    where = f"train step {columns['step'][start]}"
    logged = np.array(columns["advantage"][start:stop], dtype=np.float64)
    again, near = derived.ravel(), advantage_tolerance(np.array(rewards), run.spec).ravel()
    for row in np.flatnonzero(~(np.abs(logged - again) <= near + 1e-4 * np.abs(again))):
        yield "advantage", f"{where} row {row}", f"{logged[row]:g}, derived again {again[row]:g}"
    checked["advantage"] += stop - start
