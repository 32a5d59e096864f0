"""`srtbench import --watch` beside a trainer that writes: cut lines, new files, a rotated file."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import srtbench

WRITER = r"""
import json, pathlib, sys, time
log = pathlib.Path(sys.argv[1])

def lines(step, *answers):
    rows = [{"q": f"Q{step}", "a": "so \\boxed{%d}" % one, "s": step, "g": "5"} for one in answers]
    return "".join(json.dumps(row) + "\n" for row in rows)

def slowly(path, text):
    with path.open("a") as sink:
        for start in range(0, len(text), 37):  # no piece ends with a line
            sink.write(text[start:start + 37])
            sink.flush()
            time.sleep(0.1)

log.mkdir()
time.sleep(0.5)
slowly(log / "train.jsonl", lines(1, 5, 6, 5) + lines(2, 5, 5, 7))
(log / "train.jsonl").rename(log / "train.jsonl.1")
time.sleep(0.8)
slowly(log / "train.jsonl", lines(3, 8, 5))
(log / "more").mkdir()
slowly(log / "more" / "train.jsonl", lines(4, 5, 5))
with (log / "train.jsonl").open("a") as sink:
    sink.write(lines(5, 9)[:-20])  # and is killed
"""
MAP = {"columns": {"prompt": "q", "completion": "a", "step": "s", "gold": "g"}}
ROLLOUTS = (
    "SELECT step, answer_key, count(*) FROM rollouts GROUP BY step, answer_key "
    "ORDER BY step, answer_key"
)


@contextmanager
def watching(log: Path, out: Path, said: Path) -> Iterator[subprocess.Popen[bytes]]:
    (log.parent / "map.yaml").write_text(json.dumps(MAP), encoding="utf-8")
    command = [sys.executable, "-m", "srtbench.cli", "import", log, "--out", out]
    command += ["--map", log.parent / "map.yaml", "--watch", "--every", "0.1"]
    with said.open("wb") as sink, subprocess.Popen(command, stdout=sink, stderr=sink) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=60)


def total(out: Path) -> int:
    """Rollouts that the import says it has."""
    found = [json.loads(path.read_bytes())["said"]["total"] for path in out.glob("*/looked.json")]
    return sum(found)


def test_a_log_that_is_being_written_ends_as_one_that_was_read_whole(tmp_path: Path) -> None:
    log, out = tmp_path / "log", tmp_path / "out"
    said = tmp_path / "said.txt"
    with watching(log, out, said):
        deadline = time.monotonic() + 120
        while "waiting: " not in said.read_text() and time.monotonic() < deadline:
            time.sleep(0.1)
        subprocess.run([sys.executable, "-c", WRITER, log], check=True, timeout=60)
        while total(out) < 10 and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(1)
    text = said.read_text(encoding="utf-8")
    assert "Traceback" not in text
    assert f"{os.path.basename(log)}: is not there" in text
    whole = srtbench.import_rollouts(log, out=tmp_path / "whole", map=MAP)
    assert (whole.total, whole.skipped) == (10, 1)
    found = srtbench.open_sweep(out).sql(ROLLOUTS).fetchall()
    assert found == srtbench.open_sweep(tmp_path / "whole").sql(ROLLOUTS).fetchall()
    assert srtbench.import_rollouts(log, out=out, map=MAP).rows == 0
