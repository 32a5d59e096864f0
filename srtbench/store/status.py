"""State of a run or stage: the content of its status.json."""

import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import psutil

from srtbench.store.files import checked, read_json

State = Literal["waiting", "running", "done", "failed", "interrupted"]


@dataclass(frozen=True)
class Status:
    """Content of a status.json.

    Attributes:
        step: optimiser steps done. total_steps: steps planned.
        checkpoint: folder name of the last whole checkpoint; checkpoint_step: its step.
        error: last lines of the traceback of a failure.
        attempts: how often the run was started.
        progress: last known numbers, e.g. gold accuracy.
    """

    state: State = "waiting"
    step: int = 0
    total_steps: int = 0
    checkpoint: str | None = None
    checkpoint_step: int = 0
    error: str | None = None
    attempts: int = 0
    pid: int | None = None
    host: str | None = None
    started: float | None = None
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
    """The status in a file; that of work not begun where there is none. Later keys are left out.

    Raises:
        StoreError: the file is damaged.
    """
    try:
        content = read_json(path)
    except FileNotFoundError:
        return Status()
    known = {name: content[name] for name in Status.__dataclass_fields__ if name in content}
    return checked(Status, known, path, strict=True)
