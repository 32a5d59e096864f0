"""What models write around an answer: bold, displays, labels, more sentence, several boxes."""

import time

import pytest

from srtbench.answers import STYLES, answer_key, extract

FOUND = [
    ("boxed", "so \\boxed{1} and \\boxed{2}.", "1, 2"),
    ("boxed", "$\\boxed{1}$ or $\\boxed{2}$", "1 or 2"),
    ("boxed", "$x=\\boxed{1}$, $y=\\boxed{2}$", "x=1, y=2"),
    ("boxed", "x = \\boxed{1} and y = \\boxed{2}", "x =1, y =2"),
    ("boxed", "\\boxed{1}, \\boxed{2}, and \\boxed{3}", "1, 2, 3"),
    ("boxed", "\\boxed{35 cm} +++ \\boxed{4}", "4"),
    ("boxed", "\\boxed{4}. So \\boxed{4}", "4"),
    ("boxed", "first \\boxed{4}, no: \\boxed{5}", "5"),
    ("boxed", "\\boxed{(1,2)} \\text{ and } \\boxed{(3,4)}", "(1,2), (3,4)"),
    ("boxed", "\\boxed{1,2} and \\boxed{3,4}", "1,2; 3,4"),
    ("boxed", "\\boxed{5} and \\boxed{5}", "5"),
    ("boxed", "\\boxed 5, \\boxed 6", "5, 6"),
    ("boxed", "\\boxed{1} and \\boxed{2", None),
    ("boxed", "$\\boxed{1} \\quad \\text{and} \\quad \\boxed{2}$", "1, 2"),
    ("boxed", "\\boxed{1}\n\n\\boxed{2}", "2"),
    ("boxed", "\\boxed{\\boxed{5}}", "5"),
    ("the_answer_is", "**The answer is: 42**", "42"),
    ("the_answer_is", "**The answer is:** 42", "42"),
    ("the_answer_is", "The answer is **42**.", "42"),
    ("the_answer_is", "The answer is:\n\\[\n42\n\\]", "42"),
    ("the_answer_is", "the answer (arabic numerals) is 70.", "70"),
    ("the_answer_is", "The answer is 72, in total, so it pays.", "72"),
    ("the_answer_is", "The answer is $29.00.", "$29.00"),
    ("the_answer_is", "The answer is $$\\frac12$$.", "\\frac12"),
    ("the_answer_is", "The answer is: $\\boxed{5}$.", "5"),
    ("the_answer_is", "the answer is 3, 4 and 5.", "3, 4 and 5"),
    ("the_answer_is", "the answer is \\[ 5", None),
    ("the_answer_is", "the answer is $3$ and $4$.", "$3$ and $4$"),
    ("the_answer_is", "the final answer is (B).", "(B)"),
    ("the_answer_is", "**The final answer is $5$.**", "5"),
    ("answer", "work\nAnswer: $13$", "13"),
    ("answer", "**Answer:** 4.", "4."),
    ("answer", "**Answer: 42**", "42"),
    ("answer", "Answer:\n\\[\n42\n\\]", "42"),
    ("answer", "Final Answer: The final answer is $5$. I hope it is correct.", "5"),
    ("answer", "Answer: Dr. Smith", "Dr. Smith"),
    ("answer", "Answer: 4. This is so", "4"),
    ("answer", "### Answer:\n\n$7$", "7"),
    ("answer", "Answer:", None),
    ("answer", "no", None),
    ("answer", "Answer: \\boxed{5}", "5"),
    ("answer", "Answer (in cm): 7", "7"),
    ("answer", "**Answer**: 12", "12"),
    ("answer", "Answer: 1\nWait. Answer: 2", "2"),
    ("line", "... 8-4.\n**Answer:** 4.", "4."),
    ("line", "work\nAnswer: $13$", "13"),
    ("line", "**42**", "42"),
    ("line", "The answer to 5: yes", "The answer to 5: yes"),
    ("line", "2**3", "2**3"),
    ("hash", "#### **5**", "5"),
    ("hash", "#### 72,", "72,"),
]


@pytest.mark.parametrize(("style", "completion", "expected"), FOUND)
def test_answer_is_found(style: str, completion: str, expected: str | None) -> None:
    assert extract(completion, style) == expected


@pytest.mark.parametrize(
    ("completion", "gold"),
    [
        (r"so $x=\boxed{1}$ or $x=\boxed{2}$.", "1, 2"),
        (r"The roots are \boxed{-2}, \boxed{1} and \boxed{3}.", r"\{-2, 1, 3\}"),
        (r"$x=\boxed{1}$ and $y=\boxed{2}$", "x=1, y=2"),
        (r"\boxed{(1,2)} and \boxed{(3,4)}", "(1,2),(3,4)"),
        (r"\boxed{1,2}; \boxed{3,4}", "1,2; 3,4"),
        (r"\boxed{7} and again \boxed{7}", "7"),
    ],
)
def test_joined_boxes_are_the_list_that_the_gold_is(completion: str, gold: str) -> None:
    answer = extract(completion)
    assert answer is not None
    assert answer_key(answer) == answer_key(gold)


def test_a_hedged_answer_is_no_single_answer() -> None:
    answer = extract(r"It is \boxed{3} or \boxed{4}.")
    assert answer is not None
    assert answer_key(answer) not in {"3", "4"}


@pytest.mark.parametrize("style", STYLES)
def test_hostile_completions_cost_every_style_little(style: str) -> None:
    hostile = [
        r"\boxed{1}, " * 20_000,
        r"\boxed{" * 20_000,
        r"\boxed{1}" + " " * 200_000 + r"\boxed{2}",
        "answer " * 30_000,
        "the answer is" + " *" * 100_000,
        "answer" + " " * 200_000,
        "**" * 100_000,
        "Answer: " + "1" * 200_000,
        "Answer: " + "1," * 100_000,
        "the answer (" * 20_000,
        "*" * 200_000,
        "Answer:" * 30_000,
        "the answer is \\[" * 20_000,
        "\n" * 200_000,
        r"\boxed 1," * 20_000,
    ]
    for text in hostile:
        before = time.process_time()
        extract(text, style)
        assert time.process_time() - before < 0.5, text[:20]
