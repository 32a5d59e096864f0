"""Trains two steps with `trl_reward`; writes what TRL logged. Run by a test in 1 or 2 processes.

Four steps are planned; a `CollapseMonitor` whose alarm rings after two ends it.

    python [-m torch.distributed.run --nproc_per_node=2] tests/rewards/trl_script.py grpo OUT

Completions are a pure function of step, prompt and place in the whole batch, so that any number of
processes samples the same: 3 groups of 4, of which two processes hold 6 rows each.
"""

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer, RLOOConfig, RLOOTrainer

from srtbench.config import TinyModel
from srtbench.models.tiny import build_tiny
from srtbench.rewards import CollapseMonitor, CollapseWarning, trl_reward

TRAINERS: dict[str, Any] = {"grpo": (GRPOTrainer, GRPOConfig), "rloo": (RLOOTrainer, RLOOConfig)}
ANSWERS = "abcd"


def rollout(prompts: list[str], trainer: Any) -> dict[str, Any]:
    tokenizer = trainer.processing_class
    first = PartialState(cpu=True).process_index * len(prompts)
    completions = []
    for offset, prompt in enumerate(prompts):
        place = (first + offset) * 7 + trainer.state.global_step * 5 + ord(prompt[0]) * 3
        text = ANSWERS[place % 11 % len(ANSWERS)]
        completions.append([*tokenizer(text).input_ids, tokenizer.eos_token_id])
    ids = [tokenizer(prompt).input_ids for prompt in prompts]
    return {"prompt_ids": ids, "completion_ids": completions, "logprobs": None}


def main(kind: str, out: Path) -> None:
    torch.set_num_threads(1)
    model, tokenizer = build_tiny(
        TinyModel(
            hidden_size=16,
            intermediate_size=32,
            num_layers=1,
            num_heads=2,
            alphabet="abcdefghijkl=",
        )
    )
    reward = trl_reward(
        "srt",
        answer_style="line",
        answer_kind="text",
        gold_column="answer",
        log_to=out / "mine",
        labels={"model": "tiny", "dataset": "letters"},
    )
    monitor = CollapseMonitor(
        stop=True,
        window=2,
        rules={
            "modal_share": {"side": "above", "scale": "level", "bound": 0.0},
            "vote_share": {"side": "above", "scale": "level", "bound": 2.0},
        },
    )
    trainer_class, config = TRAINERS[kind]
    rows = [{"prompt": f"{letter}=", "answer": "a"} for letter in "efghijkl"]
    options = {"rollout_func": rollout} if kind == "grpo" else {}
    trainer = trainer_class(
        model=model,
        reward_funcs=reward,
        args=config(
            output_dir=str(out),
            per_device_train_batch_size=12 // PartialState(cpu=True).num_processes,
            per_device_eval_batch_size=4,
            num_generations=4,
            num_generations_eval=2,
            max_completion_length=2,
            max_steps=4,
            beta=0.0,  # no reference model, which would be loaded by name
            logging_steps=1,
            log_completions=True,
            eval_strategy="no" if kind == "grpo" else "steps",
            eval_on_start=kind == "grpo",
            eval_steps=2,
            save_strategy="no",
            report_to="none",
            use_cpu=True,
            bf16=False,
            disable_tqdm=True,
        ),
        train_dataset=Dataset.from_list(rows),
        eval_dataset=Dataset.from_list(rows[:2]),
        processing_class=tokenizer,
        callbacks=[monitor],
        **options,
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trainer.train()
    rang = sum(issubclass(one.category, CollapseWarning) for one in caught)
    seen = {"history": monitor.history, "steps": trainer.state.global_step, "warnings": rang}
    rank = trainer.accelerator.process_index
    (out / f"monitor-{rank}.json").write_text(json.dumps(seen), encoding="utf-8")
    if trainer.accelerator.is_main_process:
        trainer.state.save_to_json(str(out / "state.json"))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
