"""Sweeps on Ray clusters that really run: three nodes on this machine, and one node of its own."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from ray.cluster_utils import Cluster

from srtbench.config import load_sweep
from srtbench.config.errors import ConfigError
from srtbench.execute import ray_node
from srtbench.execute.base import LaunchError
from srtbench.execute.before import look_ahead
from srtbench.execute.provenance import versions
from srtbench.execute.ray_node import MARK, _have_same_packages
from srtbench.store import Folder, SweepStore
from tests.execute.test_resume import assert_same_rollouts, workers_of
from tests.micro import CONTENT, FinishedSweep, srtbench, write_sweep


@dataclass
class Nodes:
    """A head without CPUs, and two nodes that have one each."""

    cluster: Cluster
    others: list[Any]

    @classmethod
    def started(cls, temporary: str) -> "Nodes":
        cluster = Cluster()
        ray = {"include_dashboard": False, "temp_dir": temporary}
        cluster.add_node(num_cpus=0, metrics_agent_port=free_port(), **ray)
        others = [
            cluster.add_node(num_cpus=1, metrics_agent_port=free_port(), temp_dir=temporary)
            for _ in range(2)
        ]
        return cls(cluster, others)

    @property
    def environment(self) -> dict[str, str]:
        return {"RAY_ADDRESS": self.cluster.address}

    def node_of(self, pid: int) -> Any:
        """The node on which a process works."""
        above = {parent.pid for parent in psutil.Process(pid).parents()}
        return next(
            node for node in self.others if node.all_processes["raylet"][0].process.pid in above
        )


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("", 0))
        port: int = one.getsockname()[1]
        return port


def children() -> set[psutil.Process]:
    """Processes below this one, but for those that grade answers, which other tests may start."""
    found = set(psutil.Process().children(recursive=True))
    return {one for one in found if "srtbench.answers.worker" not in " ".join(words(one))}


def words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    """Ray gives its own processes 15 and 30 seconds to start, which a busy machine exceeds."""
    before, handler = children(), signal.getsignal(signal.SIGTERM)
    temporary = tempfile.mkdtemp(prefix="ray", dir="/tmp")  # paths of sockets are short
    patch = pytest.MonkeyPatch()
    patch.setenv("RAY_worker_niceness", "0")  # by itself 15: other tests would starve the workers
    # A cluster with a folder of its own notes its address in Ray's usual one, and does not make it.
    Path(os.environ.get("RAY_TMPDIR", "/tmp"), "ray").mkdir(exist_ok=True)
    try:
        for attempt in range(4):
            try:
                nodes = Nodes.started(temporary)
                break
            except Exception:
                end(children() - before)
                if attempt == 3:
                    raise
        yield nodes
        nodes.cluster.shutdown()
        _, left = psutil.wait_procs(children() - before, 30)
        shown = [one.as_dict(["pid", "status", "cmdline"]) for one in left if one.is_running()]
        end(set(left))
        assert shown == []
    finally:
        patch.undo()
        signal.signal(signal.SIGTERM, handler)  # Ray takes it
        shutil.rmtree(temporary, ignore_errors=True)


def end(processes: set[psutil.Process]) -> None:
    for one in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            one.kill()
    psutil.wait_procs(processes)


def on_ray(folder: Path, **execution: Any) -> Path:
    """The sweep that the other tests train on this machine, its runs placed by Ray."""
    return write_sweep(folder, execution=CONTENT["execution"] | {"backend": "ray"} | execution)


def start(file: Path, root: Path, only: str, **environment: str) -> subprocess.Popen[str]:
    """Start a sweep as the leader of its own process group, as a terminal would."""
    command = [sys.executable, "-m", "srtbench.cli", "sweep", file, "--root", root, "--only", only]
    return subprocess.Popen(
        list(map(str, command)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"COLUMNS": "200"} | environment,
        start_new_session=True,
    )


def folder_of(sweep: FinishedSweep, root: Path, variant: str) -> Folder:
    (run,) = (run for run in sweep.plan.runs if run.variant_label == variant)
    return SweepStore(root, sweep.plan.name).run(run.run_id)


def wait_for_attempt(folder: Folder, attempt: int) -> None:
    """Return as soon as the run trains for the ``attempt``-th time and has a checkpoint."""
    deadline = time.monotonic() + 180
    while True:
        status = folder.read_status()
        if status.state == "running" and status.attempts == attempt and status.checkpoint_step:
            return
        assert status.state not in ("done", "failed"), status.error
        assert time.monotonic() < deadline, status
        time.sleep(0.01)


def parts(folder: Folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.rollouts_path.iterdir())}


@pytest.mark.slow
def test_a_sweep_on_three_nodes_of_which_one_is_killed_ends_as_on_one_machine(
    nodes: Nodes, micro_sweep: FinishedSweep, tmp_path: Path
) -> None:
    root = tmp_path / "runs"
    file = on_ray(tmp_path)
    sweep = start(file, root, "variant=srt,variant=gold", **nodes.environment)
    folder = folder_of(micro_sweep, root, "srt")
    wait_for_attempt(folder, 1)
    pid = folder.read_status().pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)  # so that it is in mid-run for as long as this takes
    shown = srtbench("status", file, "--root", root).stdout
    assert "running" in next(line for line in shown.splitlines() if folder.path.name in line)
    nodes.cluster.remove_node(node := nodes.node_of(pid), allow_graceful=False)
    nodes.others.remove(node)
    output, errors = sweep.communicate(timeout=240)
    assert sweep.returncode == 0, output + errors
    assert errors == ""
    assert "done: 2 runs" in output
    assert folder.read_status().attempts == 2
    assert_same_rollouts(micro_sweep, root, ["srt", "gold"])
    undisturbed = folder_of(micro_sweep, root, "gold")
    assert undisturbed.read_status().attempts == 1
    assert parts(undisturbed) == parts(folder_of(micro_sweep, micro_sweep.root, "gold"))
    assert not (root / "micro" / MARK).exists()
    assert srtbench("audit", root / "micro").returncode == 0


@pytest.mark.slow
def test_a_sweep_that_is_asked_to_stop_is_interrupted_and_goes_on(
    nodes: Nodes, micro_sweep: FinishedSweep, tmp_path: Path
) -> None:
    """The last time on a cluster of this machine alone, which the sweep starts and ends."""
    root = tmp_path / "runs"
    shutil.copytree(micro_sweep.root / "_stages", root / "_stages")
    file, folder = on_ray(tmp_path), folder_of(micro_sweep, root, "srt")
    for attempt, number, message in (
        (1, signal.SIGTERM, "interrupted by SIGTERM; the same command continues\n"),
        (2, signal.SIGINT, "interrupted; the same command continues\n"),
    ):
        sweep = start(file, root, "variant=srt", **nodes.environment)
        wait_for_attempt(folder, attempt)
        began = time.monotonic()
        if number == signal.SIGINT:
            os.killpg(sweep.pid, number)  # as a terminal does
        else:
            sweep.send_signal(number)
        _, errors = sweep.communicate(timeout=60)
        assert (sweep.returncode, errors) == (1, message)
        assert time.monotonic() - began < 15
        assert folder.read_status().state == "interrupted"
        assert folder.log_path.read_text().count("worker INFO interrupted") == attempt
        assert not workers_of(root)
    for _ in range(4):  # it may take Ray's own processes too long to start
        sweep = start(file, root, "variant=srt", RAY_ADDRESS="local")
        output, errors = sweep.communicate(timeout=240)
        if "the Ray cluster of RAY_ADDRESS=local cannot be joined" not in errors:
            break
    assert sweep.returncode == 0, output + errors
    assert "started, from step" in output
    assert_same_rollouts(micro_sweep, root, ["srt"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("execution", "takes"),
    [
        (
            {"gpus_per_run": 1},
            "CPU 1 (execution.threads x train.num_processes), GPU 1 (execution.gpus_per_run)",
        ),
        ({"threads": 99}, "CPU 99 (execution.threads x train.num_processes)"),
    ],
)
def test_what_no_node_can_hold_is_refused_at_once(
    nodes: Nodes, tmp_path: Path, execution: dict[str, Any], takes: str
) -> None:
    file = on_ray(tmp_path, **execution)
    sweep = start(file, tmp_path / "runs", "variant=srt", **nodes.environment)
    output, errors = sweep.communicate(timeout=60)
    assert (sweep.returncode, output) == (2, "")
    assert errors == (
        f"error: no node of the Ray cluster has what one run or stage takes: {takes}; "
        "its nodes have: CPU 0, GPU 0; CPU 1, GPU 0\n"
    )
    assert not list((tmp_path / "runs").rglob("config.json"))


def test_a_node_that_does_not_see_the_folder_of_the_sweep_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked of folders of this machine, as a node asks."""
    monkeypatch.setattr(ray_node, "_MOUNT_SECONDS", 0.0)
    store = SweepStore(tmp_path, "micro")
    folder = store.run("one")

    def refused() -> str:
        with pytest.raises(LaunchError, match=r"node a .*: --root must be on storage that every"):
            ray_node._see_storage("node a", store, folder, "mark")
        return str(ray_node._unseen(store, folder, "mark"))

    assert refused() == f"does not see {store.path}"
    folder.path.mkdir(parents=True)
    assert refused() == f"sees another folder at {store.path}"
    (store.path / ray_node.MARK).write_text("of another sweep")
    assert refused() == f"sees another folder at {store.path}"
    (store.path / ray_node.MARK).write_text("mark")
    assert refused() == f"does not see {folder.config_path}"
    folder.config_path.write_text("{}")
    ray_node._see_storage("node a", store, folder, "mark")


def test_a_node_with_other_packages_is_refused() -> None:
    _have_same_packages("node a", versions())
    _have_same_packages("node a", versions() | {"torch": versions()["torch"] + "+cu999"})
    _have_same_packages("node a", versions() | {"made-for-gpus": "1"})
    with pytest.raises(LaunchError, match=r"node a has other packages .*: trl \S+, not 0\.1"):
        _have_same_packages("node a", versions() | {"trl": "0.1"})


@pytest.mark.parametrize(
    ("gpus", "processes", "reason"),
    [
        (1.5, 1, "gpus_per_run: 1.5: Ray reserves a part of one GPU, or whole ones"),
        (1, 2, "gpus_per_run: 1, and a run has 2 processes"),
    ],
)
def test_gpus_that_no_cluster_could_give_are_refused(
    tmp_path: Path, gpus: float, processes: int, reason: str
) -> None:
    train = CONTENT["train"] | {"num_processes": processes}
    execution = {"backend": "ray", "gpus_per_run": gpus}
    config = load_sweep(write_sweep(tmp_path, train=train, execution=execution))
    with pytest.raises(ConfigError, match=rf"line \d+, execution\.{reason}"):
        look_ahead(config).refuse()


def test_a_plan_says_that_ray_is_not_installed(tmp_path: Path) -> None:
    without = "import sys; sys.modules['ray'] = None; from srtbench.cli import main; main()"
    for command in (["plan"], ["sweep", "--root", tmp_path / "runs"]):
        refused = subprocess.run(
            [sys.executable, "-c", without, *map(str, command), str(on_ray(tmp_path))],
            capture_output=True,
            text=True,
        )
        assert refused.returncode == 2
        assert refused.stderr == (
            f"error: {tmp_path / 'micro.yaml'}: 1 problem\n  line 43, execution.backend: Ray is "
            "not installed; pip install 'srtbench[ray]', or use backend: local\n"
        )


def test_a_cluster_that_does_not_answer_is_named(tmp_path: Path) -> None:
    sweep = start(on_ray(tmp_path), tmp_path / "runs", "variant=srt", RAY_ADDRESS="127.0.0.1:1")
    _, errors = sweep.communicate(timeout=60)
    assert sweep.returncode == 2
    assert errors == (
        "error: the Ray cluster of RAY_ADDRESS=127.0.0.1:1 cannot be joined: [Errno 111] "
        "Connection refused\n"
    )
