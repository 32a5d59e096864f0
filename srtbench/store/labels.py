"""Labels by the votes of a frozen model: counted, written and read. Loads no torch."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from srtbench.plan.stages import TEACHER_SEED
from srtbench.rollouts import read_table, write_parquet
from srtbench.rollouts.tables import VERSION_KEY
from srtbench.store.folders import Folder
from srtbench.variants import TeacherLabel
from srtbench.votes import VotingPolicy, vote

LABEL_SCHEMA = pa.schema(
    [
        pa.field("prompt_id", pa.string(), False),
        pa.field("pseudo_label", pa.string(), True),
        pa.field("vote_share", pa.float32(), False),
    ],
    {VERSION_KEY: b"1"},
)


def labels_path(folder: Folder) -> Path:
    """File of the labels that a stage made."""
    return folder.path / "labels.parquet"


def count_votes(
    prompt_ids: Sequence[str], keys: Sequence[str | None], votes: int, policy: VotingPolicy
) -> dict[str, TeacherLabel]:
    """Label and vote share per prompt.

    Args:
        prompt_ids: of each completion; the ``votes`` ones of a prompt stand together.
        keys: answer key of each completion.
    """
    labels = {}
    for start in range(0, len(prompt_ids), votes):
        rng = np.random.default_rng([TEACHER_SEED, start])
        outcome = vote(keys[start : start + votes], policy, rng)
        labels[prompt_ids[start]] = TeacherLabel(outcome.label, outcome.share)
    return labels


def write_labels(path: Path, labels: dict[str, TeacherLabel]) -> None:
    """Write labels."""
    rows = [
        {"prompt_id": prompt_id, "pseudo_label": label.label, "vote_share": label.share}
        for prompt_id, label in labels.items()
    ]
    write_parquet(pa.Table.from_pylist(rows, LABEL_SCHEMA), path)


def read_labels(path: Path) -> dict[str, TeacherLabel]:
    """Labels by prompt id; raises as `read_table`."""
    return {
        row["prompt_id"]: TeacherLabel(row["pseudo_label"], row["vote_share"])
        for row in read_table(path, LABEL_SCHEMA).to_pylist()
    }
