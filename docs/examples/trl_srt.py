"""Somebody else's TRL script, with one line of ours: python docs/examples/trl_srt.py MODEL OUT"""

import os
import sys

from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer

from srtbench.rewards import trl_reward

model, out = sys.argv[1:3]
sums = [{"prompt": f"{a}+{b}=", "answer": str(a + b)} for a in range(4) for b in range(4)]
trainer = GRPOTrainer(
    model=model,
    reward_funcs=trl_reward("srt", answer_style="line", answer_kind="text", gold_column="answer"),
    args=GRPOConfig(
        output_dir=f"{out}/trl",
        max_steps=4,
        num_generations=4,
        per_device_train_batch_size=12 // int(os.environ.get("WORLD_SIZE", "1")),
        max_completion_length=4,
        logging_steps=1,
        log_completions=True,
        report_to="none",
        use_cpu=True,
        bf16=False,
    ),
    train_dataset=Dataset.from_list(sums),
)
trainer.train()
