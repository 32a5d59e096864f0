"""EMA teacher: agreement with the votes of a slowly following copy of the policy."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from srtbench.lazy import np
from srtbench.variants.base import (
    Group,
    Judgement,
    TeacherOptions,
    Variant,
    weights,
)
from srtbench.variants.published import Recipe
from srtbench.votes import vote


class EmaTeacher(Variant):
    """r_i = 1[a_i = majority of k answers of the teacher], teacher = a * teacher + (1-a) * policy.

    Source: Co-rewarding-II, arXiv 2508.00410: the reference teacher is an exponential moving
    average of the policy and its majority is the pseudo-label. a follows the cosine of BYOL
    (Grill et al. 2020) from ``decay_start`` at the first step to ``decay_end`` at the last: 0.99
    to 0.9999, as section 4.1 and Table 5 say. The released script runs to 0.99999, and equation 11
    as printed from 0.9901 to 1; the text is followed, because its table lists the settings.
    Deviations: (1) as many votes as the policy has completions, unless ``votes`` says otherwise.
    (2) the teacher is not the anchor of a KL term, as there with weight 0.001; ``beta`` keeps its
    meaning, the KL to the start model. (3) the teacher moves after each step, the release's before
    its rollout: one step of lag.
    """

    class Config(TeacherOptions):
        """Agreement with the majority of a moving average of the policy."""

        type: Literal["ema_teacher"] = "ema_teacher"
        decay_start: float = Field(0.99, ge=0, le=1, description="weight of the old teacher, first")
        decay_end: float = Field(0.9999, ge=0, le=1, description="the same at the last step")

    config: Config
    votes_on_answers = True
    voter = "ema_teacher"
    published = Recipe(
        source="run_corewarding-II.sh of the release",
        prompts=128,
        samples=8,
        updates=1,
        learning_rate=3e-6,
        note="KL 0.001 to the teacher, evaluation at T 0.8",
    )

    @classmethod
    def extra_votes(cls, config: Any, num_generations: int) -> int:
        """Votes of the teacher."""
        return int(config.votes or num_generations)

    def judge(self, group: Group, rng: np.random.Generator) -> Judgement:
        """See the class."""
        outcome = vote(group.vote_keys, self.config.voting, rng)
        return Judgement(weights(group.answer_keys, outcome), outcome.label, outcome.share)
