"""Run folders: status is atomic and tolerant, and one process at a time holds a folder."""

import json
import multiprocessing
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from srtbench.store import Folder, Status, StoreError, read_plan, write_json


def test_a_folder_not_begun_is_waiting(tmp_path: Path) -> None:
    assert Folder(tmp_path / "run").read_status() == Status()


def test_status_survives_writing_and_reading(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.start(total_steps=10)
    folder.update_status(step=3, progress={"train_reward": 0.5})
    status = folder.read_status()
    assert (status.state, status.step, status.total_steps, status.attempts) == ("running", 3, 10, 1)
    assert status.progress == {"train_reward": 0.5}
    assert folder.start(total_steps=10).attempts == 2


def test_a_key_of_a_status_that_no_version_so_far_has_is_named(tmp_path: Path) -> None:
    write_json(tmp_path / "status.json", {"state": "done", "new_field": 1})
    with pytest.raises(StoreError, match=r"status\.json: new_field: is not known to this version"):
        Folder(tmp_path).read_status()


def test_writing_leaves_no_temporary_file(tmp_path: Path) -> None:
    write_json(tmp_path / "deep" / "a.json", {"a": "ä"})
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["a.json"]
    assert json.loads((tmp_path / "deep" / "a.json").read_text()) == {"a": "ä"}


def _try_lock(path: Path, answer: "multiprocessing.Queue[bool]") -> None:
    try:
        with Folder(path).locked():
            answer.put(True)
    except BlockingIOError:
        answer.put(False)


def test_one_process_holds_a_folder(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    answer: multiprocessing.Queue[bool] = context.Queue()
    with Folder(tmp_path).locked():
        process = context.Process(target=_try_lock, args=(tmp_path, answer))
        process.start()
        assert answer.get(timeout=60) is False
        process.join()
    process = context.Process(target=_try_lock, args=(tmp_path, answer))
    process.start()
    assert answer.get(timeout=60) is True
    process.join()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"state": "banana"}'])
def test_a_damaged_status_is_named_and_not_taken_for_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "status.json").write_text(text)
    with pytest.raises(StoreError, match=r"status\.json"):
        Folder(tmp_path).read_status()


@pytest.mark.parametrize("text", ["{", "[1]", "{}"])
def test_a_damaged_plan_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(StoreError, match=r"plan\.json"):
        read_plan(tmp_path)


def test_a_folder_without_a_plan_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no plan\.json there"):
        read_plan(tmp_path)


def test_a_run_whose_process_was_killed_is_interrupted(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    own = folder.start(10)
    assert own.actual_state == "running", "this process lives"

    dead = subprocess.Popen(["sleep", "60"])
    running = replace(own, pid=dead.pid)
    assert running.actual_state == "running"
    dead.kill()
    deadline = time.monotonic() + 20
    while running.actual_state == "running" and time.monotonic() < deadline:
        time.sleep(0.01)
    assert running.actual_state == "interrupted", "a zombie, as nobody has asked for its end yet"
    dead.wait()
    assert running.actual_state == "interrupted"
    elsewhere = replace(running, host="elsewhere")
    assert elsewhere.actual_state == "running", "cannot be known from here"
    assert replace(running, state="done").actual_state == "done"
