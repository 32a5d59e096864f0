"""Incorrect labels: agreement with a majority label that is known to be wrong."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from srtbench.variants.base import TeacherOptions
from srtbench.variants.fixed_teacher import FixedTeacher
from srtbench.variants.published import SPURIOUS


class Incorrect(FixedTeacher):
    """r_i = 1[a_i = teacher's majority], on prompts whose teacher majority is not gold.

    Source: Shao et al. 2025, "Spurious Rewards", arXiv 2506.10947v1, section 2.2: the majority of
    64 samples at temperature 1 of the model before training. Prompts whose majority is right, or
    that have no majority, are dropped before training, which is what gold is used for.
    Deviations: (1) the labels are votes of the run's own start model, at its prompts and its
    completion length; the release ships label files for about ten models. (2) one update per
    rollout batch unless the run says otherwise; the source makes 8 (see `Random`).
    """

    class Config(TeacherOptions):
        """Agreement with a wrong majority label; prompts with a right majority are dropped."""

        type: Literal["incorrect"] = "incorrect"
        votes: int | None = Field(64, ge=1, description="votes per prompt; null: num_generations")

    uses_gold = True
    published = SPURIOUS

    def keeps_prompt(self, prompt_id: str, gold_key: str | None) -> bool:
        """Only prompts with a label that is known to be wrong."""
        label = self.context.teacher_labels[prompt_id].label
        return label is not None and gold_key is not None and label != gold_key
