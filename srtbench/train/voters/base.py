"""Who casts the votes of a group beyond the completions that are trained on."""

# ruff: noqa: B027  # hooks, which a voter may leave as they are

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from srtbench.engines.base import EngineMaker
from srtbench.train.context import RunContext

OnceMore = Callable[[], list[list[int]]]
"""Samples one further completion of each row as those that are trained on: (rows,) token ids."""


class Voter(ABC):
    """Samples votes. One instance serves one run; what it holds is kept in the checkpoints."""

    @classmethod
    @abstractmethod
    def of(
        cls, context: RunContext, options: Any, once_more: OnceMore, engines: EngineMaker
    ) -> "Voter":
        """The voter of a run.

        Args:
            options: configuration of the variant that asks for it.
            once_more: the method's own way to sample the policy as it is now.
            engines: what samples other models.
        """

    @abstractmethod
    def sample(self, prompt_ids: Sequence[Sequence[int]], votes: int) -> list[list[list[int]]]:
        """(rows, votes) token ids of completions that vote; ``prompt_ids``: (rows,) token ids."""

    @property
    def policy_step(self) -> int | None:
        """Optimiser steps that the policy that votes has done; None: it is none of one step."""
        return None

    def begin(self, policy: Any, step: int) -> None:
        """Training begins, or goes on, after ``step`` optimiser steps."""

    def follow(self, policy: Any, step: int, total_steps: int) -> None:
        """The policy has made an optimiser step."""

    def save(self, checkpoint: Path) -> None:
        """Put what must outlive the process into a checkpoint folder."""

    def load(self, checkpoint: Path) -> None:
        """Take it from a checkpoint folder."""


class PolicyVoter(Voter):
    """The policy itself, sampled further."""

    def __init__(self, once_more: OnceMore):
        self._once_more = once_more

    @classmethod
    def of(
        cls, context: RunContext, options: Any, once_more: OnceMore, engines: EngineMaker
    ) -> "PolicyVoter":
        """See `Voter`."""
        return cls(once_more)

    def sample(self, prompt_ids: Sequence[Sequence[int]], votes: int) -> list[list[list[int]]]:
        """See `Voter`."""
        rounds = [self._once_more() for _ in range(votes)]
        return [list(row) for row in zip(*rounds, strict=True)]
