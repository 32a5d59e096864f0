"""Time of `srtbench report` on a small sweep, against importing its plotting library, in one run.

    python benchmarks/report.py [runs/smoke] [--rounds 5]

Each round is a fresh process of both, in turn; printed are the medians of wall and CPU time and
their ratio. Without a sweep it is the committed part of the smoke sweep.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FIXTURE = Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "smoke"


def seconds(command: list[str]) -> tuple[float, float]:
    """Wall time and CPU time of a finished child."""
    before, start = os.times(), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - start, os.times()
    user = after.children_user - before.children_user
    return wall, user + after.children_system - before.children_system


def main() -> None:
    """Measure both in turn."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sweep", type=Path, nargs="?", default=FIXTURE)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = [sys.executable, "-m", "srtbench.cli", "report", str(options.sweep)]
        commands = {
            "import matplotlib.pyplot": [sys.executable, "-c", "import matplotlib.pyplot"],
            "srtbench report": [*report, "--out", folder],
        }
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for _ in range(options.rounds):
            for name, command in commands.items():
                found[name].append(seconds(command))
    medians = {}
    for name, times in found.items():
        wall, cpu = (statistics.median(column) for column in zip(*times, strict=True))
        medians[name] = cpu
        print(f"{name:25s} {wall:6.2f} s wall, {cpu:6.2f} s CPU, median of {len(times)}")
    ratio = medians["srtbench report"] / medians["import matplotlib.pyplot"]
    print(f"ratio of CPU times: {ratio:.1f}")


if __name__ == "__main__":
    main()
