"""Keys: what merges, what must not, and every policy that docs/answers.md states."""

import subprocess
import sys

import pytest

from srtbench.answers import KINDS, answer_key, answer_key_status, answer_keys

SAME = [
    ["5", "5.0", "+5", "05", " 5 ", "$5$", r"\boxed{5}", r"\(5\)", "5.", "x=5", "5 = x", "**5**"],
    ["1234", "1,234", r"1{,}234", r"1,\!234", r"1\,234", r"\$1,234", "1234.00", "$1,234.00"],
    [
        "1/2",
        r"\frac12",
        r"\dfrac{1}{2}",
        "0.5",
        ".5",
        "2/4",
        "½",
        r"\frac 1 2",
        r"2^{-1}",
        "50/100",
    ],
    ["9/5", r"1\frac{4}{5}", "1 4/5", "1.8", r"\frac95"],
    ["-9/5", r"-1\frac{4}{5}", r"-\frac{9}{5}", "\u22121.8", r"\frac{-9}{5}"],
    ["1/3", r"0.\overline{3}", r"\frac{3}{9}"],
    ["50", r"50\%", "50%", "50 percent", r"50^\circ", "50°", "50 degrees", r"50\text{ cm}^2"],
    [r"\frac{\sqrt{2}}{2}", r"1/\sqrt2", r"\sqrt{\frac12}", r"2^{-1/2}", r"\sin 45^\circ", "√2/2"],
    [r"\sqrt{2}+\sqrt{3}", r"\sqrt{5+2\sqrt{6}}", r"\frac{1}{\sqrt3-\sqrt2}"],
    [r"\sqrt[3]{-8}", "-2"],
    ["1+2i", "2i + 1", r"\frac{5}{1-2i}"],
    [r"\frac{1}{2}+\frac{\sqrt{3}}{2}i", r"e^{i\pi/3}"],
    [r"12\pi", r"12 \cdot \pi", "12π", r"\pi \times 12", "12pi"],
    [r"\ln 8", r"3\ln 2", r"\ln(2)+\ln 4"],
    [r"\log_2 8", "3", r"\log_{10} 1000"],
    ["(1, 2)", r"\left(1,\,2\right)", "(1,2)", "(1.0, 4/2)", "(x,y)=(1,2)"],
    [
        r"\{1, 2\}",
        "2, 1",
        r"\{2,1,1\}",
        r"1 \text{ or } 2",
        "1 and 2",
        "x=1, x=2",
        r"x=1\text{ or }2",
    ],
    [r"\pm 3", "3, -3", r"x = \pm 3", r"\{-3, 3\}"],
    [r"1 \pm \sqrt{2}", r"1-\sqrt2, 1+\sqrt2"],
    ["(2, 5]", r"2 < x \le 5", r"x \in (2,5]", r"5 \geq x > 2"],
    [r"[3, \infty)", r"x \ge 3", r"3 \leq x"],
    [r"(-\infty, 1) \cup (2, \infty)", r"x<1 \text{ or } x>2", "(2,∞)\u222a(-∞,1)"],
    ["y = 2x + 3", "2x - y = -3", "y - 2x - 3 = 0", "2y = 4x + 6"],
    ["(a+5)(b+2)", "ab+2a+5b+10", r"(b+2)\cdot(a+5)"],
    [r"\frac{x^2-1}{x-1}", "x+1"],
    [r"\frac{11+9a}{20}", r"\frac{9a}{20} + 0.55"],
    [r"\cot x", r"\frac{\cos x}{\sin x}", r"\frac{1}{\tan(x)}"],
    [r"2^{n+1}", r"2 \cdot 2^n"],
    ["x^10", "x^{10}", "x**10"],
    ["f(x) = x^2", "x^2"],
    [r"\begin{pmatrix} 1 \\ 1/2 \end{pmatrix}", r"\begin{bmatrix}1\\\frac12\end{bmatrix}"],
    ["7", "7\\ ", r"7\\", r"\textbf{7}"],
    [r"\text{(B)}", "B", "B)", "(B)", "B.", r"\text{B}", r"\mathrm{B}"],
    [r"\text{Evelyn}", "Evelyn", "evelyn", r"\textbf{Evelyn}", "Evelyn."],
    ["No", r"\text{no}", "NO."],
    ["101_2", "101_{2}", "0101_2"],
    ["3:30 pm", r"3:30 \text{ p.m.}", "3:30PM"],
    ["1:2", "2:4", r"1 : 2"],
    ["3000000", "3 million", r"3 \text{ million}", r"3 \times 10^6"],
    [r"\emptyset", r"\varnothing", r"\{\}"],
    ["10", r"\binom{5}{2}", "|{-10}|"],
    ["120", "5!"],
    [r"\frac{\pi}{4}", r"\tan^{-1}(1)", r"\arctan 1"],
    [r"\text{A}, \text{C}", "C, A", r"\text{(A) and (C)}", "A and C"],
    ["25", r"\$25 \text{ per hour}", r"25 \text{ square feet}", "25 miles per hour"],
]
DIFFERENT = [
    ["1234", r"(1,234)", "1, 234", "12.34"],
    ["0.5", "50%", "5"],
    ["1/3", "0.33", "0.333", "0.333..."],
    ["101_2", "101", "5", "101_3"],
    ["(1,2)", "[1,2]", "(1,2]", r"\{1,2\}", "(2,1)", r"\langle 1,2\rangle"],
    ["1,1,2", "1,2", "1,2,2"],
    ["a", "A", "b", r"\alpha"],
    ["x+1", "y+1", "x-1"],
    ["5 hours and 30 minutes", "30 hours and 5 minutes", "5 hours"],
    ["2x+3", "y=2x+3", "y=2x-3"],
    ["no", "on", "yes"],
    ["3:30 pm", "3:30 am", "3:30", "1:10"],
    ["2020-03-04", "2013", "2020-04-03"],
    ["3/4/2020", "3/8080"],
    [r"\sqrt{x^2}", "x", "-x"],
    [r"\ln(x^2)", r"2\ln x"],
    ["1/2x", r"\frac{1}{2}x", r"\frac{1}{2x}"],
    ["5th", "5"],
    [r"\overline{AB}", r"\overrightarrow{AB}", r"\text{AB}"],
    [r"\{x | x \le 3\}", r"\{x \mid x < 3\}", r"\{x \mid x \ge 3\}"],
    ["5-10", "-5", "5\u201310"],
    ["10 north", "10 south", "10"],
    ["1e5", "1e-5", "5e", "e + 5"],
    [r"\log 2", r"\ln 2"],
    [r"\tan^{-1} x", r"\frac{1}{\tan x}"],
    ["x > 2", r"x \ge 2", "x < 2"],
    [r"2\frac{3}{2}", "3", "7/2"],
    [r"\begin{pmatrix} 1 & 2 \end{pmatrix}", r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", "(1,2)"],
    ["2mg", "2", "2gh"],
    ["x=1, y=2", "x=2, y=1"],
    [r"\pi", "3.14", "22/7", "3.14159265358979"],
]


@pytest.mark.parametrize("forms", SAME, ids=lambda forms: forms[0])
def test_forms_of_one_answer_share_a_key(forms: list[str]) -> None:
    keys = {form: answer_key(form) for form in forms}
    assert None not in keys.values()
    assert len(set(keys.values())) == 1, keys


@pytest.mark.parametrize("forms", DIFFERENT, ids=lambda forms: forms[0])
def test_different_answers_have_different_keys(forms: list[str]) -> None:
    keys = {form: answer_key(form) for form in forms}
    assert None not in keys.values(), keys
    assert len(set(keys.values())) == len(forms), keys


def test_no_two_rows_share_a_key() -> None:
    keys = [answer_key(forms[0]) for forms in SAME]
    repeated = {key for key in keys if keys.count(key) > 1}
    assert not repeated


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "   ",
        "\u200b",
        r"\text{}",
        "{",
        "5 +",
        r"\frac{1}{0}",
        "0^0",
        "a\x00b",
        "!!!",
        "$$",
        "$",
    ],
)
def test_nothing_to_vote_with(answer: str) -> None:
    assert answer_key_status(answer) == (None, "unparsable")


@pytest.mark.parametrize(
    ("kind", "answer", "key"),
    [
        ("text", "  Drow \n a", "Drow a"),
        ("text", "e\u0301", "\u00e9"),
        ("text", "", None),
        ("text", "5.0", "5.0"),
        ("word", r"\text{East}.", "east"),
        ("word", "  NEW   York ", "new york"),
        ("word", "...", None),
        ("choice", "(B)", "B"),
        ("choice", "B.", "B"),
        ("choice", "b", "B"),
        ("choice", "B) because", "B"),
        ("choice", r"\text{(B)}", "B"),
        ("choice", "option C", "C"),
        ("choice", "Because", None),
        ("choice", "A cat", None),
        ("choice", "7", None),
        ("integer", "1,234", "1234"),
        ("integer", "5.0", "5"),
        ("integer", "5.5", None),
        ("number", "$1,234.50", "2469/2"),
        ("number", "1/0", None),
        ("number", "12,34", None),
        ("number", "five", None),
        ("number", "٣", "3"),
    ],
)
def test_other_kinds(kind: str, answer: str, key: str | None) -> None:
    assert answer_key(answer, kind) == key
    assert answer_key_status(answer, kind) == (key, "unparsable" if key is None else "ok")


def test_unknown_kind_names_the_allowed_ones() -> None:
    with pytest.raises(ValueError, match=", ".join(KINDS)):
        answer_key("5", "latex")


def test_batches_keep_order_and_repetition() -> None:
    answers = ["2", r"\sqrt{8}", "{", "2", r"2\sqrt2", "x"]
    keys = answer_keys(answers)
    assert keys == [answer_key_status(answer) for answer in answers]
    assert keys[0] == keys[3]
    assert keys[1] == keys[4] == ("2*sqrt(2)", "ok")
    assert answer_keys([]) == []


def test_a_cached_answer_keeps_its_key() -> None:
    assert answer_key(r"\sqrt{12}") == answer_key(r"\sqrt{12}") == "2*sqrt(3)"


def test_importing_is_light_and_common_answers_need_no_sympy() -> None:
    code = (
        "import sys, srtbench.answers as a; "
        "a.answer_keys(['1,234', '0.5', '1/2', 'Evelyn', '(1,2)', '3:30', 'B']); "
        "heavy = {'torch', 'trl', 'sympy', 'math_verify', 'numpy'} & set(sys.modules); "
        "assert not heavy, heavy; from srtbench.answers import keys; "
        "assert keys._sandbox.worker_pid is None"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
