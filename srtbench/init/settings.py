"""How the tiny model is warm-started, trained and evaluated on what was proposed."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

from srtbench.init.propose import Proposal
from srtbench.init.shape import MIDDLE, SMALL

Outlook = Literal["learns", "weak", "pipeline", "untried"]

GOOD_START = 0.6
"""Accuracy of a start model whose majority is mostly right, and which still has much to win."""

POOR_START = 0.15
"""Accuracy below which a start model is of no use to any reward."""

_SMALL_WARM: dict[str, Any] = {"batch_size": 64, "learning_rate": 1e-2, "max_steps": 600}
_FAST_WARM: dict[str, Any] = _SMALL_WARM | {"learning_rate": 2e-2}
_MIDDLE_WARM: dict[str, Any] = {"batch_size": 256, "learning_rate": 5e-3, "max_steps": 300}
_KINDS_OF_TABLES = ("integer", "number")


@dataclass(frozen=True)
class Shape:
    """A tiny model to be tried: its size, and its warm start."""

    name: str
    size: dict[str, Any]
    warm_start: dict[str, Any]


@dataclass(frozen=True)
class Settings:
    """Sections of the sweep file beside the data, and what is to be expected of them."""

    model: dict[str, Any]
    train: dict[str, Any]
    evaluation: dict[str, Any]
    outlook: Outlook
    best: float | None = None


def shapes(proposal: Proposal) -> list[Shape]:
    """Tiny models to try, the likelier one first; none for texts that are too long for it."""
    if not proposal.short:
        return []
    small = Shape("small", SMALL, _SMALL_WARM)
    fast = Shape("small, higher learning rate", SMALL, _FAST_WARM)
    middle = Shape("middle", MIDDLE, _MIDDLE_WARM)
    is_table = proposal.dataset["answer_kind"] in _KINDS_OF_TABLES
    return [fast, small, middle] if is_table else [middle, small]


def settings(
    proposal: Proposal, shape: Shape | None, outlook: Outlook, target: float, best: float | None
) -> Settings:
    """The sections for a shape.

    Args:
        shape: None: whatever runs through quickly.
        target: accuracy that ends the warm start; 0: the first check ends it.
        best: accuracy of the trial.
    """
    length = proposal.longest_target + 2  # the end token, and one too many
    counts = proposal.counts
    positions = -(-(proposal.longest_prompt + length + 2) // 32) * 32
    checks = max(8, min(128, counts["warm_start"] // 8))
    model: dict[str, Any] = {
        **(shape.size if shape else SMALL),
        "max_length": positions,
        "alphabet": proposal.alphabet.characters,
        "words": [*proposal.alphabet.words],
    }
    if outlook == "pipeline" or shape is None:
        model["warm_start"] = {
            "target_accuracy": 0,
            "max_steps": 10,
            "check_prompts": 8,
            "check_samples": 1,
            "batch_size": 8,
        }
        train: dict[str, Any] = {
            "steps": 4,
            "prompts_per_step": min(2, counts["train"]),
            "num_generations": 4,
            "max_completion_length": length,
        }
        evaluation = {"every": 2, "prompts": min(8, counts["eval"]), "samples": 2}
        return Settings(model, train, evaluation, outlook, best)
    model["warm_start"] = {
        "target_accuracy": target,
        **shape.warm_start,
        "check_every": 20,
        "check_prompts": checks,
        "check_samples": 16 if checks < 64 else 4,
    }
    train = {
        "steps": 40,
        "prompts_per_step": min(16, counts["train"]),
        "num_generations": 16,
        "max_completion_length": length,
        "learning_rate": 1e-4,
    }
    evaluation = {"every": 10, "prompts": min(128, counts["eval"]), "samples": 16}
    return Settings(model, train, evaluation, outlook, best)


def for_trial(proposal: Proposal, shape: Shape) -> Settings:
    """Settings with which a shape is tried: those of the sweep, were it good."""
    return settings(proposal, shape, "untried", GOOD_START, None)


def judged(proposal: Proposal, shape: Shape, accuracies: Iterable[float]) -> Settings:
    """Settings after a trial.

    Args:
        accuracies: of its checks, in order.
    """
    best = max(accuracies, default=0.0)
    if best >= GOOD_START:
        return settings(proposal, shape, "learns", GOOD_START, best)
    if best < POOR_START:
        return replace(settings(proposal, None, "pipeline", 0, best))
    return settings(proposal, shape, "weak", int(best * 85) / 100, best)
