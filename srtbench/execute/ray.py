"""Workers on a Ray cluster: `execution: {backend: ray, gpus_per_run: 1}`."""

import importlib.util
import os
import signal
import socket
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from srtbench.config.misfit import Misfit, misfit
from srtbench.config.train import ExecutionConfig
from srtbench.execute.base import (
    ExitCode,
    Handle,
    LaunchError,
    Work,
    processes_of,
    worker_environment,
)
from srtbench.execute.provenance import versions
from srtbench.execute.ray_node import MARK, run_worker
from srtbench.plan import RunSpec
from srtbench.store import Folder, SweepStore

_MAX_LOST = 3
"""How often Ray starts work again whose node or process it lost; a run goes on from its checkpoint.
Work that fails by itself is not started again."""

_LOOK_SECONDS = 2.0
"""How old may be what is known of the nodes."""

_REACH_SECONDS = 10.0
"""How long a cluster may take to answer. Ray itself would ask for minutes."""

_NODE_SECONDS = 60.0
"""How long work that a lost node could hold waits for a node that takes its place."""


def ray_misfits(
    execution: ExecutionConfig, runs: Sequence[RunSpec], *, here: bool = True
) -> list[tuple[RunSpec, Misfit]]:
    """What no Ray cluster could place, and a run that asks for it.

    Args:
        here: whether Ray is to be installed here.
    """
    if not runs:
        return []
    gpus, found = execution.gpus_per_run, []
    widest = max(runs, key=processes_of)
    processes = processes_of(widest)
    if here and importlib.util.find_spec("ray") is None:
        text = "Ray is not installed; pip install 'srtbench[ray]', or use backend: local"
        found.append(misfit(text, "execution.backend"))
    if gpus > 1 and gpus % 1:
        text = f"{gpus:g}: Ray reserves a part of one GPU, or whole ones"
        found.append(misfit(text, "execution.gpus_per_run"))
    if 0 < gpus < processes and processes > 1:
        text = f"{gpus:g}, and a run has {processes} processes (train.num_processes): one GPU each"
        found.append(misfit(text, "execution.gpus_per_run"))
    return [(widest, one) for one in found]


class RayExecutor:
    """Starts each worker as a process of its own inside a Ray task.

    The folder of sweeps must be on storage that every node of the cluster sees, which each node is
    asked before it begins. Ray reserves ``threads`` CPUs for each process, and ``gpus_per_run``
    GPUs for each run and stage; where none is reserved, none is used. It joins the cluster of
    RAY_ADDRESS, or one that runs on this machine, or starts one of this machine alone.

    Raises:
        LaunchError: the cluster cannot be joined.
    """

    def __init__(self, store: SweepStore, execution: ExecutionConfig):
        import ray

        self._ray = ray
        self._store = SweepStore(store.root.resolve(), store.path.name)
        self._execution = execution
        self._joined = not ray.is_initialized()
        if self._joined:
            _join(ray)
        self._cluster = _Cluster(ray)
        self._versions = versions()
        self._mark = uuid.uuid4().hex
        (self._store.path / MARK).write_text(self._mark)
        self._under_way: list[_RayHandle] = []

    def start(self, work: Work) -> Handle:
        """Submit a task."""
        processes, wanted = processes_of(work), self._wanted(work)
        task = self._ray.remote(run_worker).options(
            num_cpus=wanted["CPU"], num_gpus=wanted["GPU"], max_retries=_MAX_LOST
        )
        environment = worker_environment(self._execution.threads)
        if not wanted["GPU"]:
            environment["CUDA_VISIBLE_DEVICES"] = ""  # Ray hides no GPU from a task without one
        folder = self._store.folder(work)
        reference = task.remote(
            self._store, folder, processes, environment, self._mark, self._versions
        )
        handle = _RayHandle(self._ray, reference, folder, self._cluster, wanted)
        self._under_way.append(handle)
        return handle

    def can_start(self, work: Work) -> bool:
        """Whether the nodes could hold one more, were the cluster this sweep's alone.

        Ray queues what they cannot hold because of other jobs.

        Raises:
            LaunchError: no node is large enough.
        """
        self._under_way = [one for one in self._under_way if not one.has_ended]
        return self._cluster.places(self._wanted(work)) > len(self._under_way)

    def close(self) -> None:
        """Leave the cluster, if this joined it."""
        (self._store.path / MARK).unlink(missing_ok=True)
        if self._joined:
            self._ray.shutdown()

    def _wanted(self, work: Work) -> dict[str, float]:
        """What the work takes of one node."""
        cpus = self._execution.threads * processes_of(work)
        return {"CPU": cpus, "GPU": self._execution.gpus_per_run}


class _Cluster:
    """What the live nodes have, asked now and then."""

    def __init__(self, ray: Any):
        self._ray = ray
        self._asked = -_LOOK_SECONDS
        self._nodes: list[dict[str, float]] = []
        self._last_fit: dict[tuple[float, ...], float] = {}

    def places(self, wanted: Mapping[str, float]) -> int:
        """How many pieces of such work the nodes hold at once.

        Raises:
            LaunchError: none, and for a minute if there were places before.
        """
        now = time.monotonic()
        if now - self._asked >= _LOOK_SECONDS:
            self._asked = now
            self._nodes = [one["Resources"] for one in self._ray.nodes() if one["Alive"]]
        found = sum(_places_of(node, wanted) for node in self._nodes)
        key = tuple(wanted.values())
        if found:
            self._last_fit[key] = now
        elif now - self._last_fit.get(key, -_NODE_SECONDS) >= _NODE_SECONDS:
            raise LaunchError(_too_large(self._nodes, wanted, was_met=key in self._last_fit))
        return found


def _places_of(node: Mapping[str, float], wanted: Mapping[str, float]) -> int:
    """How many pieces of work one node holds at once."""
    return min(int(node.get(kind, 0) / count + 1e-9) for kind, count in wanted.items() if count)


def _too_large(nodes: list[dict[str, float]], wanted: Mapping[str, float], *, was_met: bool) -> str:
    """Why work waits in vain: what it takes, and what the nodes have."""
    keys = {"CPU": "execution.threads x train.num_processes", "GPU": "execution.gpus_per_run"}
    takes = ", ".join(f"{kind} {count:g} ({keys[kind]})" for kind, count in wanted.items() if count)
    has = {", ".join(f"{kind} {node.get(kind, 0):g}" for kind in wanted) for node in nodes}
    since = f", for {_NODE_SECONDS:.0f} s now" if was_met else ""
    return (
        f"no node of the Ray cluster has what one run or stage takes{since}: {takes}; "
        f"its nodes have: {'; '.join(sorted(has)) or 'no node is left'}"
    )


def _join(ray: Any) -> None:
    """Join a cluster, and leave the signals of this process as they are.

    Raises:
        LaunchError: it cannot be reached, or has other versions of Ray or Python.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_worker_niceness", "0")  # of a cluster that is started here
    address = os.environ.get("RAY_ADDRESS", "")
    where = f"the Ray cluster of RAY_ADDRESS={address}" if address else "the Ray cluster"
    host, colon, port = address.rpartition(":")
    before = signal.getsignal(signal.SIGTERM)
    try:
        if colon and "/" not in address and port.isdecimal():
            socket.create_connection((host.strip("[]"), int(port)), _REACH_SECONDS).close()
        ray.init(log_to_driver=False, include_dashboard=False, logging_level="ERROR")
    except Exception as error:  # of every kind, bare ones too
        reason = " ".join(str(error).split()) or type(error).__name__
        raise LaunchError(f"{where} cannot be joined: {reason}") from error
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


class _RayHandle:
    def __init__(
        self,
        ray: Any,
        reference: Any,
        folder: Folder,
        cluster: _Cluster,
        wanted: Mapping[str, float],
    ):
        self._ray = ray
        self._reference = reference
        self._folder = folder
        self._cluster = cluster
        self._wanted = wanted
        self._code: int | None = None
        self._is_stopped = False

    @property
    def has_ended(self) -> bool:
        """Whether its end has been reported."""
        return self._code is not None

    def poll(self) -> int | None:
        """As every handle's.

        Raises:
            LaunchError: once; a node cannot do the work, or no node is left that could.
        """
        if self._code is not None:
            return self._code
        ready, _ = self._ray.wait([self._reference], timeout=0)
        if not ready:
            if not self._is_stopped:
                self._cluster.places(self._wanted)
            return None
        exceptions = self._ray.exceptions
        try:
            self._code = self._ray.get(self._reference)
        except exceptions.TaskCancelledError:
            self._code = ExitCode.INTERRUPTED
        except exceptions.RayTaskError as error:
            self._code = ExitCode.INTERRUPTED  # the node's fault, not the run's
            if not self._is_stopped:
                raise LaunchError(_reason(error.cause)) from error
        except exceptions.RayError as error:
            self._code = ExitCode.FAILED
            self._note(f"Ray: {_reason(error)}")
        return self._code

    def stop(self) -> None:
        self._is_stopped = True
        self._ray.cancel(self._reference, force=False)

    def kill(self) -> None:
        self._ray.cancel(self._reference, force=True)

    def _note(self, line: str) -> None:
        """Say in the log, of which the sweep shows the end, what the worker could not."""
        self._folder.path.mkdir(parents=True, exist_ok=True)
        with self._folder.log_path.open("a", encoding="utf-8") as log:
            log.write(f"{line}\n")


def _reason(error: object) -> str:
    """What an error says, in one line."""
    text = " ".join(str(error).split())
    return text if isinstance(error, LaunchError) else f"{type(error).__name__}: {text}"
