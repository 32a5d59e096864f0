"""Damaged files: named with their key in one line, and the other runs go on."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from srtbench.cli.evidence_text import revote_text
from srtbench.plan import StageSpec
from srtbench.replay.audit import audit_sweep
from srtbench.replay.revote import revote_sweep
from srtbench.rollouts import PROMPT_SCHEMA, read_table
from srtbench.store import Folder, StoreError, read_json, read_plan, write_json
from srtbench.store.configs import CONFIG_VERSION, read_run_spec, read_spec
from srtbench.store.files import held
from srtbench.store.labels import LABEL_SCHEMA, read_labels
from srtbench.store.runs import open_runs
from srtbench.votes import VotingPolicy

LEGACY = Path(__file__).parent.parent / "fixtures" / "legacy"


@pytest.fixture
def legacy(tmp_path: Path) -> Path:
    """A copy of a sweep that f3abf8e made, whose config.json have no version."""
    shutil.copytree(LEGACY, tmp_path / "runs")
    return tmp_path / "runs" / "micro"


def first_run(sweep: Path) -> Folder:
    return Folder(sweep / read_plan(sweep)["runs"][0]["run_id"])


KINDS = {"eval_set_prompts": "eval_prompts", "eval_set_start": "base_eval"}
"""Kinds of version 1 that are others now."""


def test_version_1_is_read_and_what_is_written_names_version_2(legacy: Path) -> None:
    folder = first_run(legacy)
    assert "version" not in read_json(folder.config_path)
    assert read_run_spec(folder).run_id == folder.path.name
    assert CONFIG_VERSION == 2
    for stage in (legacy.parent / "_stages").iterdir():
        spec = read_spec(Folder(stage))
        assert isinstance(spec, StageSpec)
        assert spec.kind == KINDS.get(named := stage.name.rpartition("-")[0], named)


def _set(content: Any, *keys: str, to: Any) -> Any:
    *path, last = keys
    inner = content
    for key in path:
        inner = inner[key]
    inner[last] = to
    return content


CONFIGS: dict[str, tuple[Any, str]] = {
    "empty": (lambda c: "", "not valid JSON"),
    "cut": (lambda c: json.dumps(c)[:100], "not valid JSON"),
    "nested": (lambda c: "[" * 100_000, "not valid JSON"),
    "list": (lambda c: "[]", "not a JSON object"),
    "no spec": (lambda c: {}, "type: is missing"),
    "newer": (lambda c: c | {"version": 3}, "version: 3 is of a newer srtbench"),
    "version": (lambda c: c | {"version": "2"}, "version: '2' is no version number"),
    "unknown key": (
        lambda c: _set(c, "spec", "train", "magic", to=1),
        "spec.train.magic: is not known to this version of srtbench",
    ),
    "wrong type": (
        lambda c: _set(c, "spec", "train", "steps", to="many"),
        "spec.train.steps: input should be a valid integer",
    ),
    "spec is text": (lambda c: _set(c, "spec", to="x"), "spec: "),
}


@pytest.mark.parametrize("case", sorted(CONFIGS))
def test_a_damaged_config_is_a_problem_of_its_run_alone(legacy: Path, case: str) -> None:
    folder = first_run(legacy)
    change, message = CONFIGS[case]
    content = change(read_json(folder.config_path))
    text = content if isinstance(content, str) else json.dumps(content)
    folder.config_path.write_text(text)
    with pytest.raises(StoreError) as caught:
        read_run_spec(folder)
    line = str(caught.value)
    assert line.startswith(f"{folder.config_path}: ")
    assert message in line
    assert "\n" not in line
    assert "pydantic" not in line
    sweep = open_runs(legacy)
    assert sweep.damaged == {folder.path.name: line}
    assert len(sweep.runs) == len(sweep.plan["runs"]) - 1


def test_audit_and_revote_go_on_without_a_damaged_run(legacy: Path) -> None:
    folder = first_run(legacy)
    write_json(folder.config_path, {"type": "run"})
    report = audit_sweep(legacy)
    assert [breach.run_id for breach in report.breaches] == [folder.path.name]
    assert "config.json: spec: is missing" in report.breaches[0].message
    assert report.checked["train_reward"] > 0
    _, rows = revote_sweep(legacy, VotingPolicy(tie="abstain"))
    assert [row.run_id for row in rows if row.problem] == [folder.path.name]
    assert "left out: " in revote_text(rows)
    assert len(rows) == len(read_plan(legacy)["runs"])


@pytest.mark.parametrize(
    "name", ["status.json", "prompts.parquet", "rollouts/train-00000001-00000006.parquet"]
)
def test_any_damaged_file_of_a_run_is_a_breach_that_names_it(legacy: Path, name: str) -> None:
    folder = first_run(legacy)
    assert (folder.path / name).is_file()
    (folder.path / name).write_bytes(b"PAR1 and no more")
    report = audit_sweep(legacy)
    assert {breach.run_id for breach in report.breaches} == {folder.path.name}
    assert any(name in breach.message for breach in report.breaches)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"step": "3"}, "step: input should be a valid integer, not '3'"),
        ({"progress": {"loss": "low"}}, "progress.loss: input should be a valid number"),
        ({"checkpoint": 3}, "checkpoint: input should be a valid string"),
    ],
)
def test_wrong_types_in_a_status(tmp_path: Path, change: Any, message: str) -> None:
    write_json(tmp_path / "status.json", {"state": "done"} | change)
    with pytest.raises(StoreError, match=r"status\.json: ") as caught:
        Folder(tmp_path).read_status()
    assert message in str(caught.value)
    shown = Folder(tmp_path).shown_status()
    assert (shown.state, shown.error) == ("failed", str(caught.value))


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (("runs", 0, "seed"), "0", "runs.0.seed: input should be a valid integer"),
        (("runs", 0, "run_id"), "../other", "runs.0.run_id: must be the name of a folder"),
        (("runs",), {}, "runs: input should be a valid array"),
        (("stages", 0, "stage_id"), None, "stages.0.stage_id: input should be a valid string"),
    ],
)
def test_wrong_values_in_a_plan(legacy: Path, keys: Any, value: Any, message: str) -> None:
    plan = legacy / "plan.json"
    write_json(plan, _set(read_json(plan), *keys, to=value))
    with pytest.raises(StoreError, match=r"plan\.json: ") as caught:
        read_plan(legacy)
    assert message in str(caught.value)


def test_tables_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "labels.parquet"
    path.write_bytes(b"nothing")
    with pytest.raises(StoreError, match=r"labels\.parquet: not a whole Parquet file"):
        read_labels(path)
    row = {"prompt_id": ["p"], "pseudo_label": ["4"], "vote_share": [0.5]}
    pq.write_table(pa.table(row), path)
    with pytest.raises(StoreError, match="column 'vote_share' holds double, not float"):
        read_labels(path)
    pq.write_table(pa.table({"prompt_id": ["p"]}), path)
    with pytest.raises(StoreError, match="has no column 'pseudo_label'"):
        read_table(path, LABEL_SCHEMA)
    nulls = {field.name: pa.nulls(1, field.type) for field in PROMPT_SCHEMA}
    pq.write_table(pa.table(nulls), path)
    with pytest.raises(StoreError, match="column 'prompt_id' has 1 empty values"):
        read_table(path, PROMPT_SCHEMA, ["prompt_id"])


def test_a_lock_is_no_link_to_anybody_elses_file(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("kept")
    (tmp_path / ".lock").symlink_to(other)
    with pytest.raises(StoreError, match="symbolic link"), Folder(tmp_path).locked():
        pass
    assert other.read_text() == "kept"


HOLD = """
import sys, time
from pathlib import Path
from srtbench.store.files import held
with held(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    lock = tmp_path / ".lock"
    command = [sys.executable, "-c", HOLD, str(lock)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(BlockingIOError, match="in use by another process"), held(lock):
            pass
        process.send_signal(signal.SIGKILL)
        process.wait()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            with held(lock):
                return
        except BlockingIOError:
            time.sleep(0.01)
    pytest.fail("the lock outlived its process")


def test_leftovers_of_a_killed_write_go_when_work_starts(tmp_path: Path) -> None:
    (tmp_path / ".status.json.123.tmp").write_text("{")
    Folder(tmp_path).start(1)
    assert [path.name for path in tmp_path.iterdir()] == ["status.json"]
