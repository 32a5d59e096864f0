"""What a node of a Ray cluster does: look at its storage and packages, then start a worker."""

import socket
import subprocess
import time
from collections.abc import Mapping

from srtbench.execute.base import LaunchError
from srtbench.execute.local import start_process
from srtbench.execute.provenance import versions
from srtbench.store import Folder, SweepStore

MARK = ".ray"
"""File of a sweep's folder while Ray executes it. A node that reads it sees the sweep's storage."""

_POLL_SECONDS = 0.2
_STOP_SECONDS = 15.0

_MOUNT_SECONDS = 10.0
"""How long shared storage may take to show a node what another one has just written."""


def run_worker(
    store: SweepStore,
    folder: Folder,
    processes: int,
    environment: dict[str, str],
    mark: str,
    expected: dict[str, str],
) -> int:
    """Body of a Ray task: a worker process, ended when the task is cancelled.

    It is polled. Ray cancels by an exception, which does not get through to a blocking wait.

    Raises:
        LaunchError: this node does not see the sweep's storage, or has other packages.
    """
    here = f"node {socket.gethostname()} of the Ray cluster"
    _see_storage(here, store, folder, mark)
    _have_same_packages(here, expected)
    try:
        process = start_process(store, folder, processes, environment)
    except OSError as error:
        raise LaunchError(f"{here}: {error}") from error
    try:
        while (code := process.poll()) is None:
            time.sleep(_POLL_SECONDS)
        return code
    except BaseException:
        process.terminate()
        try:
            process.wait(timeout=_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
        raise


def _see_storage(here: str, store: SweepStore, folder: Folder, mark: str) -> None:
    """Wait until this node sees what the sweep has written.

    Raises:
        LaunchError: it sees no such folder, or another one at the same path.
    """
    deadline = time.monotonic() + _MOUNT_SECONDS
    while (problem := _unseen(store, folder, mark)) is not None:
        if time.monotonic() >= deadline:
            raise LaunchError(f"{here} {problem}: --root must be on storage that every node shares")
        time.sleep(_POLL_SECONDS)


def _unseen(store: SweepStore, folder: Folder, mark: str) -> str | None:
    """What of the sweep's storage this node does not see; None: it sees it."""
    try:
        if (store.path / MARK).read_text() != mark:
            return f"sees another folder at {store.path}"
    except OSError:
        is_there = store.path.is_dir()
        return f"sees another folder at {store.path}" if is_there else f"does not see {store.path}"
    return None if folder.config_path.is_file() else f"does not see {folder.config_path}"


def _have_same_packages(here: str, expected: Mapping[str, str]) -> None:
    """Refuse a node on which a package has another version: its rollouts could differ.

    A package that one of the two lacks, and the build of a version ("2.13.0+cpu"), do not count:
    the node from which a sweep is started often has neither GPUs nor what is made for them.

    Raises:
        LaunchError: naming the packages.
    """
    found = versions()
    differ = [
        f"{name} {found[name]}, not {version}"
        for name, version in sorted(expected.items())
        if name in found and _public(found[name]) != _public(version)
    ]
    if differ:
        raise LaunchError(f"{here} has other packages than this one: {'; '.join(differ)}")


def _public(version: str) -> str:
    return version.partition("+")[0]
