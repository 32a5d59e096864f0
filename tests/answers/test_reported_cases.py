"""Answers that users of graders reported as misread, each with its right value and reference."""

import json
from pathlib import Path
from typing import Any

import pytest

from srtbench.answers import answer_key_status, extract

FILE = Path(__file__).resolve().parents[1] / "data" / "answer_cases.jsonl"
CASES = [json.loads(line) for line in FILE.read_text("utf-8").splitlines()]


def _name(case: dict[str, Any]) -> str:
    return f"{case['about']}: {case.get('input') or ' / '.join(case['answers'])}"


@pytest.mark.parametrize("case", CASES, ids=_name)
def test_reported_case_has_the_right_value(case: dict[str, Any]) -> None:
    if "answers" in case:
        keys = [answer_key_status(answer, case["kind"])[0] for answer in case["answers"]]
        assert (keys[0] == keys[1]) == case["equal"], keys
        assert keys[1] is not None
        return
    answer = extract(case["input"], case["style"]) if "style" in case else case["input"]
    if "extracted" in case:
        assert answer == case["extracted"]
        return
    assert answer is not None
    expected = (case["key"], "ok") if "key" in case else (None, case["status"])
    assert answer_key_status(answer, case["kind"]) == expected
