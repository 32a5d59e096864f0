# ruff: noqa: RUF001
"""Kinds of answers beside mathematics: what is equal in each, and what is not."""

import pytest

from srtbench.answers import answer_key

OTHER_KINDS = [
    ("number", ["2 1/2", "5/2", "2.5", "+2.5", "2.50"], ["21/2", "2 3/2", "2 1 /2 3"]),
    ("number", ["35", "35.0", "3.5e1", "३५", "٣٥", "３５"], ["3 5", "3,5"]),
    ("number", ["1/100000", "1e-5", "1E-05", "0.00001"], ["-5", "1e5"]),
    ("number", ["1/6", "0.1(6)"], ["0.16", "0.6"]),
    ("number", ["1234", "1,234", "1\u202f234"], ["1,23,4", "0,1234", "1 234"]),
    ("number", ["-5", "\u20135", "\u22125", "- 5"], ["5"]),
    ("integer", ["300000000", "3e8", "300,000,000"], ["3e-8", "0,300"]),
    ("choice", ["A", "(A)", "A.", "a", "A) 12", "option A", "A: yes"], ["A, C", "(A)(B)(C)(D)"]),
    (
        "choice",
        ["A", "[A]", "A) A cat"],
        ["A) and B)", "A or C", "A & B", "A/C", "AC", "(A) 1 (B) 2"],
    ),
    ("choice", ["D", "D. Both A and B", "D) x or y"], ["D and A", "D. A."]),
    ("text", ["a\u0301", "\u00e1"], ["a"]),
]


@pytest.mark.parametrize("row", OTHER_KINDS, ids=lambda row: f"{row[0]} {row[1][0]}")
def test_other_kinds_merge_what_is_equal_only(row: tuple[str, list[str], list[str]]) -> None:
    kind, same, others = row
    keys = {answer: answer_key(answer, kind) for answer in same}
    assert None not in keys.values()
    assert len(set(keys.values())) == 1, keys
    assert not set(keys.values()) & {answer_key(answer, kind) for answer in others}
