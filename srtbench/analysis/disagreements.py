"""Where the verdict of another trainer and ours differ, and why: rows of imported runs, with texts.

Two questions, each where the log answers it: was the completion right (its own verdict, or a
reward of 0 or 1 where gold was rewarded or the row is of an evaluation), and was it paid for the
majority's answer (a reward of 0 or 1 in train, against our pseudo-label).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import duckdb
import polars as pl

from srtbench.analysis.frames import query

EXAMPLES = 40
"""Rows of a table that are shown with their texts."""

_COMPARED = """
WITH told AS (
    SELECT
        row.*,
        runs.variant,
        runs.seed,
        CASE
            WHEN row.their_correct IS NOT NULL THEN row.their_correct
            WHEN row.their_reward IN (0, 1) AND (row.phase = 'eval' OR runs.uses_gold)
                THEN row.their_reward = 1
        END AS their_verdict
    FROM rollouts AS row
    JOIN runs USING (sweep, run_id)
    WHERE runs.imported IS NOT NULL
), compared AS (
    SELECT *, 'correct' AS question, their_verdict AS theirs, gold_reward = 1 AS ours
    FROM told WHERE their_verdict IS NOT NULL AND gold_reward IS NOT NULL
    UNION ALL
    SELECT *, 'majority' AS question, their_reward = 1 AS theirs,
        coalesce(answer_key = pseudo_label, FALSE) AS ours
    FROM told
    WHERE phase = 'train' AND pseudo_label IS NOT NULL AND their_reward IN (0, 1)
), reasoned AS (
    SELECT *,
        CASE
            WHEN verifier_status IN ('timeout', 'error') THEN 'our check of the answer failed'
            WHEN answer IS NULL THEN 'no answer in the style that was asked for'
            WHEN answer_key IS NULL THEN 'the answer has no key'
            WHEN ours AND theirs IS FALSE THEN 'equal answers for us, not for the trainer'
            WHEN question = 'majority' THEN 'another majority'
            ELSE 'different answers for us, not for the trainer'
        END AS why
    FROM compared
)
"""

_COUNTS = (
    _COMPARED
    + """
, sums AS (
    SELECT sweep, run_id, variant, seed, question, count(*) AS compared,
        count(*) FILTER (ours <> theirs) AS differ
    FROM reasoned GROUP BY ALL
), reasons AS (
    SELECT sweep, run_id, question, why, count(*) AS rollouts FROM reasoned WHERE ours <> theirs
    GROUP BY ALL
)
SELECT sums.*, why, rollouts FROM sums LEFT JOIN reasons USING (sweep, run_id, question)
ORDER BY sweep, variant, seed, question, rollouts DESC, why
"""
)

_ROWS = (
    _COMPARED
    + """
SELECT one.sweep, one.run_id, variant, seed, question, why, one.phase, one.eval_set, one.step,
    one.group_id, one.sample_index, theirs, ours, their_reward, their_correct, answer, answer_key,
    pseudo_label, p.gold_answer, p.gold_key, p.prompt, one.completion
FROM reasoned AS one
LEFT JOIN (
    SELECT sweep, prompt_id, eval_set, any_value(gold_answer) AS gold_answer,
        any_value(gold_key) AS gold_key, any_value(prompt) AS prompt
    FROM prompts GROUP BY ALL
) AS p ON p.sweep = one.sweep AND p.prompt_id = one.prompt_id
    AND p.eval_set IS NOT DISTINCT FROM one.eval_set
WHERE ours <> theirs
QUALIFY row_number() OVER (
    PARTITION BY one.sweep, one.run_id, question, why
    ORDER BY hash(one.prompt_id, one.sample_index, one.step)
) <= $most
ORDER BY one.sweep, variant, seed, question, why, one.step, one.group_id, one.sample_index
"""
)


@dataclass(frozen=True)
class Disagreements:
    """What the report shows.

    Attributes:
        counts: per run and question the rollouts that were compared and those that differ, and a
            row per reason. rows: examples of each reason, with texts.
    """

    counts: list[dict[str, Any]]
    rows: list[dict[str, Any]]


def disagreement_counts(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Per imported run and question: rollouts compared, how many differ, and for which reasons.

    ``why`` and ``rollouts`` are null where nothing differs.
    """
    return query(connection, _COUNTS)


def disagreement_rows(connection: duckdb.DuckDBPyConnection, most: int = EXAMPLES) -> pl.DataFrame:
    """Rollouts that are judged differently, at most ``most`` per run, question and reason."""
    return query(connection, _ROWS, most=most)


def disagreements(connection: duckdb.DuckDBPyConnection) -> Disagreements | None:
    """For the report; None: no run was imported, or nothing can be compared."""
    if not query(connection, "SELECT 1 AS one FROM runs WHERE imported IS NOT NULL LIMIT 1").height:
        return None
    counts = disagreement_counts(connection)
    if not counts.height:
        return None
    few = max(2, EXAMPLES // max(1, counts["rollouts"].drop_nulls().len()))
    rows = disagreement_rows(connection, few) if counts["differ"].sum() else pl.DataFrame()
    return Disagreements(counts.rows(named=True), [_shown(one) for one in rows.rows(named=True)])


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    """A row with the ends of its texts, where the answer is."""
    for name, length in (("prompt", 300), ("completion", 600)):
        text = row[name] or ""
        row[name] = text if len(text) <= length else f"… {text[-length:]}"
    return row
