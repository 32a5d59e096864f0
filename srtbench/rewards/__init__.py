"""Our rewards in other people's trainers: the same judge that trains, audits and votes again.

Importing this package loads no torch. See docs/rewards.md.
"""

import importlib
from typing import TYPE_CHECKING, Any

from srtbench.rewards.judging import Judgement, judge
from srtbench.rewards.trl import GroupError, trl_reward

if TYPE_CHECKING:
    from srtbench.rewards.monitor import CollapseMonitor, CollapseWarning

_OF_TRAINERS = {
    "CollapseMonitor": "srtbench.rewards.monitor",
    "CollapseWarning": "srtbench.rewards.monitor",
}
"""Name -> module, which loads the trainer's library."""

__all__ = [
    "CollapseMonitor",
    "CollapseWarning",
    "GroupError",
    "Judgement",
    "judge",
    "trl_reward",
]


def __getattr__(name: str) -> Any:
    if name not in _OF_TRAINERS:
        raise AttributeError(f"module 'srtbench.rewards' has no attribute '{name}'")
    return getattr(importlib.import_module(_OF_TRAINERS[name]), name)


def __dir__() -> list[str]:
    return __all__
