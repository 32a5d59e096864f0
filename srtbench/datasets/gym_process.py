"""Items of unstable Reasoning Gym tasks, from a process whose hidden inputs are fixed.

A few tasks walk through sets of strings, or draw from Python's global random state, so that equal
seeds give other items in another process. Here PYTHONHASHSEED is 0 and the global state is set
before each item. The process reads one JSON object and writes one JSON line per item.
"""

import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

from srtbench.datasets.gym_generators import make_generator
from srtbench.datasets.problems import DatasetError


def entries(
    task: str, options: dict[str, Any], seed: int, count: int
) -> Iterator[dict[str, Any] | str]:
    """Items 0 to ``count`` - 1; a sentence in place of an item whose generation fails.

    The process ends when the iterator is exhausted or closed.

    Raises:
        DatasetError: the process failed.
    """
    request = json.dumps({"task": task, "options": options, "seed": seed, "count": count})
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "srtbench.datasets.gym_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            encoding="utf-8",
            env=os.environ | {"PYTHONHASHSEED": "0"},
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            with contextlib.suppress(BrokenPipeError):  # it died; its exit code tells
                process.stdin.write(request)
                process.stdin.close()
            for line in process.stdout:
                yield json.loads(line)
            if process.wait() != 0:
                errors.seek(0)
                last = (errors.read().strip().splitlines() or ["no message"])[-1]
                raise DatasetError(f"{task}: the process that draws items failed: {last}")
        finally:
            process.kill()
            process.stdout.close()
            process.wait()


def main() -> None:
    """Serve one request."""
    request = json.load(sys.stdin)
    sink, sys.stdout = sys.stdout, sys.stderr  # some tasks print
    generator = make_generator(request["task"], request["options"], request["seed"])
    for index in range(request["count"]):
        random.seed(request["seed"] + index)
        try:
            entry = generator[index]
        except Exception as error:  # whatever a task's generator may raise
            entry = f"{type(error).__name__}: {error}"
        sink.write(json.dumps(entry, default=str, skipkeys=True) + "\n")
        sink.flush()


if __name__ == "__main__":
    main()
