"""CPU time of light commands, against an interpreter that does nothing, in one run.

python benchmarks/cli_start.py [--rounds 9]
"""

import argparse
import resource
import statistics
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
SRTBENCH = [sys.executable, "-m", "srtbench.cli"]
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "srtbench --help": [*SRTBENCH, "--help"],
    "srtbench plan": [*SRTBENCH, "plan", str(REPOSITORY / "sweeps" / "smoke.yaml")],
}


def cpu_seconds(command: list[str]) -> float:
    """User and system time of a finished child."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure all commands in turn."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(rounds):
        for name, command in COMMANDS.items():
            seconds[name].append(cpu_seconds(command))
    base = statistics.median(seconds["python -c pass"])
    for name, values in seconds.items():
        middle = statistics.median(values)
        print(f"{name:16s} {middle:.3f} s of CPU time, {middle / base:.1f} x python -c pass")


if __name__ == "__main__":
    main()
