"""Prompts that a run learns from and that an evaluation set asks: what plan and training refuse."""

from collections.abc import Iterable, Sequence
from string import Formatter

from srtbench.datasets.splits import normalise

DROP_HINT = "; on_overlap: drop_from_train in the set would leave it out of training"
TRAINED, WARMED = "this run trains on", "the warm start was trained on"


def asked(prompts: Iterable[str], questions: Iterable[str], template: str) -> set[str]:
    """What an evaluation set asks, normalised: as it asks itself, and as the run would.

    Args:
        questions: of the set, without its templates.
        template: the run's prompt template.
    """
    found = {normalise(prompt) for prompt in prompts}
    if {name for _, name, _, _ in Formatter().parse(template)} <= {"question", None}:
        found |= {normalise(template.format(question=question)) for question in questions}
    return found


def shared_with(prompts: Iterable[str], asked_of_set: set[str]) -> list[str]:
    """Those of the prompts that a set asks."""
    return [prompt for prompt in prompts if normalise(prompt) in asked_of_set]


def overlap_text(label: str, shared: Sequence[str], size: int, where: str, hint: str = "") -> str:
    """What is wrong: evaluated prompts would be learnt from.

    Args:
        label: of the set. size: its questions. where: who learns from them.
    """
    return (
        f"evaluation set {label}: {len(shared)} of its {size} questions are among the prompts "
        f"that {where}, e.g. {shared[0][:80]!r}{hint}"
    )
