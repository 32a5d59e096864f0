"""kill -9 at any moment, then the same command: the rollouts of an uninterrupted sweep."""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import pyarrow as pa
import pytest

from srtbench.config import load_sweep
from srtbench.plan import plan_sweep
from srtbench.rollouts import read_rollouts
from srtbench.store import SweepStore
from srtbench.store.checkpoints import steps_kept
from tests.micro import CONTENT, FinishedSweep, srtbench, write_sweep

STOPPED_IN_A_FINALISER = """
import os, signal
import numpy as np
from srtbench.variants import Judgement, Variant

class Finalised:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)

left = []

class Agreement(Variant):
    def __init__(self, config, context):
        super().__init__(config, context)
        left.append(Finalised())  # in the worker alone: a sweep file's classes are only read

    def judge(self, group, rng):
        left.clear()
        return Judgement(np.ones(len(group.answer_keys)))
"""


def start(
    sweep: FinishedSweep, root: Path, errors: int | IO[bytes] = subprocess.DEVNULL
) -> subprocess.Popen[bytes]:
    """Start the sweep as the leader of its own process group, as a terminal would.

    Where the tests run under `nohup` a child would ignore SIGHUP, as it should.
    """
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        return subprocess.Popen(
            [sys.executable, "-m", "srtbench.cli", "sweep", str(sweep.file), "--root", str(root)],
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
        )
    finally:
        signal.signal(signal.SIGHUP, before)


def wait_for_checkpoint(store: SweepStore, run_ids: list[str], timeout: float = 120) -> None:
    """Return as soon as any run has a checkpoint and is still under way."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        for run_id in run_ids:
            status = store.run(run_id).read_status()
            if status.state == "running" and status.checkpoint_step > 0:
                return
        time.sleep(0.01)
    raise TimeoutError("no run reached a checkpoint")


def workers_of(root: Path) -> list[int]:
    """Live processes that have a file of ``root`` open."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):  # the process ended meanwhile
            if any(_target(link).startswith(str(root)) for link in (entry / "fd").iterdir()):
                found.append(int(entry.name))
    return found


def _target(link: Path) -> str:
    """What a descriptor points to; nothing if it was closed meanwhile."""
    try:
        return os.readlink(link)
    except OSError:
        return ""


def assert_same_rollouts(
    sweep: FinishedSweep, root: Path, variants: Sequence[str] | None = None
) -> None:
    """Same rows as the uninterrupted sweep; floats to 1e-5, everything else exactly."""
    for run in sweep.plan.runs:
        if variants is not None and run.variant_label not in variants:
            continue
        expected = read_rollouts(sweep.store.run(run.run_id).rollouts_path)
        folder = SweepStore(root, sweep.plan.name).run(run.run_id)
        actual = read_rollouts(folder.rollouts_path)
        assert len(actual) == len(expected), run.run_id
        for field in expected.schema:
            one, other = expected[field.name].to_pylist(), actual[field.name].to_pylist()
            if pa.types.is_floating(field.type):
                assert one == pytest.approx(other, abs=1e-5, nan_ok=True), (run.run_id, field.name)
            else:
                assert one == other, (run.run_id, field.name)
        assert folder.read_status().state == "done"


@pytest.mark.parametrize("seed", [0, 1])
def test_a_sweep_killed_at_random_moments_ends_as_if_it_was_not(
    micro_sweep: FinishedSweep, tmp_path: Path, seed: int
) -> None:
    rng = random.Random(seed)
    root = tmp_path / "runs"
    store = SweepStore(root, micro_sweep.plan.name)
    run_ids = [run.run_id for run in micro_sweep.plan.runs]
    for attempt in range(3):
        process = start(micro_sweep, root)
        if attempt == 1:
            wait_for_checkpoint(store, run_ids)
        time.sleep(rng.uniform(0, 0.5) if attempt == 1 else rng.uniform(2, 6))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    result = srtbench("sweep", micro_sweep.file, "--root", root)
    assert result.returncode == 0, result.stdout + result.stderr
    assert_same_rollouts(micro_sweep, root)


def wait_for_two_checkpoints(store: SweepStore, run_ids: list[str]) -> str:
    """The first run that has two and is still under way; kept until another one is written."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        for run_id in run_ids:
            status = store.run(run_id).read_status()
            if status.state == "running" and status.checkpoint_step >= 6:
                return run_id
        time.sleep(0.01)
    raise TimeoutError("no run reached a second checkpoint")


@pytest.mark.parametrize("damage", ["cut", "gone", "all"])
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(
    micro_sweep: FinishedSweep, tmp_path: Path, damage: str
) -> None:
    root = tmp_path / "runs"
    shutil.copytree(micro_sweep.root / "_stages", root / "_stages")
    store = SweepStore(root, micro_sweep.plan.name)
    process = start(micro_sweep, root)
    run_id = wait_for_two_checkpoints(store, [run.run_id for run in micro_sweep.plan.runs])
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    folder = store.run(run_id)
    step, kept = folder.read_status().checkpoint_step, steps_kept(folder)
    before = max(one for one in kept if one < step)
    newest = folder.checkpoint_path / f"checkpoint-{step}"
    if damage == "gone":
        shutil.rmtree(newest)
    else:
        for one in kept if damage == "all" else [step]:
            model = folder.checkpoint_path / f"checkpoint-{one}" / "model.safetensors"
            model.write_bytes(model.read_bytes()[: model.stat().st_size // 2])
    result = srtbench("sweep", micro_sweep.file, "--root", root)
    assert result.returncode == 0, result.stdout + result.stderr
    assert_same_rollouts(micro_sweep, root)
    start_again = "the beginning" if damage == "all" else f"step {before}"
    note = folder.read_status().note or ""
    assert note.startswith(f"goes on from {start_again}: {newest}")
    assert note in srtbench("status", micro_sweep.file, "--root", root).stdout
    assert f"cannot go on from there: {newest}" in folder.log_path.read_text()


def test_workers_die_with_the_sweep_and_a_resumed_run_says_from_where(
    micro_sweep: FinishedSweep, tmp_path: Path
) -> None:
    root = tmp_path / "runs"
    shutil.copytree(micro_sweep.root / "_stages", root / "_stages")
    store = SweepStore(root, micro_sweep.plan.name)
    process = start(micro_sweep, root)
    wait_for_checkpoint(store, [run.run_id for run in micro_sweep.plan.runs])
    process.kill()  # the sweep alone, not its workers
    process.wait()
    deadline = time.monotonic() + 20
    while workers_of(root) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not workers_of(root)
    status = srtbench("status", micro_sweep.file, "--root", root)
    assert "running" not in status.stdout
    assert "is gone; the same sweep goes on with it" in status.stdout
    result = srtbench("sweep", micro_sweep.file, "--root", root)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "started, from step" in result.stdout
    assert_same_rollouts(micro_sweep, root)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ([signal.SIGINT], "interrupted; the same command continues"),
        ([signal.SIGTERM, signal.SIGHUP], "interrupted by SIGTERM; the same command continues"),
        ([signal.SIGHUP], "interrupted by SIGHUP; the same command continues"),
    ],
    ids=["control-c", "two-signals", "hang-up"],
)
def test_a_signal_stops_the_workers_and_keeps_what_is_done(
    micro_sweep: FinishedSweep, tmp_path: Path, numbers: list[signal.Signals], message: str
) -> None:
    root = tmp_path / "runs"
    shutil.copytree(micro_sweep.root / "_stages", root / "_stages")
    store = SweepStore(root, micro_sweep.plan.name)
    run_ids = [run.run_id for run in micro_sweep.plan.runs]
    with (tmp_path / "errors").open("wb") as errors:
        process = start(micro_sweep, root, errors)
        wait_for_checkpoint(store, run_ids)
        for number in numbers:
            process.send_signal(number)
            time.sleep(0.3)
        assert process.wait(timeout=60) == 1
    assert not workers_of(root)
    assert message in (tmp_path / "errors").read_text()
    states = [store.run(run_id).read_status().state for run_id in run_ids]
    assert "interrupted" in states
    assert "running" not in states
    assert srtbench("sweep", micro_sweep.file, "--root", root).returncode == 0
    assert_same_rollouts(micro_sweep, root)


def test_a_sweep_that_is_being_executed_is_refused(
    micro_sweep: FinishedSweep, tmp_path: Path
) -> None:
    import fcntl

    store = SweepStore(tmp_path, micro_sweep.plan.name)
    store.path.mkdir(parents=True)
    with (store.path / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        result = srtbench("sweep", micro_sweep.file, "--root", tmp_path)
    assert result.returncode == 2
    assert "another process is executing this sweep" in result.stderr


def test_a_worker_that_is_asked_to_stop_is_interrupted_not_failed(
    micro_sweep: FinishedSweep, tmp_path: Path
) -> None:
    root = tmp_path / "runs"
    shutil.copytree(micro_sweep.root / "_stages", root / "_stages")
    store = SweepStore(root, micro_sweep.plan.name)
    run_ids = [run.run_id for run in micro_sweep.plan.runs]
    process = start(micro_sweep, root)
    wait_for_checkpoint(store, run_ids)
    stopped = next(r for r in run_ids if store.run(r).read_status().state == "running")
    os.kill(store.run(stopped).read_status().pid or 0, signal.SIGTERM)
    assert process.wait(timeout=120) == 1
    assert store.run(stopped).read_status().state == "interrupted"
    assert srtbench("sweep", micro_sweep.file, "--root", root).returncode == 0
    assert_same_rollouts(micro_sweep, root)


def test_a_request_to_stop_that_python_drops_is_made_again(tmp_path: Path) -> None:
    # An exception that a signal handler raises while a finaliser runs is ignored.
    path = write_sweep(
        tmp_path,
        variants=[{"type": "python", "path": "own.py:Agreement"}],
        train=CONTENT["train"] | {"steps": 2000},
    )
    (tmp_path / "own.py").write_text(STOPPED_IN_A_FINALISER)
    result = srtbench("sweep", path, "--root", tmp_path / "runs")
    assert result.returncode == 1, result.stdout + result.stderr
    run_id = plan_sweep(load_sweep(path)).runs[0].run_id
    run = SweepStore(tmp_path / "runs", "micro").run(run_id)
    assert "Exception ignored in" in run.log_path.read_text()
    assert run.read_status().state == "interrupted"
