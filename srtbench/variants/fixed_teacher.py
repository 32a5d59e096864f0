"""Fixed teacher: agreement with labels that the frozen start model voted for."""

from __future__ import annotations

from typing import Any, Literal

from srtbench.lazy import np
from srtbench.variants.base import (
    Group,
    Judgement,
    Teacher,
    TeacherOptions,
    Variant,
    agreement,
)


class FixedTeacher(Variant):
    """r_i = 1[a_i = majority of k answers of the start model to the same prompt].

    Source: arXiv 2505.21444, the fixed-teacher baseline: as many votes as SRT has, temperature 1.
    The labels are a shared stage, computed once before training. Deviations: none.

    Raises:
        KeyError: a prompt has no teacher label, so the stage and the run do not belong together.
    """

    class Config(TeacherOptions):
        """Agreement with the majority of the frozen start model."""

        type: Literal["fixed_teacher"] = "fixed_teacher"

    votes_on_answers = True

    @classmethod
    def teacher(cls, config: Any) -> Teacher:
        """The start model, by the entry's votes."""
        return Teacher(config.votes, config.temperature, config.voting)

    def judge(self, group: Group, rng: np.random.Generator) -> Judgement:
        """See the class."""
        teacher = self.context.teacher_labels[group.prompt_id]
        return Judgement(agreement(group.answer_keys, teacher.label), teacher.label, teacher.share)
