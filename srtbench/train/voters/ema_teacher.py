"""A moving average of the policy that votes: updated after each step, saved with checkpoints."""

import math
from typing import Any

from srtbench.engines.base import EngineMaker
from srtbench.train.context import RunContext
from srtbench.train.voters.base import OnceMore
from srtbench.train.voters.copies import CopyVoter


class EmaTeacher(CopyVoter):
    """teacher <- a * teacher + (1 - a) * policy after each optimiser step.

    a rises from ``decay_start`` to ``decay_end`` along half a cosine over the run (BYOL, Grill et
    al. 2020). Further arguments as of `CopyVoter`.
    """

    file = "ema_teacher.safetensors"

    def __init__(
        self,
        policy: Any,
        engines: EngineMaker,
        *,
        decay_start: float,
        decay_end: float,
        **sampling: Any,
    ):
        super().__init__(policy, engines, **sampling)
        self._decays = (decay_start, decay_end)

    @classmethod
    def of(
        cls, context: RunContext, options: Any, once_more: OnceMore, engines: EngineMaker
    ) -> "EmaTeacher":
        """See `Voter`; it starts as a copy of the start model."""
        return cls(
            context.policy,
            engines,
            decay_start=options.decay_start,
            decay_end=options.decay_end,
            **cls.sampling_of(context, options),
        )

    def decay(self, step: int, total_steps: int) -> float:
        """Weight of the old teacher in the update after ``step`` of ``total_steps``."""
        start, end = self._decays
        done = (step - 1) / max(1, total_steps - 1)
        return end - (end - start) * (math.cos(math.pi * done) + 1) / 2

    def follow(self, policy: Any, step: int, total_steps: int) -> None:
        """Move towards the policy."""
        super().follow(policy, step, total_steps)
        self.move(policy, 1 - self.decay(step, total_steps))
