"""Our rewards in other people's trainers: the same judge that trains, audits and votes again.

Importing this package loads no torch. See docs/rewards.md.
"""

from srtbench.rewards.judging import Judgement, judge
from srtbench.rewards.trl import GroupError, trl_reward

__all__ = ["GroupError", "Judgement", "judge", "trl_reward"]
