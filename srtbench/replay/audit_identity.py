"""Audit of what a run says it is: its configuration, its id, and its row of the plan."""

from collections.abc import Iterator
from typing import Any

from srtbench.plan import RunSpec
from srtbench.plan.hub import Commits, repositories_of
from srtbench.plan.identity import paths_in, run_id_of
from srtbench.plan.identity_v1 import run_digest
from srtbench.replay.source import TRAINED_VARIANT
from srtbench.sections import FilePath
from srtbench.store import read_json
from srtbench.store.configs import DECLARED, declared, read_config
from srtbench.store.plan_file import run_row
from srtbench.store.runs import LoggedRun, LoggedSweep
from srtbench.store.unplanned import finished, forgotten, unplanned_folders

Found = Iterator[tuple[str, str, str]]


def check_identity(run: LoggedRun, notes: list[str]) -> Found:
    """A run's id is the hash of what its config.json says; of version 1 by that version's rule."""
    spec, folder = run.spec, run.folder
    if spec.run_id != folder.path.name:
        yield "structure", "config.json", f"is of run {spec.run_id}, not of its folder's name"
        return
    raw, content = read_json(folder.config_path), read_config(folder)
    answers, noted = declared(folder, spec), content.get(DECLARED)
    if noted is not None and answers is not None and noted != answers.model_dump():
        yield "structure", "config.json", f"{DECLARED}: {noted}, the variant says otherwise"
    if raw.get("version", 1) == 1:
        trained = raw["spec"] | {"variant": raw.get(TRAINED_VARIANT, raw["spec"]["variant"])}
        same = run_digest(trained) == spec.run_id.rpartition("-")[2]
    else:
        variant = content.get(TRAINED_VARIANT, content["spec"]["variant"])
        same = run_id_of(RunSpec.model_validate(content["spec"] | {"variant": variant})) == (
            spec.run_id
        )
    if same or any(FilePath.split(path)[1] for path in paths_in(spec.variant)):
        return  # whether a variant's own file is what it was is asked before its rewards are
    files = [FilePath.split(path)[0] for path in paths_in(spec)]
    missing = sorted({str(file) for file in files if not file.exists()})
    if missing:
        notes.append(
            f"{spec.run_id}: whether its id is the hash of its configuration cannot be told: "
            f"{', '.join(missing)} is not here"
        )
        return
    named = f", or one of {', '.join(sorted(map(str, set(files))))}" if files else ""
    yield "structure", "config.json", f"does not give the run's id: it{named} has changed since"


def check_plan_row(run: LoggedRun, row: dict[str, Any]) -> Found:
    """plan.json says of a run what its config.json says."""
    expected = run_row(run.spec)
    ids = set(expected.pop("stages").values())
    if "stages" in row and set(row["stages"].values()) != ids:
        yield "structure", "plan.json", "stages: are not those of config.json"
    if (answers := declared(run.folder, run.spec)) is not None:
        expected["uses_gold"] = answers.uses_gold or run.spec.chosen_by_gold
    for key, value in expected.items():
        if key in row and row[key] != value:
            yield "structure", "plan.json", f"{key}: is {row[key]!r}, config.json gives {value!r}"


def check_commits(run: LoggedRun, noted: Commits, notes: list[str]) -> Found:
    """A run's models and datasets of the hub are of the commits that the sweep keeps to.

    Args:
        noted: what hub.json says; nothing where there is no such file.
    """
    for repository, commit in repositories_of(run.spec).items():
        kept = noted.get(repository)
        if commit is None:
            notes.append(f"{run.spec.run_id}: of which commit its {repository} was is not recorded")
        elif kept is not None and kept != commit:
            where = f"{repository}: hub.json has commit {kept}, config.json {commit}"
            yield "structure", "hub.json", where


def unplanned(sweep: LoggedSweep) -> Iterator[str]:
    """Notes on run folders that the plan does not name: the finished ones in one sentence."""
    folders = unplanned_folders(sweep.path, (row["run_id"] for row in sweep.plan["runs"]))
    done = finished(folders)
    if (sentence := forgotten(done)) is not None:
        yield f"{sentence}; not audited"
    for name in sorted(folders.keys() - set(done)):
        yield f"{name}: a run that plan.json does not name; not audited"
