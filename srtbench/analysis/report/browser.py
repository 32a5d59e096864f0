"""Data of the rollout browser: whole groups, as compact columns, compressed into the page."""

import base64
import gzip
import json
from collections.abc import Sequence
from typing import Any

import duckdb
import polars as pl

from srtbench.analysis.figures.style import variant_style
from srtbench.analysis.frames import query, varying

MAX_ROWS = 100_000
MAX_CHARACTERS = 24_000_000
"""Most text in a page, before compression."""
MAX_COMPLETION = 4_000
"""Longer completions are cut in the page; the Parquet files have them whole."""
_EVAL_SHARE = 0.7


def browser_data(
    connection: duckdb.DuckDBPyConnection, max_rows: int = MAX_ROWS
) -> dict[str, Any] | None:
    """What the page embeds, with counts to say what was left out; None without rollouts.

    Held-out groups come first, whole prompts at a time, so that a prompt can be followed through
    all variants and steps; train groups fill what is left. Which ones is decided by a hash, so the
    choice does not depend on their content.
    """
    sizes = query(connection, _SIZES)
    if not sizes.height:
        return None
    total = int(sizes["rollouts"].sum())
    mean_text = max(min(4.0 * float(sizes["tokens"].sum()) / total, MAX_COMPLETION), 1.0)
    limit = min(max_rows, int(MAX_CHARACTERS / mean_text))
    held_out = int(sizes.filter(pl.col("phase") == "eval")["rollouts"].sum())
    trained = total - held_out
    for_eval = limit - min(trained, int(limit * (1 - _EVAL_SHARE)))
    chosen = query(connection, _CHOICE, for_eval=for_eval, limit=limit)
    connection.register("chosen_groups", chosen.to_arrow())
    try:
        rows = query(connection, _ROWS, length=MAX_COMPLETION)
    finally:
        connection.unregister("chosen_groups")
    prompts = query(connection, _PROMPTS)
    content = _columns(chosen, rows, prompts, query(connection, "SELECT * FROM runs"))
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    packed = gzip.compress(text.encode("utf-8"), compresslevel=6, mtime=0)
    return {
        "data": base64.b64encode(packed).decode("ascii"),
        "rows": rows.height,
        "groups": chosen.height,
        "total": total,
    }


def _columns(
    chosen: pl.DataFrame, rows: pl.DataFrame, prompts: pl.DataFrame, runs: pl.DataFrame
) -> dict[str, Any]:
    """Columns of groups and rollouts; texts that repeat are stored once."""
    texts = _Pool()
    answers = _Pool()
    known: dict[tuple[str, str, str | None], dict[str, Any]] = {}
    for row in prompts.iter_rows(named=True):
        known[row["sweep"], row["prompt_id"], row["eval_set"]] = row
        known.setdefault((row["sweep"], row["prompt_id"], None), row)  # trained on, if it was
    sets = chosen["eval_set"].drop_nulls().unique(maintain_order=True).to_list()
    names = varying(runs)
    many_seeds = runs["seed"].n_unique() > 1
    several = runs["sweep"].n_unique() > 1
    run_list: list[dict[str, str]] = []
    run_index: dict[tuple[str, str], int] = {}
    for run in runs.iter_rows(named=True):
        run_index[run["sweep"], run["run_id"]] = len(run_list)
        parts = [run["variant"], *(str(run[name]) for name in names)]
        if many_seeds:
            parts.append(f"seed {run['seed']}")
        style = variant_style(run["variant_type"], run["variant_rank"])
        name = f"{run['sweep']}/{run['run_id']}" if several else run["run_id"]
        run_list.append({"id": name, "label": " · ".join(parts), "colour": style.colour})
    prompt_index: dict[tuple[str, str, str | None], int] = {}
    prompt_list: list[list[str]] = []
    groups: dict[str, list[Any]] = {
        name: [] for name in ("run", "set", "step", "prompt", "size", "label", "majority")
    }
    for group in chosen.iter_rows(named=True):
        key = (group["sweep"], group["prompt_id"], group["eval_set"])
        if key not in prompt_index:
            prompt_index[key] = len(prompt_list)
            found = known.get(key, {"prompt": f"prompt {key[1]}", "gold_answer": ""})
            prompt_list.append([found["prompt"], found["gold_answer"] or "", key[1]])
        groups["run"].append(run_index[group["sweep"], group["run_id"]])
        groups["set"].append(-1 if group["eval_set"] is None else sets.index(group["eval_set"]))
        groups["step"].append(group["step"])
        groups["prompt"].append(prompt_index[key])
        groups["size"].append(group["samples"])
        groups["label"].append(answers.index(group["pseudo_label"]))
        groups["majority"].append(answers.index(group["majority_key"]))
    rewards = rows["train_reward"].to_list()
    return {
        "runs": run_list,
        "sets": sets,
        "prompts": prompt_list,
        "groups": groups,
        "rollouts": {
            "answer": answers.indices(rows["answer_key"].to_list()),
            "text": texts.indices(rows["completion"].to_list()),
            "right": rows["gold_reward"].cast(pl.Int8).to_list(),
            "reward": [None if value is None else round(value, 4) for value in rewards],
            "tokens": rows["completion_tokens"].to_list(),
            "cut": rows["truncated"].cast(pl.Int8).to_list(),
        },
        "answers": answers.values,
        "texts": texts.values,
    }


class _Pool:
    """Distinct texts in the order in which they came; None is -1."""

    def __init__(self) -> None:
        self.values: list[str] = []
        self._places: dict[str, int] = {}

    def index(self, text: str | None) -> int:
        if text is None:
            return -1
        place = self._places.setdefault(text, len(self.values))
        if place == len(self.values):
            self.values.append(text)
        return place

    def indices(self, texts: Sequence[str | None]) -> list[int]:
        return [self.index(text) for text in texts]


_SIZES = """
SELECT phase, sum(samples)::BIGINT AS rollouts,
    sum(samples * coalesce(completion_tokens, 250))::DOUBLE AS tokens
FROM groups GROUP BY phase
"""

_CHOICE = """
WITH held AS (
    SELECT *, sum(samples) OVER (
        ORDER BY hash(prompt_id), prompt_id RANGE UNBOUNDED PRECEDING) AS so_far
    FROM groups WHERE phase = 'eval'
), kept AS (
    SELECT * FROM held WHERE so_far <= $for_eval
), trained AS (
    SELECT *, sum(samples) OVER (
        ORDER BY hash(sweep || run_id || group_id || step), run_id, step, group_id
        ROWS UNBOUNDED PRECEDING) AS so_far
    FROM groups WHERE phase = 'train'
), both_phases AS (
    SELECT * FROM kept
    UNION ALL
    SELECT * FROM trained
    WHERE so_far <= $limit - (SELECT coalesce(sum(samples), 0) FROM kept)
)
SELECT both_phases.sweep, run_id, phase, eval_set, both_phases.step, group_id, prompt_id, samples,
    pseudo_label, majority_key, run_order,
    row_number() OVER (
        ORDER BY both_phases.sweep, run_order, phase, eval_set = 'own' DESC, eval_set,
            both_phases.step, prompt_id, group_id
    ) - 1 AS place
FROM both_phases JOIN runs USING (sweep, run_id)
ORDER BY place
"""

_ROWS = """
SELECT answer_key, train_reward, gold_reward, completion_tokens, truncated,
    CASE WHEN length(completion) > $length
        THEN left(completion, $length) || ' […]' ELSE completion END AS completion
FROM rollouts AS one
JOIN chosen_groups AS chosen
    ON chosen.sweep = one.sweep AND chosen.run_id = one.run_id AND chosen.phase = one.phase
    AND chosen.eval_set IS NOT DISTINCT FROM one.eval_set AND chosen.step = one.step
    AND chosen.group_id = one.group_id
ORDER BY place, sample_index
"""

_PROMPTS = """
SELECT sweep, prompt_id, eval_set, left(prompt, 4000) AS prompt,
    left(gold_answer, 400) AS gold_answer
FROM prompts
"""
