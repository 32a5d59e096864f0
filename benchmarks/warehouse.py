"""Time and memory of all tables of a sweep with ten million rollouts, against one million.

Twelve runs (four variants, three seeds) are made up with the real writers: groups of 32 that vote,
completions of about 600 characters that end in a boxed answer, one of the variants collapsing.
Every size is then measured in a fresh process: open the sweep, compute every view and frame and
the estimates on top of them, and read all of it into Polars.

    python benchmarks/warehouse.py --folder /tmp/warehouse

The sweeps are made once and reused by later calls with ``--keep``; otherwise they are deleted.
"""

import argparse
import json
import math
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from srtbench.config import SweepConfig
from srtbench.plan import Plan, RunSpec, plan_sweep
from srtbench.plan.stages import EvalPrompts, StartEval, TrainPrompts
from srtbench.rollouts import (
    METRIC_SCHEMA,
    PROMPT_SCHEMA,
    Phase,
    RolloutWriter,
    rollout_table,
    write_parquet,
)
from srtbench.store import SweepStore, write_json
from srtbench.votes import vote_table

SAMPLES, PROMPTS_PER_STEP, EVALUATIONS, FLUSH_STEPS = 32, 32, 10, 20
RUNS = 12
_PROSE = (
    "First we note that the sum of all terms is even so let us write the equation again and "
    "divide both sides by two which gives a smaller number than before now check whether it "
    "also holds for the next case because otherwise the answer would have to be larger"
)


def plan(rollouts: int) -> Plan:
    """A real plan with about that many rollouts: four fifths in training, the rest evaluations."""
    per_run, per_step = rollouts / RUNS, SAMPLES * PROMPTS_PER_STEP
    steps = int(0.8 * per_run / per_step / EVALUATIONS) * EVALUATIONS
    held_out = math.ceil((per_run - steps * per_step) / EVALUATIONS / SAMPLES)
    if not steps:
        raise SystemExit("too few rollouts for twelve runs, at least 200,000 are needed")
    task = {"type": "reasoning_gym", "task": "spell_backward", "level": 6, "answer_kind": "text"}
    fast = {"type": "srt", "name": "srt-high-lr", "train": {"learning_rate": 1e-3}}
    train = {"steps": steps, "prompts_per_step": PROMPTS_PER_STEP, "num_generations": SAMPLES}
    content: dict[str, Any] = {
        "name": f"rollouts-{rollouts}",
        "models": ["tiny"],
        "datasets": [task],
        "variants": ["srt", "gold", "fixed_teacher", fast],
        "seeds": [0, 1, 2],
        "train": train,
        "eval": {"every": steps // EVALUATIONS, "prompts": held_out, "samples": SAMPLES},
    }
    return plan_sweep(SweepConfig(**content))


def write_sweep(root: Path, rollouts: int) -> Path:
    """Write the sweep below ``root``, unless it is there; returns its folder."""
    made = plan(rollouts)
    store = SweepStore(root, made.name)
    if store.plan_path.exists():
        return store.path
    texts = template_pool(np.random.default_rng(0))
    for stage in made.stages:
        folder = store.stage(stage.stage_id)
        if isinstance(stage, TrainPrompts | EvalPrompts) and stage.prompts:
            split = stage.kind.removesuffix("_prompts")
            write_prompts(folder.prompts_path, stage.prompts, split, stage.dataset.label)
        if isinstance(stage, StartEval):
            ids = np.arange(made.runs[0].eval.prompts)
            writer = RolloutWriter(folder.rollouts_path)
            add(writer, stage.stage_id, "eval", np.zeros_like(ids), ids, 0.5, texts, 0)
            writer.flush()
    for run in made.runs:
        write_run(store, run, texts)
    store.write_plan(made)  # last: its presence says that the sweep is whole
    return store.path


def write_run(store: SweepStore, run: RunSpec, texts: pa.Array) -> None:
    """Rollouts, metrics, configuration and state of one finished run."""
    folder = store.run(run.run_id)
    write_json(folder.config_path, json.loads(run.model_dump_json()))
    writer = RolloutWriter(folder.rollouts_path)
    steps = run.train.steps
    for first in range(0, steps, FLUSH_STEPS):
        numbers = np.arange(first, min(first + FLUSH_STEPS, steps)).repeat(PROMPTS_PER_STEP)
        ids = np.arange(first * PROMPTS_PER_STEP, first * PROMPTS_PER_STEP + len(numbers))
        chance = accuracy(run.variant_label, first / steps)
        add(writer, run.run_id, "train", numbers + 1, ids, chance, texts, run.seed)
        writer.flush()
    for step in run.eval_steps:
        if step:
            ids = np.arange(run.eval.prompts)
            chance = accuracy(run.variant_label, step / steps)
            add(writer, run.run_id, "eval", np.full_like(ids, step), ids, chance, texts, run.seed)
            writer.flush()
    logged = [(run.run_id, s, m, s / steps) for s in range(1, steps + 1) for m in ("kl", "entropy")]
    columns = dict(zip(METRIC_SCHEMA.names, zip(*logged, strict=True), strict=True))
    write_parquet(pa.table(columns, schema=METRIC_SCHEMA), folder.metrics_path)
    folder.update_status(state="done", step=steps, total_steps=steps, attempts=1, wall_seconds=9.0)


def accuracy(variant: str, share: float) -> float:
    """Chance of a right answer, ``share`` of the way through training."""
    if variant == "srt-high-lr":
        return max(0.0, 0.5 + 0.3 * min(share / 0.3, 1) - 2 * max(0.0, share - 0.4))
    return 0.5 + {"gold": 0.4, "srt": 0.3}.get(variant, 0.15) * share


def add(
    writer: RolloutWriter,
    run_id: str,
    phase: Phase,
    steps: np.ndarray,
    prompts: np.ndarray,
    chance: float,
    texts: pa.Array,
    seed: int,
) -> None:
    """Groups of one run; steps and prompts: (groups,)."""
    rng = np.random.default_rng([seed, int(steps[0]), len(phase)])
    groups, rows = len(prompts), len(prompts) * SAMPLES
    skill = rng.beta(8 * chance + 0.01, 8 * (1 - chance) + 0.01, (groups, 1))
    wrong = rng.geometric(0.2, (groups, SAMPLES))
    keys = np.where(rng.random((groups, SAMPLES)) < skill, 0, wrong)
    keys[rng.random((groups, SAMPLES)) < 0.05] = -1
    voted = vote_table(keys)
    answers = pc.if_else(
        keys.ravel() >= 0,
        pa.array(prompts.repeat(SAMPLES) * 37 + keys.ravel()).cast("string"),
        None,
    )
    labels = pc.if_else(voted.label >= 0, pa.array(prompts * 37 + voted.label).cast("string"), None)
    names = prompt_ids(phase, prompts)
    numbers = (pa.array(column).cast("string") for column in (steps, prompts))
    group_ids = pc.binary_join_element_wise(phase, *numbers, "-")
    each = np.arange(groups).repeat(SAMPLES)
    body = texts.take(pa.array(rng.integers(len(texts), size=rows)))
    completion = pc.binary_join_element_wise(body, pc.fill_null(answers, "?"), "}", "")
    train = phase == "train"
    reward = voted.weight.ravel().astype(np.float32)
    noise = rng.random((3, rows), dtype=np.float32)
    columns = {
        "run_id": pa.repeat(run_id, rows),
        "phase": pa.repeat(phase, rows),
        "step": steps.astype(np.int32).repeat(SAMPLES),
        "prompt_id": names.take(each),
        "group_id": group_ids.take(each),
        "sample_index": np.tile(np.arange(SAMPLES, dtype=np.int32), groups),
        "completion": completion,
        "completion_tokens": pc.cast(pc.divide(pc.utf8_length(completion), 4), pa.int32()),
        "truncated": keys.ravel() < 0,
        "answer": answers,
        "answer_key": answers,
        "pseudo_label": labels.take(each),
        "vote_share": voted.share.astype(np.float32).repeat(SAMPLES),
        "train_reward": reward if train else pa.nulls(rows, pa.float32()),
        "gold_reward": (keys.ravel() == 0).astype(np.float32),
        "advantage": reward - reward.mean() if train else pa.nulls(rows, pa.float32()),
        "mean_logprob": -noise[0],
        "self_certainty": 5 + noise[1],
        "entropy_nats": noise[2],
        "verifier_status": pc.if_else(pc.is_valid(answers), "ok", "unparsable"),
    }
    table = rollout_table(columns)
    found = np.unique(steps, return_index=True, return_counts=True)
    for step, first, count in zip(*found, strict=True):
        part = table.slice(first * SAMPLES, count * SAMPLES)
        writer.add(phase, int(step), part)


def prompt_ids(split: str, numbers: np.ndarray) -> pa.Array:
    """Sixteen characters each, as the real ones."""
    offset = 10**9 if split == "eval" else 0
    return pc.utf8_lpad(pa.array(numbers + offset).cast("string"), 16, "0")


def write_prompts(path: Path, count: int, split: str, dataset: str) -> None:
    """Prompts whose gold key is the right answer of ``add``."""
    columns = {
        "prompt_id": prompt_ids(split, np.arange(count)),
        "dataset": [dataset] * count,
        "level": [6] * count,
        "split": [split] * count,
        "prompt": [f"Question {i}: " + _PROSE for i in range(count)],
        "gold_answer": [str(i * 37) for i in range(count)],
        "gold_key": [str(i * 37) for i in range(count)],
    }
    write_parquet(pa.table(columns, schema=PROMPT_SCHEMA), path)


def template_pool(rng: np.random.Generator) -> pa.Array:
    """Texts of 60 to 160 words, up to the final answer."""
    words = _PROSE.split()
    texts = [
        " ".join(rng.choice(words, size=rng.integers(60, 160))) + " so the answer is \\boxed{"
        for _ in range(4000)
    ]
    return pa.array(texts)


def measure(path: Path, threads: int, memory_limit: str | None) -> dict[str, Any]:
    """Compute all tables in this process; seconds per table, peak memory in GiB."""
    from srtbench.analysis import open_sweep
    from srtbench.analysis.diagnosis import diagnosis_table
    from srtbench.analysis.estimates import majority_by_k, paired_curve
    from srtbench.analysis.frames import FRAMES, frame, query, view
    from srtbench.analysis.warehouse.views import VIEWS

    seconds: dict[str, float] = {}

    def timed(name: str, work: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        result = work()
        seconds[name] = time.perf_counter() - start
        return result

    sweep = timed(
        "open, materialise",
        lambda: open_sweep(path, snapshot=True, threads=threads, memory_limit=memory_limit),
    )
    logs = ("rollouts", "prompts", "metrics")  # the log itself is no table of results
    for name in VIEWS:
        if name not in logs:
            timed(name, lambda name=name: view(sweep, name))
    for name in FRAMES:
        timed(f"{name} (frame)", lambda name=name: frame(sweep, name))
    timed("majority_by_k", lambda: majority_by_k(sweep))
    timed("paired_curve", lambda: paired_curve(sweep, "srt", "fixed_teacher"))
    timed("diagnosis_table", lambda: diagnosis_table(sweep))
    total = sum(seconds.values())
    rows = query(sweep, "SELECT count(*) AS rollouts FROM rollouts")["rollouts"][0]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"rollouts": rows, "seconds": total, "peak_gib": peak, "tables": seconds}


def main() -> None:
    """Make the sweeps, measure each in a fresh process, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True, help="where the sweeps are made")
    parser.add_argument("--rollouts", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--memory-limit", help="of DuckDB, e.g. 3GB")
    parser.add_argument("--keep", action="store_true", help="do not delete the sweeps")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure, options.threads, options.memory_limit)))
        return
    results = []
    for number in options.rollouts:
        start = time.perf_counter()
        path = write_sweep(options.folder / str(number), number)
        print(f"{path}: made in {time.perf_counter() - start:.0f} s", flush=True)
        again = [sys.executable, __file__, *sys.argv[1:], "--measure", str(path)]
        done = subprocess.run(again, check=True, stdout=subprocess.PIPE, text=True)
        found = json.loads(done.stdout.splitlines()[-1])
        results.append(found)
        print(
            f"{found['rollouts']:,} rollouts: {found['seconds']:.1f} s, "
            f"peak {found['peak_gib']:.2f} GiB",
            flush=True,
        )
        for name, seconds in sorted(found["tables"].items(), key=lambda item: -item[1])[:8]:
            print(f"    {name:28s} {seconds:6.2f} s")
        if not options.keep:
            shutil.rmtree(options.folder / str(number))
    if len(results) > 1:
        first, last = results[0], results[-1]
        print(
            f"{last['rollouts'] / first['rollouts']:.1f} x the rollouts took "
            f"{last['seconds'] / first['seconds']:.1f} x the time"
        )


if __name__ == "__main__":
    main()
