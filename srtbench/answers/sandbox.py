"""A bounded worker process for sympy, one per parent process.

Started on first use and shared by all threads; the lock is held for one chunk at a time, so a
thread with slow answers does not hold up the others for its whole batch. An answer that exceeds
its CPU time is asked once more, by a worker in fresh state, before it is ``timeout``. After a fork
the child forgets the parent's worker and starts its own. The worker ends when its pipe closes, so
it does not outlive its parent.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

# CPU time of one attempt. A start of the worker and two attempts stay below three seconds.
ANSWER_SECONDS = 0.75
# Wall time without any reply after which the worker counts as lost, however slow the machine is.
WALL_SECONDS = 120.0
# CPU time that a batch may use; what comes after it gets SHORT_SECONDS an answer, once.
BATCH_SECONDS = 10.0
BATCH_SECONDS_PER_ANSWER = 0.01
SHORT_SECONDS = 0.05
_CHUNK_BYTES = 32_000
_ATTEMPTS = 2
_BOOT = (
    "import json, sys; sys.path[:] = json.loads(sys.argv.pop()); "
    "from srtbench.answers.worker import main; main()"
)
_ENVIRONMENT = {"PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}


class WorkerError(Exception):
    """The worker could not be started, died, or does not reply: nothing that the answer did."""


class WorkerStartError(WorkerError):
    """It could not even be started, which no other answer would change."""


class _Worker:
    """One running process and its two pipes."""

    def __init__(self) -> None:
        self._buffer = b""
        path = json.dumps([os.path.abspath(entry) for entry in sys.path if entry])
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-s", "-P", "-c", _BOOT, path],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=_ENVIRONMENT,
                bufsize=0,
                start_new_session=True,
            )
        except (OSError, RuntimeError) as error:
            raise WorkerStartError(str(error)) from error
        try:
            self.read(WALL_SECONDS)
        except WorkerError as error:
            self.close()
            raise WorkerStartError(str(error)) from error
        except BaseException:
            self.close()
            raise

    def write(self, texts: Sequence[str], seconds: float, left: float) -> None:
        """Send a chunk: ``seconds`` of CPU time an answer until ``left`` is spent, then less."""
        assert self.process.stdin is not None
        short = min(seconds, SHORT_SECONDS)
        chunk = {"texts": list(texts), "seconds": seconds, "left": left, "short": short}
        data = json.dumps(chunk).encode() + b"\n"
        try:
            while data:
                data = data[self.process.stdin.write(data) :]
        except OSError as error:
            raise WorkerError("the worker died") from error

    def read(self, seconds: float) -> tuple[str, str | None, float]:
        """The next reply: status, key or cause, CPU seconds."""
        assert self.process.stdout is not None
        deadline = time.monotonic() + seconds
        poll = select.poll()
        poll.register(self.process.stdout, select.POLLIN)
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            if left <= 0:
                raise WorkerError("the worker does not reply")
            if not poll.poll(min(left, 1.0) * 1000):
                if self.process.poll() is not None:
                    raise WorkerError("the worker died")
                continue
            data = os.read(self.process.stdout.fileno(), 65_536)
            if not data:
                raise WorkerError("the worker died")
            self._buffer += data
        line, self._buffer = self._buffer.split(b"\n", 1)
        status, key, spent = json.loads(line)
        return status, key, spent

    def close(self) -> None:
        """End the process, with the child it forked, and collect it."""
        with contextlib.suppress(OSError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait()
        self.forget()

    def forget(self) -> None:
        """Close this side of the pipes; used alone in a forked child, which is not the parent."""
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        if self.process.returncode is None:
            self.process.returncode = 0


@dataclass
class _Batch:
    """The answers of one call, what is known of them, and the CPU time left to them."""

    texts: Sequence[str]
    left: float

    def __post_init__(self) -> None:
        self.replies: list[tuple[str, str | None] | None] = [None] * len(self.texts)

    def chunk(self, waiting: Sequence[int]) -> list[int]:
        """The first of the waiting answers that fit into one message."""
        chunk: list[int] = []
        size = 0
        for index in waiting:
            size += 6 * len(self.texts[index]) + 3
            if chunk and size > _CHUNK_BYTES:
                break
            chunk.append(index)
        return chunk


class Sandbox:
    """Asks a worker for keys; starts, replaces and ends the worker as needed."""

    def __init__(self, seconds: float = ANSWER_SECONDS) -> None:
        self.seconds = seconds
        self._lock = threading.Lock()
        self._worker: _Worker | None = None
        atexit.register(self.close)
        os.register_at_fork(after_in_child=self._after_fork)

    @property
    def worker_pid(self) -> int | None:
        """Process id of the running worker, if there is one."""
        return None if self._worker is None else self._worker.process.pid

    def ask(self, texts: Sequence[str]) -> list[tuple[str, str | None]]:
        """``(status, key)`` of every text, in order. Never raises for what a text does."""
        batch = _Batch(texts, BATCH_SECONDS + BATCH_SECONDS_PER_ANSWER * len(texts))
        late = self._round(batch, list(range(len(texts))))
        if batch.left > 0:
            self._round(batch, late)
        return [reply or ("timeout", None) for reply in batch.replies]

    def close(self) -> None:
        """End the worker; the next request starts a new one."""
        with self._lock:
            self._drop()

    def _round(self, batch: _Batch, waiting: list[int]) -> list[int]:
        """Ask each waiting answer once; which of them took too long."""
        late: list[int] = []
        failures = 0
        while waiting:
            chunk = batch.chunk(waiting)
            with self._lock:
                done, cause = self._exchange(batch, chunk)
            lost = cause in {"lost", "unstarted"}
            failures = failures + 1 if lost and not done else int(lost)
            waiting = waiting[done:]
            if cause == "unstarted" and failures >= _ATTEMPTS:
                for index in waiting:
                    batch.replies[index] = ("error", None)
                return late
            if cause in {"time", "memory"}:
                late.append(waiting.pop(0))
            elif failures >= _ATTEMPTS:
                batch.replies[waiting.pop(0)] = ("error", None)
                failures = 0
        return late

    def _exchange(self, batch: _Batch, chunk: list[int]) -> tuple[int, str]:
        """Send a chunk and read its replies: how many came, and what ended the worker if it did."""
        done = 0
        seconds = self.seconds if batch.left > 0 else min(self.seconds, SHORT_SECONDS)
        try:
            worker = self._running()
            worker.write([batch.texts[index] for index in chunk], seconds, max(batch.left, 0.0))
            for index in chunk:
                status, key, spent = worker.read(WALL_SECONDS)
                if status == "died":
                    batch.left -= seconds
                    return done, str(key)
                batch.left -= spent
                batch.replies[index] = (status, key)
                done += 1
        except WorkerError as error:
            self._drop()
            return done, "unstarted" if isinstance(error, WorkerStartError) else "lost"
        except BaseException:
            self._drop()
            raise
        return done, ""

    def _running(self) -> _Worker:
        if self._worker is None:
            self._worker = _Worker()
        return self._worker

    def _drop(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.close()

    def _after_fork(self) -> None:
        self._lock = threading.Lock()
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.forget()
