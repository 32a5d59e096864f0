"""The `train.stop:` section: when a run ends before its last step, and which policy it keeps."""

from typing import Literal, Self

from pydantic import Field, model_validator

from srtbench.sections import Section

StopSignal = Literal[
    "label_free",
    "train_reward",
    "vote_share",
    "unanimous_share",
    "modal_share",
    "answer_entropy",
    "mean_length",
    "kl",
]
"""What may be looked at without gold answers; all but the first have an alarm of their own."""


class StopConfig(Section):
    """Looks at every evaluation on own prompts: by a signal without labels, or by gold answers."""

    signal: StopSignal | None = Field(
        None,
        description="a label-free signal that gives the alarm, or label_free: no evaluation with "
        "more agreement at the start's length; docs/evaluation.md",
    )
    labelled_prompts: int | None = Field(
        None,
        ge=1,
        description="look at the accuracy on the first so many own held-out prompts; uses gold",
    )
    patience: int = Field(
        2, ge=1, description="evaluations in a row with the alarm, or without a better one"
    )
    bound: float | None = Field(
        None, description="of the signal's alarm; null: the one of docs/estimators.md"
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.signal is None) == (self.labelled_prompts is None):
            raise ValueError("give `signal` or `labelled_prompts`, and not both")
        if self.bound is not None and self.signal in (None, "label_free"):
            raise ValueError("`bound` is that of a signal with an alarm")
        return self

    @property
    def label(self) -> str:
        """What it looks at, in words."""
        return self.signal or f"{self.labelled_prompts} labelled prompts"
