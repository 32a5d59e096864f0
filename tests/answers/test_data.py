"""Every gold answer of MATH-500 and GSM8K survives: extract, key, compare."""

import json
import os
import re
from collections import defaultdict
from fractions import Fraction
from pathlib import Path

import pytest

from srtbench.answers import KINDS, STYLES, answer_key, answer_keys, extract

DATA = Path(
    os.environ.get("SRTBENCH_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data"
)


def load(name: str) -> list[dict[str, str]]:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{name} is not in {DATA}; set SRTBENCH_DATA to its folder")
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def math_golds() -> list[str]:
    return sorted({row["answer"] for row in load("math500.jsonl")})


# Gold answers that are equal by the stated policies (units, degrees, x = value, list order).
EQUAL_GOLDS = {
    r"\{-2, 1\}": {"-2,1", "1,-2"},
    "10080": {r"10,\!080", "10080"},
    "120": {"120", r"120^\circ"},
    "15": {"15", r"15\mbox{ cm}^2"},
    "2*sqrt(5)": {r"2 \sqrt{5}", r"2\sqrt{5}"},
    "30": {"30", r"30^\circ"},
    "36": {"36", r"36^\circ", r"\$36"},
    "5": {"5", "x=5"},
    "90": {"90", r"90^\circ"},
    "1/4": {r"\frac14", r"\frac{1}{4}"},
}
_UNICODE = {
    r"\pi": "π", r"\infty": "∞", r"\cup": "\u222a", r"^\circ": "°", r"\pm": "±", r"\in": "∈",
}  # fmt: skip


def _terms(text: str) -> list[str]:
    """Top-level terms of a sum, each with its sign; one term when it is not a plain sum."""
    if re.search(r"[=,]|\\in|\\cup|\\pm|\\text|\\mbox|\\begin|_", text) or re.match(
        r"\(.*[\])]$", text
    ):
        return [text]
    terms, depth = [""], 0
    for char in text.replace(" + ", "+").replace(" - ", "-"):
        depth += (char in "{(") - (char in "})")
        if char in "+-" and depth == 0 and terms[-1]:
            terms.append("")
        terms[-1] += char
    return [term if term[0] in "+-" else f"+{term}" for term in terms]


def _has_symbols(text: str) -> bool:
    bare = re.sub(r"\\(?:text|mbox|begin|end)\{[^{}]*\}(?:\^2)?|\\[a-z]+|i\b", "", text)
    return bool(re.search("[a-zA-Z]", bare)) or "\\cot" in text


def rewritten(gold: str) -> list[str]:
    """Forms a model would write instead of ``gold``, most telling first; none equals it."""
    if re.fullmatch(r"\\text\{.*\}", gold):
        word = gold[6:-1]
        return [word, f"\\textbf{{{word}}}", word.strip("()") + ".", word.upper()]
    forms = []
    if re.fullmatch(r"-?\d+", gold):
        forms += [f"{int(gold):,}.0", f"{gold}.", f"${gold} \\text{{ units}}$"]
    if re.fullmatch(r"-?\d*\.\d+", gold):
        value = Fraction(gold)
        forms += [f"\\frac{{{value.numerator}}}{{{value.denominator}}}", f"{gold}0"]
    if len(_terms(gold)) > 1:
        forms.append("".join(reversed(_terms(gold))).removeprefix("+"))
    if "=" in gold:
        left, right = gold.split("=")
        forms += [f"{right} = {left}", gold.replace("=", " = "), gold.replace(" ", "")]
        if re.search("[a-z]", right):
            forms.append(f"{left} - ({right}) = 0")
    elif re.search(r"\\in\b", gold):
        forms += ["[-2, 7]", r"-2 \leq x \leq 7"]
    elif not _has_symbols(gold):
        forms.append(f"$x = {gold}$")
    else:
        forms.append(f"$f(x) = {gold}$")
    if re.search(r"\\d?frac", gold):
        slashed = re.sub(r"(?<!\d)\\d?frac\{(\d+)\}\{(\d+)\}", r"\1/\2", gold)
        slashed = re.sub(r"(\d) ?\\frac\{(\d+)\}\{(\d+)\}", r"\1 \2/\3", slashed)
        slashed = re.sub(
            r"\\d?frac\{([^{}]*(?:\{\d+\})?[^{}]*)\}\{([^{}]*)\}", r"(\1)/(\2)", slashed
        )
        forms += [slashed, re.sub(r"\\d?frac", r"\\tfrac", gold)]
        forms.append(re.sub(r"\\frac ?(\d)(?:(\d)|\{(\d+)\})$", r"\1/\2\3", gold))
    if "matrix" in gold:
        forms.append(gold.replace("pmatrix", "bmatrix"))
        forms.append(re.sub(r"(\d+)/(\d+)", r"\\frac{\1}{\2}", gold).replace(" & ", "&"))
    if re.search(r"\\(?:text|mbox)\{ ?[a-z]", gold):
        forms += [
            re.sub(r"\\(?:text|mbox)\{.*\}(\^2)?", "", gold),
            re.sub(r"\\text|\\mbox", r"\\mathrm", gold),
        ]
    if re.fullmatch(r"\d+_\{?\d\}?", gold):
        digits, base = gold.rstrip("}").split("_")
        forms += [f"{digits}_{base.strip('{')}", f"{digits}_{{{base.strip('{')}}}", f"0{gold}"]
    if gold[0] in "([" and "," in gold and "\\left" not in gold:
        forms.append(
            rf"\left{gold[0]} {gold[1:-1]} \right{gold[-1]}" if "\\cup" not in gold else gold
        )
        forms.append(re.sub(r", *", r",\\ ", gold))
    if re.match(r"-?\d+ *, *-?\d", gold) and "000" not in gold and gold != "58,500":
        forms.append(r"\{" + ", ".join(reversed(gold.split(","))) + r"\}")
        forms.append(gold.replace(",", r" \text{ or } ", 1) if gold.count(",") == 1 else f"{gold}.")
    if gold in {"58,500", r"10,\!080", r"11,\! 111,\! 111,\! 100"}:
        digits = re.sub(r"\D", "", gold)
        forms += [digits, f"{int(digits):,}", f"${int(digits):,}$.".replace(",", "{,}")]
    if "\\$" in gold:
        amount = gold.replace("\\$", "").replace("\\!", "")
        forms += [f"${amount}", f"{amount} \\text{{ dollars}}", amount]
    forms += ["".join(gold.split()) if not re.search(r"\\[a-z]+ [a-z]", gold) else gold]
    signs = gold
    for command, sign in _UNICODE.items():
        signs = re.sub(re.escape(command) + r"(?![a-z])", sign, signs)
    forms.append(re.sub(r"\\sqrt\{?(\d+)\}?", r"√{\1}", signs))
    if "^\\circ" in gold:
        forms += [gold.replace("^\\circ", ""), gold.replace("^\\circ", r"^{\circ}")]
    forms.append(re.sub(r"(\d) ?(?=\\sqrt|\\pi)", r"\1 \\cdot ", gold))
    forms.append(
        re.sub(r"(\d) ?([a-z])(?![a-z])", r"\1 \\cdot \2", gold) if "\\" not in gold else gold
    )
    forms.append(re.sub(r"\^(\d)", r"^{\1}", gold))
    forms.append(re.sub(r"\)\(", r")\\cdot(", gold))
    forms.append(re.sub(r"\\cot x", r"\\frac{\\cos x}{\\sin x}", gold))
    forms.append(f"$${gold}$$.")
    return [form for form in dict.fromkeys(forms) if form.strip() != gold]


def test_every_math_gold_has_a_key_and_equals_three_rewritten_forms() -> None:
    golds = math_golds()
    assert len(golds) > 250
    failures = []
    for gold, (key, status) in zip(golds, answer_keys(golds), strict=True):
        forms = rewritten(gold)
        answers = [extract(f"Hence $\\boxed{{{form}}}$.") or "" for form in forms]
        differing = {
            form: k for form, (k, _) in zip(forms, answer_keys(answers), strict=True) if k != key
        }
        if status != "ok" or len(forms) < 3 or differing:
            failures.append((gold, key, len(forms), differing))
    assert not failures


def test_only_equal_math_golds_share_a_key() -> None:
    groups = defaultdict(set)
    for gold in math_golds():
        key = answer_key(gold)
        assert key is not None
        groups[key].add(gold)
    assert {key: golds for key, golds in groups.items() if len(golds) > 1} == EQUAL_GOLDS


def test_the_documentation_lists_the_shared_keys_and_every_choice() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "answers.md").read_text("utf-8")
    for key in EQUAL_GOLDS:
        assert f"| `{key}` | " in text
    for name in (*STYLES, *KINDS):
        assert f"| `{name}` " in text


@pytest.mark.parametrize(
    ("name", "rows"), [("gsm8k_train.jsonl", 7473), ("gsm8k_test.jsonl", 1319)]
)
def test_gsm8k_golds_survive_extraction_and_comparison(name: str, rows: int) -> None:
    golds = [row["answer"] for row in load(name)]
    assert len(golds) == rows
    completions = {
        "hash": [f"steps\n#### {gold}" for gold in golds],
        "boxed": [f"so it is $\\boxed{{{int(gold):,}}}$." for gold in golds],
        "the_answer_is": [f"Therefore the answer is ${gold}.00." for gold in golds],
    }
    for kind in ("math", "integer", "number"):
        keys = answer_keys(golds, kind)
        assert all(status == "ok" for _, status in keys)
        assert [key for key, _ in keys] == [str(int(gold)) for gold in golds]
        for style, texts in completions.items():
            answers = [extract(text, style) for text in texts]
            assert None not in answers
            assert answer_keys([a for a in answers if a is not None], kind) == keys
