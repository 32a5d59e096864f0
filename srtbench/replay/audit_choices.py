"""Audit of what was chosen by logged evidence: prompts of a pool, the best policy of a run."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from srtbench.answers.grader import gold_reward
from srtbench.config.train import PoolConfig
from srtbench.rollouts import PROMPT_SCHEMA, part_files, read_rollouts, read_table
from srtbench.rollouts.judge import Columns
from srtbench.store import Folder, StoreError
from srtbench.store.choices import BEST_NOTE, best_note, easiest, evaluation_score
from srtbench.store.labels import count_votes, labels_path, read_labels
from srtbench.store.runs import LoggedRun, LoggedSet

Found = Iterator[tuple[str, str, str]]


def check_pool(run: LoggedRun, train: Columns, checked: Counter[str]) -> Found:
    """The prompts trained on are the easiest of the pool, by the start model's completions."""
    pool, found = run.spec.train.pool, run.spec.needs.pool_votes
    if pool is None or found is None:
        return
    folder = run.store.stage(found)
    prompts = run.store.stage(run.spec.needs.train_prompts).prompts_path
    needed = [folder.config_path, prompts]
    needed += [labels_path(folder)] if pool.by == "vote_share" else []
    missing = [path for path in needed if not path.is_file()]
    missing += [] if part_files(folder.rollouts_path, "eval") else [folder.rollouts_path]
    if missing:
        for path in missing:
            name = f"{path.parent.name}/{path.name}"
            yield "pool", name, "gone: which prompts are easy cannot be told"
        return
    rows = read_rollouts(folder.rollouts_path, "eval").to_pydict()
    yield from _check_completions(run, rows, prompts, pool)
    shares = _shares(run, found, rows)
    if pool.by == "vote_share":
        yield from _check_labels(folder, shares)
    chosen = easiest(shares if pool.by == "vote_share" else _pass_rates(rows), pool)
    for prompt_id in sorted(set(train["prompt_id"]) - chosen):
        message = f"is trained on, but is not among the easiest {pool.keep:g} of the pool"
        yield "pool", f"prompt {prompt_id}", message
    checked["pool"] += len(shares)


def _check_completions(run: LoggedRun, rows: Columns, prompts: Path, pool: PoolConfig) -> Found:
    """Keys, and grades where they decide, follow from the start model's completions."""
    table = read_table(prompts, PROMPT_SCHEMA, ["prompt_id", "gold_key"]).to_pydict()
    golds = dict(zip(table["prompt_id"], table["gold_key"], strict=True))
    if set(rows["prompt_id"]) != set(golds):
        yield "pool", "completions", "they are not of the prompts that the pool has"
    graded = run.grader.grade(rows["completion"])
    for row, (prompt_id, key) in enumerate(zip(rows["prompt_id"], graded.keys, strict=True)):
        where, logged = f"start model's completion {row}", rows["answer_key"][row]
        failed = {graded.statuses[row], rows["verifier_status"][row]} & {"timeout", "error"}
        if logged != key and not failed:
            yield "pool", where, f"answer_key is {logged!r}, the text gives {key!r}"
        right = gold_reward(logged, golds.get(prompt_id))
        if pool.by == "pass_rate" and rows["gold_reward"][row] != right:
            yield "pool", where, f"gold_reward is {rows['gold_reward'][row]}, the key gives {right}"


def _shares(run: LoggedRun, stage_id: str, rows: Columns) -> dict[str, float]:
    """Vote share of each prompt, rounded as it is stored."""
    stage, _ = run.votes_stage(stage_id)
    votes, policy = stage.sampling.samples, stage.voting
    labels = count_votes(rows["prompt_id"], rows["answer_key"], votes, policy)
    return {name: float(np.float32(label.share)) for name, label in labels.items()}


def _check_labels(folder: Folder, shares: Mapping[str, float]) -> Found:
    logged = {name: label.share for name, label in read_labels(labels_path(folder)).items()}
    for name in sorted(set(logged) | set(shares)):
        if logged.get(name) != shares.get(name):
            message = f"vote share is {logged.get(name)}, its votes give {shares.get(name)}"
            yield "pool", f"prompt {name}", message


def _pass_rates(rows: Columns) -> dict[str, float]:
    grades: dict[str, list[float]] = {}
    for prompt_id, right in zip(rows["prompt_id"], rows["gold_reward"], strict=True):
        grades.setdefault(prompt_id, []).append(right)
    return {name: float(np.mean(values)) for name, values in grades.items()}


def check_best(run: LoggedRun, own: LoggedSet, checked: Counter[str], *, done: bool) -> Found:
    """Each ``best.json`` names the best of the evaluations on own prompts, the first of equals.

    A run that is not done may have kept the policy of an evaluation whose rollouts are not written
    yet, or begin anew; so only its score is held against the evaluation that it names.
    """
    if run.revoted is not None or not run.spec.keep_best:
        return  # the votes of a revote chose no policy
    table = own.rollouts
    steps = sorted(set(table["step"].to_pylist()))
    for rule in run.spec.keep_best:
        where = f"best/{rule}/{BEST_NOTE}"
        try:
            note = best_note(run.folder, rule)
        except StoreError as error:
            yield "best", where, f"cannot be read: {error}"
            continue
        if note is None:
            if done:
                yield "best", where, "gone: which policy was the best is not known"
            continue
        step, score = note.step, note.score
        scores = {
            one: evaluation_score(table.filter(pc.equal(table["step"], one)), rule) for one in steps
        }
        checked["best"] += 1
        if step in scores and abs(scores[step] - score) > 1e-6:
            message = f"score {score:g} at step {step}, its rollouts give {scores[step]:g}"
            yield "best", where, message
        best = max(scores, key=lambda one: (scores[one], -one), default=None)
        if done and best is not None and best != step:
            message = f"names step {step}; the best is step {best} with {scores[best]:g}"
            yield "best", where, message
