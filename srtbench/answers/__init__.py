r"""Answers: find them in completions, give each one canonical key, compare by key.

Equal keys mean equal answers, and equality of strings is transitive, so votes over keys are votes
over true equivalence classes. Importing this package is light: sympy lives in a worker process
that starts when the first answer needs it. The rules are listed in ``docs/answers.md``.
"""

from __future__ import annotations

from srtbench.answers.extract import STYLES, extract
from srtbench.answers.keys import KINDS, Status, answer_key, answer_key_status, answer_keys
from srtbench.answers.math_keys import is_literal

__all__ = [
    "KINDS",
    "STYLES",
    "Status",
    "answer_key",
    "answer_key_status",
    "answer_keys",
    "extract",
    "is_literal",
]
