"""Answers made by a grammar: the forms that models and data sets write, in all their spellings."""

import random

LETTERS = "abckmnpqrtxyz"
UNITS = (
    r"\text{ cm}",
    " kg",
    r"\mathrm{~N}",
    r"\text{ m/s}",
    r"^\circ",
    r"\%",
    " apples",
    "'",
    " Hz",
)
WORDS = (
    "Evelyn",
    r"\text{Tuesday}",
    "no",
    "B",
    "(C)",
    "ABD",
    r"\text{even}",
    "blue and red",
    "11th",
)


def integer(rng: random.Random) -> str:
    value = rng.choice((rng.randrange(20), rng.randrange(1000), rng.randrange(10**9)))
    shape = rng.randrange(7)
    if shape == 0:
        return f"{value:,}"
    if shape == 1:
        return f"{value}.0"
    if shape == 2:
        return f"{value:,}".replace(",", rng.choice(("{,}", r"\,", r",\!")))
    return str(value)


def number(rng: random.Random) -> str:
    top, bottom = rng.randrange(1, 60), rng.randrange(1, 40)
    sign = rng.choice(("", "", "-", "\u2212", "\u2013"))
    forms = (
        rf"\frac{{{top}}}{{{bottom}}}",
        f"{top}/{bottom}",
        f"{top}.{bottom}",
        f"{top} {1}/{bottom + 1}",
        rf"{top}\frac{{1}}{{{bottom + 1}}}",
        f"0.{top}({bottom})",
        rf"{top}.\overline{{{bottom}}}",
        f"{top}e-{bottom}",
        f"{top}.{bottom}e{bottom}",
        f"{top}E+{bottom % 9}",
        rf"{top} \times 10^{{{bottom % 12}}}",
        f"{top}\u00b2",
        f"10\u207b\u00b9\u00b2 \u00b7 {top}",
        f"{top}_{{{2 + bottom % 9}}}",
        "101_{(2)}",
        f"0,{top:03}",
        f"{top % 9 + 1},00,000",
        f"{top}!",
        f"{1000 + top}!",
        f"2^{{{top}}}",
        f"{top}:{bottom}",
        f"{top}th",
        f"{top}-{bottom}",
    )
    return sign + rng.choice((integer(rng), integer(rng), rng.choice(forms)))


def scalar(rng: random.Random, depth: int = 2) -> str:
    """A number, or now and then an expression with roots, letters and functions."""
    if depth == 0 or rng.random() < 0.55:
        return rng.choice((number(rng), rng.choice(LETTERS), str(rng.randrange(1, 30)), r"\pi"))
    first, second = scalar(rng, depth - 1), scalar(rng, depth - 1)
    small = rng.randrange(2, 12)
    letter, other = rng.sample(LETTERS, 2)
    forms = (
        f"{first} + {second}",
        f"{first} - ({second})",
        rf"\frac{{{first}}}{{{second}}}",
        rf"\sqrt{{{small}}}",
        rf"{small}\sqrt{{{small + 1}}}",
        rf"\sqrt[3]{{{letter}}}",
        f"{letter}^{small}",
        f"{small}{letter}({letter} + {small})",
        f"f({letter})",
        f"N(0)e^{{-{letter}}}",
        f"f(g({letter}))",
        f"g(f({letter}))",
        f"{letter}({small})",
        f"{letter}_{{{small}}}",
        f"({letter} + {other})^2",
        rf"\ln {small}",
        rf"\sin {letter}",
        rf"\log_{small} {small + 3}",
        rf"\lfloor {letter} \rfloor",
        rf"|{letter} - {small}|",
        rf"\sqrt{{\sqrt[3]{{{letter}}}}}",
        rf"{small} \cdot {letter}",
        f"{letter}'",
        f"{letter}_{{n+{small}}}",
    )
    return rng.choice(forms)


def relation(rng: random.Random) -> str:
    letter, other = rng.sample(LETTERS, 2)
    one, two = rng.randrange(1, 50), rng.randrange(1, 50)
    forms = (
        f"{letter} = {number(rng)}",
        f"{number(rng)} = {letter}",
        f"AB = {one}",
        f"f({letter}) = {scalar(rng)}",
        f"{letter} = {one} + {two} = {one + two}",
        f"-{letter} > -{one}",
        rf"{one} < {letter} \le {two}",
        f"{one}{letter} < {two}",
        f"{letter} = {one}, {other} = {two}",
        f"({letter},{other}) = ({one},{two})",
        f"{letter}={one},{other}={two};{letter}={two},{other}={one}",
        rf"{letter} \in [{one}, {two}]",
        f"{letter}:{other} = {one}:{two}",
        f"{letter} + {other} = {one}",
        rf"{letter} \ne {two}",
    )
    return rng.choice(forms)


def several(rng: random.Random) -> str:
    items = [number(rng) for _ in range(rng.randrange(2, 5))]
    opener, closer = rng.choice((("(", ")"), ("[", "]"), (r"\{", r"\}"), ("", ""), ("", "")))
    joint = rng.choice((", ", ",", ";", r" \text{ or } ", " and "))
    if rng.random() < 0.2:
        return "; ".join(f"{a}, {b}" for a, b in zip(items, reversed(items), strict=True))
    if rng.random() < 0.1:
        rows = r" \\ ".join(" & ".join(items) for _ in range(2))
        return rf"\begin{{pmatrix}} {rows} \end{{pmatrix}}"
    return opener + joint.join(items) + closer


def answer(rng: random.Random) -> str:
    """One answer. About one in twelve needs sympy, so that many can be tried in a minute."""
    draw = rng.random()
    if draw < 0.5:
        return number(rng)
    if draw < 0.6:
        return number(rng) + rng.choice(UNITS)
    if draw < 0.75:
        return several(rng)
    if draw < 0.88:
        return rng.choice(WORDS) + rng.choice(("", ".", "!", " "))
    if draw < 0.95:
        return relation(rng)
    return rng.choice(("", "x = ", "$")) + scalar(rng)


def answers(count: int, seed: int) -> list[str]:
    """Different answers, always the same for the same arguments."""
    rng = random.Random(seed)
    found: dict[str, None] = {}
    while len(found) < count:
        found[answer(rng)] = None
    return list(found)
