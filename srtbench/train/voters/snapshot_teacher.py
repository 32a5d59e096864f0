"""A frozen snapshot of the policy that votes: renewed every so many steps."""

from pathlib import Path
from typing import Any

from srtbench.engines.base import EngineMaker
from srtbench.store import read_json, write_json
from srtbench.train.context import RunContext
from srtbench.train.voters.base import OnceMore
from srtbench.train.voters.copies import CopyVoter

_NOTE = "snapshot_teacher.json"


class SnapshotTeacher(CopyVoter):
    """snapshot <- policy after each ``refresh_every`` optimiser steps; None: never.

    Further arguments as of `CopyVoter`.
    """

    file = "snapshot_teacher.safetensors"

    def __init__(
        self, policy: Any, engines: EngineMaker, *, refresh_every: int | None, **sampling: Any
    ):
        super().__init__(policy, engines, **sampling)
        self._every = refresh_every
        self._taken_at = 0

    @classmethod
    def of(
        cls, context: RunContext, options: Any, once_more: OnceMore, engines: EngineMaker
    ) -> "SnapshotTeacher":
        """See `Voter`; it starts as a copy of the start model."""
        sampling = cls.sampling_of(context, options)
        return cls(context.policy, engines, refresh_every=options.refresh_every, **sampling)

    @property
    def policy_step(self) -> int:
        """Optimiser steps that the policy had done when the snapshot was taken."""
        return self._taken_at

    def follow(self, policy: Any, step: int, total_steps: int) -> None:
        """Take a new snapshot if one is due."""
        super().follow(policy, step, total_steps)
        if self._every is not None and step % self._every == 0:
            self.move(policy, 1.0)
            self._taken_at = step

    def save(self, checkpoint: Path) -> None:
        """Put the snapshot into a checkpoint folder, and when it was taken."""
        super().save(checkpoint)
        write_json(checkpoint / _NOTE, {"policy_step": self._taken_at})

    def load(self, checkpoint: Path) -> None:
        """Take the snapshot from a checkpoint folder."""
        super().load(checkpoint)
        self._taken_at = int(read_json(checkpoint / _NOTE)["policy_step"])
