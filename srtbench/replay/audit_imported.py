"""Audit of runs that another trainer trained: what the logged text and answers give again.

Its rewards are the other trainer's, so they are not derived; of a run that a reward function of
srtbench wrote, they are. Nothing is known of its optimiser, so there is no second record.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from srtbench.answers.grader import gold_reward
from srtbench.config.sameness import prompt_id, prompt_of_gold
from srtbench.replay.audit_files import check_seal
from srtbench.replay.audit_report import AuditReport, Breach, health
from srtbench.replay.audit_values import Found, compare
from srtbench.rollouts.judge import Columns, Judge, runs_of
from srtbench.store import Folder, StoreError, read_json
from srtbench.store.files import seal_broken
from srtbench.store.imported import ImportedRun, imported_votes, read_imported
from srtbench.store.written import run_id_of

_FAILED = ("timeout", "error")


def audit_imported(path: Path, plan: dict[str, Any]) -> AuditReport:
    """Audit every run of a folder of imported runs."""
    report = AuditReport(plan["sweep"], len(plan["runs"]))
    revoted = plan.get("revote")
    if revoted:
        report.notes.append(f"voted again under {revoted['voting']}: not as it was trained")
    if seal_broken(plan):
        message = "has been changed since srtbench wrote it"
        report.breaches.append(Breach(str(plan["sweep"]), "structure", "plan.json", message))
    for row in plan["runs"]:
        folder = Folder(path / row["run_id"])
        try:
            found = list(_check_run(folder, row, report, revoted=bool(revoted)))
        except FileNotFoundError as error:
            found = [("structure", "run", f"its files are gone ({Path(error.filename).name})")]
        except StoreError as error:
            found = [("structure", "run", str(error))]
        report.breaches += [Breach(row["run_id"], *one) for one in found]
    named = {row["run_id"] for row in plan["runs"]}
    for one in sorted(path.iterdir()):
        if one.name not in named and (one / "config.json").is_file():
            report.notes.append(f"{one.name}: a run folder that plan.json does not name")
    return report


def _check_run(
    folder: Folder, row: Mapping[str, Any], report: AuditReport, *, revoted: bool
) -> Found:
    run = ImportedRun(read_imported(folder), folder)
    spec = run.spec
    status = folder.read_status()
    if status.state != "done":
        report.notes.append(f"{spec.run_id}: {status.state} at step {status.step}")
    yield from check_seal(folder)
    cell = (spec.model_label, spec.dataset_label, spec.variant_label)
    if run_id_of(cell, spec.seed) != spec.run_id or folder.path.name != spec.run_id:
        yield "structure", "config.json", "its labels do not give the run id"
    for name, value in spec.row().items():
        if row.get(name) != value:
            yield "structure", "plan.json", f"{name}: is not what config.json says"
    if spec.row()["uses_gold"]:
        report.notes.append(f"{spec.run_id}: uses gold: its rewards depend on the hidden answers")
    if spec.labeller() is None:
        report.notes.append(
            f"{spec.run_id}: what it was rewarded for does not follow from its log, so rewards and "
            "pseudo-labels are not derived again"
        )
    elif spec.paths and not revoted:
        report.notes.append(
            f"{spec.run_id}: its rewards are those of its log, which are not derived again"
        )
    yield from _check_prompts(run, report.checked)
    rows = 0
    places: dict[tuple[str, str | None], int] = {}
    for path, table in run.parts():
        columns: Columns = table.to_pydict()
        rows += len(table)
        phase, first, last = path.stem.split("-")
        yield from _check_order(columns, phase, range(int(first), int(last) + 1), path, places)
        yield from _check_rows(run, columns, report.checked)
        again = not spec.paths or revoted
        yield from _check_votes(run, columns, phase, report.checked, rewards=again)
        if not again:
            theirs = columns["their_reward"] if phase == "train" else [None] * len(table)
            yield from compare(columns, slice(None), "train_reward", theirs, f"{path.stem}")
        report.health += health(spec.dataset_label, columns)
    if not rows:
        yield "structure", "rollouts", "there are none"
    yield from _check_sources(folder, rows)


def _check_sources(folder: Folder, rows: int) -> Found:
    """As many rows as were read from the log."""
    path = folder.path / "sources.json"
    if path.is_file() and (known := read_json(path).get("rows")) != rows:
        yield "structure", "rollouts", f"{rows} rows, but {known} were read from the log"


def _check_prompts(run: ImportedRun, checked: Counter[str]) -> Found:
    rows = list(run.prompts.values())
    golds = list(dict.fromkeys(row["gold_answer"] for row in rows if row["gold_answer"]))
    keys = dict(zip(golds, run.spec.grader.gold_keys(golds), strict=True))
    for row in rows:
        where = f"prompt {row['prompt_id']}"
        names = {prompt_id(row["prompt"]), prompt_of_gold(row["prompt"], row["gold_answer"])}
        if row["prompt_id"] not in names:
            yield "prompts", where, "its text does not give its id"
        key = keys.get(row["gold_answer"])
        if key != row["gold_key"]:
            yield "prompts", where, f"gold_key {row['gold_key']!r}, its answer gives {key!r}"
        if row["split"] != ("train" if row["eval_set"] is None else "eval"):
            yield "prompts", where, f"split {row['split']!r} does not fit its evaluation set"
    checked["gold_key"] += len(rows)


def _check_order(
    columns: Columns,
    phase: str,
    steps: range,
    path: Path,
    places: dict[tuple[str, str | None], int],
) -> Found:
    """Steps are those of the part's name, in order; groups stand together and are of one prompt."""
    found = columns["step"]
    in_order = found == sorted(found) and found and found[0] == steps[0] and found[-1] == steps[-1]
    if not in_order or {*columns["phase"]} != {phase}:
        yield "step", path.stem, "does not hold the phase and steps of its name, in order"
    seen: set[tuple[Any, ...]] = set()
    for start, stop in runs_of(list(zip(columns["eval_set"], columns["group_id"], strict=True))):
        where = f"{phase} step {found[start]} group {columns['group_id'][start]}"
        name = (columns["eval_set"][start], columns["group_id"][start])
        if name in seen:
            yield "group_id", where, "its rows do not stand together"
        seen.add(name)
        if columns["sample_index"][start:stop] != list(range(stop - start)):
            yield "sample_index", where, f"is not 0 to {stop - start - 1}"
        if len({*columns["prompt_id"][start:stop]}) != 1 or len({*found[start:stop]}) != 1:
            yield "prompt_id", where, "split: its rows are of several prompts or steps"
    for place in {(phase, label) for label in columns["eval_set"]}:
        first = min(found)
        if first <= places.get(place, -1):
            yield "step", path.stem, f"step {first} is in two parts"
        places[place] = max(found)


def _check_rows(run: ImportedRun, columns: Columns, checked: Counter[str]) -> Found:
    graded = run.spec.grader.grade(columns["completion"])
    for row, (key, status) in enumerate(zip(graded.keys, graded.statuses, strict=True)):
        phase, step, label = columns["phase"][row], columns["step"][row], columns["eval_set"][row]
        where = f"{phase} step {step} row {row}"
        if columns["run_id"][row] != run.spec.run_id:
            yield "run_id", where, f"is {columns['run_id'][row]!r}"
        if (phase == "eval") != (label is not None):
            yield "eval_set", where, f"is {label!r}"
        prompt = run.prompts.get((label, columns["prompt_id"][row]))
        if prompt is None:
            yield "prompt_id", where, "is no prompt that was asked"
            continue
        logged, told = columns["answer_key"][row], columns["verifier_status"][row]
        if columns["answer"][row] != graded.answers[row]:
            answers = f"{columns['answer'][row]!r}, the text gives {graded.answers[row]!r}"
            yield "answer", where, answers
        if told not in _FAILED and status not in _FAILED:  # a failure need not repeat itself
            if told != status:
                yield "verifier_status", where, f"{told}, again it is {status}"
            if logged != key:
                yield "answer_key", where, f"{logged!r}, the answer gives {key!r}"
        elif told in _FAILED and logged is not None:
            yield "verifier_status", where, f"{told}, but there is a key"
        gold = prompt["gold_key"]
        right = None if gold is None else gold_reward(logged, gold)
        if columns["gold_reward"][row] != right:
            yield "gold_reward", where, f"{columns['gold_reward'][row]}, the key gives {right}"
        tokens = columns["completion_tokens"][row]
        if tokens is not None and tokens < 0:
            yield "completion_tokens", where, f"{tokens} cannot be"
    count = len(columns["run_id"])
    checked.update(dict.fromkeys(("answer", "answer_key", "gold_reward", "verifier_status"), count))


def _check_votes(
    run: ImportedRun, columns: Columns, phase: str, checked: Counter[str], *, rewards: bool
) -> Found:
    variant, every = run.spec.labeller(), slice(None)
    for start, stop in runs_of(columns["eval_set"]):
        part = {name: values[start:stop] for name, values in columns.items()}
        where = f"{phase} steps {part['step'][0]} to {part['step'][-1]}"
        votes = imported_votes(part, phase, variant, run.spec)
        if phase == "train" and variant is None and not run.spec.paths:
            votes.pop("pseudo_label")  # the reward function knew more than a log tells
            votes.pop("vote_share")
        for name, values in votes.items():
            yield from compare(part, every, name, values, where)
            checked[name] += stop - start
        if phase == "train" and rewards and variant is not None:
            again = rewards_again(run, part)
            yield from compare(part, every, "train_reward", again, where)
            checked["train_reward"] += stop - start
        elif phase == "eval":
            yield from compare(part, every, "train_reward", [None] * (stop - start), where)


def rewards_again(run: ImportedRun, rows: Columns) -> list[float]:
    """What the variant pays for train rows, whose groups stand together."""
    variant = run.spec.labeller()
    assert variant is not None
    judge, found = Judge(variant, run.spec.seed), []
    for start, stop in runs_of(rows["group_id"]):
        position = int(rows["group_id"][start].rpartition("-")[2])
        outcome = judge.group(rows, range(start, stop), rows["step"][start], position)
        found += [float(one) for one in outcome.train_reward]
    return found
