"""Snapshot teacher: agreement with the votes of an older self that is renewed now and then."""

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
from srtbench.votes import vote


class SnapshotTeacher(Variant):
    """r_i = 1[a_i = majority of k answers of the snapshot], snapshot <- policy every M steps.

    A target network (Mnih et al. 2015) for pseudo-labels. M is ``refresh_every``: with 1 the policy
    votes on itself, but by completions of a separate electorate that are not trained on; with null
    it is the start model that votes, as in ``fixed_teacher``, only anew at each step and not once
    before training. Between the two, labels have an age of up to M - 1 steps.
    Source: none; a variant of this project. The nearest published ones are the moving average of
    Co-rewarding-II, ``ema_teacher``, and SRT's labels made once, ``fixed_teacher``.
    Assumes that the majority of the snapshot is right more often than a single answer.
    Deviations: none.
    """

    class Config(TeacherOptions):
        """Agreement with the majority of a frozen copy of the policy, renewed now and then."""

        type: Literal["snapshot_teacher"] = "snapshot_teacher"
        refresh_every: int | None = Field(
            100, ge=1, description="optimiser steps between two copies of the policy; null: never"
        )

    config: Config
    votes_on_answers = True
    voter = "snapshot_teacher"

    @classmethod
    def extra_votes(cls, config: Any, num_generations: int) -> int:
        """Votes of the snapshot."""
        return int(config.votes or num_generations)

    @classmethod
    def voted_at(cls, config: Any, step: int) -> int | None:
        """The last multiple of ``refresh_every`` before the step."""
        every = config.refresh_every
        return 0 if every is None else (step - 1) // every * every

    def judge(self, group: Group, rng: np.random.Generator) -> Judgement:
        """See the class."""
        outcome = vote(group.vote_keys, self.config.voting, rng)
        return Judgement(weights(group.answer_keys, outcome), outcome.label, outcome.share)
