"""How the sources trained with their rewards: what `recipe: published` sets, and the docs show.

Where a paper and its released scripts differ, these are the scripts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Recipe:
    """Published training settings of a variant; None: not found in the source.

    Attributes:
        source: where the numbers stand.
        samples: completions per prompt that are trained on.
        prompts: per rollout batch.
        updates: optimiser updates per rollout batch. Above 1 the later ones are off-policy, so
            that PPO's clip acts.
        beta: weight of the KL to the start model.
        trl: further options of TRL.
        options: options of the variant, where they differ from its defaults.
        note: what else differs from the other recipes.
    """

    source: str
    samples: int
    learning_rate: float
    prompts: int | None = None
    updates: int | None = None
    beta: float | None = None
    algorithm: Literal["grpo", "rloo"] = "grpo"
    trl: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""

    def entry(self) -> dict[str, Any]:
        """The recipe as keys of an entry of `variants:`."""
        train: dict[str, Any] = {
            "algorithm": self.algorithm,
            "num_generations": self.samples,
            "learning_rate": self.learning_rate,
            "trl": dict(self.trl),
        }
        if self.beta is not None:
            train["beta"] = self.beta
        if self.prompts is not None and self.updates is not None:
            train["prompts_per_step"] = self.prompts // self.updates
            train["updates_per_rollout"] = self.updates
        return {**self.options, "train": train}

    def __str__(self) -> str:
        size = f"{self.prompts} x {self.samples}" if self.prompts else f"n = {self.samples}"
        rate = f"{self.learning_rate:.0e}".replace("e-0", "e-")
        kl = "" if self.beta is None else f"KL {self.beta:g}"
        parts = [f"{size} ({self.algorithm})", f"lr {rate}", kl, self.note]
        return ", ".join(part for part in parts if part)


SPURIOUS = Recipe(
    source="Spurious Rewards v1, appendix A.3; code/scripts/rlvr_deepscaler_grpo_*.sh",
    prompts=64,
    samples=16,
    updates=8,
    learning_rate=5e-7,
    beta=0.0,
    trl={"lr_scheduler_type": "constant", "epsilon": 0.2, "scale_rewards": "group"},
    note="constant, 300 steps",
)
"""Of every reward of Shao et al. 2025, the random one included."""
