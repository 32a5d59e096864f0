"""What a policy does at its end, in words: for cells whose accuracy collapsed or fell.

Read from the last evaluation of each run, in this order: completions that are empty, one answer to
whatever prompt, completions without an end, completions without an answer, one answer for each
prompt, and answers that differ. What fits more than half of the completions (or prompts) is said.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from srtbench.analysis.frames import Cell, cell_of, of_set

MOST = 0.5
"""Share from which on a habit is said to be what the policy does."""
ALWAYS = 0.9
EMPTY_TOKENS = 1.5
"""Mean length, the end token included, up to which completions hold nothing else."""
ANSWERS = 4
"""Answers that a sentence quotes."""

_LAST = """
SELECT sweep, model, dataset, variant, seed, avg_at_k, maj_at_k, majority_ratio, unanimous_share,
    modal_answer, modal_share, truncated_share, unparsable_share, completion_tokens,
    first_value(completion_tokens) OVER one AS start_tokens
FROM eval_curves AS held
WHERE held.eval_set = $eval_set AND step IS NOT NULL
WINDOW one AS (PARTITION BY sweep, run_id ORDER BY step)
QUALIFY step > 0 AND step = max(step) OVER (PARTITION BY sweep, run_id)
ORDER BY sweep, model, dataset, variant_order, seed
"""


@dataclass(frozen=True)
class Ending:
    """One run's last evaluation.

    Attributes:
        habit: empty, one_answer, no_end, no_answer, one_each or mixed.
        share: of completions that show it; of prompts for ``one_each``; right ones for ``mixed``.
    """

    seed: int
    habit: str
    share: float
    row: dict[str, Any]

    @property
    def degenerate(self) -> bool:
        """Whether it says nothing any more of the prompts."""
        return self.habit not in ("one_each", "mixed")


def endings(connection: duckdb.DuckDBPyConnection) -> dict[Cell, list[Ending]]:
    """The last evaluation of every run that was evaluated after its start, by cell."""
    found: dict[Cell, list[Ending]] = {}
    for row in of_set(connection, _LAST, None).iter_rows(named=True):
        habit, share = _habit(row)
        found.setdefault(cell_of(row), []).append(Ending(row["seed"], habit, share, row))
    return found


def _habit(row: dict[str, Any]) -> tuple[str, float]:
    tokens = row["completion_tokens"]
    silent = row["unparsable_share"] or 0.0
    if silent >= MOST and tokens is not None and tokens <= EMPTY_TOKENS:
        return "empty", silent
    for habit, column in (
        ("one_answer", "modal_share"),
        ("no_end", "truncated_share"),
        ("no_answer", "unparsable_share"),
        ("one_each", "unanimous_share"),
    ):
        if (row[column] or 0.0) >= MOST:
            return habit, row[column]
    return "mixed", row["avg_at_k"] or 0.0


def ending_sentence(ends: Sequence[Ending], seeds: int) -> str:
    """What they do at the end, in a sentence; runs of one habit together; empty without any.

    Args:
        seeds: of the cell; where not all of them do the same, those that do are named.
    """
    habits: dict[str, list[Ending]] = {}
    for one in ends:
        habits.setdefault(one.habit, []).append(one)
    parts = []
    for habit, alike in habits.items():
        who = "" if len(alike) == seeds else f" ({_seeds([one.seed for one in alike])})"
        parts.append(f"it {_words(habit, alike)}{who}")
    return f"At the end {'; '.join(parts)}." if parts else ""


def _words(habit: str, ends: Sequence[Ending]) -> str:
    share = f"{100 * _mean(ends):.0f}%"
    match habit:
        case "empty":
            return f"ends at once: {share} of its completions are empty"
        case "one_answer":
            answers = list(dict.fromkeys(_quoted(one.row["modal_answer"]) for one in ends))
            shown = ", ".join(answers[:ANSWERS]) + (", ..." if len(answers) > ANSWERS else "")
            each = ", each seed its own," if len(answers) > 1 else ""
            to = "every prompt" if _mean(ends) >= ALWAYS else "most prompts, whatever they ask"
            return f"answers {shown}{each} to {to} ({share} of all completions)"
        case "no_end":
            return f"does not end: {share} of its completions are cut off at the length limit"
        case "no_answer":
            return f"gives no answer that can be found in {share} of its completions"
        case "one_each":
            right = _percent([one.row["maj_at_k"] for one in ends])
            agree = f"on {share} of prompts all completions agree"
            majorities = f"{right} of majorities are right"
            return f"has a constant answer for each prompt: {agree}, and {majorities}"
    votes = _percent([one.row["majority_ratio"] for one in ends])
    text = f"answers differently from prompt to prompt, {share} right, mean vote share {votes}"
    starts, tokens = (
        [one.row[name] for one in ends] for name in ("start_tokens", "completion_tokens")
    )
    if None not in starts + tokens:
        before, after = sum(starts) / len(ends), sum(tokens) / len(ends)
        if not 0.8 < after / max(before, 1e-9) < 1.25:
            text += f", in {after:.1f} tokens where it began with {before:.1f}"
    return text


def _mean(ends: Sequence[Ending]) -> float:
    return sum(one.share for one in ends) / len(ends)


def _percent(shares: Sequence[float | None]) -> str:
    known = [share for share in shares if share is not None]
    return f"{100 * sum(known) / len(known):.0f}%" if known else "\u2013"


def _quoted(text: str | None, length: int = 40) -> str:
    text = " ".join((text or "").split())
    if not text:
        return "nothing"
    cut = text if len(text) <= length else f"{text[: length - 1]}\u2026"
    return f"\u201c{cut}\u201d"


def _seeds(seeds: Sequence[int], shown: int = 6) -> str:
    """``seed 3``, or ``seeds 0, 1 and 2``."""
    names = [str(seed) for seed in seeds[:shown]]
    if len(seeds) > shown:
        names.append(f"{len(seeds) - shown} more")
    if len(names) == 1:
        return f"seed {names[0]}"
    return f"seeds {', '.join(names[:-1])} and {names[-1]}"
