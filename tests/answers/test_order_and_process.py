"""50,000 answers of a grammar: a key depends on its answer and on nothing else.

One pass takes all of them in one call; the other, in a process of its own with another hash seed,
takes them shuffled in pieces of odd sizes. It stays below a minute of CPU time on one core, 55 s
measured on a busy machine, because nine of ten answers are settled as exact rationals or text,
without sympy.
"""

import json
import os
import random
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

from srtbench.answers import answer_key_status, answer_keys
from tests.answers.grammar import answers

COUNT = 50_000
SEED = 20261125
_SHUFFLED = """
import json, random, sys
from srtbench.answers import answer_keys
from tests.answers.grammar import answers
items = answers(int(sys.argv[1]), int(sys.argv[2]))
rng = random.Random(1)
rng.shuffle(items)
found = {}
while items:
    piece = [items.pop() for _ in range(min(len(items), rng.choice((1, 7, 33, 999))))]
    found.update(zip(piece, answer_keys(piece)))
json.dump(found, sys.stdout)
"""


def test_keys_depend_on_no_order_hash_seed_or_process() -> None:
    items = answers(COUNT, SEED)
    bulk = dict(zip(items, answer_keys(items), strict=True))
    done = subprocess.run(
        [sys.executable, "-c", _SHUFFLED, str(COUNT), str(SEED)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).resolve().parents[2],
        env={**os.environ, "PYTHONHASHSEED": "4711"},
    )
    shuffled = {answer: tuple(keyed) for answer, keyed in json.loads(done.stdout).items()}
    assert len(bulk) == COUNT
    differing = {a: (bulk[a], shuffled[a]) for a in items if bulk[a] != shuffled[a]}
    assert not differing
    assert {status for _, status in bulk.values()} <= {"ok", "unparsable"}
    singly = random.Random(2).sample(items, 200)
    assert [answer_key_status(answer) for answer in singly] == [bulk[a] for a in singly]
    keys = [key for key, _ in bulk.values() if key is not None]
    assert len(keys) > 0.99 * COUNT
    sample = random.Random(3).sample(keys, 3_000)
    assert [key for key, _ in answer_keys(sample)] == sample


def _written(value: Fraction, rng: random.Random) -> list[str]:
    """A decimal fraction as people, programs and Unicode write it."""
    scaled = value * 10**6
    assert scaled.denominator == 1
    plain = f"{float(value):.6f}".rstrip("0").rstrip(".")
    places = rng.randrange(1, 6)
    shifted = f"{float(value * 10**places):.6f}".rstrip("0").rstrip(".")
    raised = str(places).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return [
        plain,
        f"{shifted}e-{places}",
        f"{shifted}E-0{places}",
        rf"{shifted} \times 10^{{-{places}}}",
        f"{shifted} \u00d7 10\u207b{raised}",
        f"{shifted} x 10^-{places}",
        f"{value.numerator}/{value.denominator}",
        f"{plain}\\text{{ N}}",
    ]


def test_numbers_share_a_key_if_and_only_if_they_are_equal() -> None:
    rng = random.Random(5)
    values = {Fraction(rng.randrange(1, 10**5), 10 ** rng.randrange(1, 5)) for _ in range(2_000)}
    forms = {form: value for value in sorted(values) for form in _written(value, rng)}
    for form, (key, _) in zip(forms, answer_keys(list(forms)), strict=True):
        assert key == str(forms[form]), form
