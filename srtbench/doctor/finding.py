"""What the examination finds: one line each."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "note", "fail"]


@dataclass(frozen=True)
class Finding:
    """One line of the examination.

    Attributes:
        state: ``note``: worth to know, and no obstacle; ``fail``: something cannot work.
        name: what was looked at.
        text: what was found, and what mends it.
    """

    state: State
    name: str
    text: str


def worst(findings: Iterable[Finding]) -> State:
    """The gravest state; ``ok`` of none."""
    states = {finding.state for finding in findings}
    return "fail" if "fail" in states else "note" if "note" in states else "ok"
