"""Cost of answer keys: one training step, and bulk canonicalisation against math-verify.

    python benchmarks/answer_keys.py [--model FOLDER --tokens 64] [--answers N] [--all-pairs]
    python benchmarks/answer_keys.py --shared-golds

Part 1 times extraction, keys and votes for a step of 16 prompts x 32 completions with a cold
cache, as a share of the time that the model in FOLDER takes to generate such a step. Part 2 keys
N answers in groups of 32 and sorts the same groups into classes with math-verify: parse each
answer, then `verify` against one member of every class found so far (the cheap pairwise route;
`--all-pairs` compares all 496 pairs of a group and counts intransitive triples). Both sides run
in this process, one after the other, on the same answers.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import random
import re
import time
import warnings
from collections import Counter
from itertools import combinations
from pathlib import Path

from srtbench.answers import answer_keys, extract, keys
from srtbench.votes import VotingPolicy, vote

GROUP = 32
DATA = Path(
    os.environ.get("SRTBENCH_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data"
)
BUILT_IN = (
    "42", "-7", "1250", "3.75", r"\frac{14}{3}", r"\frac{\sqrt{3}}{3}", r"2\sqrt{5}", r"12\pi",
    "(8,-2)", r"\left(3, \frac{\pi}{2}\right)", r"(-\infty, 2) \cup (3, \infty)", r"\text{(B)}",
    r"1 \pm \sqrt{19}", r"\text{Evelyn}", "6+9i", "6r^2-4r-24", "y = 2x + 3", "2516_8", r"90^\circ",
    r"\begin{pmatrix} -1 & 0 \\ 0 & -1 \end{pmatrix}", "3, 5, 7", r"\$18.90", r"15\text{ cm}^2",
)  # fmt: skip


def golds() -> list[str]:
    """MATH-500 gold answers when the file is there, else a built-in list of the same kinds."""
    path = DATA / "math500.jsonl"
    if not path.exists():
        return list(BUILT_IN)
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line)["answer"] for line in lines]


def spelling(gold: str, rng: random.Random) -> str:
    """The same answer as another completion might write it."""
    choice = rng.randrange(6)
    if choice == 0:
        return re.sub(r"\\d?frac(?![a-z])", r"\\dfrac", gold)
    if choice == 1:
        return f"x = {gold}" if not re.search(r"[a-z=,]", re.sub(r"\\[a-z]+", "", gold)) else gold
    if choice == 2:
        return gold.replace("+", " + ").replace(",", ", ") if "!" not in gold else gold
    if choice == 3:
        return f"{gold}.0" if re.fullmatch(r"-?\d+", gold) else f"${gold}$"
    if choice == 4:
        return re.sub(r"\\frac\{(\d+)\}\{(\d+)\}", r"\1/\2", gold)
    return gold


def wrong(gold: str, rng: random.Random) -> str:
    """A wrong answer near the gold one: a digit or a sign changed."""
    places = [at for at, char in enumerate(gold) if char.isdigit()]
    if not places or rng.random() < 0.15:
        return rng.choice([str(rng.randrange(200)), rf"\frac{{{rng.randrange(1, 30)}}}{{7}}"])
    at = rng.choice(places)
    changed = gold[:at] + str(rng.randrange(1, 10)) + gold[at + 1 :]
    return f"-{changed}" if rng.random() < 0.2 and changed[0].isdigit() else changed


def group(gold: str, rng: random.Random, size: int = GROUP) -> list[str]:
    """Answers of one prompt: about half right in mixed spellings, the rest a few wrong ones."""
    misses = [wrong(gold, rng) for _ in range(6)]
    return [spelling(gold if rng.random() < 0.5 else rng.choice(misses), rng) for _ in range(size)]


def vote_share(found: list[str | None]) -> float:
    """Majority share, by the library's own rule."""
    return vote(found, VotingPolicy()).share


def generation_seconds(model: str, tokens: int) -> float:
    """Time to sample the step with a model folder: 16 prompts x 32 completions, float32."""
    from srtbench.config.models import LocalModel
    from srtbench.engines.transformers import TransformersEngine
    from srtbench.models.load import load_policy

    policy, tokenizer = load_policy(LocalModel(path=model))
    prompts = [tokenizer(f"Compute {n} * {n + 7} step by step.")["input_ids"] for n in range(16)]
    started = time.perf_counter()
    sampled = TransformersEngine(policy, tokenizer, batch_size=256).sample(
        prompts, samples=GROUP, temperature=1.0, max_completion_length=tokens, seed=0
    )
    count = sum(len(completion.token_ids) for row in sampled for completion in row)
    seconds = time.perf_counter() - started
    print(f"generation: {seconds:.0f} s for {count} tokens in 512 completions of <= {tokens}")
    return seconds


def step(answers: list[list[str]], generation: float | None) -> None:
    """Part 1: completions to votes for one step."""
    filler = "We compute step by step and simplify the expression carefully. " * 8
    texts = [[f"{filler}\nThe answer is $\\boxed{{{a}}}$." for a in row] for row in answers]
    vote_share(["1"])
    keys._sandbox.close()
    for label in ("first step, worker started", "later step, cold cache", "same step, warm cache"):
        if "cold" in label:
            keys._cache.clear()
        started = time.perf_counter()
        extracted = [[extract(text) or "" for text in row] for row in texts]
        found = answer_keys([answer for row in extracted for answer in row])
        shares = [
            vote_share([key for key, _ in found[at : at + GROUP]])
            for at in range(0, len(found), GROUP)
        ]
        seconds = time.perf_counter() - started
        line = f"  {label}: {seconds * 1000:.0f} ms for {len(found)} answers"
        if generation:
            line += f", {100 * seconds / generation:.2f}% of generation"
        print(f"{line} (mean vote share {sum(shares) / len(shares):.2f})")
    print(f"  statuses: {dict(Counter(status for _, status in found))}")


def classes_of_math_verify(row: list[str], all_pairs: bool) -> tuple[list[list[int]], int]:
    """Classes of a group by first fit, and the intransitive triples (with ``all_pairs``)."""
    from math_verify import parse, verify

    parsed = [parse(f"$\\boxed{{{answer}}}$") for answer in row]
    found: list[list[int]] = []
    equal = {}
    if all_pairs:
        for i, j in combinations(range(len(row)), 2):
            equal[i, j] = verify(parsed[i], parsed[j])
    for index, value in enumerate(parsed):
        for members in found:
            first = members[0]
            if equal[first, index] if all_pairs else verify(parsed[first], value):
                members.append(index)
                break
        else:
            found.append([index])
    triples = 0
    if all_pairs:
        for i, j, k in combinations(range(len(row)), 3):
            triples += equal[i, j] + equal[j, k] + equal[i, k] == 2
    return found, triples


def bulk(rows: list[list[str]], all_pairs: bool, show: int) -> None:
    """Part 2: keys against math-verify on the same groups."""
    from math_verify import parse

    parse("$1$")
    answer_keys([r"\sqrt{8}"])
    total = sum(map(len, rows))
    seconds = {}
    for label, clear in (("cache emptied before every group", True), ("cache kept", False)):
        keys._cache.clear()
        started = time.perf_counter()
        ours = []
        for row in rows:
            if clear:
                keys._cache.clear()
            ours.append([key for key, _ in answer_keys(row)])
        seconds[label] = time.perf_counter() - started
    started = time.perf_counter()
    theirs = [classes_of_math_verify(row, all_pairs) for row in rows]
    reference = time.perf_counter() - started
    print(f"  math-verify, {'all pairs' if all_pairs else 'first fit'}: {reference:.1f} s")
    for label, value in seconds.items():
        rate = total / value
        print(f"  keys, {label}: {value:.2f} s, {rate:.0f}/s, {reference / value:.0f}x faster")
    counts: Counter[str] = Counter()
    examples: dict[str, Counter[tuple[str, str]]] = {
        "only keys": Counter(),
        "only verify": Counter(),
    }
    for row, found, (groups, triples) in zip(rows, ours, theirs, strict=True):
        counts["intransitive triples"] += triples
        number = {index: n for n, members in enumerate(groups) for index in members}
        for i, j in combinations(range(len(row)), 2):
            mine = found[i] is not None and found[i] == found[j]
            other = number[i] == number[j]
            counts["pairs"] += 1
            counts["agree"] += mine == other
            if mine != other:
                examples["only keys" if mine else "only verify"][row[i], row[j]] += 1
    print(
        f"  pairs that agree: {counts['agree']} of {counts['pairs']}"
        f" ({100 * counts['agree'] / counts['pairs']:.2f}%); "
        f"intransitive triples in math-verify: "
        f"{counts['intransitive triples'] if all_pairs else 'not counted'}"
    )
    for label, pairs in examples.items():
        print(f"  merged by {label.split()[1]} only: {sum(pairs.values())} pairs")
        for (first, second), times in pairs.most_common(show):
            print(f"    {times:5d}  {first!r} / {second!r}")


def shared_golds() -> None:
    """Markdown table of the keys that differently written gold answers share, for a human read."""
    unique = sorted(set(golds()))
    by_key: dict[str | None, list[str]] = {}
    for gold, (key, _) in zip(unique, answer_keys(unique), strict=True):
        by_key.setdefault(key, []).append(gold)
    print(f"{len(unique)} different gold strings, {len(by_key)} keys")
    print("| key | gold answers |\n|---|---|")
    for key, members in sorted(by_key.items(), key=str):
        if len(members) > 1 or key is None:
            print(f"| `{key}` | {', '.join(f'`{member}`' for member in members)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="folder of a model that generates the step of part 1")
    parser.add_argument("--tokens", type=int, default=64, help="completion length of that step")
    parser.add_argument("--answers", type=int, default=10_000, help="number of answers in part 2")
    parser.add_argument("--all-pairs", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", type=int, default=12, help="disagreeing pairs to list")
    parser.add_argument("--shared-golds", action="store_true", help="only list shared keys")
    args = parser.parse_args()
    if args.shared_golds:
        shared_golds()
        return
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    rng = random.Random(args.seed)
    pool = golds()
    print(f"one step: 16 prompts x {GROUP}")
    generation = generation_seconds(args.model, args.tokens) if args.model else None
    step([group(gold, rng) for gold in rng.choices(pool, k=16)], generation)
    print(f"bulk: {args.answers} answers in groups of {GROUP}")
    sizes = [GROUP] * (args.answers // GROUP) + [args.answers % GROUP] * bool(args.answers % GROUP)
    bulk([group(rng.choice(pool), rng, size) for size in sizes], args.all_pairs, args.show)


if __name__ == "__main__":
    main()
