"""Somebody else's TRL script, with one line of ours: python docs/examples/trl_srt.py MODEL OUT"""

import os
import sys

from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer

from srtbench.rewards import trl_reward

model, out = sys.argv[1:3]
sums = [{"prompt": f"{a}+{b}=", "answer": str(a + b)} for a in range(4) for b in range(4)]
args = GRPOConfig(
    output_dir=f"{out}/trl", max_steps=4, num_generations=4, max_completion_length=4,
    per_device_train_batch_size=12 // int(os.environ.get("WORLD_SIZE", "1")), report_to="none",
    eval_strategy="steps", eval_steps=2, save_steps=2, use_cpu=True, bf16=False,
)  # fmt: skip
reward = trl_reward("srt", answer_style="line", answer_kind="text", gold_column="answer",
                    log_to=f"{out}/mine")  # fmt: skip
trainer = GRPOTrainer(
    model=model, reward_funcs=reward, args=args,
    train_dataset=Dataset.from_list(sums[:12]), eval_dataset=Dataset.from_list(sums[12:]),
)  # fmt: skip
trainer.train()
