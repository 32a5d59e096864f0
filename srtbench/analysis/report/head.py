"""The head of a report: what each sweep is about, its task with an example, and how it trained."""

from dataclasses import dataclass
from typing import Any

import duckdb
import polars as pl

from srtbench.analysis.frames import query, view
from srtbench.config.words import counted

MOST_SETTINGS = 6
CHARACTERS = 400
"""Most of a prompt and of a gold answer that is shown."""

_EXAMPLES = """
SELECT sweep, dataset, left(arg_min(prompt, key), $most + 1) AS prompt,
    left(arg_min(gold_answer, key), $most + 1) AS gold
FROM (
    SELECT *, (eval_set <> 'own', gold_answer IS NULL, length(prompt) > $most, prompt_id) AS key
    FROM prompts WHERE eval_set IS NOT NULL AND prompt IS NOT NULL
)
GROUP BY sweep, dataset
"""


@dataclass(frozen=True)
class Task:
    """A dataset: what it asks, and one held-out prompt with its gold answer."""

    dataset: str
    sentence: str | None
    prompt: str | None
    gold: str | None


@dataclass(frozen=True)
class Head:
    """What is said of one sweep before its numbers.

    Attributes:
        training: a line per way of training. versions: of srtbench, those that began its runs.
        gold: variants whose rewards, or whose end, depend on gold answers. label_free: the others.
        unknown: those of which it is not known.
    """

    sweep: str
    description: str | None
    tasks: list[Task]
    training: list[str]
    versions: list[str]
    gold: list[str]
    label_free: list[str]
    unknown: list[str]


def heads(connection: duckdb.DuckDBPyConnection) -> list[Head]:
    """One per opened sweep, in the order in which they were given."""
    runs = view(connection, "runs")
    examples = {
        (row["sweep"], row["dataset"]): row
        for row in query(connection, _EXAMPLES, most=CHARACTERS).iter_rows(named=True)
    }
    tasks = view(connection, "tasks")
    found = []
    for sweep, description in view(connection, "sweeps").iter_rows():
        own = runs.filter(pl.col("sweep") == sweep)
        asked = [
            _task(row["dataset"], row["task"], examples.get((sweep, row["dataset"]), {}))
            for row in tasks.filter(pl.col("sweep") == sweep).iter_rows(named=True)
        ]
        told = own.group_by("variant", maintain_order=True).agg(
            any_gold=(pl.col("uses_gold") == True).any(),  # noqa: E712
            any_free=(pl.col("uses_gold") == False).any(),  # noqa: E712
        )
        gold = told.filter("any_gold")["variant"].to_list()
        free = told.filter(~pl.col("any_gold") & pl.col("any_free"))["variant"].to_list()
        rest = [name for name in told["variant"].to_list() if name not in {*gold, *free}]
        versions = sorted(own["srtbench_version"].drop_nulls().unique().to_list())
        found.append(Head(sweep, description, asked, _training(own), versions, gold, free, rest))
    return found


def _task(dataset: str, sentence: str | None, example: dict[str, Any]) -> Task:
    return Task(dataset, sentence, _cut(example.get("prompt")), _cut(example.get("gold")))


def _cut(text: str | None) -> str | None:
    return f"{text[:CHARACTERS]} […]" if text is not None and len(text) > CHARACTERS else text


_KEYS = (
    "algorithm",
    "prompts_per_step",
    "num_generations",
    "updates_per_rollout",
    "total_steps",
    "learning_rate",
)


def _training(runs: pl.DataFrame) -> list[str]:
    """Algorithm, group size, updates, steps and learning rate: a line per combination, with whose
    it is.
    """
    begun = runs.filter(pl.col("num_generations").is_not_null())
    ways = begun.group_by(_KEYS, maintain_order=True).agg(
        pl.col("variant").unique(maintain_order=True), pl.col("imported").first()
    )
    lines = []
    for row in ways.iter_rows(named=True):
        line = _way(row)
        if ways.height > 1:
            names = row["variant"]
            more = f" and {len(names) - 6} more" if len(names) > 6 else ""
            line += f" ({', '.join(names[:6])}{more})"
        lines.append(line)
    if len(lines) > MOST_SETTINGS:
        lines[MOST_SETTINGS:] = [f"and {len(lines) - MOST_SETTINGS} further ways"]
    return lines


def _way(row: dict[str, Any]) -> str:
    """``GRPO, 100 steps of 16 prompts x 16 completions, 1 update per rollout batch`` and more."""
    if row["imported"] is not None:
        name = f"read from a log of {row['imported']}, "
    else:
        name = f"{(row['algorithm'] or 'imported').upper()}, "
    unit = "round" if row["algorithm"] in ("sft", "dpo") else "step"
    prompts = (
        ""
        if row["prompts_per_step"] is None
        else f"{counted(row['prompts_per_step'], 'prompt')} \u00d7 "
    )
    completions = counted(row["num_generations"], "completion")
    text = f"{name}{counted(row['total_steps'], unit)} of {prompts}{completions}"
    updates = row["updates_per_rollout"]
    if updates is not None:
        text += f", {counted(updates, 'update')} per rollout batch"
    if row["learning_rate"] is not None:
        text += f", learning rate {row['learning_rate']:g}"
    return text
