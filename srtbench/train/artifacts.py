"""Read and write what stages hand to runs: prompts, teacher labels, start models."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from srtbench.config.datasets import DatasetConfig
from srtbench.datasets import DatasetError, Problem
from srtbench.datasets.splits import excerpt, normalise
from srtbench.plan import RunSpec
from srtbench.rollouts import PROMPT_SCHEMA, write_parquet
from srtbench.store import Folder, SweepStore
from srtbench.train.evaluate import Prompt
from srtbench.train.grading import Grader
from srtbench.variants import TeacherLabel

LABEL_SCHEMA = pa.schema(
    [
        pa.field("prompt_id", pa.string(), False),
        pa.field("pseudo_label", pa.string(), True),
        pa.field("vote_share", pa.float32(), False),
    ]
)


def grader_of(dataset: DatasetConfig) -> Grader:
    """How a dataset's answers are found and compared."""
    return Grader(dataset.answer_style, dataset.answer_kind)


def prompt_table(dataset: DatasetConfig, problems: Sequence[Problem]) -> pa.Table:
    """Problems as PROMPT_SCHEMA, gold keys included.

    Raises:
        DatasetError: a gold answer has no key, so that no completion could ever be right.
    """
    outcomes = grader_of(dataset).gold_outcomes([problem.gold for problem in problems])
    _check_keys(dataset, problems, [status for _, status in outcomes])
    return pa.Table.from_pylist(
        [
            {
                "prompt_id": problem.prompt_id,
                "dataset": dataset.label,
                "level": problem.level,
                "split": problem.split,
                "prompt": problem.prompt,
                "gold_answer": problem.gold,
                "gold_key": key,
            }
            for problem, (key, _) in zip(problems, outcomes, strict=True)
        ],
        PROMPT_SCHEMA,
    )


def _check_keys(
    dataset: DatasetConfig, problems: Sequence[Problem], statuses: Sequence[str]
) -> None:
    bad = [
        f"{excerpt(problem.gold)} ({status})"
        for problem, status in zip(problems, statuses, strict=True)
        if status != "ok"
    ]
    if bad:
        raise DatasetError(
            f"{dataset.label}: {len(bad)} of {len(problems)} {problems[0].split} gold answers have "
            f"no key as answer_kind {dataset.answer_kind}: {', '.join(bad[:3])}"
            f"{', ...' if len(bad) > 3 else ''}; choose another answer_kind, set gold_style if the "
            "answer column holds more than the answer, or correct the answers"
        )


def read_prompts(path: Path) -> list[Prompt]:
    """Prompts of a table, in its order."""
    rows = pq.read_table(path, columns=["prompt_id", "prompt", "gold_key"]).to_pylist()
    return [Prompt(**row) for row in rows]


class OverlapError(ValueError):
    """A prompt stands in two splits."""


def write_run_prompts(spec: RunSpec, store: SweepStore, folder: Folder) -> None:
    """Put the train and eval prompts of a run into its own folder.

    A variant that trains on the eval prompts has one split only, ``eval``.

    Raises:
        OverlapError: train, eval and warm-start prompts are not disjoint.
    """
    sources = [spec.needs["train_prompts"], spec.needs["eval_prompts"]]
    tables = [pq.read_table(store.stage(stage).prompts_path) for stage in dict.fromkeys(sources)]
    table = pa.concat_tables(tables)
    if "warm_start" in spec.needs:
        warm = pq.read_table(store.stage(spec.needs["warm_start"]).prompts_path)
        _check_disjoint(pa.concat_tables([table, warm]))
    else:
        _check_disjoint(table)
    label = pa.array([spec.dataset_label] * len(table), pa.string())
    position = table.schema.get_field_index("dataset")
    table = table.set_column(position, PROMPT_SCHEMA.field("dataset"), label)
    write_parquet(table, folder.prompts_path)


def _check_disjoint(table: pa.Table) -> None:
    owner: dict[str, str] = {}
    for prompt, split in zip(table["prompt"].to_pylist(), table["split"].to_pylist(), strict=True):
        if owner.setdefault(normalise(prompt), split) != split:
            raise OverlapError(
                f"prompt {prompt[:80]!r} is in {split} and {owner[normalise(prompt)]}"
            )


def write_labels(path: Path, labels: dict[str, TeacherLabel]) -> None:
    """Write teacher labels."""
    rows = [
        {"prompt_id": prompt_id, "pseudo_label": label.label, "vote_share": label.share}
        for prompt_id, label in labels.items()
    ]
    write_parquet(pa.Table.from_pylist(rows, LABEL_SCHEMA), path)


def read_labels(path: Path) -> dict[str, TeacherLabel]:
    """Teacher labels by prompt id."""
    return {
        row["prompt_id"]: TeacherLabel(row["pseudo_label"], row["vote_share"])
        for row in pq.read_table(path).to_pylist()
    }
