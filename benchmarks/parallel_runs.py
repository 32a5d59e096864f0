"""Two runs at once against one after the other, and how long a run takes to start.

    python benchmarks/parallel_runs.py [--rounds 2] [--steps 60]

The same two runs of the smoke sweep's SRT cell, their shared stages computed before: once with one
worker, once with two. Printed: the throughput of two workers as a multiple of one's (2 is perfect
on two free cores), and the seconds from the start of a run to its first optimiser step, of the
first run of a sweep, which waits for the warm server, and of the later ones.
"""

import argparse
import json
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).resolve().parent.parent


def sweep_file(folder: Path, steps: int) -> Path:
    """Two seeds of one cell, evaluated at the end only."""
    content = yaml.safe_load((REPOSITORY / "sweeps" / "smoke.yaml").read_text())
    content |= {
        "name": "parallel",
        "variants": ["srt"],
        "seeds": [0, 1],
        "train": content["train"] | {"steps": steps},
        "eval": {"every": steps, "prompts": 8, "samples": 2},
        "execution": {"checkpoint_every": 1000, "flush_every": 1},
    }
    path = folder / "parallel.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def measure(file: Path, root: Path, workers: int) -> tuple[float, list[float]]:
    """Wall seconds of the sweep without its stages, and start-up seconds of every run."""
    from srtbench.config import load_sweep
    from srtbench.execute.sweep import SweepEvent, run_sweep

    shutil.rmtree(root / "parallel", ignore_errors=True)
    started: dict[str, float] = {}
    first_step: dict[str, float] = {}

    def on_event(event: SweepEvent) -> None:
        if event.kind == "start":
            started[event.work_id] = time.time()

    def on_tick() -> None:
        for run_id in set(started) - set(first_step):
            status = root / "parallel" / run_id / "status.json"
            if status.is_file() and json.loads(status.read_text())["step"] >= 1:
                first_step[run_id] = time.time()

    begin = time.monotonic()
    config = load_sweep(file)
    result = run_sweep(config, root=root, workers=workers, on_event=on_event, on_tick=on_tick)
    assert result.ok, "a run failed; see its log.txt"
    waits = [first_step[run] - at for run, at in started.items() if run in first_step]
    return time.monotonic() - begin, waits


def main() -> None:
    """Measure one and two workers in turn."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=60)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file, root = sweep_file(Path(folder), options.steps), Path(folder) / "runs"
        measure(file, root, 1)  # the shared stages
        seconds: dict[int, list[float]] = {1: [], 2: []}
        waits: dict[str, list[float]] = {"first run of a sweep": [], "later runs": []}
        for _ in range(options.rounds):
            for workers in (1, 2):
                wall, starts = measure(file, root, workers)
                seconds[workers].append(wall)
                if workers == 1:
                    waits["first run of a sweep"].append(starts[0])
                    waits["later runs"] += starts[1:]
    ratio = statistics.median(seconds[1]) / statistics.median(seconds[2])
    print(f"two workers: {ratio:.2f} x the throughput of one")
    for name, values in waits.items():
        print(f"{name}: {statistics.median(values):.1f} s to the first optimiser step")


if __name__ == "__main__":
    main()
