"""When two prompts are one: for the log by their text, for the splits by their question."""

import hashlib
import unicodedata
from collections.abc import Iterable


def prompt_id(prompt: str) -> str:
    """Name of a prompt: equal text, equal id."""
    return hashlib.sha256(prompt.encode()).hexdigest()[:16]


def prompt_of_gold(prompt: str, gold: str | None) -> str:
    """Name of a prompt whose text is another prompt's too, with another gold answer or none."""
    return prompt_id(f"{prompt}\n{gold or ''}")


def prompts_digest(prompt_ids: Iterable[str]) -> str:
    """Name of these prompts in this order: one more or less, or two swapped, is another."""
    return prompt_id("\n".join(prompt_ids))


def normalise(question: str) -> str:
    """Text without differences that do not make another question: case, spacing, Unicode forms."""
    return " ".join(unicodedata.normalize("NFKC", question).casefold().split())
