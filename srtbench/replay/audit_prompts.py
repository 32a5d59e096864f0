"""Audit of what a run was given: prompts, gold keys, teacher labels."""

from collections.abc import Iterator, Set
from typing import Any

from srtbench.answers.grader import Grader
from srtbench.config.datasets import DatasetConfig
from srtbench.config.eval_sets import OWN
from srtbench.config.sameness import normalise, prompt_id
from srtbench.store import Folder
from srtbench.store.prompts import read_prompt_table
from srtbench.store.runs import LoggedRun, LoggedSet, teacher_votes

Found = Iterator[tuple[str, str, str]]


def prompt_rows(folder: Folder) -> list[dict[str, Any]]:
    """Rows of a folder's prompts.parquet; raises as `read_table`."""
    rows: list[dict[str, Any]] = read_prompt_table(folder).to_pylist()
    return rows


def check_prompts(run: LoggedRun, one: LoggedSet) -> Found:
    """Prompts of a set follow from their texts, the splits do not overlap, none is learnt from.

    With the own prompts of a run, those that it trains on are looked at.
    """
    if one.is_further:
        rows, splits, label = list(one.rows), {"eval"}, one.spec.label
    else:
        rows, splits, label = run.own_rows, {"train", "eval"}, run.spec.dataset_label
        yield from _unknown_sets(run)
    yield from check_prompt_rows(
        rows, one.spec.dataset, splits, label=label, eval_sets={one.spec.label}
    )
    for name in sorted(run.learnt & one.prompts.keys()) if one.is_further else ():
        yield "prompts", f"prompt {name}", "is a prompt that the run trains on"
    owners: dict[str, str] = {}
    for row in rows:
        other = owners.setdefault(normalise(row["prompt"]), row["split"])
        if other != row["split"]:
            yield "prompts", f"prompt {row['prompt_id']}", f"is in {other} and {row['split']}"
    yield from _warm_start_overlap(run, owners)


def _unknown_sets(run: LoggedRun) -> Found:
    known = {None, *(one.label for one in run.spec.eval_sets)}
    for row in run.prompt_rows:
        if row["eval_set"] not in known:
            message = f"{row['eval_set']!r} is no evaluation set of the run"
            yield "prompts", f"prompt {row['prompt_id']}", message


def check_prompt_rows(
    rows: list[dict[str, Any]],
    dataset: DatasetConfig,
    splits: set[str],
    *,
    label: str,
    eval_sets: Set[str | None] = frozenset({None, OWN}),
    level: bool = True,
) -> Found:
    """What each prompt says follows from its text, its gold answer and the configuration.

    Args:
        splits: those that may stand there. label: of the dataset.
        eval_sets: what prompts to evaluate on may be labelled with; a shared stage names no set.
        level: whether all are of the dataset's level.
    """
    if twice := len(rows) - len({row["prompt_id"] for row in rows}):
        yield "prompts", "prompts.parquet", f"{twice} prompt ids stand twice"
    wanted = getattr(dataset, "level", None) if level else None
    golds = [row["gold_answer"] for row in rows]
    keys = Grader(dataset.answer_style, dataset.answer_kind).gold_keys(golds)
    for row, key in zip(rows, keys, strict=True):
        where = f"prompt {row['prompt_id']}"
        if row["split"] not in splits:
            yield "prompts", where, f"split is {row['split']!r}"
        if row["eval_set"] not in (eval_sets if row["split"] == "eval" else (None,)):
            yield "prompts", where, f"eval_set is {row['eval_set']!r}"
        if row["dataset"] != label:
            yield "prompts", where, f"dataset is {row['dataset']!r}, not {label!r}"
        if wanted is not None and row["level"] != wanted:
            yield "prompts", where, f"level is {row['level']}, not {wanted}"
        if row["level"] is not None and not _has_levels(dataset):
            yield "prompts", where, f"level is {row['level']}, but the dataset has none"
        if prompt_id(row["prompt"]) != row["prompt_id"]:
            yield "prompts", where, "its id is not the hash of its text"
        if key != row["gold_key"]:
            yield (
                "prompts",
                where,
                f"gold_key is {row['gold_key']!r}, its gold answer gives {key!r}",
            )


def _has_levels(dataset: DatasetConfig) -> bool:
    return hasattr(dataset, "level") or getattr(dataset, "level_column", None) is not None


def _warm_start_overlap(run: LoggedRun, owners: dict[str, str]) -> Found:
    stage = run.spec.needs.start_model
    if stage is None or not run.store.stage(stage).prompts_path.is_file():
        return
    for prompt in read_prompt_table(run.store.stage(stage))["prompt"].to_pylist():
        if (split := owners.get(normalise(prompt))) is not None:
            yield "prompts", f"prompt {prompt[:40]!r}", f"is in warm_start and {split}"


def check_labels(run: LoggedRun, notes: list[str]) -> Found:
    """Teacher labels are the votes of the teacher's logged completions."""
    found = run.teacher_stage()
    if found is None:
        return
    stage, folder = found
    if not folder.rollouts_path.is_dir():
        notes.append(f"{run.spec.run_id}: the teacher's completions are not there to vote again")
        return
    logged = run.teacher_labels()
    derived = teacher_votes(stage, folder, stage.voting)
    for name in sorted(set(logged) | set(derived)):
        one, two = logged.get(name), derived.get(name)
        if (
            one is None
            or two is None
            or one.label != two.label
            or abs(one.share - two.share) > 1e-6
        ):
            yield "labels", f"prompt {name}", f"teacher label is {one}, its votes give {two}"
