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


@dataclass(frozen=True)
class RoundsRecipe:
    """Published settings of a variant that trains by rounds; None: not found in the source.

    Attributes:
        source: where the numbers stand.
        samples: completions per prompt that vote. prompts: per round.
        init_from: what a round's fit starts from; None: there is one round.
        keep: by what its fits choose among their epochs; None: not at all.
        trl: further options of the fitting trainer. options: of the variant.
    """

    source: str
    rounds: int
    samples: int
    temperature: float
    learning_rate: float | None = None
    batch_size: int | None = None
    epochs: int | None = None
    prompts: int | None = None
    init_from: Literal["start", "previous"] | None = None
    keep: Literal["gold"] | None = None
    trl: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    updates: None = None

    def entry(self) -> dict[str, Any]:
        """The recipe as keys of an entry of `variants:`."""
        fit = {
            "learning_rate": self.learning_rate,
            "batch_size": self.batch_size,
            "epochs": self.epochs,
            "keep": self.keep,
            "trl": dict(self.trl),
        }
        train = {
            "rounds": self.rounds,
            "prompts_per_round": self.prompts,
            "samples_per_prompt": self.samples,
            "temperature": self.temperature,
            "init_from": self.init_from,
            "fit": {key: value for key, value in fit.items() if value is not None},
        }
        given = {key: value for key, value in train.items() if value is not None}
        return {**self.options, "train": given}

    def __str__(self) -> str:
        rounds = f"{self.rounds} round{'s' if self.rounds > 1 else ''} x {self.samples}"
        parts = [f"{rounds}, T {self.temperature:g}"]
        if self.init_from is not None:
            parts.append(f"from the {self.init_from}")
        if self.learning_rate is not None:
            parts.append(f"lr {self.learning_rate:.0e}".replace("e-0", "e-"))
        if self.keep is not None:
            parts.append(f"best epoch by {self.keep}")
        return ", ".join([*parts, *([self.note] if self.note else [])])


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
