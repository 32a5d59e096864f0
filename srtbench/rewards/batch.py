"""What a reward function of TRL has judged, over all processes, and who hears of it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from srtbench.rollouts.judge import Columns, Judged


class Row(NamedTuple):
    """A completion of one process; to be gathered."""

    prompt: str
    completion: str
    gold: str | None
    teacher: tuple[str, ...]
    completion_tokens: int | None
    truncated: bool | None
    answer: str | None
    answer_key: str | None
    verifier_status: str


@dataclass(frozen=True)
class Batch:
    """What one call judged, over all processes; columns are lists of length groups x samples.

    Attributes:
        is_training: whether it trains, else it is part of an evaluation.
        steps_done: optimiser steps that the policy had done when it wrote.
        prompts: prompt_id -> text. golds: prompt_id -> gold answer, where there is one.
    """

    is_training: bool
    steps_done: int
    columns: Columns
    judged: Judged
    prompts: Mapping[str, str]
    golds: Mapping[str, str]


class BatchListener(ABC):
    """A callback of the trainer that wants to hear what was judged."""

    @abstractmethod
    def hear(self, name: str, batch: Batch, is_main: bool) -> None:
        """Take what the reward ``name`` judged; called on every process."""
