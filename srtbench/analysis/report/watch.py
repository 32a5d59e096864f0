"""Serves a report on this machine alone, and writes it anew while the sweeps train.

The page asks now and then whether there is a newer one, and loads it; its filters are in its
address, so it looks as it did. The report on disk is the same page without that question.
"""

import http.server
import threading
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus
from pathlib import Path

import duckdb

from srtbench.analysis.report.build import Axis, write_report
from srtbench.analysis.report.render import live_page
from srtbench.store import StoreError

HOST = "127.0.0.1"
LEAST_SECONDS = 5.0
"""Between two looks at the folders: a report takes seconds of work that training could use."""


class Watched:
    """The newest page of a report, and what is known of the folders behind it.

    Args:
        sweeps: folders of the sweeps. out: folder of the report.
        complain: hears in one line why a report could not be written; the page before it stays.
        axis: as of `write_report`.
    """

    def __init__(
        self,
        sweeps: Sequence[Path],
        out: Path,
        complain: Callable[[str], None],
        axis: Axis | None = None,
    ):
        self._axis = axis
        self._sweeps = sweeps
        self._out = out
        self._complain = complain
        self._seen: frozenset[tuple[str, int, int]] | None = None
        self.version = "0"
        self.page = b""

    def look(self) -> bool:
        """Write the report if a file of a sweep has changed; whether it did."""
        seen = _files(self._sweeps)
        if seen == self._seen:
            return False
        self._seen = seen
        write_report(self._sweeps, self._out, self._axis)
        version = str(int(self.version) + 1)
        text = (self._out / "report.html").read_text(encoding="utf-8")
        self.page = live_page(text, version).encode("utf-8")
        self.version = version
        return True

    def follow(self, stop: threading.Event, seconds: float = LEAST_SECONDS) -> None:
        """Look again and again until ``stop``; an error is said once and does not end it."""
        before = ""
        while not stop.wait(seconds):
            began = time.monotonic()
            try:
                self.look()
                before = ""
            except (OSError, StoreError, ValueError, duckdb.Error) as error:
                said = f"the report stays as it was: {error}"
                if said != before:
                    self._complain(said)
                before = said
            # At most half of one core's time.
            stop.wait(time.monotonic() - began)


def serve(watched: Watched, port: int = 0) -> http.server.ThreadingHTTPServer:
    """A server of the page on 127.0.0.1, not yet running; ``port`` 0: any that is free.

    Raises:
        OSError: the port is taken.
    """

    class Handler(http.server.BaseHTTPRequestHandler):
        """Answers with the page and its version, to whoever asks this machine by its own name."""

        def do_GET(self) -> None:
            # Another site's name may be made to lead here (DNS rebinding): it gets nothing.
            name = (self.headers.get("Host") or "").rpartition(":")[0]
            if name not in (HOST, "localhost"):
                self._send(HTTPStatus.FORBIDDEN, b"only as 127.0.0.1", "text/plain")
                return
            path = self.path.partition("?")[0]
            if path == "/":
                self._send(HTTPStatus.OK, watched.page, "text/html; charset=utf-8")
            elif path == "/version":
                self._send(HTTPStatus.OK, watched.version.encode(), "text/plain")
            else:
                self._send(HTTPStatus.NOT_FOUND, b"not here", "text/plain")

        def _send(self, status: HTTPStatus, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("X-Content-Type-Options", "nosniff")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return http.server.ThreadingHTTPServer((HOST, port), Handler)


def _files(sweeps: Sequence[Path]) -> frozenset[tuple[str, int, int]]:
    """Name, size and time of every file that a report is made of."""
    found = set()
    for sweep in sweeps:
        for pattern in ("*.json", "*/*.json", "*/*.parquet", "*/rollouts/*.parquet"):
            for path in sweep.glob(pattern):
                try:
                    at = path.stat()
                except FileNotFoundError:  # dropped by a run that resumes
                    continue
                found.add((str(path), at.st_size, at.st_mtime_ns))
    return frozenset(found)
