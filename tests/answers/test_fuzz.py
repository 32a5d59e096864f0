"""50,000 hostile strings: no crash, no hang, bounded memory, and a status for each."""

import random
import resource
import time

import pytest

from srtbench.answers import STYLES, answer_key, answer_keys, extract

COUNT = 50_000
BATCH = 500
SEEDS = (
    r"\frac{1}{2}", r"\sqrt{2}", r"\left(\frac{3}{5},\frac{8}{3}\right]", r"\{1\pm\sqrt{5},-2\}",
    r"\begin{pmatrix} -1 & 0 \\ 0 & -1 \end{pmatrix}", r"x^5 - x^4 + 1", r"\text{(B)}", "58,500",
    r"\frac{270}7\text{ degrees}", r"x \in [-2,7]", "5x - 7y + 11z + 4 = 0", r"\log_2 8", "2516_8",
    r"e^{i\pi/3}", r"\sin 30^\circ", r"\binom{5}{2}", "3:30 pm", r"\boxed{\frac12}", r"1,\!234",
)  # fmt: skip
TOKENS = (
    r"\frac", r"\sqrt", r"\left(", r"\right)", r"\text{", r"\pi", r"\cdot", r"\pm", r"\cup", r"\{",
    r"\}", "{", "}", "(", ")", "[", "]", "^", "_", "!", "|", "+", "-", "*", "/", "=", "<", r"\le",
    ",", ".", "1", "2", "12", "9", "x", "y", "i", "e", r"\ln", r"\sin", r"\circ", "%", "&", r"\\",
    r"\begin{pmatrix}", r"\end{pmatrix}", "cm", "and", "or", " ", "$", r"\infty", r"\overline",
    r"\binom", ":", "...", "\n", r"\boxed{", "no", "\u00bd", "\u221a", "\u03c0",
)  # fmt: skip


def _one(rng: random.Random) -> str:
    shape = rng.randrange(9)
    seed = rng.choice(SEEDS)
    if shape == 0:
        return "".join(chr(rng.randrange(32, 127)) for _ in range(rng.randrange(60)))
    if shape == 1:
        return seed[: rng.randrange(len(seed))]
    if shape == 2:
        at = rng.randrange(len(seed))
        return seed[:at] + rng.choice(TOKENS) + seed[at + rng.randrange(3) :]
    if shape == 3:
        return rng.choice(TOKENS) * rng.randrange(1, 400)
    if shape == 4:
        return "".join(rng.choice(TOKENS) for _ in range(rng.randrange(1, 25)))
    if shape == 5:
        codes = (rng.randrange(0x20, 0x10FFFF) for _ in range(rng.randrange(40)))
        return "".join(chr(code) for code in codes if not 0xD800 <= code < 0xE000)
    if shape == 6:
        return seed + rng.choice(("\x00", "\x1b", "\ud800", "\ufeff", "\u202e", "\r\n"))
    if shape == 7:
        return rng.choice(SEEDS) + rng.choice(TOKENS) + rng.choice(SEEDS)
    base = str(rng.randrange(1, 10**6))
    return base + rng.choice(("!", "!" * 9, "^" + base, "^{" * 9 + base, "^{9^{9^9}}", "e" + base))


def _huge(rng: random.Random) -> str:
    return (rng.choice(TOKENS + SEEDS) * 1_000_000)[:1_000_000]


def test_fifty_thousand_hostile_strings() -> None:
    rng = random.Random(20251122)
    started = time.monotonic()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    statuses: dict[str, int] = {}
    for first in range(0, COUNT, BATCH):
        batch = [_one(rng) for _ in range(BATCH - 1)] + [_huge(rng)]
        for text, (key, status) in zip(batch, answer_keys(batch), strict=True):
            statuses[status] = statuses.get(status, 0) + 1
            assert (key is None) == (status != "ok")
            assert key is None or (key.strip() and len(key) <= 4_000), text
        for text in batch[:20]:
            assert extract(text, STYLES[first // BATCH % len(STYLES)]) != ""
    assert sum(statuses.values()) == COUNT
    assert statuses.get("error", 0) == 0
    assert statuses.get("timeout", 0) <= 5
    grown_mib = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown_mib < 150
    assert time.monotonic() - started < 90


def test_keys_of_hostile_strings_are_their_own_keys() -> None:
    rng = random.Random(7)
    texts = [_one(rng) for _ in range(3_000)]
    keys = [key for key, _ in answer_keys(texts) if key is not None]
    assert [key for key, _ in answer_keys(keys)] == keys


@pytest.mark.parametrize(
    "answer",
    [
        "9^{9^{9^9}}", "9^9^9^9", "{" * 100_000, "{" * 9_999 + "}" * 9_999, "(" * 999, "100000!",
        "9!!!!!!!!", "((9!)!)!", "1" * 1_000_000, "-" * 1_900, r"\sqrt" * 300, "x^" * 600 + "x",
        r"\frac{1}{" * 20 + "2" + "}" * 20, "|" * 1_000, r"\text{" * 100_000, "\x00" * 1_000_000,
        r"10^{-10^{10}}", r"\binom{10^9}{5\cdot 10^8}", r"(x+y+z+w)^{500}", r"2^{2^{2^{2^{2^2}}}}",
        "+".join(rf"\frac{{1}}{{a_{{{k}}}+b_{{{k}}}}}" for k in range(40)),
        "+".join(rf"\sqrt{{{k}}}" for k in range(2, 99)),
        r"\frac{1}{" + "+".join(rf"\sqrt{{{p}}}" for p in (2, 3, 5, 7, 11, 13, 17, 19)) + "}",
        r"\sin(" * 23 + "x" + ")" * 23, r"e^{e^{e^{e^9}}}-1", r"\lfloor e^{e^{e^{9}}} \rfloor",
        r"|e^{e^{e^{9}}} - \pi^{\pi^{\pi^9}}|", r"\sqrt[31]{x+\sqrt[31]{y}}", r"(1+i)^{8000}",
        r"\ln(" + "7" * 900 + ")", r"\sqrt{" + "7" * 900 + "}", r"\sin(10^{900})",
    ],
    ids=range(32),
)  # fmt: skip
def test_pathological_answers_cost_a_bounded_time(answer: str) -> None:
    answer_key(r"\sqrt{8}")
    started = time.monotonic()
    key, status = answer_keys([answer])[0]
    assert time.monotonic() - started < 8
    assert status in {"ok", "unparsable", "timeout"}
    assert answer_key(r"\sqrt{8}") == "2*sqrt(2)"
    assert key is None or len(key) <= 4_000
