"""Read and write what stages hand to runs: prompts."""

import logging
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from srtbench.answers.grader import Grader
from srtbench.config.datasets import DatasetConfig, TableColumns
from srtbench.config.eval_sets import OWN
from srtbench.config.models import TinyModel
from srtbench.datasets import DatasetError, Problem
from srtbench.datasets.overlap import (
    DROP_HINT,
    TRAINED,
    WARMED,
    asked,
    overlap_text,
    shared_with,
)
from srtbench.datasets.splits import excerpt, normalise
from srtbench.plan import EvalSetSpec, RunSpec
from srtbench.rollouts import PROMPT_SCHEMA, read_table, with_columns, write_parquet
from srtbench.store import Folder, SweepStore
from srtbench.store.prompts import read_prompt_table
from srtbench.train.evaluate import Prompt

logger = logging.getLogger(__name__)


def grader_of(dataset: DatasetConfig) -> Grader:
    """How a dataset's answers are found and compared."""
    return Grader(dataset.answer_style, dataset.answer_kind)


def prompt_table(dataset: DatasetConfig, problems: Sequence[Problem]) -> pa.Table:
    """Problems as PROMPT_SCHEMA, gold keys included; which set they are is for a run to say.

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
                "eval_set": None,
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
        f"{problem.where}: {excerpt(problem.gold)} ({status})".removeprefix(": ")
        for problem, status in zip(problems, statuses, strict=True)
        if status != "ok"
    ]
    if bad:
        table = isinstance(dataset, TableColumns)
        rule = ", or leave such rows out with on_bad_gold: drop" if table else ""
        raise DatasetError(
            f"{dataset.label}: {len(bad)} of {len(problems)} {problems[0].split} gold answers have "
            f"no key as answer_kind {dataset.answer_kind}: {', '.join(bad[:3])}"
            f"{', ...' if len(bad) > 3 else ''}; choose another answer_kind, set gold_style if the "
            f"answer column holds more than the answer, correct the answers{rule}"
        )


def read_prompts(path: Path) -> list[Prompt]:
    """Prompts of a table, in its order."""
    columns = ["prompt_id", "prompt", "gold_key"]
    rows = read_table(path, PROMPT_SCHEMA, columns).to_pylist()
    return [Prompt(**row) for row in rows]


QUESTION = pa.field("question", pa.string(), False, {"description": "question alone"})


class OverlapError(ValueError):
    """A prompt stands in two splits."""


def write_run_prompts(spec: RunSpec, store: SweepStore, folder: Folder) -> None:
    """Put the train prompts of a run, and those of its evaluation sets, into its own folder.

    A variant that trains on the eval prompts has one split only, ``eval``. Train prompts whose
    question an evaluation set with ``on_overlap: drop_from_train`` has are left out.

    Raises:
        OverlapError: train, eval and warm-start prompts are not disjoint, or the run would train on
            a question of an evaluation set.
    """
    sources = dict.fromkeys((spec.needs.train_prompts, spec.own.needs.prompts))
    tables = [read_prompt_table(store.stage(stage)) for stage in sources]
    tables[-1] = with_columns(tables[-1], eval_set=[OWN] * len(tables[-1]))
    table = pa.concat_tables(tables)
    if isinstance(spec.model, TinyModel) and spec.needs.start_model:
        warm = read_prompt_table(store.stage(spec.needs.start_model))
        _check_disjoint(pa.concat_tables([table, warm]))
    else:
        warm = table.slice(0, 0)
        _check_disjoint(table)
    sets = []
    for one in spec.further:
        found = read_table(store.stage(one.needs.prompts).prompts_path, PROMPT_SCHEMA)
        table = _without_set(spec, one, found, table, warm)
        found = with_columns(
            found, dataset=[one.label] * len(found), eval_set=[one.label] * len(found)
        )
        sets.append(found.select(PROMPT_SCHEMA.names).cast(PROMPT_SCHEMA))
    table = with_columns(table, dataset=[spec.dataset_label] * len(table))
    write_parquet(pa.concat_tables([table, *sets]), folder.prompts_path)


def _without_set(
    spec: RunSpec, one: EvalSetSpec, found: pa.Table, table: pa.Table, warm: pa.Table
) -> pa.Table:
    """The run's prompts without train prompts that ask what an evaluation set asks.

    Raises:
        OverlapError: there are some, and the set does not say to drop them, or they cannot be
            dropped: warm-start prompts, or the evaluation prompts of a run that trains on them.
    """
    prompts, questions = found["prompt"].to_pylist(), found["question"].to_pylist()
    of_set = asked(prompts, questions, spec.dataset.prompt_template)
    learnt = "eval" if spec.trains_on_eval_prompts else "train"
    droppable = learnt == "train" and one.on_overlap == "drop_from_train"
    rows = zip(table["prompt"].to_pylist(), table["split"].to_pylist(), strict=True)
    drop = [split == learnt and normalise(prompt) in of_set for prompt, split in rows]
    shared = [] if droppable else table.filter(pa.array(drop))["prompt"].to_pylist()
    where, hint = TRAINED, DROP_HINT if learnt == "train" else ""
    if not shared:
        shared = shared_with(warm["prompt"].to_pylist(), of_set)
        where, hint = WARMED, ""
    if shared:
        raise OverlapError(overlap_text(one.label, shared, len(found), where, hint))
    if any(drop):
        logger.info("%d train prompts are in evaluation set %s: dropped", sum(drop), one.label)
    return table.filter(pa.array([not one for one in drop], pa.bool_()))


def _check_disjoint(table: pa.Table) -> None:
    owner: dict[str, str] = {}
    for prompt, split in zip(table["prompt"].to_pylist(), table["split"].to_pylist(), strict=True):
        if owner.setdefault(normalise(prompt), split) != split:
            raise OverlapError(
                f"prompt {prompt[:80]!r} is in {split} and {owner[normalise(prompt)]}"
            )
