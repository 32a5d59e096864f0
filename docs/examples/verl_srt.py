"""SRT in verl, whose reward sees one sample and whose advantage sees a group but no text.

So the reward says which answer a completion gives, as a number, and the advantage estimator, which
verl calls with the rows of a batch and their ``uid``, counts the votes. Put this file beside your
script and add to it:

    VERL_USE_EXTERNAL_MODULES=verl_srt PYTHONPATH=. python -m verl.trainer.main_ppo \
        reward.custom_reward_function.path=verl_srt.py \
        reward.custom_reward_function.name=compute_score \
        algorithm.adv_estimator=srt algorithm.use_kl_in_reward=False ...
"""

from hashlib import blake2b

import numpy as np
import torch
from verl.trainer.ppo.core_algos import compute_grpo_outcome_advantage, register_adv_est

from srtbench.answers import answer_key, extract
from srtbench.votes import VotingPolicy, vote

BITS = 24  # whole numbers up to 2**24 are exact in float32; two answers of a group of 32 share a
# number once in 34,000 groups


def compute_score(data_source, solution_str, ground_truth, extra_info=None, **_):
    """``score``: a number per answer key, 0 where there is none; ``acc``: whether it is right."""
    key = answer_key(extract(solution_str) or "")
    gold = answer_key(str(ground_truth))
    number = 0
    if key is not None:
        digest = blake2b(key.encode(errors="replace"), digest_size=8).digest()
        number = 1 + int.from_bytes(digest, "big") % (2**BITS - 1)
    return {"score": float(number), "acc": float(key is not None and key == gold)}


@register_adv_est("srt")
def srt_advantage(token_level_rewards, response_mask, index, config=None, **_):
    """1 for the majority's answer, else 0; then verl's own GRPO advantage."""
    numbers = token_level_rewards.sum(dim=-1).tolist()
    rewards = torch.zeros_like(token_level_rewards)
    for uid in dict.fromkeys(index):
        rows = [row for row, other in enumerate(index) if other == uid]
        keys = [str(int(numbers[row])) if numbers[row] else None for row in rows]
        label = vote(keys, VotingPolicy()).label
        for row, key in zip(rows, keys, strict=True):
            rewards[row, 0] = float(key is not None and key == label)
    return compute_grpo_outcome_advantage(
        rewards,
        response_mask,
        np.asarray(index),
        norm_adv_by_std_in_grpo=True if config is None else config.norm_adv_by_std_in_grpo,
    )
