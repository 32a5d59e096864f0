"""Cost of srtbench over bare TRL: the same cell trained by both, in turn, on this machine.

    python benchmarks/train_step.py [--rounds 3] [--steps 40]

Bare TRL is its GRPOTrainer with the same model, prompts, seed and options, a plain majority
reward, no logs and no checkpoints. srtbench writes the full rollout log, metrics, status and
checkpoints; neither evaluates. Every round is a fresh process of each, one thread. Printed: the
ratio of the median step times, and of the sums.
"""

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).resolve().parent.parent


def sweep_file(folder: Path, steps: int) -> Path:
    """The smoke sweep's SRT cell, without evaluation between start and end."""
    content = yaml.safe_load((REPOSITORY / "sweeps" / "smoke.yaml").read_text())
    content |= {
        "variants": ["srt"],
        "train": content["train"] | {"steps": steps},
        "eval": {"every": steps, "prompts": 8, "samples": 2},
    }
    path = folder / "benchmark.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def prepare(folder: Path, steps: int) -> None:
    """Compute the shared stages: prompts, and a warm-started model."""
    from srtbench.config import load_sweep
    from srtbench.plan import plan_sweep
    from srtbench.store import SweepStore
    from srtbench.train.stages import execute_stage

    plan = plan_sweep(load_sweep(sweep_file(folder, steps)))
    store = SweepStore(folder / "runs", plan.name)
    for stage in plan.stages:
        place = store.stage(stage.stage_id)
        place.start(0)
        execute_stage(stage, store, place)


def timer() -> tuple[list[float], Any]:
    """Times at which steps ended, and the callback that notes them."""
    from transformers import TrainerCallback

    times: list[float] = []

    class Timer(TrainerCallback):
        def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if not times:
                times.append(time.perf_counter())

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            times.append(time.perf_counter())

    return times, Timer()


def train_bare(folder: Path, steps: int) -> list[float]:
    """Train with TRL alone."""
    import datasets
    from transformers import PrinterCallback
    from trl import GRPOConfig, GRPOTrainer

    from srtbench.config import load_sweep
    from srtbench.models.load import load_policy
    from srtbench.plan import plan_sweep
    from srtbench.store import SweepStore
    from srtbench.train.prompts import read_prompts
    from srtbench.train.start import start_model_path

    run = plan_sweep(load_sweep(sweep_file(folder, steps))).runs[0]
    store = SweepStore(folder / "runs", run.sweep)
    model, tokenizer = load_policy(run.model, start_model_path(run, store))
    prompts = read_prompts(store.stage(run.needs.train_prompts).prompts_path)
    size = run.train.num_generations

    def majority(completions: list[str], **_: Any) -> list[float]:
        rewards: list[float] = []
        for start in range(0, len(completions), size):
            group = completions[start : start + size]
            label = Counter(group).most_common(1)[0][0]
            rewards += [float(text == label) for text in group]
        return rewards

    times, callback = timer()
    trainer = GRPOTrainer(
        model=model,
        reward_funcs=majority,
        args=GRPOConfig(
            output_dir=str(folder / "bare"),
            per_device_train_batch_size=run.train.completions_per_step,
            num_generations=size,
            max_completion_length=run.train.max_completion_length,
            learning_rate=run.train.learning_rate,
            beta=0.0,
            max_steps=steps,
            seed=run.seed,
            top_k=0,
            use_cpu=True,
            report_to="none",
            logging_strategy="no",
            save_strategy="no",
            disable_tqdm=True,
            **run.train.trl,
        ),
        train_dataset=datasets.Dataset.from_list([{"prompt": p.prompt} for p in prompts]),
        processing_class=tokenizer,
        callbacks=[callback],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    return times


def train_srtbench(folder: Path, steps: int) -> list[float]:
    """Train through srtbench, as a worker does."""
    from srtbench.config import load_sweep
    from srtbench.plan import plan_sweep
    from srtbench.store import SweepStore
    from srtbench.train.methods import online
    from srtbench.train.run import execute_run

    config = load_sweep(sweep_file(folder, steps))
    spec = plan_sweep(config).runs[0]
    store = SweepStore(folder / "runs", config.name)
    place = store.run(f"round-{os.getpid()}")
    place.start(steps)
    times, callback = timer()
    add = online._only_our_callbacks

    def with_timer(trainer: Any, recorder: Any) -> None:
        add(trainer, recorder)
        trainer.add_callback(callback)

    online._only_our_callbacks = with_timer
    execute_run(spec, config.execution, store, place)
    return times


def measure(mode: str, folder: Path, steps: int) -> list[float]:
    """Step times, in seconds, of one fresh process."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    command = [sys.executable, __file__, "--mode", mode, "--folder", str(folder)]
    result = subprocess.run(
        [*command, "--steps", str(steps)],
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    times = json.loads(result.stdout.strip().splitlines()[-1])
    # The first step warms caches up, the last one of srtbench evaluates.
    return [after - before for before, after in itertools.pairwise(times)][1:-1]


def main() -> None:
    """Measure, or be measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--mode", choices=["bare", "srtbench"])
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if options.mode:
        import torch

        torch.set_num_threads(1)
        modes = {"bare": train_bare, "srtbench": train_srtbench}
        print(json.dumps(modes[options.mode](options.folder, options.steps)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder, options.steps)
        steps: dict[str, list[float]] = {"bare": [], "srtbench": []}
        for number in range(options.rounds):
            for mode in ("bare", "srtbench") if number % 2 == 0 else ("srtbench", "bare"):
                found = measure(mode, folder, options.steps)
                steps[mode] += found
                print(
                    f"round {number}: {mode:9s} median {statistics.median(found):.4f} s", flush=True
                )
    medians = {mode: statistics.median(times) for mode, times in steps.items()}
    sums = {mode: sum(times) for mode, times in steps.items()}
    print(f"ratio of medians: {medians['srtbench'] / medians['bare']:.3f}")
    print(f"ratio of sums:    {sums['srtbench'] / sums['bare']:.3f}")


if __name__ == "__main__":
    main()
