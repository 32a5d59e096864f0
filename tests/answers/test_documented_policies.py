"""docs/answers.md is true: its Python examples run, and its table of policies holds."""

import ast
import re
from pathlib import Path

import pytest

from srtbench.answers import (
    KINDS,
    STYLES,
    answer_key,
    answer_key_status,
    answer_keys,
    extract,
    math_keys,
    plain,
    sandbox,
    worker,
)

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "answers.md").read_text("utf-8")
_SPAN = re.compile(r"`([^`]+)`")


def _policies() -> list[tuple[str, list[str], list[str]]]:
    table = TEXT.split("## Policies")[1].split("\n\n`is_literal(")[0]
    rows = [line.strip("|").split(" | ") for line in table.splitlines() if line.startswith("| ")]
    return [(row[0].strip(), _SPAN.findall(row[2]), _SPAN.findall(row[3])) for row in rows[1:]]


@pytest.mark.parametrize("policy", _policies(), ids=lambda policy: policy[0])
def test_policy(policy: tuple[str, list[str], list[str]]) -> None:
    _, same, others = policy
    assert same
    assert others
    keys = {answer: answer_key(answer) for answer in same}
    assert None not in keys.values()
    assert len(set(keys.values())) == 1, keys
    apart = {answer: answer_key(answer) for answer in others}
    assert None not in apart.values()
    assert not set(keys.values()) & set(apart.values()), apart
    assert len(set(apart.values())) == len(apart), apart


def test_python_examples_run_as_written() -> None:
    names = {
        "answer_key": answer_key, "answer_key_status": answer_key_status,
        "answer_keys": answer_keys, "extract": extract,
    }  # fmt: skip
    lines = re.search(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert lines is not None
    checked = 0
    for line in lines[1].splitlines():
        call, _, expected = line.partition("  # ")
        if not expected or call.startswith("from"):
            continue
        value = eval(call, {"__builtins__": {}}, names)
        assert value == ast.literal_eval(expected.split(":")[0]), line
        checked += 1
    assert checked == 4


def test_every_style_and_kind_has_a_row() -> None:
    for name in (*STYLES, *KINDS):
        assert f"| `{name}` " in TEXT


def test_limits_in_the_text_are_those_of_the_code() -> None:
    for limit in (
        f"{math_keys.MAX_CHARS:,} characters",
        f"other kinds {plain.MAX_PLAIN_CHARS:,} characters, numbers {plain.MAX_NUMBER_CHARS:,}",
        f"{plain.MAX_COMBINING_RUN} in a row",
        f"{sandbox.ANSWER_SECONDS} s of CPU time, twice, and {worker.MEMORY_BYTES >> 30} GiB",
        f"{sandbox.BATCH_SECONDS:.0f} s of CPU time and "
        f"{sandbox.BATCH_SECONDS_PER_ANSWER * 1000:.0f} ms",
        f"gets {sandbox.SHORT_SECONDS * 1000:.0f} ms, once",
        f"{sandbox.WALL_SECONDS:.0f} s of wall time",
    ):
        assert limit in TEXT, limit


def test_a_case_that_is_argued_against_is_named() -> None:
    assert "**Argued against.**" in TEXT
    assert answer_key("ABC") == "ABC"
    assert answer_key("abc") == "a*b*c"
