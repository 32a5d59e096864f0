"""Answers outside the grammar: a key of their own spelling, or none where they are cut off."""

import pytest

from srtbench.answers import answer_key, answer_key_status, is_literal


@pytest.mark.parametrize(
    "answer",
    [
        "F_{n+1}",
        r"\div",
        "(2n-1)!!",
        "5!!",
        r"51_{(10)} = 201_{(5)}",
        "200203_{-4}",
        r"x \equiv 5",
        r"\left\{\begin{array}{l}x=1\\y=2\end{array}\right.",
        r"\begin{vmatrix}1&2\\3&4\end{vmatrix}",
        r"5'10''",
        r"\int_0^1 x\,dx",
        "1 234",
        "x, y = 1, 2",
        r"148.15 \mathrm{yd}^{3} ; 113 \mathrm{~m}^{3}",
        r"t=\frac{5+\mathrm{bw}}{a}",
        "9^{9^{9^9}}",
        r"\frac{2016!}{1953!}- 63! \cdot 2016",
        "a^{2}(b)",
        r"y_{i}=\frac{(x-x_{0})^{i-1}}{(i-1) !}, 1 \leq i \leq n",
        "So the sum is even.",
        "A -> B",
    ],
)
def test_an_answer_outside_the_grammar_has_a_literal_key(answer: str) -> None:
    key, status = answer_key_status(answer)
    assert status == "ok"
    assert answer_key(key) == key


@pytest.mark.parametrize(
    ("answer", "literal"),
    [
        ("the sum is 24", True),
        ("Evelyn", True),
        ("1/2x", True),
        (r"\frac{dy}{dx}", True),
        ("24", False),
        ("x = 5", False),
        ("3:30 pm", False),
        ("(1, 2)", False),
        ("1/0", False),
    ],
)
def test_prose_is_told_from_mathematics(answer: str, literal: bool) -> None:
    assert is_literal(answer) == literal


@pytest.mark.parametrize(
    "answer", ["", "5 +", r"\frac{1}{", "1/0", "0^0", "(1, 2", r"\sqrt", "x ="]
)
def test_what_is_cut_off_or_has_no_value_has_none(answer: str) -> None:
    assert answer_key_status(answer) == (None, "unparsable")
