"""Time of `srtbench report` on a made-up sweep of many runs: 10 variants, 10 datasets, seeds.

    python benchmarks/report_runs.py [--runs 1000]

Each run has 20 train steps and six evaluations of 16 prompts; a run of ``srt-high-lr`` collapses.
Making the sweep takes about half as long as its report, and is not counted.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.fake_sweep import Shape, write_fake_sweep

SHAPE = Shape(steps=20, every=4, prompts_per_step=2, generations=8, eval_prompts=16, eval_samples=8)


def main() -> None:
    """Make the sweep, report it in a fresh process, print its times."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=1000, help="a multiple of 100")
    options = parser.parse_args()
    variants = ["srt", "gold", "fixed_teacher", "random", "ttrl"]
    settings = [{"type": "srt", "name": f"srt-{n}", "train": {"beta": n / 100}} for n in range(4)]
    high = {"type": "srt", "name": "srt-high-lr", "train": {"learning_rate": 1e-3}}
    datasets = [
        {"type": "reasoning_gym", "task": "spell_backward", "level": n, "answer_kind": "text"}
        for n in range(3, 13)
    ]
    with tempfile.TemporaryDirectory() as folder:
        sweep = write_fake_sweep(
            Path(folder), SHAPE, variants=[*variants, high, *settings], datasets=datasets,
            seeds=list(range(options.runs // 100)),
        )  # fmt: skip
        before, start = os.times(), time.perf_counter()
        command = [sys.executable, "-m", "srtbench.cli", "report", str(sweep)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        wall, after = time.perf_counter() - start, os.times()
    user = after.children_user - before.children_user
    system = after.children_system - before.children_system
    print(f"{options.runs} runs: {wall:.0f} s wall, {user:.0f} + {system:.0f} s CPU")


if __name__ == "__main__":
    main()
