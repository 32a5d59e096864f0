"""Extraction: each style finds the final answer, and nothing empty or cut off becomes one."""

import pytest

from srtbench.answers import STYLES, extract


@pytest.mark.parametrize(
    ("completion", "expected"),
    [
        (r"so \boxed{5}", "5"),
        (r"first \boxed{4}, no: \boxed{\frac{1}{2}}.", r"\frac{1}{2}"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        (r"\boxed{\left\{x \mid x > {y}_{1}\right\}} done", r"\left\{x \mid x > {y}_{1}\right\}"),
        (r"\fbox{7}", "7"),
        (r"\boxed {7}", "7"),
        (r"\boxed 5", "5"),
        (r"\boxed 5.", "5"),
        (r"$\boxed 5$", "5"),
        (r"\boxed{$12$}", "12"),
        (r"\boxed{\$12}", r"\$12"),
        (r"\boxed{\text{a}\\b}", r"\text{a}\\b"),
        (r"\boxed{\frac{1}{2}", None),
        (r"\boxed{3} and then \boxed{4", None),
        (r"\boxed{}", None),
        (r"\boxed{   }", None),
        (r"\boxed{$ $}", None),
        (r"\boxed", None),
        (r"\boxedx{5}", None),
        ("5", None),
        ("", None),
    ],
)
def test_boxed(completion: str, expected: str | None) -> None:
    assert extract(completion) == expected


@pytest.mark.parametrize(
    ("style", "completion", "expected"),
    [
        ("hash", "2+3\n#### 5", "5"),
        ("hash", "#### 4\n#### 1,234 \nmore", "1,234"),
        ("hash", "####   ", None),
        ("hash", "### 5", None),
        ("the_answer_is", "The answer is 5.", "5"),
        ("the_answer_is", "the final answer is: $3.5$. Right?", "3.5"),
        ("the_answer_is", r"The answer is \boxed{\frac12}.", r"\frac12"),
        ("the_answer_is", "The answer is 4. Wait, the answer is 5", "5"),
        ("the_answer_is", "The answer is", None),
        ("the_answer_is", "no answer", None),
        ("tag", "<answer> A </answer> <answer>B</answer>", "B"),
        ("tag", "<answer>A</answer><answer>B", None),
        ("tag", "<answer></answer>", None),
        ("line", "a\n  b c \n\n", "b c"),
        ("line", "\n \n", None),
        ("text", "  drow\n", "drow"),
        ("text", "", None),
        ("text", " \t\u200b", None),
        ("text", "\x00", None),
    ],
)
def test_other_styles(style: str, completion: str, expected: str | None) -> None:
    assert extract(completion, style) == expected


def test_unknown_style_names_the_allowed_ones() -> None:
    with pytest.raises(ValueError, match="boxed, hash, the_answer_is, tag, line, text"):
        extract("5", "regex")


@pytest.mark.parametrize("style", STYLES)
def test_long_inputs_are_linear(style: str) -> None:
    for text in (r"\boxed{" * 20_000, "{" * 200_000, "#### " * 40_000, "the answer is " * 20_000):
        extract(text, style)
