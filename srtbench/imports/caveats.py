"""What an import must say: what the log cannot tell, and what was done to it."""

from __future__ import annotations

from srtbench.imports.sources import Sources
from srtbench.rollouts.importers import Importer
from srtbench.store.imported import UNKNOWN, ImportedSpec

_SILENT = {
    "completion_tokens": "token counts",
    "truncated": "marks of truncation",
    "policy_step": "policy steps",
    "gold_reward": "gold answers",
    "their_reward": "rewards",
}


_MAPPED = {
    "completion_tokens": "completion_tokens",
    "truncated": "truncated",
    "policy_step": "policy_step",
    "mean_logprob": "mean_logprob",
    "gold": "gold_reward",
    "train_reward": "their_reward",
    "their_correct": "their_correct",
}
"""Column of a map -> the column that is counted."""


def caveats(
    spec: ImportedSpec, importer: Importer, sources: Sources, shared_prompts: int
) -> list[str]:
    """Plain sentences, the first on what no row has."""
    rows = sources.rows
    silent = [name for column, name in _SILENT.items() if not sources.counts.get(column)]
    partly = [
        f"{name} ({sources.counts[column]:,} of {rows:,} rows)"
        for column, name in _SILENT.items()
        if 0 < sources.counts.get(column, 0) < rows and column != "gold_reward"
    ]
    found = [
        f"Imported from a log of {importer.writer}."
        if spec.format != "map"
        else "Imported by a map."
    ]
    if silent:
        found.append(f"It has no {_listed(silent)}, so nothing is said of them.")
    if partly:
        found.append(f"Not every row has {_listed(partly)}.")
    found += _astray(spec, sources)
    found += importer.lost
    found += sources.notes
    if "train" in sources.last_step:
        found += _of_labels(spec)
    if sources.repeated_steps:
        steps = _steps(sources.repeated_steps)
        found.append(
            f"Batches that were written again under the next step are left out: {steps}."
            if importer.rewrites
            else f"Train steps that hold the very batch of the step before are kept: {steps}."
        )
    if sources.dropped:
        found.append(f"Rows that were in the log twice are left out: {sources.dropped:,}.")
    if sources.skipped:
        found.append(f"Damaged records are left out: {sources.skipped:,}.")
    if sources.conflicts:
        found.append(
            f"Rows whose gold answer is another than the first of their prompt: "
            f"{sources.conflicts:,}; they are graded by the first."
        )
    if sources.keyless:
        found.append(
            f"Gold answers without a key, whose prompts are not graded: {sources.keyless:,}."
        )
    if sources.mixed_groups:
        found.append("Rows of one group's name have several prompts: each prompt is a group.")
    if rows and not sources.counts.get("answer"):
        found.append(
            f"No completion has an answer in the style '{spec.answer_style}': "
            "another --answer-style may find them."
        )
    if shared_prompts:
        found.append(f"Evaluation prompts that it trains on too: {shared_prompts:,}.")
    further = [one for one in spec.eval_sets if one != "own"]
    if further and "own" not in spec.eval_sets:
        found.append(
            f"Its evaluations are on {_listed(further)}; there are no held-out prompts of its own, "
            "so it is judged there: on the first that shows a collapse, else on the first."
        )
    if spec.eval_sets == [] and "train" in sources.last_step:
        found.append("The log has no evaluations.")
    return found


def _astray(spec: ImportedSpec, sources: Sources) -> list[str]:
    """Paths of a map at which no record has anything."""
    columns = (spec.map or {}).get("columns", {})
    astray = [
        f"'{columns[name]}' ({name})"
        for name, counted in _MAPPED.items()
        if isinstance(columns.get(name), str) and not sources.counts.get(counted)
        if name != "gold" or not sources.keyless
    ]
    return [f"No record has anything at the map's {_listed(astray)}."] if astray else []


def _of_labels(spec: ImportedSpec) -> list[str]:
    if spec.variant_type == UNKNOWN:
        return [
            "What was rewarded is not known, so there are no pseudo-labels; --label variant=srt "
            "says that the majority was."
        ]
    if spec.variant_type == "gold" or spec.labeller() is not None:
        return []
    return [f"Labels of '{spec.variant_type}' do not follow from the log, so there are none."]


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _steps(steps: list[int]) -> str:
    named = ", ".join(map(str, steps[:12]))
    return f"{len(steps)} steps ({named}{', ...' if len(steps) > 12 else ''})"
