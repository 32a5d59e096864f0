"""What a collapsing policy wrote to a few prompts: at the start, at its best, at the end."""

from analysis.claims.data import Cell, Study
from srtbench.analysis.frames import query
from srtbench.analysis.scores import aligned

NUM_PROMPTS = 3
LONGEST = 60

_TEXTS = """
SELECT step, rollouts.prompt_id, min(completion) AS completion
FROM rollouts
WHERE sweep = $sweep AND run_id = $run_id AND eval_set = 'own' AND sample_index = 0
    AND list_contains($prompts, prompt_id) AND list_contains($steps, step)
GROUP BY step, rollouts.prompt_id
"""
_PROMPTS = """
SELECT prompt_id, prompt, gold_answer FROM prompts
WHERE sweep = $sweep AND list_contains($prompts, prompt_id)
"""


def samples_table(study: Study, cell: Cell) -> list[str]:
    """Markdown: the first completion to three prompts, of the first finished seed."""
    seed, (_, run_id) = next(iter(cell.runs.items()))
    (scores,) = aligned(study.scores, [{seed: cell.runs[seed]}])
    best = scores.steps[int(scores.avg[0].mean(axis=1).argmax())]
    steps = [0, best, scores.steps[-1]]
    chosen = list(scores.prompts[:NUM_PROMPTS])
    found = query(
        study.connection, _TEXTS, sweep=cell.sweep, run_id=run_id, prompts=chosen, steps=steps
    )
    texts = {(row[0], row[1]): row[2] for row in found.rows()}
    asked = {
        row[0]: row[1:]
        for row in query(study.connection, _PROMPTS, sweep=cell.sweep, prompts=chosen).rows()
    }
    lines = [
        f"Samples of {cell.name}, seed {seed}: the first completion to each of "
        f"{len(chosen)} prompts. Long texts are cut.",
        "",
        f"| prompt | right answer | start | best (step {best}) | last (step {steps[-1]}) |",
        "|---|---|---|---|---|",
    ]
    for prompt_id in chosen:
        prompt, gold = asked.get(prompt_id, (None, None))
        cells = [prompt, gold, *(texts.get((step, prompt_id)) for step in steps)]
        lines.append(f"| {' | '.join(map(as_code, cells))} |")
    return [*lines, ""]


def as_code(text: str | None) -> str:
    """Text as HTML code in a Markdown table: one line, cut, and nothing in it is markup."""
    if text is None:
        return "(none)"
    if not text:
        return "(empty)"
    short = text if len(text) <= LONGEST else f"{text[:LONGEST]}\u2026"
    safe = "".join(
        char
        if char.isalnum() or char in " \u2026"
        else "\u23ce"
        if char == "\n"
        else f"&#{ord(char)};"
        for char in short
        if char.isprintable() or char == "\n"
    )
    return f"<code>{safe}</code>"
