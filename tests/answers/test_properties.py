"""Properties of keys over generated answers (hypothesis)."""

import cmath
import math
from fractions import Fraction

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from srtbench.answers import KINDS, answer_key, answer_key_status, answer_keys, extract

QUICK = settings(max_examples=150)
TOKENS = (
    "\\frac", "\\sqrt", "\\pi", "\\pm", "\\cup", "\\{", "\\}", "{", "}", "(", ")", "[", "]", "^",
    "_", "!", "|", "+", "-", "*", "/", "=", "<", "\\le", ",", ".", "1", "2", "12", "9", "x", "y",
    "i", "e", "\\ln", "\\sin", "\\circ", "%", "cm", "and", "or", "no", "\\infty", ":", "...", "B",
    "\\text{a}", "\\text{cm}", "\\text{no}", "\\cdot", "\\begin{pmatrix}", "\\end{pmatrix}", "&",
    "\\\\", "3:30", "pm", "$", "\\boxed{", "\\,", "\\!", "#", " ", "'", "1,234", "=", "_2",
)  # fmt: skip
LATEX = st.lists(st.sampled_from(TOKENS), max_size=14).map("".join)
fractions = st.builds(Fraction, st.integers(-500, 500), st.integers(1, 60))


@QUICK
@given(st.one_of(LATEX, st.text(max_size=30)), st.sampled_from(KINDS))
@example("\\\\  b", "word")
@example("\u0130", "word")
@example("\\text{\\text{ab}}", "math")
def test_a_key_is_its_own_key(answer: str, kind: str) -> None:
    key, status = answer_key_status(answer, kind)
    assert status in {"ok", "unparsable"}
    assert (key is None) == (status == "unparsable")
    if key is not None:
        assert key.strip() == key != ""
        assert answer_key(key, kind) == key


def spellings(value: Fraction) -> list[str]:
    top, bottom = value.numerator, value.denominator
    sign, size = ("-", -top) if top < 0 else ("", top)
    forms = [
        f"{top}/{bottom}",
        rf"\frac{{{top}}}{{{bottom}}}",
        rf"{sign}\dfrac{{{size}}}{{{bottom}}}",
        rf"${sign}{size} \div {bottom}$",
        rf"\frac{{{3 * top}}}{{{3 * bottom}}}",
        rf"x = \left({top}\right) \cdot {bottom}^{{-1}}",
    ]
    whole, rest = divmod(size, bottom)
    if whole and rest:
        forms += [rf"{sign}{whole}\frac{{{rest}}}{{{bottom}}}", f"{sign}{whole} {rest}/{bottom}"]
    places = next((k for k in range(7) if 10**k % bottom == 0), None)
    if places:
        forms.append(f"{sign}{size * 10**places // bottom / 10**places:.{places}f}")
    return forms


@QUICK
@given(fractions, fractions)
def test_rationals_are_exact_in_every_spelling(first: Fraction, second: Fraction) -> None:
    assert {answer_key(form) for form in spellings(first)} == {str(first)}
    assert (answer_key(spellings(first)[1]) == answer_key(spellings(second)[0])) == (
        first == second
    )


@QUICK
@given(st.lists(fractions, min_size=2, max_size=5), st.randoms(use_true_random=False))
def test_order_matters_in_tuples_and_not_in_sets(values: list[Fraction], rng) -> None:
    shuffled = list(values)
    rng.shuffle(shuffled)
    first, second = (", ".join(map(str, items)) for items in (values, shuffled))
    assert answer_key(rf"\{{{first}\}}") == answer_key(rf"\{{{second}\}}")
    assert answer_key(first) == answer_key(second)
    assert (answer_key(f"({first})") == answer_key(f"({second})")) == (values == shuffled)


# Expression trees, spelled in two ways and evaluated independently of the code under test.
leaves = st.one_of(
    st.integers(0, 12).map(lambda n: ("num", Fraction(n))),
    st.tuples(st.integers(1, 9), st.integers(2, 9)).map(lambda p: ("num", Fraction(*p))),
    st.sampled_from(["x", "y", "pi", "i"]).map(lambda name: ("sym", name)),
)
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["add", "sub", "mul", "div"]), inner, inner),
        st.tuples(st.sampled_from(["sqrt", "square"]), inner),
    ),
    max_leaves=6,
)
VALUES = {"x": 1.2713, "y": 0.3719, "pi": math.pi, "i": 1j}


def evaluate(tree) -> complex:
    node, *args = tree
    if node == "num":
        return complex(args[0])
    if node == "sym":
        return complex(VALUES[args[0]])
    values = [evaluate(arg) for arg in args]
    if node == "sqrt":
        return cmath.sqrt(values[0])
    if node == "square":
        return values[0] ** 2
    first, second = values
    return {
        "add": lambda: first + second,
        "sub": lambda: first - second,
        "mul": lambda: first * second,
        "div": lambda: first / second,
    }[node]()


def spell(tree, style: int) -> str:
    node, *args = tree
    if node == "num":
        value = args[0]
        if value.denominator == 1:
            return str(value)
        template = r"\frac{{{}}}{{{}}}" if style else "({}/{})"
        return template.format(value.numerator, value.denominator)
    if node == "sym":
        return r"\pi " if args[0] == "pi" else args[0]
    parts = [spell(arg, style) for arg in args]
    if node == "sqrt":
        return rf"\sqrt{{{parts[0]}}}" if style else f"({parts[0]})^{{1/2}}"
    if node == "square":
        return f"({parts[0]})^2" if style else rf"\left({parts[0]}\right)^{{2}}"
    first, second = parts
    if node == "div":
        return rf"\frac{{{first}}}{{{second}}}" if style else f"({first})/({second})"
    if node == "sub":
        return f"{first} - ({second})" if style else f"-({second})+{first}"
    if node == "add":
        return f"{first} + {second}" if style else f"{second}+{first}"
    return rf"({first}) \cdot ({second})" if style else f"({second})({first})"


def _finite(tree) -> complex | None:
    try:
        value = evaluate(tree)
    except (ZeroDivisionError, OverflowError):
        return None
    return value if cmath.isfinite(value) else None


@settings(QUICK, max_examples=300)
@given(trees)
def test_two_spellings_of_a_tree_share_a_key(tree) -> None:
    first, second = answer_keys([spell(tree, 0), spell(tree, 1)])
    assert first == second
    assert first[1] in {"ok", "unparsable"}


@settings(QUICK, max_examples=100)
@given(st.lists(trees, min_size=12, max_size=24))
def test_equal_keys_mean_equal_values(group) -> None:
    seen: dict[str, complex] = {}
    for tree, (key, _) in zip(group, answer_keys([spell(t, 1) for t in group]), strict=True):
        value = _finite(tree)
        if key is None or value is None:
            continue
        other = seen.setdefault(key, value)
        assert abs(other - value) <= 1e-6 * max(1.0, abs(value)), (key, spell(tree, 1))


@QUICK
@given(trees)
def test_a_key_evaluates_to_the_value_of_its_answer(tree) -> None:
    key, value = answer_key(spell(tree, 1)), _finite(tree)
    if key is None or value is None:
        return
    functions = {name: getattr(cmath, name) for name in ("sqrt", "sin", "cos", "atan", "exp")}
    names = {
        **functions,
        "ln": cmath.log,
        "pi": math.pi,
        "i": 1j,
        "x": VALUES["x"],
        "y": VALUES["y"],
    }
    found = eval(key.replace("^", "**"), {"__builtins__": {}, "abs": abs}, names)
    assert abs(found - value) <= 1e-6 * max(1.0, abs(value))


@QUICK
@given(LATEX, st.text(max_size=20))
def test_boxing_keeps_the_answer(answer: str, before: str) -> None:
    balanced = answer.count("{") == answer.count("}") == 0
    if balanced and "\\" not in answer and "$" not in answer:
        assert extract(f"{before} \\boxed{{{answer}}} .") == (answer.strip() or None)


@pytest.mark.parametrize("kind", KINDS)
def test_batches_agree_with_single_answers(kind: str) -> None:
    answers = ["1", "B", "no", "", "x", "1,000", "  a  b ", "(C)", "1/2"]
    assert answer_keys(answers, kind) == [answer_key_status(answer, kind) for answer in answers]
