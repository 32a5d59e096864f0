"""Examine every Reasoning Gym task with real items, and write docs/reasoning_gym.md.

    python scripts/reasoning_gym_table.py            # a few minutes on two cores
    python scripts/reasoning_gym_table.py gcd sudoku # these tasks only, to the screen

Each task is examined in processes of its own, twice, with different string hashing: what a task
does to its process, or how long it takes, cannot spoil the table. The exit code is 1 if the
reviewed table `srtbench/config/tasks.yaml` misses a task or contradicts what was observed.
"""

import argparse
import copy
import hashlib
import json
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from srtbench.config.tasks import TaskReview, task_reviews
from srtbench.datasets.levels import builtin_rules

ITEMS = 10
SECONDS = 120.0
OUTPUT = Path(__file__).parent.parent / "docs" / "reasoning_gym.md"
FIXED_ANSWERS = ("", " ", "0", "1", "Yes", "No", "True", "False", "[]", "{}", "I do not know")
SKIPPED = {"composite": "a mixture of tasks, with no items of its own"}


def examine(task: str, count: int = ITEMS) -> dict[str, Any]:
    """What ``count`` items of a task with default options and seed 0 show."""
    from reasoning_gym.factory import create_dataset

    generator = create_dataset(task, seed=0, size=count)
    items = [generator[index] for index in range(count)]

    def score(answer: str, entry: dict[str, Any]) -> float | None:
        try:  # a copy: some scorers write into the item
            return float(generator.score_answer(answer, copy.deepcopy(entry)))
        except Exception:
            return None  # the scorer failed: neither right nor wrong

    golds = [item["answer"] for item in items]
    text = json.dumps([(item["question"], str(item["answer"])) for item in items])
    facts: dict[str, Any] = {
        "digest": hashlib.sha256(text.encode()).hexdigest(),
        "gold": sum(isinstance(gold, str) and bool(gold.strip()) for gold in golds),
        "items": count,
    }
    if facts["gold"] < count:
        return facts | _wrong_scores(items, score)
    scores = [score(gold, item) for gold, item in zip(golds, items, strict=True)]
    facts["gold_full_marks"] = sum(value == 1 for value in scores)
    return facts | _wrong_scores(items, score) | _sources(items, score)


Score = Callable[[str, dict[str, Any]], float | None]


def _plain(answer: Any) -> str:
    """An answer without what only formats it; equal plain answers are not called different."""
    text = re.sub(r"[\s\"'`,.$\[\](){}]+", "", str(answer)).casefold()
    return text or str(answer)


def _numeric(answer: Any) -> float | None:
    try:
        return float(str(answer))
    except ValueError:
        return None


def _is_rounding(answer: str, gold: str) -> bool:
    """Numbers within 1% of each other: what a scorer with a tolerance may accept."""
    first, second = _numeric(answer), _numeric(gold)
    if first is None or second is None:
        return False
    return abs(first - second) <= 0.01 * abs(second)


def _wrong_scores(items: Sequence[dict[str, Any]], score: Score) -> dict[str, Any]:
    """Scores of wrong answers: other items' gold answers, and near misses of the item's own."""
    partial: list[float] = []
    full: list[str] = []
    failures = 0
    others = [str(item["answer"]) for item in items if item["answer"] is not None]
    for item in items:
        gold = str(item["answer"])
        near = _near_misses(item) if others else []
        wrong = [*others, *FIXED_ANSWERS, *_changed_digit(gold)]
        for answer in dict.fromkeys([*wrong, *near]):
            if _plain(answer) == _plain(gold):
                continue
            value = score(answer, item)
            if value is None:
                failures += 1
            elif 0 < value < 1:
                partial.append(value)
            elif value >= 1 and answer in wrong and not _is_rounding(answer, gold):
                full.append(f"{answer!r:.60} for {gold!r:.60}")
    return {
        "partial": [min(partial), max(partial)] if partial else [],
        "other_full_marks": full[:3],
        "scorer_failures": failures,
    }


def _near_misses(item: dict[str, Any]) -> list[str]:
    """The gold answer cut, reversed, wrapped in words, and with its last word changed."""
    gold = str(item["answer"])
    near = [gold[:-1], gold + "!", f"The answer is {gold}", gold[::-1]]
    if words := list(re.finditer(r"\w+", gold)):
        last = words[-1]
        others = sorted(set(re.findall(r"[a-z]+", item["question"])), key=len, reverse=True)
        near += [gold[: last.start()] + word + gold[last.end() :] for word in others[:60]]
    return near


def _changed_digit(gold: str) -> list[str]:
    """The gold answer with its last digit changed, if it has one."""
    digits = list(re.finditer(r"[0-9]", gold))
    if not digits:
        return []
    last = digits[-1]
    return [gold[: last.start()] + str((int(last[0]) + 1) % 10) + gold[last.end() :]]


def _sources(items: Sequence[dict[str, Any]], score: Score) -> dict[str, Any]:
    """Whether the score of the gold answer changes with the item's answer, and its metadata."""
    ignores_answer: list[bool] = []
    reads_metadata: list[bool] = []
    for index, item in enumerate(items):
        gold = item["answer"]
        if score(gold, item) != 1:
            continue
        others = [
            o for o in [*items[index + 1 :], *items[:index]] if _plain(o["answer"]) != _plain(gold)
        ]
        for other in others[:3]:
            changed = score(gold, item | {"answer": other["answer"]})
            ignores_answer.append(changed == 1)
            reads_metadata.append(score(gold, item | {"metadata": other["metadata"]}) != 1)
        reads_metadata.append(score(gold, item | {"metadata": {}}) != 1)
    return {
        "uses_answer": bool(ignores_answer) and not all(ignores_answer),
        "uses_metadata": any(reads_metadata),
        "ignored_answer": sum(ignores_answer),
        "tampered": len(ignores_answer),
    }


def run_examination(task: str) -> dict[str, Any]:
    """Examine ``task`` in two processes; an error, or a time-out, becomes the result."""
    results = []
    for hash_seed in ("1", "2"):
        command = [sys.executable, __file__, "--examine", task]
        environment = os.environ | {"PYTHONHASHSEED": hash_seed, "OMP_NUM_THREADS": "1"}
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=SECONDS, env=environment
            )
        except subprocess.TimeoutExpired:
            return {"error": f"not done in {SECONDS:g} s"}
        if done.returncode != 0:
            return {"error": (done.stderr.strip().splitlines() or ["failed"])[-1][:200]}
        results.append(json.loads(done.stdout.splitlines()[-1]))
    same = results[0].pop("digest") == results[1].pop("digest")
    return {**results[0], "deterministic": same}


def contradictions(task: str, facts: dict[str, Any], review: TaskReview | None) -> list[str]:
    """Where the reviewed table and the observation do not agree."""
    if review is None:
        return [f"{task}: not in tasks.yaml"]
    found = []
    if "error" in facts:
        found.append(f"{task}: {facts['error']}")
    full = facts.get("other_full_marks", [])
    if full and review.unique and not review.lenient:
        found.append(f"{task}: unique, but the scorer gives full marks to {full[0]}")
    if review.lenient and not full:
        found.append(f"{task}: said to be lenient, but no wrong answer got full marks")
    if facts.get("gold", 1) < facts.get("items", 1) and review.unique:
        found.append(f"{task}: unique, but some items have no gold answer")
    if facts.get("deterministic") is review.unstable:
        found.append(f"{task}: unstable is {str(review.unstable).lower()}, but not seen so")
    return found


def row(task: str, facts: dict[str, Any], review: TaskReview) -> str:
    """One line of the table."""
    gold = facts.get("gold", 0) == facts.get("items", 1)
    partial = facts.get("partial", [])
    binary = "yes" if not partial else f"no: {_span(partial)}"
    sources = {
        (True, False): "answer",
        (False, True): "metadata (re-derived)",
        (True, True): "answer and metadata",
        (False, False): "neither",
    }
    source = "no gold answer"
    if "error" in facts:
        binary = source = "not examined"
    elif gold:
        source = sources[facts["uses_answer"], facts["uses_metadata"]]
    notes = [review.reason]
    if review.lenient:
        notes.append(review.lenient)
    if gold and facts["gold_full_marks"] < facts["items"]:
        notes.append(
            f"gold itself gets full marks on {facts['gold_full_marks']} of {facts['items']}"
        )
    if review.unstable:
        notes.append("items differ between processes")
    if facts.get("scorer_failures"):
        notes.append("the scorer raises on some answers")
    level = "yes" if task in builtin_rules() else ""
    unique = "yes" if review.unique else "**no**"
    return f"| `{task}` | {unique} | {binary} | {source} | {level} | {'; '.join(notes)} |"


def _span(values: Sequence[float]) -> str:
    low, high = (">0.99" if value > 0.99 else f"{value:.2g}" for value in values)
    return low if low == high else f"{low} to {high}"


def document(results: dict[str, dict[str, Any]]) -> str:
    """The whole page."""
    from importlib.metadata import version

    reviews = task_reviews()
    examined = {task: facts for task, facts in results.items() if "error" not in facts}
    rederived = [
        task
        for task, facts in examined.items()
        if facts.get("uses_metadata") and not facts.get("uses_answer")
    ]
    graded = [task for task, facts in examined.items() if facts["partial"]]
    without_gold = [task for task, facts in examined.items() if facts["gold"] < facts["items"]]
    unstable = [task for task, facts in examined.items() if not facts["deterministic"]]
    refused = [task for task in results if not reviews[task].unique]
    summary = textwrap.fill(
        f"Of {len(results)} tasks, {len(refused)} have several right answers (srtbench refuses "
        f"majority variants on them), {len(without_gold)} have items without a gold answer (they "
        f"cannot be datasets), {len(graded)} give partial credit, and the scorers of "
        f"{len(rederived)} work out the gold answer from metadata, whatever the item's `answer` "
        f"says. {len(unstable)} make other items in another process, by string hashing or global "
        "random state: srtbench draws those in a process where both are fixed.",
        width=100,
    )
    head = f"""# Reasoning Gym tasks

Written by `scripts/reasoning_gym_table.py` with reasoning-gym {version("reasoning-gym")}.
{ITEMS} items per task, default options, seed 0. Do not edit by hand.

{summary}

- **one right answer**: reviewed by hand in `srtbench/config/tasks.yaml`, and checked here: no
  answer to another item may get full marks. Votes for one answer add up; votes for many do not.
- **binary**: wrong answers get exactly 0. Otherwise the scores between 0 and 1 that were seen for
  answers of other items, near misses of the gold answer (cut, reversed, wrapped in words, its last
  word or digit changed) and a few fixed texts.
- **score from**: what the score of the gold answer depends on when the item's `answer`, or its
  `metadata`, is replaced by another item's. *Re-derived*: `answer` does not matter, so a
  pseudo-label put there would be ignored, and gold would leak. srtbench never calls a task's
  scorer.
- **level**: there is a built-in level rule (`srtbench/datasets/levels.yaml`).

| task | one right answer | binary | score from | level | why, and notes |
|---|---|---|---|---|---|
"""
    skipped = [
        f"| `{task}` | **no** | | | | not usable as a dataset: {reason} |"
        for task, reason in SKIPPED.items()
    ]
    lines = [row(task, facts, reviews[task]) for task, facts in sorted(results.items())]
    return head + "\n".join(sorted(lines + skipped)) + "\n"


def main() -> int:
    """Examine, check, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tasks", nargs="*", help="only these, printed and not written")
    parser.add_argument("--examine", metavar="TASK", help=argparse.SUPPRESS)
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    if arguments.examine:
        facts = examine(arguments.examine)
        print("\n" + json.dumps(facts))  # some tasks print without a line end
        return 0
    from reasoning_gym.factory import DATASETS

    reviews = task_reviews()
    tasks = sorted(arguments.tasks or set(DATASETS) - set(SKIPPED))
    with ThreadPoolExecutor(arguments.jobs) as pool:
        results = dict(zip(tasks, pool.map(run_examination, tasks), strict=True))
    problems = [f"{task}: no such task" for task in sorted(set(reviews) - set(DATASETS))]
    for task, facts in results.items():
        problems += contradictions(task, facts, reviews.get(task))
    if arguments.tasks:
        print(json.dumps(results, indent=2))
    elif not set(tasks) - set(reviews):
        OUTPUT.write_text(document(results), encoding="utf-8")
    print("\n".join(problems), file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
