"""State of a run or stage: the content of its status.json."""

import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import psutil

from srtbench.store.files import SEAL, StoreError, checked, read_json

State = Literal["waiting", "running", "done", "failed", "interrupted"]


@dataclass(frozen=True)
class Status:
    """Content of a status.json.

    Attributes:
        step: optimiser steps done. total_steps: steps planned.
        checkpoint: folder name of the last whole checkpoint; checkpoint_step: its step.
        error: last lines of the traceback of a failure.
        note: what one should know of the last attempt, in one line.
        stopped: why the run ended before its last step, in one line; None: it did not.
        kept_step: step of the policy that `train.stop` keeps; None: it keeps none.
        attempts: how often the run was started.
        started, first_started: when the last and the first attempt began, in seconds since 1970.
        progress: last known numbers, e.g. gold accuracy.
    """

    state: State = "waiting"
    step: int = 0
    total_steps: int = 0
    checkpoint: str | None = None
    checkpoint_step: int = 0
    error: str | None = None
    note: str | None = None
    stopped: str | None = None
    kept_step: int | None = None
    attempts: int = 0
    pid: int | None = None
    host: str | None = None
    started: float | None = None
    first_started: float | None = None
    updated: float | None = None
    wall_seconds: float = 0.0
    progress: dict[str, float] = field(default_factory=dict)

    @property
    def actual_state(self) -> State:
        """The state; interrupted if it says running and its process, one of this host, is gone.

        A number that another process has by now counts as alive.
        """
        if self.state != "running" or self.pid is None or self.host != socket.gethostname():
            return self.state
        try:
            gone = psutil.Process(self.pid).status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            gone = True
        except psutil.AccessDenied:  # alive, and another user's
            gone = False
        return "interrupted" if gone else "running"


def read_status(path: Path) -> Status:
    """The status in a file; that of work not begun where there is none.

    Raises:
        StoreError: the file is damaged.
    """
    try:
        content = read_json(path)
    except FileNotFoundError:
        return Status()
    return status_of(content, path)


def status_of(content: dict[str, Any], path: Path) -> Status:
    """A status from the content of its file.

    Raises:
        StoreError: it is none.
    """
    content = {key: value for key, value in content.items() if key != SEAL}
    if unknown := [key for key in content if key not in Status.__dataclass_fields__]:
        raise StoreError(f"{path}: {unknown[0]}: is not known to this version of srtbench")
    return checked(Status, content, path, strict=True)
