"""Sweeps as jobs of Slurm: submitit for real, and Slurm's commands on one machine."""

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from srtbench.config import ConfigError, load_sweep
from srtbench.execute.slurm import check_slurm
from srtbench.plan import RunSpec, plan_sweep
from srtbench.store import SweepStore
from tests.execute.test_resume import assert_same_rollouts, wait_for_checkpoint, workers_of
from tests.micro import CONTENT, FinishedSweep, srtbench, write_sweep

SCRIPT = Path(__file__).with_name("slurm_commands.py")
COMMANDS = ("sbatch", "srun", "sacct", "scancel", "scontrol")
SLURM: dict[str, Any] = {"minutes": 60, "partition": "gpu", "options": {"qos": "high"}}


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Slurm's commands on PATH; the folder that keeps their jobs."""
    folder = tmp_path / "slurm"
    folder.mkdir()
    for name in COMMANDS:
        call = [sys.executable, "-E", "-S", str(SCRIPT), str(folder), name]
        (folder / name).write_text(f'#!/bin/sh\nexec {shlex.join(call)} "$@"\n')
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    yield folder
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if any(str(tmp_path) in word for word in process.cmdline()):
                process.kill()  # of a test that failed


def sweep_file(folder: Path, slurm: dict[str, Any] | None, **execution: Any) -> Path:
    """The micro sweep with two of its variants, for Slurm."""
    content = CONTENT["execution"] | {"backend": "slurm", "slurm": slurm} | execution
    return write_sweep(folder, variants=["srt", "gold"], execution=content)


def with_stages_of(sweep: FinishedSweep, root: Path, but: str = "none") -> FinishedSweep:
    """A folder of sweeps that has the shared stages already, except those of one kind."""
    ignore = shutil.ignore_patterns(f"{but}-*")
    shutil.copytree(sweep.root / "_stages", root / "_stages", ignore=ignore)
    return sweep


QUICK = """
from srtbench.execute import slurm
slurm._ASK_SECONDS = slurm._GRACE_SECONDS["slurm"] = 0.5  # of storage that is no network's
from srtbench.cli import main
main()
"""


def started(file: Path, root: Path, *options: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", QUICK, "sweep", str(file), "--root", str(root), *options]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, stdout=quiet, stderr=quiet, start_new_session=True)


def wait_for(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 300
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def runs_of(file: Path) -> Sequence[RunSpec]:
    return plan_sweep(load_sweep(file)).runs


def scripts(folder: Path) -> list[str]:
    """The batch scripts that were submitted, in their order."""
    found = sorted((folder / "scripts").iterdir(), key=lambda path: int(path.stem))
    return [path.read_text() for path in found]


def worker_of(run_id: str) -> psutil.Process:
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            line = process.cmdline()
            if "srtbench.execute.entry" in line and line[-1] == run_id:
                return process
    raise LookupError(run_id)


def job_of(run_id: str) -> psutil.Process:
    """The process in which submitit runs a job: the parent of the run's worker."""
    parent = worker_of(run_id).parent()
    assert parent is not None
    return parent


def test_a_sweep_is_one_array_of_its_runs_after_its_stages(
    micro_sweep: FinishedSweep, tmp_path: Path, commands: Path
) -> None:
    """A job is preempted on the way and queued again; its run goes on from its checkpoint."""
    root, file = tmp_path / "runs", sweep_file(tmp_path / "sweep", SLURM)
    with_stages_of(micro_sweep, root, but="base_eval")
    store, plan = SweepStore(root, "micro"), plan_sweep(load_sweep(file))
    sweep = started(file, root)
    wait_for_checkpoint(store, [plan.runs[0].run_id], timeout=300)
    job = job_of(plan.runs[0].run_id)
    for process in [job, *job.children(recursive=True)]:
        process.send_signal(signal.SIGUSR2)  # as Slurm does before the time limit
    assert sweep.wait(timeout=300) == 0

    stages, runs = scripts(commands)
    assert "--array" not in stages
    assert "#SBATCH --array=0-1%2" in runs
    status = store.run(plan.runs[0].run_id).read_status()
    assert status.attempts == 2
    reference = FinishedSweep(file, micro_sweep.root, "")
    assert_same_rollouts(reference, root)
    assert not list((root / "micro" / ".slurm").glob("*.pkl"))


def test_a_job_that_dies_is_named_and_a_sweep_that_ends_cancels_its_jobs(
    micro_sweep: FinishedSweep, tmp_path: Path, commands: Path
) -> None:
    root, file = tmp_path / "runs", sweep_file(tmp_path / "sweep", SLURM)
    with_stages_of(micro_sweep, root)
    store, plan = SweepStore(root, "micro"), plan_sweep(load_sweep(file))
    first = plan.runs[0].run_id
    sweep = started(file, root, "--only", "variant=srt")
    wait_for_checkpoint(store, [first], timeout=300)
    job_of(first).kill()
    assert sweep.wait(timeout=300) == 1
    error = store.run(first).read_status().error or ""
    assert error.splitlines()[-1] == (
        f"Slurm job 1 ended without a result (FAILED); its log: {root}/micro/.slurm/1_0_log.out"
    )

    sweep = started(file, root, "--only", "variant=srt", "--retry-failed")
    wait_for(lambda: store.run(first).read_status().state == "running")
    worker_of(first).suspend()  # it does not hear that it is to end: Slurm has to kill it
    asked = time.monotonic()
    sweep.terminate()
    sweep.wait(timeout=30)
    assert time.monotonic() - asked < 15
    assert store.run(first).read_status().state == "interrupted"
    wait_for(lambda: not workers_of(root))
    names = (commands / "cancelled").read_text().split()
    assert len(set(names)) == 1, "one name, of this folder, for all calls"

    # The same folder, without Slurm.
    sweep_file(tmp_path / "sweep", {"minutes": 10, "cluster": "local"})
    said = srtbench("sweep", file, "--root", root)
    assert said.returncode == 0, said.stderr
    assert store.run(first).read_status().attempts == 3
    assert_same_rollouts(FinishedSweep(file, micro_sweep.root, ""), root)


def test_what_a_job_asks_for_reaches_sbatch_and_its_refusal_the_user(
    micro_sweep: FinishedSweep, tmp_path: Path, commands: Path
) -> None:
    slurm = {
        "minutes": 90,
        "partition": "full",
        "memory_gib": 1.5,
        "setup": ["module load cuda"],
        "options": {"mail-user": "me@here", "exclusive": True},
    }
    file = sweep_file(tmp_path / "sweep", slurm, gpus_per_run=2, threads=3, workers=1)
    with_stages_of(micro_sweep, tmp_path / "runs")
    said = srtbench("sweep", file, "--root", tmp_path / "runs")
    assert said.returncode == 2
    assert said.stderr == (
        "error: sbatch refuses the jobs: sbatch: error: invalid partition specified: full\n"
    )
    (script,) = scripts(commands)
    for line in (
        "#SBATCH --array=0-1%1",
        "#SBATCH --cpus-per-task=3",
        "#SBATCH --exclusive",
        "#SBATCH --gpus-per-node=2",
        "#SBATCH --mail-user=me@here",
        "#SBATCH --mem=1536M",
        "#SBATCH --partition=full",
        "#SBATCH --time=90",
        "module load cuda",
    ):
        assert line in script.splitlines(), script
    assert "--cpus-per-task=3" in next(line for line in script.splitlines() if "srun" in line)
    states = [SweepStore(tmp_path / "runs", "micro").run(run.run_id) for run in runs_of(file)]
    assert {folder.read_status().state for folder in states} == {"waiting"}


def test_a_machine_that_cannot_submit_is_told_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = sweep_file(tmp_path, SLURM)
    execution, runs = load_sweep(file).execution, runs_of(file)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match=r"execution.backend: no `sbatch` on PATH: start the"):
        check_slurm(file, execution, runs)
    monkeypatch.setattr("srtbench.execute.slurm.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"submitit is not installed; pip install 'srtbench\[sl"):
        check_slurm(file, execution, runs)
    train = CONTENT["train"] | {"num_processes": 2}
    file = write_sweep(tmp_path, train=train, execution={"backend": "slurm", "slurm": SLURM})
    one = load_sweep(file).execution.model_copy(update={"gpus_per_run": 1.0})
    with pytest.raises(ConfigError, match="1, but a run has 2 processes, and each needs a GPU"):
        check_slurm(file, one, runs_of(file))


@pytest.mark.parametrize(
    ("slurm", "execution", "message"),
    [
        (None, {}, r"`backend: slurm` needs `slurm: \{minutes: ...\}`"),
        (SLURM, {"backend": "local"}, "`slurm` is of `backend: slurm`, and the backend is local"),
        (SLURM, {"gpus_per_run": 0.5}, "`gpus_per_run` is 0.5: Slurm gives whole GPUs"),
        ({"minutes": 5, "options": {"time": 5}}, {}, "'time' is set by execution.slurm.minutes"),
        ({"minutes": 5, "options": {"--qos": "x"}}, {}, "'--qos' is no option of sbatch"),
        ({"minutes": 5, "options": {"qos": "a\nrm"}}, {}, "'qos' has more than one line"),
        ({"minutes": 5, "options": {"exclusive": False}}, {}, "'exclusive' is false; leave it out"),
        ({"minutes": 5, "setup": ["a\nb"]}, {}, "each item is one line"),
        ({"partition": "gpu"}, {}, "execution.slurm.minutes"),
    ],
)
def test_a_mistake_in_the_section_is_told_with_its_key(
    tmp_path: Path, slurm: dict[str, Any] | None, execution: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        load_sweep(sweep_file(tmp_path, slurm, **execution))
