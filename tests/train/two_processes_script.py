"""Trains two steps on 3 prompts x 4 generations; writes what rank 0 saw. Run by a test.

    python -m torch.distributed.run --nproc_per_node=N tests/two_processes_script.py OUT.json

Completions are a pure function of the step, the prompt and the row's place in the whole batch, so
that any number of processes samples the same. With several processes it then trains once more
with the gather removed.
"""

import json
import sys
from pathlib import Path
from typing import Any

import datasets
import torch
from accelerate import PartialState
from accelerate.utils import gather_object
from transformers import TrainerCallback
from trl import GRPOConfig

from srtbench.answers.grader import Grader
from srtbench.config import TinyModel
from srtbench.models.tiny import build_tiny
from srtbench.train.reward import Gather, RewardAdapter, SplitGroupError
from srtbench.train.trainer import SrtGRPOTrainer
from srtbench.variants import VariantContext, build_variant
from srtbench.variants.srt import SRT
from srtbench.votes import VotingPolicy

ANSWERS = "abcd"
PROMPTS = {f"prompt-{i}": f"{letter}=" for i, letter in enumerate("efghijkl")}
LOGGED = ("prompt_id", "group_id", "sample_index", "answer_key", "pseudo_label", "vote_share")
LOGGED += ("train_reward", "advantage", "mean_logprob", "entropy_nats", "self_certainty")


class Deterministic(SrtGRPOTrainer):
    """The trainer, with completions that do not depend on the number of processes."""

    def __init__(self, **options: Any):
        super().__init__(**options, rollout_func=_rollout)


def _rollout(prompts: list[str], trainer: Any) -> dict[str, Any]:
    tokenizer = trainer.processing_class
    first = PartialState().process_index * len(prompts)
    completions = []
    for offset, prompt in enumerate(prompts):
        place = (first + offset) * 7 + trainer.state.global_step * 5 + ord(prompt[0]) * 3
        text = ANSWERS[place % 11 % len(ANSWERS)]
        completions.append([*tokenizer(text).input_ids, tokenizer.eos_token_id])
    return {
        "prompt_ids": [tokenizer(prompt).input_ids for prompt in prompts],
        "completion_ids": completions,
        "logprobs": None,
    }


class Collect(TrainerCallback):
    """Keeps the rollouts of each step."""

    def __init__(self, trainer: Any):
        self.trainer = trainer
        self.steps: list[dict[str, Any]] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        batch = self.trainer.take_batch()
        self.steps.append({name: batch.columns[name] for name in LOGGED})


def train(process: PartialState, out: Path, gather: Gather) -> dict[str, Any]:
    model, tokenizer = build_tiny(
        TinyModel(
            hidden_size=16,
            intermediate_size=32,
            num_layers=1,
            num_heads=2,
            alphabet="abcdefghijkl=",
        )
    )
    adapter = RewardAdapter(
        build_variant(SRT.Config(voting=VotingPolicy(tie="first")), VariantContext()),
        Grader("line", "text"),
        dict.fromkeys(PROMPTS, "a"),
        num_generations=4,
        seed=0,
        gather=gather,
        process_index=lambda: process.process_index,
        end_tokens=frozenset({tokenizer.eos_token_id}),
    )
    trainer = Deterministic(
        model=model,
        reward_funcs=adapter,
        args=GRPOConfig(
            output_dir=str(out.with_suffix("")),
            per_device_train_batch_size=12 // process.num_processes,
            num_generations=4,
            max_completion_length=2,
            max_steps=2,
            learning_rate=1e-2,
            scale_rewards="none",
            save_strategy="no",
            report_to="none",
            use_cpu=True,
            bf16=False,
            gradient_checkpointing=False,
            disable_tqdm=True,
            remove_unused_columns=False,
        ),
        train_dataset=datasets.Dataset.from_list(
            [{"prompt": text, "prompt_id": name} for name, text in PROMPTS.items()]
        ),
        processing_class=tokenizer,
    )
    trainer.listen(adapter)
    collect = Collect(trainer)
    trainer.add_callback(collect)
    trainer.train()
    weights = torch.cat([p.detach().flatten() for p in model.parameters()])
    return {
        "steps": collect.steps,
        "weights": [float(weights.sum()), float(weights.square().sum())],
    }


def main(out: Path) -> None:
    torch.set_num_threads(1)
    process = PartialState(cpu=True)
    result = {"processes": process.num_processes, **train(process, out, gather_object)}
    if process.num_processes > 1:
        try:
            result["without_gather"] = train(process, out, list)
        except SplitGroupError as error:
            result["without_gather"] = str(error)
    if process.is_main_process:
        out.write_text(json.dumps(result))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
