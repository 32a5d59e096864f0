"""Where the time of a training run goes: CPU time by part, of one cell of the smoke sweep.

    python benchmarks/profile_step.py [--steps 60]

One run is trained as a worker does, in this process, with one thread, and evaluated half-way and
at the end. Named functions are timed by CPU time, which other jobs on the machine do not change;
the time of a named function inside another one counts for the inner one alone. What no name covers
is TRL's own work between them: padding, metrics, data loading.
"""

import argparse
import functools
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

REPOSITORY = Path(__file__).resolve().parent.parent


class Timers:
    """CPU seconds of named parts, without what other named parts inside them take."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._inner = [0.0]

    def around(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """``function``, timed."""

        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            begin = time.process_time()
            self._inner.append(0.0)
            try:
                return function(*args, **kwargs)
            finally:
                taken = time.process_time() - begin
                self.seconds[name] += taken - self._inner.pop()
                self._inner[-1] += taken

        return timed

    def patch(self, owner: Any, attribute: str, name: str) -> None:
        """Time ``owner.attribute`` from now on."""
        setattr(owner, attribute, self.around(name, getattr(owner, attribute)))


def sweep_file(folder: Path, steps: int) -> Path:
    """The smoke sweep's SRT cell."""
    content = yaml.safe_load((REPOSITORY / "sweeps" / "smoke.yaml").read_text())
    content |= {
        "variants": ["srt"],
        "train": content["train"] | {"steps": steps},
        "eval": content["eval"] | {"every": steps // 2},
    }
    path = folder / "profile.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def name_parts(timers: Timers) -> None:
    """The parts of a step and of an evaluation."""
    import accelerate
    import torch
    from transformers import GenerationMixin
    from trl import GRPOTrainer

    from srtbench.train.evaluator import Evaluator
    from srtbench.train.policy_checks import PolicyChecks
    from srtbench.train.recorder import Recorder
    from srtbench.train.reward import RewardAdapter
    from srtbench.train.trainer import RolloutMixin

    evaluating = {"now": False}
    evaluate, generate = Evaluator._evaluate, GenerationMixin.generate

    def watched_evaluate(*args: Any, **kwargs: Any) -> Any:
        evaluating["now"] = True
        try:
            return evaluate(*args, **kwargs)
        finally:
            evaluating["now"] = False

    in_step = timers.around("step: generation", generate)
    in_evaluation = timers.around("evaluation: generation", generate)

    def watched_generate(*args: Any, **kwargs: Any) -> Any:
        return (in_evaluation if evaluating["now"] else in_step)(*args, **kwargs)

    GenerationMixin.generate = watched_generate
    Evaluator._evaluate = timers.around("evaluation: grading, log", watched_evaluate)
    timers.patch(GRPOTrainer, "_get_per_token_logps_and_entropies", "step: forward")
    timers.patch(accelerate.Accelerator, "backward", "step: backward")
    timers.patch(torch.optim.AdamW, "step", "step: optimiser")
    timers.patch(RewardAdapter, "__call__", "ours: votes, rewards")
    for method in ("on_step_end", "on_log", "on_save"):
        timers.patch(Recorder, method, "ours: rollout log, status")
    for method in ("hear", "end_sampling", "compare", "take"):
        timers.patch(PolicyChecks, method, "ours: policy checks")
    timers.patch(RolloutMixin, "_note", "ours: self-certainty, entropy")
    timers.patch(RolloutMixin, "_save_checkpoint", "checkpoints")


def main() -> None:
    """Prepare the shared stages, train, print the shares."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=60)
    steps = parser.parse_args().steps

    import torch

    from srtbench.config import load_sweep
    from srtbench.plan import plan_sweep
    from srtbench.store import SweepStore
    from srtbench.train.run import execute_run
    from srtbench.train.stages import execute_stage

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        config = load_sweep(sweep_file(Path(name), steps))
        plan = plan_sweep(config)
        store = SweepStore(Path(name) / "runs", plan.name)
        for stage in plan.stages:
            place = store.stage(stage.stage_id)
            place.start(0)
            execute_stage(stage, store, place)
        spec = plan.runs[0]
        timers = Timers()
        name_parts(timers)
        place = store.run(spec.run_id)
        place.start(steps)
        timers.around("other: TRL, trainer start", execute_run)(
            spec, config.execution, store, place
        )
    total = sum(timers.seconds.values())
    print(f"{steps} steps of {spec.train.completions_per_step} completions, "
          f"2 evaluations of {spec.eval.prompts * spec.eval.samples}")  # fmt: skip
    for part, seconds in sorted(timers.seconds.items(), key=lambda item: -item[1]):
        print(f"{seconds / total:6.1%}  {part}")


if __name__ == "__main__":
    main()
