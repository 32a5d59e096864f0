"""`srtbench revote`: a finished sweep under another voting rule, from its Parquet files alone.

What the policies wrote stays; who wins each vote, and so what each completion would have earned,
is decided anew. Nothing is trained again, so this says what the other rule would have paid for the
same completions, not how training on it would have gone.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from srtbench.replay.advantages import advantages
from srtbench.replay.revote_imported import revote_imported
from srtbench.replay.revote_rounds import copy_further, select_again
from srtbench.replay.revote_row import RevoteRow
from srtbench.replay.source import (
    NOT_RUN,
    SOURCE_CHANGED,
    SOURCE_UNKNOWN,
    TRAINED_VARIANT,
    source_state,
)
from srtbench.rollouts import (
    METRIC_SCHEMA,
    RolloutWriter,
    part_files,
    read_part,
    read_table,
    with_columns,
    write_parquet,
)
from srtbench.rollouts.judge import Columns, Judge, eval_votes, group_number, runs_of
from srtbench.store import Folder, StoreError, read_json, read_plan
from srtbench.store.files import write_sealed
from srtbench.store.prompts import read_prompt_table
from srtbench.store.runs import LoggedRun, LoggedSet, LoggedSweep, open_runs
from srtbench.store.spreadsheet import csv_cell
from srtbench.variants import from_outside, with_voting
from srtbench.votes import VotingPolicy

_REWARD_METRICS = ("reward", "reward_std", "frac_reward_zero_std", "loss")


class RevoteError(ValueError):
    """A sweep cannot be voted again; the message says why."""


def policy_name(voting: VotingPolicy) -> str:
    """Folder name of a rule: what differs from the default, e.g. ``revote-tie-abstain``."""
    default = VotingPolicy()
    parts = [
        f"{name.replace('_', '-')}-{getattr(voting, name)}"
        for name in VotingPolicy.model_fields
        if getattr(voting, name) != getattr(default, name)
    ]
    return "-".join(["revote", *(parts or ["default"])])


def revote_sweep(
    path: str | Path, voting: VotingPolicy, out: str | Path | None = None, *, run_code: bool = False
) -> tuple[Path, list[RevoteRow]]:
    """Write the sweep under another rule into a folder of its own, which reads as a sweep.

    Pseudo-labels, vote shares and train rewards of the variants that vote are decided anew, and
    advantages where rewards alone give them (else null). In evaluations, the majority is.

    Args:
        path: the sweep. It is not modified.
        run_code: whether to run the variants that the folder names, Python files and classes of
            packages; else the rewards of these runs stay, and their rows say so.
        out: folder to write; None: ``<path>/revote-<rule>``. One that a revote made is replaced.

    Returns:
        The folder, and one row per run, also written there as ``summary.csv``. A run whose
        config.json is damaged is left out, and its row says so.

    Raises:
        FileNotFoundError: ``path`` holds no sweep.
        RevoteError: no run has begun, a shared stage is missing, the file of a variant is not
            what it was, or ``out`` is something else than an earlier revote. Nothing is written.
    """
    path = Path(path)
    rows = read_plan(path)["runs"]
    if rows and all(row.get("imported") for row in rows):
        return _revote_imported(path, voting, Path(out) if out else path / policy_name(voting))
    found = open_runs(path)
    runs = found.runs
    target = Path(out) if out is not None else path / policy_name(voting)
    _check_target(target)
    partial = target.with_name(f"{target.name}.partial")
    for run in list(runs):
        try:
            _check_run(run, voting, run_code=run_code)
        except StoreError as error:
            found.damaged[run.spec.run_id] = str(error)
            runs.remove(run)
    if not runs:
        problems = "; ".join(found.damaged.values()) or "none has begun"
        raise RevoteError(f"{path}: no run can be voted again: {problems}")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        rows = _write(found, voting, partial, target, run_code=run_code)
    except FileNotFoundError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise RevoteError(f"{error.filename} is missing; the sweep is not whole") from error
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    _swap(partial, target)
    return target, rows


def _write(
    found: LoggedSweep, voting: VotingPolicy, partial: Path, target: Path, *, run_code: bool
) -> list[RevoteRow]:
    """The whole revote, in the folder ``partial``, as it will stand in ``target``."""
    plan, runs = found.plan, found.runs
    problems, rows = dict(found.damaged), []
    for run in runs:
        try:
            rows.append(_revote_run(run, voting, partial, run_code=run_code))
        except StoreError as error:
            problems[run.spec.run_id] = str(error)
            shutil.rmtree(partial / run.spec.run_id, ignore_errors=True)
    rows += [
        RevoteRow.left_out(row, problems[row["run_id"]])
        for row in plan["runs"]
        if row["run_id"] in problems
    ]
    root = os.path.relpath(runs[0].store.root.resolve(), target.resolve())
    _write_summary(plan | {"root": root}, voting, rows, partial)
    return rows


def _revote_imported(
    path: Path, voting: VotingPolicy, target: Path
) -> tuple[Path, list[RevoteRow]]:
    """The same of runs that another trainer trained."""
    _check_target(target)
    plan = read_plan(path)
    partial = target.with_name(f"{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    rows = []
    try:
        for row in plan["runs"]:
            try:
                rows.append(revote_imported(Folder(path / row["run_id"]), voting, partial))
            except (StoreError, FileNotFoundError) as error:
                rows.append(RevoteRow.left_out(row, str(error)))
                shutil.rmtree(partial / row["run_id"], ignore_errors=True)
        if all(row.problem for row in rows):
            problems = "; ".join(str(row.problem) for row in rows)
            raise RevoteError(f"{path}: no run can be voted again: {problems}")
        _write_summary(plan, voting, rows, partial)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    _swap(partial, target)
    return target, rows


def _write_summary(
    plan: dict[str, Any], voting: VotingPolicy, rows: list[RevoteRow], partial: Path
) -> None:
    """plan.json and summary.csv of a revote."""
    content = plan | {
        "sweep": f"{plan['sweep']} ({policy_name(voting)})",
        "revote": {"of": plan["sweep"], "voting": voting.model_dump()},
    }
    write_sealed(partial / "plan.json", content)
    table = pa.Table.from_pylist([vars(row) for row in rows]).to_pandas(integer_object_nulls=True)
    for name in ("run_id", "variant", "problem"):
        table[name] = [csv_cell(cell) if isinstance(cell, str) else cell for cell in table[name]]
    table.to_csv(partial / "summary.csv", index=False)


def _swap(partial: Path, target: Path) -> None:
    """Put the new revote, now whole, in the place of an earlier one."""
    if target.exists():
        old = target.with_name(f"{target.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        target.rename(old)
        partial.rename(target)
        shutil.rmtree(old)
    else:
        partial.rename(target)


def _under(run: LoggedRun, voting: VotingPolicy, *, run_code: bool) -> tuple[Any, bool]:
    """The run's entry under the rule, and whether it votes; one whose code is not run does not."""
    if from_outside(run.spec.variant) and not run_code:
        return run.spec.variant, False
    return with_voting(run.spec.variant, voting)


def _check_run(run: LoggedRun, voting: VotingPolicy, *, run_code: bool) -> None:
    """Whether what a run's rewards are derived from is there, and is what it was."""
    if not _under(run, voting, run_code=run_code)[1]:
        return  # its rewards stay
    if stage_id := run.spec.needs.teacher_labels:
        stage = run.store.stage(stage_id)
        if not stage.config_path.is_file() or not part_files(stage.rollouts_path):
            raise RevoteError(
                f"{run.spec.run_id}: the shared stage {stage_id} is missing from "
                f"{stage.path.parent}: copy the shared stages, the folder _stages, along with the "
                "sweep"
            )
    source = source_state(run)
    if source == "gone":
        raise RevoteError(f"{run.spec.run_id}: {SOURCE_UNKNOWN}")
    if source == "changed":
        raise RevoteError(f"{run.spec.run_id}: {SOURCE_CHANGED}")


def _check_target(target: Path) -> None:
    plan = target / "plan.json"
    earlier = plan.is_file() and "revote" in read_json(plan)
    if not earlier and target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise RevoteError(f"{target}: is not the folder of an earlier revote; choose another")


def _revote_run(run: LoggedRun, voting: VotingPolicy, target: Path, *, run_code: bool) -> RevoteRow:
    config, votes = _under(run, voting, run_code=run_code)
    left = from_outside(run.spec.variant) and not run_code
    folder = Folder(target / run.spec.run_id)
    train = run.train_columns()
    before = _summary(run, train)
    judge = run.judge(run.variant(config, voting)) if votes else None
    for path in part_files(run.folder.rollouts_path, "train"):
        table = read_part(path)
        if judge is not None and run.spec.train.rounds is None:
            table = with_columns(table, **_judged_again(run, judge, table.to_pydict()))
        elif judge is not None:
            table = select_again(run, judge, table, folder)
        write_parquet(table, folder.rollouts_path / path.name)
    if judge is None:
        copy_further(run, folder)
    dropped = _drop_again(run, judge, folder)
    writer = RolloutWriter(folder.rollouts_path)
    voted = [one for held in run.evaluations().values() for one in _voted_again(held, voting)]
    for step, table in sorted(voted, key=lambda one: one[0]):
        writer.add("eval", step, table)
    writer.flush()
    _copy(run, folder, config, votes)
    columns = LoggedRun(run.spec, folder, run.store).train_columns()
    _write_votes(run, folder, columns, dropped)
    after = _summary(run, columns)
    labels_before, labels_after = before.pop("labels"), after.pop("labels")
    groups = len(labels_before)
    changed = sum(a != b for a, b in zip(labels_before, labels_after, strict=True))
    return RevoteRow(
        run_id=run.spec.run_id,
        variant=run.spec.variant_label,
        seed=run.spec.seed,
        votes=votes,
        groups=groups,
        changed_labels=changed / max(1, groups),
        no_label=sum(label is None for label in labels_after) / max(1, groups),
        **{f"{name}_before": value for name, value in before.items()},
        **{f"{name}_after": value for name, value in after.items()},
        selected_before=_selected(train),
        selected_after=_selected(columns),
        note=NOT_RUN if left else None,
    )


def _judged_again(run: LoggedRun, judge: Judge, columns: Columns) -> Columns:
    """pseudo_label, vote_share, train_reward and advantage of a part's rows."""
    size = run.spec.train.num_generations
    found: Columns = {"pseudo_label": [], "vote_share": [], "train_reward": [], "advantage": []}
    for start, stop in runs_of(columns["step"]):
        rows = {name: values[start:stop] for name, values in columns.items()}
        judged = judge.step(rows, rows["step"][0], run.vote_keys, _numbers(run, rows)).columns
        derived = advantages(np.reshape(judged["train_reward"], (-1, size)), run.spec)
        unknown = [None] * (stop - start)
        judged["advantage"] = unknown if derived is None else derived.ravel().tolist()
        for name, values in found.items():
            values += judged[name]
    return found


def _numbers(run: LoggedRun, rows: Columns) -> list[int] | None:
    """Numbers of a step's groups among all that it drew; None: it trains on all."""
    if run.spec.train.refill is None:
        return None
    numbers = [group_number(rows["group_id"][start]) for start, _ in runs_of(rows["group_id"])]
    if None in numbers:
        raise StoreError(f"{run.folder.rollouts_path}: step {rows['step'][0]}: group_id: no number")
    return [number for number in numbers if number is not None]


def _drop_again(run: LoggedRun, judge: Judge | None, folder: Folder) -> Columns:
    """Groups that were not trained on stay so; their pseudo-labels and vote shares are decided."""
    for path in part_files(run.folder.dropped_path):
        table = read_part(path)
        if judge is not None:
            columns, found = table.to_pydict(), Columns(pseudo_label=[], vote_share=[])
            for start, stop in runs_of(columns["step"]):
                rows = {name: values[start:stop] for name, values in columns.items()}
                numbers = _numbers(run, rows)
                judged = judge.step(rows, rows["step"][0], run.vote_keys, numbers).columns
                for name, values in found.items():
                    values += judged[name]
            table = with_columns(table, **found)
        write_parquet(table, folder.dropped_path / path.name)
    return LoggedRun(run.spec, folder, run.store).dropped_columns()


def _voted_again(one: LoggedSet, voting: VotingPolicy) -> Iterator[tuple[int, pa.Table]]:
    """Each evaluation on a set: its step, and its rows with the majorities under the rule."""
    table = with_columns(one.rollouts, **eval_votes(one.columns, voting))
    for start, stop in runs_of(one.columns["step"]):
        yield one.columns["step"][start], table.slice(start, stop - start)


def _copy(run: LoggedRun, folder: Folder, config: Any, votes: bool) -> None:
    """What a sweep folder holds beside the rollouts."""
    content = read_json(run.folder.config_path)
    content.setdefault(TRAINED_VARIANT, content["spec"]["variant"])
    content["spec"]["variant"] = config.model_dump(mode="json")
    write_sealed(folder.config_path, content)
    run.folder.read_status()  # a damaged one is not handed on
    write_parquet(read_prompt_table(run.folder), folder.prompts_path)
    if run.folder.status_path.is_file():
        shutil.copyfile(run.folder.status_path, folder.status_path)
    if run.folder.metrics_path.is_file():
        rows = read_table(run.folder.metrics_path, METRIC_SCHEMA).to_pylist()
        kept = [
            row
            for row in rows
            if not votes
            or (row["metric"] not in _REWARD_METRICS and not row["metric"].startswith("rewards/"))
        ]
        write_parquet(pa.Table.from_pylist(kept, METRIC_SCHEMA), folder.metrics_path)


def _write_votes(run: LoggedRun, folder: Folder, *judged: Columns) -> None:
    """The further votes, with the outcomes of their groups."""
    outcome = {
        columns["group_id"][start]: (columns["pseudo_label"][start], columns["vote_share"][start])
        for columns in judged
        for start, _ in runs_of(columns["group_id"])
    }
    for path in part_files(run.folder.votes_path):
        table = read_part(path)
        groups = table["group_id"].to_pylist()
        if unknown := [group_id for group_id in groups if group_id not in outcome]:
            raise StoreError(f"{path}: votes of group {unknown[0]}, which has no rollouts")
        found = [outcome[group_id] for group_id in groups]
        labels, shares = [label for label, _ in found], [share for _, share in found]
        table = with_columns(table, pseudo_label=labels, vote_share=shares)
        write_parquet(table, folder.votes_path / path.name)


def _selected(columns: Columns) -> int | None:
    found = columns["selected"]
    return None if None in found or not found else sum(found)


def _summary(run: LoggedRun, columns: Columns) -> dict[str, Any]:
    labels, right = [], 0
    for start, _ in runs_of(columns["group_id"]):
        label = columns["pseudo_label"][start]
        prompt_id = columns["prompt_id"][start]
        if prompt_id not in run.gold_keys:
            raise StoreError(f"{run.folder.prompts_path}: has no prompt {prompt_id}")
        gold = run.gold_keys[prompt_id]
        labels.append(label)
        right += label is not None and label == gold
    rewards = np.array(columns["train_reward"], dtype=np.float64)
    agreeing = rewards == np.array(columns["gold_reward"])
    return {
        "labels": labels,
        "label_accuracy": right / max(1, len(labels)),
        "reward_accuracy": float(agreeing.mean()) if len(rewards) else 0.0,
        "train_reward": float(rewards.mean()) if len(rewards) else 0.0,
    }
