"""Revote of imported runs: who wins each vote is decided anew, part by part."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from srtbench.replay.audit_imported import rewards_again
from srtbench.replay.revote_row import RevoteRow
from srtbench.rollouts import with_columns, write_parquet
from srtbench.rollouts.judge import Columns, runs_of
from srtbench.store import Folder
from srtbench.store.imported import ImportedRun, imported_votes, read_imported, write_imported
from srtbench.store.prompts import read_prompt_table
from srtbench.votes import VotingPolicy

_NOTE = "its labels do not follow from its log, so only its evaluations are voted again"


def revote_imported(folder: Folder, voting: VotingPolicy, target: Path) -> RevoteRow:
    """Write an imported run under a rule: labels, shares and rewards that follow from its log.

    Rewards of a variant that votes are its own, not those that the other trainer logged, which
    stay in ``their_reward``.
    """
    run = ImportedRun(read_imported(folder), folder)
    spec = run.spec.model_copy(update={"voting": voting})
    again = ImportedRun(spec, Folder(target / spec.run_id))
    variant = spec.labeller()
    before, after = _Sums(run), _Sums(run)
    for path, table in run.parts():
        phase = path.stem.split("-")[0]
        columns: Columns = table.to_pydict()
        votes: Columns = {"pseudo_label": [], "vote_share": []}
        for start, stop in runs_of(columns["eval_set"]):
            part = {name: values[start:stop] for name, values in columns.items()}
            for name, values in imported_votes(part, phase, variant, spec).items():
                votes[name] += values
        if phase == "train" and variant is not None:
            votes["train_reward"] = rewards_again(again, columns)
            votes["advantage"] = [None] * len(table)
        if phase == "eval" or variant is not None:
            table = with_columns(table, **votes)
        if phase == "train":
            before.add(columns)
            after.add(columns | votes if variant is not None else columns)
        write_parquet(table, again.folder.rollouts_path / path.name)
    write_imported(again.folder, spec, {})
    write_parquet(read_prompt_table(folder), again.folder.prompts_path)
    again.folder.write_status(folder.read_status())
    changed = sum(a != b for a, b in zip(before.labels, after.labels, strict=True))
    return RevoteRow(
        run_id=spec.run_id,
        variant=spec.variant_label,
        seed=spec.seed,
        votes=variant is not None,
        groups=len(before.labels),
        changed_labels=changed / max(1, len(before.labels)),
        no_label=sum(one is None for one in after.labels) / max(1, len(after.labels)),
        **{f"{name}_before": value for name, value in before.means().items()},
        **{f"{name}_after": value for name, value in after.means().items()},
        note=None if variant is not None else _NOTE,
    )


class _Sums:
    """Sums over the train rows of a run; what has no gold answer counts in no accuracy."""

    def __init__(self, run: ImportedRun):
        self.golds = {name: row["gold_key"] for (label, name), row in run.prompts.items()
                      if label is None}  # fmt: skip
        self.labels: list[str | None] = []
        self.right = self.graded = self.agreeing = self.compared = self.rows = 0
        self.reward = 0.0

    def add(self, columns: Columns) -> None:
        """Rows of a part."""
        for start, _ in runs_of(columns["group_id"]):
            label = columns["pseudo_label"][start]
            gold = self.golds.get(columns["prompt_id"][start])
            self.labels.append(label)
            self.graded += gold is not None
            self.right += gold is not None and label == gold
        rewards = np.array(columns["train_reward"], dtype=np.float64)
        golds = np.array(columns["gold_reward"], dtype=np.float64)
        both = np.isfinite(rewards) & np.isfinite(golds)
        self.agreeing += int((rewards[both] == golds[both]).sum())
        self.compared += int(both.sum())
        self.reward += float(np.nansum(rewards))
        self.rows += int(np.isfinite(rewards).sum())

    def means(self) -> dict[str, Any]:
        """Fields of a row, without before and after."""
        return {
            "label_accuracy": self.right / self.graded if self.graded else float("nan"),
            "reward_accuracy": self.agreeing / self.compared if self.compared else float("nan"),
            "train_reward": self.reward / self.rows if self.rows else float("nan"),
        }
