"""The cost model against this machine: predicted and measured tokens, CPU seconds, peak memory.

    python benchmarks/cost_calibration.py [SWEEP.yaml] [--steps 20] [--threads 1] [--device cuda]

Trains the first run of a sweep (sweeps/smoke.yaml) for a few steps, in a fresh process. The model
of docs/cost.md is asked for the same run, as if this machine were one of its GPUs: its peak is the
FLOP/s of a product of matrices, its bandwidth that of a copy, both measured first. Lengths are
assumed as by default, and once more as they turned out.

On the CPU, measured memory is what training adds to a process that has loaded torch and TRL, and
seconds are user CPU. On a GPU, memory is the most that torch had allocated there, seconds are those
of a clock, and matrices are bfloat16.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).resolve().parent.parent


def sweep_file(given: Path, folder: Path, steps: int) -> Path:
    """The sweep with so few steps, evaluated at start and end only; beside the original."""
    content = yaml.safe_load(given.read_text())
    content["name"] = "calibration"
    content["variants"] = content["variants"][:1]
    content["seeds"] = [0]
    content["train"] = {**content.get("train", {}), "steps": steps}
    content["eval"] = {**content.get("eval", {}), "every": steps}
    content.pop("eval_sets", None)
    content.pop("exclude", None)
    path = given.with_name(f".{folder.name}.yaml")
    path.write_text(yaml.safe_dump(content))
    return path


def prepare(file: Path, folder: Path) -> Any:
    """Compute the shared stages; returns the run."""
    from srtbench.config import load_sweep
    from srtbench.plan import plan_sweep
    from srtbench.store import SweepStore
    from srtbench.train.stages import execute_stage

    plan = plan_sweep(load_sweep(file))
    store = SweepStore(folder / "runs", plan.name)
    run = plan.runs[0]
    for stage in plan.stages:
        if stage.stage_id in run.stages:
            place = store.stage(stage.stage_id)
            place.start(0)
            execute_stage(stage, store, place)
    (folder / "run.json").write_text(run.model_dump_json())
    return run


def measure(folder: Path, threads: int) -> dict[str, float]:
    """Body of the fresh process: train the run; what it used beyond what loading takes."""
    import torch

    from srtbench.config.train import ExecutionConfig
    from srtbench.plan import RunSpec
    from srtbench.store import SweepStore
    from srtbench.train.run import execute_run
    from srtbench.train.trainer import TRAINERS

    assert TRAINERS, "loaded before the clock starts"
    torch.set_num_threads(threads)
    on_gpu = torch.cuda.is_available()
    run = RunSpec.model_validate_json((folder / "run.json").read_text())
    store = SweepStore(folder / "runs", "calibration")
    place = store.run(run.run_id)
    place.start(run.train.steps)
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew, at what is held now
    held, started = _kilobytes("VmHWM"), resource.getrusage(resource.RUSAGE_SELF).ru_utime
    clock = time.monotonic()
    execute_run(run, ExecutionConfig(), store, place)
    if on_gpu:
        allocated = torch.cuda.max_memory_allocated()
        return {"seconds": time.monotonic() - clock, "gigabytes": allocated / 1e9}
    seconds = resource.getrusage(resource.RUSAGE_SELF).ru_utime - started
    return {"seconds": seconds, "gigabytes": (_kilobytes("VmHWM") - held) * 1024 / 1e9}


def _kilobytes(name: str) -> int:
    """A number of /proc/self/status (Linux)."""
    text = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith(name))


def lengths(run: Any, folder: Path) -> dict[str, float]:
    """Tokens of prompts and completions in the rollouts of the run."""
    from srtbench.engines.base import PromptFormat
    from srtbench.models.load import uses_chat
    from srtbench.rollouts import read_rollouts
    from srtbench.store import SweepStore
    from srtbench.store.prompts import read_prompt_table
    from srtbench.train.start import start_policy

    store = SweepStore(folder / "runs", "calibration")
    place = store.run(run.run_id)
    _, tokenizer = start_policy(run, store)
    format_ = PromptFormat(uses_chat(run.model, tokenizer), run.dataset.system_prompt)
    texts = {row["prompt_id"]: row["prompt"] for row in read_prompt_table(place).to_pylist()}
    found = {"rollouts": 0.0, "prompt": 0.0, "completion": 0.0}
    for phase in ("train", "eval"):
        table = read_rollouts(place.rollouts_path, phase)
        if run.own.needs.start is not None and phase == "eval":
            table = table.filter([step > 0 for step in table["step"].to_pylist()])
        ids = table["prompt_id"].to_pylist()
        each = {name: len(format_.token_ids(tokenizer, texts[name])) for name in {*ids}}
        found["rollouts"] += len(ids)
        found["prompt"] += sum(each[name] for name in ids)
        found["completion"] += sum(table["completion_tokens"].to_pylist())
    return found


def machine(threads: int) -> Any:
    """This machine in the terms of a GPU."""
    import torch

    from srtbench.plan.cost import Gpu

    torch.set_num_threads(threads)
    if torch.cuda.is_available():
        return _gpu()
    left, right = torch.rand(1024, 1024), torch.rand(1024, 1024)
    source = torch.rand(1 << 26)
    target = torch.empty_like(source)

    def best(work: Any) -> float:
        times = []
        for _ in range(5):
            start = time.process_time()
            work()
            times.append(time.process_time() - start)
        return min(times) / threads

    flops = 2 * 1024**3 / best(lambda: torch.mm(left, right))
    moved = 2 * 4 * len(source) / best(lambda: target.copy_(source))
    return Gpu("this machine", flops / 1e12, 1e6, moved / 1e12)


def _gpu() -> Any:
    """The GPU of this machine, by what it does."""
    import torch

    from srtbench.plan.cost import Gpu

    left, right = (torch.rand(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    source = torch.rand(1 << 28, device="cuda")
    target = torch.empty_like(source)

    def best(work: Any) -> float:
        times = []
        for _ in range(6):
            torch.cuda.synchronize()
            start = time.monotonic()
            work()
            torch.cuda.synchronize()
            times.append(time.monotonic() - start)
        return min(times)

    flops = 2 * 8192**3 / best(lambda: torch.mm(left, right))
    moved = 2 * 4 * len(source) / best(lambda: target.copy_(source))
    total = torch.cuda.get_device_properties(0).total_memory
    return Gpu(torch.cuda.get_device_name(0), flops / 1e12, total / 1e9, moved / 1e12)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("sweep", nargs="?", type=Path, default=REPOSITORY / "sweeps" / "smoke.yaml")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.measure is not None:
        print(json.dumps(measure(chosen.measure, chosen.threads)))
        return

    if chosen.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""

    import torch

    if chosen.device == "cuda" and not torch.cuda.is_available():
        sys.exit("no NVIDIA GPU that this build of torch can use")

    from srtbench.plan import cost

    cost.GPUS["here"] = machine(chosen.threads)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = sweep_file(chosen.sweep.resolve(), folder, chosen.steps)
        try:
            run = prepare(file, folder)
            command = [sys.executable, __file__, "--measure", name, "--threads", chosen.threads]
            result = subprocess.run(
                [*map(str, command)], check=True, stdout=subprocess.PIPE, text=True
            )
        finally:
            file.unlink()
        used = json.loads(result.stdout.splitlines()[-1])
        told = lengths(run, folder)
    longest = run.train.max_completion_length
    seconds = {"cpu": "CPU seconds", "cuda": "seconds"}[chosen.device]
    measured = {
        "prompt tokens": told["prompt"],
        "completion tokens": told["completion"],
        seconds: used["seconds"] / (1 if chosen.device == "cuda" else chosen.threads),
        "peak memory, GB": used["gigabytes"],
    }
    turned_out = cost.Assumptions(
        "here",
        told["completion"] / told["rollouts"] / longest,
        round(told["prompt"] / told["rollouts"]),
    )
    here = cost.GPUS["here"]
    print(
        f"{run.run_id}, {chosen.steps} steps; {here.tflops * 1000:.0f} GFLOP/s, "
        f"{here.terabytes_per_second * 1000:.1f} GB/s, {chosen.threads} thread(s), "
        f"on {chosen.device}"
    )
    print(f"{'':20}{'predicted':>12}{'ratio':>8}{'lengths known':>15}{'ratio':>8}{'measured':>12}")
    for name, value in measured.items():
        cells = ""
        for assumed, width in ((cost.Assumptions("here"), 12), (turned_out, 15)):
            found = cost.cost(run, assumed)
            if found is None:
                sys.exit("the size of this model is unknown, see docs/cost.md")
            predicted = {
                "prompt tokens": found.prompt_tokens,
                "completion tokens": found.completion_tokens,
                seconds: found.gpu_hours * 3600,
                "peak memory, GB": found.gigabytes,
            }[name]
            cells += f"{predicted:{width}.4g}{predicted / value:8.2f}"
        print(f"{name:20}{cells}{value:12.4g}")


if __name__ == "__main__":
    main()
