"""What a dataset is made of, and the error that every loader raises."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Split = Literal["train", "eval", "warm_start"]


class DatasetError(ValueError):
    """A dataset cannot be used; the message says where and why.

    Attributes:
        key: of the entry in a sweep file that is to be changed, where that is known.
    """

    def __init__(self, message: str, key: str | None = None):
        super().__init__(message)
        self.key = key


class MissingColumnsError(DatasetError):
    """Columns that an entry names and its table has not.

    Attributes:
        lines: name of each -> what is said of it.
    """

    def __init__(self, lines: Mapping[str, str]):
        super().__init__("\n".join(lines.values()))
        self.lines = dict(lines)


@dataclass(frozen=True)
class Problem:
    """One prompt and its hidden gold answer."""

    prompt_id: str
    """First 16 hexadecimal digits of the SHA-256 of ``prompt``."""
    prompt: str
    gold: str
    level: int | None
    split: str
    target: str
    """Supervised completion for a warm start, from ``target_template``."""
    where: str = field(default="", compare=False)
    """Place in the source, for messages."""


@dataclass(frozen=True)
class Item:
    """A question as its source gave it, before templates."""

    where: str
    """Place in the source, for messages: ``row 17``, ``item 3 of seed 0``."""
    question: str
    answer: str
    level: int | None
    metadata: Mapping[str, Any]
