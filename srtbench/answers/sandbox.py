"""A bounded worker process for sympy, one per parent process.

Started on first use and shared by all threads behind a lock. A request that exceeds its time is
answered ``timeout`` and the worker is replaced. After a fork the child forgets the parent's worker
and starts its own. The worker ends when its pipe closes, so it does not outlive its parent.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

ANSWER_SECONDS = 2.0
START_SECONDS = 60.0
_CHUNK_BYTES = 32_000
_RECYCLE_AFTER = 20_000
_ATTEMPTS = 2
_BOOT = (
    "import json, sys; sys.path[:] = json.loads(sys.argv.pop()); "
    "from srtbench.answers.worker import main; main()"
)
_ENVIRONMENT = {"PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}


class WorkerError(Exception):
    """The worker could not be started, or died."""


class WorkerTimeoutError(Exception):
    """The worker did not reply in time."""


class _Worker:
    """One running process and its two pipes."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.served = 0
        self._buffer = b""
        path = json.dumps([os.path.abspath(entry) for entry in sys.path if entry])
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-s", "-P", "-c", _BOOT, str(seconds), path],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=_ENVIRONMENT,
                bufsize=0,
                start_new_session=True,
            )
        except (OSError, RuntimeError) as error:
            raise WorkerError(str(error)) from error
        try:
            self.read(START_SECONDS)
        except WorkerTimeoutError as error:
            self.close()
            raise WorkerError("the worker did not start in time") from error
        except BaseException:
            self.close()
            raise

    def write(self, texts: Sequence[str]) -> None:
        """Send requests; the caller keeps their total below what a pipe holds."""
        assert self.process.stdin is not None
        data = b"".join(json.dumps(text).encode() + b"\n" for text in texts)
        try:
            while data:
                data = data[self.process.stdin.write(data) :]
        except OSError as error:
            raise WorkerError("the worker died") from error
        self.served += len(texts)

    def read(self, seconds: float) -> tuple[str, str | None]:
        """The next reply, or an error when it is late or the worker is gone."""
        assert self.process.stdout is not None
        deadline = time.monotonic() + seconds
        poll = select.poll()
        poll.register(self.process.stdout, select.POLLIN)
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not poll.poll(left * 1000):
                raise WorkerTimeoutError
            data = os.read(self.process.stdout.fileno(), 65_536)
            if not data:
                raise WorkerError("the worker died")
            self._buffer += data
        line, self._buffer = self._buffer.split(b"\n", 1)
        status, key = json.loads(line)
        return status, key

    def close(self) -> None:
        """End the process and collect it."""
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
        replies: list[tuple[str, str | None]] = []
        failures = 0
        with self._lock:
            while len(replies) < len(texts):
                chunk = self._chunk(texts, len(replies))
                try:
                    worker = self._running()
                    worker.write(chunk)
                    for _ in chunk:
                        replies.append(worker.read(self.seconds))
                        failures = 0
                        if replies[-1][0] == "timeout":  # out of memory: the worker has left
                            self._drop()
                            break
                except WorkerTimeoutError:
                    self._drop()
                    replies.append(("timeout", None))
                    failures = 0
                except WorkerError:
                    self._drop()
                    failures += 1
                    if failures >= _ATTEMPTS:
                        replies.append(("error", None))
                        failures = 0
                except BaseException:
                    self._drop()
                    raise
        return replies

    def close(self) -> None:
        """End the worker; the next request starts a new one."""
        with self._lock:
            self._drop()

    @staticmethod
    def _chunk(texts: Sequence[str], start: int) -> list[str]:
        chunk: list[str] = []
        size = 0
        for text in texts[start:]:
            size += 6 * len(text) + 3
            if chunk and size > _CHUNK_BYTES:
                break
            chunk.append(text)
        return chunk

    def _running(self) -> _Worker:
        if self._worker is not None and self._worker.served > _RECYCLE_AFTER:
            self._drop()
        if self._worker is None:
            self._worker = _Worker(self.seconds)
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
