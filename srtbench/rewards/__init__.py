"""Our rewards in other people's trainers: the same judge that trains, audits and votes again.

Importing this package loads no torch. See docs/rewards.md.
"""

from srtbench.rewards.judging import Judgement, judge

__all__ = ["Judgement", "judge"]
