"""A run is what its id says: config, id, folder and plan agree, or the audit says so."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from srtbench.replay.audit import audit_sweep
from srtbench.replay.audit_report import AuditReport
from srtbench.store import Folder, read_json, write_json
from srtbench.variants.srt import SRT
from tests.micro import FinishedSweep

LEGACY = Path(__file__).parent.parent / "fixtures" / "legacy"


@pytest.fixture
def sweep(micro_sweep: FinishedSweep, tmp_path: Path) -> Path:
    shutil.copytree(micro_sweep.root, tmp_path / "runs")
    return tmp_path / "runs" / micro_sweep.plan.name


def change(file: Path, *keys: Any, to: Any) -> None:
    content = read_json(file)
    inner: Any = content
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = to
    write_json(file, content)


def found(report: AuditReport) -> set[tuple[str, str]]:
    return {(breach.where, breach.message.split(":")[0]) for breach in report.breaches}


def test_whole_sweeps_are_clean(sweep: Path) -> None:
    assert audit_sweep(sweep).ok
    old = audit_sweep(LEGACY / "micro")
    assert old.ok
    assert any("cannot be told" in note for note in old.notes), "its data files are not here"


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (("train", "learning_rate"), 0.5),
        (("train", "temperature"), 0.7),
        (("seed",), 7),
        (("model", "hidden_size"), 128),
    ],
)
def test_a_changed_config_does_not_give_the_id(sweep: Path, keys: Any, value: Any) -> None:
    run = read_json(sweep / "plan.json")["runs"][0]["run_id"]
    change(sweep / run / "config.json", "spec", *keys, to=value)
    messages = [b.message for b in audit_sweep(sweep).breaches if b.run_id == run]
    assert any("does not give the run's id" in message for message in messages)


@pytest.mark.parametrize(
    ("key", "value"),
    [("variant", "gold"), ("variant_type", "gold"), ("seed", 5), ("total_steps", 9)],
)
def test_plan_and_config_agree(tmp_path: Path, key: str, value: Any) -> None:
    shutil.copytree(LEGACY, tmp_path / "runs")
    sweep = tmp_path / "runs" / "micro"
    change(sweep / "plan.json", "runs", 0, key, to=value)
    assert ("plan.json", key) in found(audit_sweep(sweep))


def test_a_run_that_the_plan_does_not_name_is_reported(tmp_path: Path) -> None:
    shutil.copytree(LEGACY, tmp_path / "runs")
    sweep = tmp_path / "runs" / "micro"
    first, *rest = read_json(sweep / "plan.json")["runs"]
    change(sweep / "plan.json", "runs", to=rest)
    notes = audit_sweep(sweep).notes
    said = f"1 finished run here is not in this plan: {first['run_id']}; not audited"
    assert said in notes
    Folder(sweep / first["run_id"]).update_status(state="interrupted")
    said = f"{first['run_id']}: a run that plan.json does not name; not audited"
    assert said in audit_sweep(sweep).notes


def test_swapped_folders_are_seen(tmp_path: Path) -> None:
    shutil.copytree(LEGACY, tmp_path / "runs")
    sweep = tmp_path / "runs" / "micro"
    one, two = (sweep / row["run_id"] for row in read_json(sweep / "plan.json")["runs"][:2])
    one.rename(sweep / "aside")
    two.rename(one)
    (sweep / "aside").rename(two)
    messages = [breach.message for breach in audit_sweep(sweep).breaches]
    assert sum("not of its folder's name" in message for message in messages) == 2


def test_a_variant_that_exits_is_a_breach(monkeypatch: pytest.MonkeyPatch) -> None:
    def leave(*_: Any) -> None:
        raise SystemExit(0)

    monkeypatch.setattr(SRT, "judge", leave)
    report = audit_sweep(LEGACY / "micro")
    assert any("SystemExit" in breach.message for breach in report.breaches)
