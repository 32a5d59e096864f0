"""What a method of training owes."""

from typing import Protocol

from srtbench.train.context import RunContext


class Method(Protocol):
    """Trains a run.

    It evaluates through `srtbench.train.evaluator`, and has everything of a step on disk before
    status.json names the checkpoint of that step, the last step's included.
    """

    def run(self, context: RunContext) -> None:
        """Train to the end, from the start or from the checkpoint that status.json names."""
        ...
