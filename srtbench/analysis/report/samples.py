"""Sample rollouts: the same prompts at the start, the best and the last evaluation."""

from dataclasses import dataclass, field
from typing import Any

import duckdb
import polars as pl

from srtbench.analysis.frames import by_cell, by_run, of_set, query
from srtbench.analysis.report.facts import Fact

PROMPTS = 1
MAX_ANSWERS = 5
MAX_CHARACTERS = 2000


@dataclass(frozen=True)
class Answer:
    """One answer of a group and its votes."""

    text: str
    votes: int
    share: float
    right: bool
    parsed: bool


@dataclass(frozen=True)
class Sample:
    """One group: a prompt's completions at one step, and their vote."""

    when: str
    step: int
    prompt: str
    gold: str
    samples: int
    answers: list[Answer]
    others: int
    completion: str
    completion_note: str


@dataclass(frozen=True)
class Gallery:
    """Samples of one variant: rows are prompts, columns are moments."""

    variant: str
    setting: str
    colour: str
    seed: int
    moments: list[str]
    rows: list[list[Sample]] = field(default_factory=list)


def galleries(connection: duckdb.DuckDBPyConnection, facts: list[Fact]) -> list[Gallery]:
    """One gallery per cell that has evaluations: its first such seed, the same prompts for all."""
    runs = query(connection, _RUNS)
    if not runs.height:
        return []
    wanted = of_set(connection, _PROMPTS, None, count=PROMPTS)
    moments = _moments(runs)
    connection.register("wanted_prompts", wanted.to_arrow())
    connection.register("wanted_moments", moments.to_arrow())
    try:
        votes = of_set(connection, _VOTES, None)
        texts = of_set(connection, _TEXTS, None, length=MAX_CHARACTERS)
    finally:
        connection.unregister("wanted_prompts")
        connection.unregister("wanted_moments")
    texts_of = {
        (row["sweep"], row["run_id"], row["step"], row["prompt_id"]): row
        for row in texts.iter_rows(named=True)
    }
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in votes.iter_rows(named=True):
        key = (row["sweep"], row["run_id"], row["step"], row["prompt_id"])
        groups.setdefault(key, []).append(row)
    found = []
    of_cell, of_run = by_cell(runs), by_run(moments)
    for fact in facts:
        if fact.cell not in of_cell:
            continue
        one = of_cell[fact.cell].row(0, named=True)
        steps = of_run[one["sweep"], one["run_id"]].rows(named=True)
        rows = []
        for prompt in wanted.filter(pl.col("dataset") == fact.cell[2])["prompt_id"].to_list():
            keys = [(one["sweep"], one["run_id"], at["step"], prompt) for at in steps]
            if all(key in groups and key in texts_of for key in keys):
                rows.append(
                    [
                        _sample(at["moment"], groups[key], texts_of[key])
                        for at, key in zip(steps, keys, strict=True)
                    ]
                )
        if rows:
            names = [f"{at['moment']}, step {at['step']}" for at in steps]
            colour = fact.style.colour
            found.append(Gallery(fact.variant, fact.setting, colour, one["seed"], names, rows))
    return found


def _moments(runs: pl.DataFrame) -> pl.DataFrame:
    """Step 0, the best and the last step of each run; a step that is two of them has both names."""
    rows = []
    for run in runs.iter_rows(named=True):
        names: dict[int, list[str]] = {}
        for moment, step in (
            ("start", run["first_step"]),
            ("best", run["best_step"]),
            ("last", run["last_step"]),
        ):
            names.setdefault(step, []).append(moment)
        for step, parts in sorted(names.items()):
            rows.append(
                {
                    "sweep": run["sweep"],
                    "run_id": run["run_id"],
                    "step": step,
                    "moment": " and ".join(parts),
                }
            )
    return pl.DataFrame(rows, schema_overrides={"step": pl.Int32})


def _sample(moment: str, votes: list[dict[str, Any]], text: dict[str, Any]) -> Sample:
    total = sum(row["votes"] for row in votes)
    answers = [
        Answer(
            row["answer_key"] if row["answer_key"] is not None else "no answer",
            row["votes"],
            row["votes"] / total,
            row["is_gold"],
            row["answer_key"] is not None,
        )
        for row in votes
    ]
    cut = text["characters"] - MAX_CHARACTERS
    return Sample(
        when=moment,
        step=votes[0]["step"],
        prompt=text["prompt"] or "",
        gold=text["gold_answer"] or "",
        samples=total,
        answers=answers[:MAX_ANSWERS],
        others=max(len(answers) - MAX_ANSWERS, 0),
        completion=text["completion"],
        completion_note=f"{cut} more characters" if cut > 0 else "",
    )


_RUNS = """
SELECT summary.*, held.first_step
FROM run_summary AS summary
JOIN (
    SELECT sweep, run_id, eval_set, min(step) AS first_step
    FROM eval_curves WHERE step IS NOT NULL GROUP BY sweep, run_id, eval_set
) AS held USING (sweep, run_id, eval_set)
WHERE last_step > 0
ORDER BY sweep, model, dataset, variant_order, seed
"""

# Of each dataset, one prompt whose first majority is wrong and one whose first is right: each time
# the one on which runs and steps differ most.
_PROMPTS = """
SELECT dataset, prompt_id
FROM (
    SELECT run.dataset, prompt_id, var_pop(avg_gold) AS spread,
        arg_min(majority_key_correct, held.step) AS starts_right
    FROM groups AS held JOIN runs AS run USING (sweep, run_id)
    WHERE held.eval_set = $eval_set
    GROUP BY run.dataset, prompt_id
)
QUALIFY row_number()
    OVER (PARTITION BY dataset, starts_right ORDER BY spread DESC, prompt_id) <= $count
ORDER BY dataset, starts_right, spread DESC, prompt_id
"""

_VOTES = """
SELECT sweep, run_id, step, prompt_id, answer_key, sum(votes)::INTEGER AS votes,
    bool_or(is_gold) AS is_gold, min(first_seen) AS first_seen
FROM answers AS held
SEMI JOIN wanted_moments USING (sweep, run_id, step)
SEMI JOIN wanted_prompts USING (prompt_id)
WHERE held.eval_set = $eval_set
GROUP BY sweep, run_id, step, prompt_id, answer_key
ORDER BY votes DESC, answer_key IS NULL, first_seen
"""

_TEXTS = """
SELECT sweep, run_id, step, prompt_id,
    any_value(prompts.prompt) AS prompt, any_value(prompts.gold_answer) AS gold_answer,
    arg_min(left(completion, $length), sample_index) AS completion,
    arg_min(length(completion), sample_index) AS characters
FROM rollouts AS held
SEMI JOIN wanted_moments USING (sweep, run_id, step)
SEMI JOIN wanted_prompts USING (prompt_id)
LEFT JOIN prompts USING (sweep, eval_set, prompt_id)
WHERE held.eval_set = $eval_set
GROUP BY sweep, run_id, step, prompt_id
"""
