"""Both engines on one model: the same greedy completions, log-probabilities, and speed.

    .venv-vllm/bin/python benchmarks/engines.py [SWEEP.yaml] [--root runs]

Reads a sweep that vLLM has sampled (by default sweeps/vllm.yaml) and samples its start model with
both engines. Exits with 1 if greedy completions differ, if a token's log-probability when it was
sampled is further than 1e-5 from the trainer's on average in any step, or if two seeds draw the
same completions.
"""

import argparse
import itertools
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import torch

from srtbench import load_sweep, plan_sweep
from srtbench.engines.base import PromptFormat
from srtbench.engines.make import make_engines
from srtbench.models.load import load_policy, uses_chat
from srtbench.plan import Plan
from srtbench.rollouts import read_rollouts
from srtbench.store import SweepStore
from srtbench.train.prompts import read_prompts

BAR = 1e-5
"""Nats, in float32."""

DIFFERENCE = "on_policy/sampler_logprob_difference"
PROMPTS, SAMPLES, REPEATS = 64, 16, 3


def logprob_differences(plan: Plan, store: SweepStore) -> list[float]:
    """Of every step of every run that trains online: mean over the tokens looked at, in nats."""
    found = []
    for run in plan.runs:
        rows = pq.read_table(store.run(run.run_id).metrics_path).to_pylist()
        found += [row["value"] for row in rows if row["metric"] == DIFFERENCE]
    return found


def same_draws(plan: Plan, store: SweepStore) -> list[float]:
    """Pairs of seeds of one cell -> share of completions that are equal, by place in the log."""
    cells: dict[str, list[list[str]]] = {}
    for run in plan.runs:
        table = read_rollouts(store.run(run.run_id).rollouts_path, "train")
        cells.setdefault(run.cell, []).append(table["completion"].to_pylist())
    return [
        sum(map(str.__eq__, one, other)) / min(len(one), len(other))
        for runs in cells.values()
        for one, other in itertools.combinations(runs, 2)
    ]


def tokens_per_cpu_second(engine: Any, prompts: list[list[int]], length: int) -> float:
    """Best of several samplings at temperature 1, in this process's own CPU time."""
    best = 0.0
    for seed in range(REPEATS):
        before, tokens = time.process_time(), 0
        for group in engine.sample(
            prompts, samples=SAMPLES, temperature=1.0, max_completion_length=length, seed=seed
        ):
            tokens += sum(len(completion.token_ids) for completion in group)
        best = max(best, tokens / (time.process_time() - before))
    return best


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("sweep", nargs="?", default="sweeps/vllm.yaml", type=Path)
    parser.add_argument("--root", default="runs", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    plan = plan_sweep(load_sweep(arguments.sweep))
    store, run = SweepStore(arguments.root, plan.name), plan.runs[0]
    assert run.generation is not None, "the sweep must be one of engine: vllm"

    start = store.stage(run.needs.start_model).model_path if run.needs.start_model else None
    model, tokenizer = load_policy(run.model, start)
    asked = PromptFormat(uses_chat(run.model, tokenizer), run.dataset.system_prompt)
    held_out = read_prompts(store.stage(run.own.needs.prompts).prompts_path)[:PROMPTS]
    prompts = [asked.token_ids(tokenizer, one.prompt) for one in held_out]
    length = run.train.max_completion_length

    # transformers first: starting vLLM changes the process that it is started in.
    greedy, speed = {}, {}
    for name, generation in (("transformers", None), ("vllm", run.generation)):
        engine = make_engines(generation, tokenizer, 0)(model, PROMPTS * SAMPLES)
        greedy[name] = list(
            engine.sample(prompts, samples=1, temperature=0.0, max_completion_length=length, seed=0)
        )
        speed[name] = tokens_per_cpu_second(engine, prompts, length)
    pairs = zip(*greedy.values(), strict=True)
    equal = sum(one[0].token_ids == other[0].token_ids for one, other in pairs)
    differences = logprob_differences(plan, store)
    shared = same_draws(plan, store)

    print(f"greedy completions equal: {equal} of {len(prompts)}")
    print(
        f"sampler against trainer, nats per token: largest mean of a step {max(differences):.1e}, "
        f"over {len(differences)} steps (bar {BAR:g})"
    )
    print(f"completions equal between two seeds: {max(shared, default=0):.1%} at most")
    print(
        f"tokens per CPU second: transformers {speed['transformers']:,.0f}, vLLM "
        f"{speed['vllm']:,.0f}, ratio {speed['vllm'] / speed['transformers']:.2f} "
        f"({PROMPTS} prompts x {SAMPLES}, at most {length} tokens, one thread)"
    )
    ok = equal == len(prompts) and max(differences) < BAR and max(shared, default=0) < 0.5
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
