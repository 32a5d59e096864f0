"""What a revote changed: one run before and after."""

import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class RevoteRow:
    """One run before and after; shares and means over its train rollouts.

    Attributes:
        votes: whether the variant votes at all; else its rewards stay and only the evaluations'
            majorities are voted again.
        changed_labels: share of groups whose pseudo-label is another one.
        no_label: share of groups without a pseudo-label, after.
        label_accuracy: share of groups whose pseudo-label is gold; none counts as wrong.
        reward_accuracy: share of completions whose train_reward equals their gold_reward.
        selected: completions that voted and that the fits of its rounds have; None: it trains
            online.
        note: what is to be known of it besides.
        problem: why the run is left out, and then there are no numbers; None: it is voted again.
    """

    run_id: str
    variant: str
    seed: int
    votes: bool
    groups: int
    changed_labels: float
    no_label: float
    label_accuracy_before: float
    label_accuracy_after: float
    reward_accuracy_before: float
    reward_accuracy_after: float
    train_reward_before: float
    train_reward_after: float
    selected_before: int | None = None
    selected_after: int | None = None
    note: str | None = None
    problem: str | None = None

    @classmethod
    def left_out(cls, row: dict[str, Any], problem: str) -> "RevoteRow":
        """A run of the plan whose files are damaged."""
        numbers: dict[str, Any] = {
            name: math.nan for name, kind in cls.__annotations__.items() if kind is float
        }
        known = {"run_id": row["run_id"], "variant": row["variant"], "seed": row["seed"]}
        return cls(**known, votes=False, groups=0, **numbers, problem=problem)
