"""Speed of an import: a log of verl against math-verify, memory, and an append.

    python benchmarks/import_speed.py [--rollouts 1000000] [--graded 4000]

Writes a log of verl (V1) of N rollouts of 300 characters, in groups of 16 whose answers are those
of MATH in mixed spellings, imports it in a process of its own, appends 1%, and imports again, in
another process, which then appends a further 1%, as --watch does. The same command once more finds
nothing new, and is set beside `srtbench --help`. Then, in this process, some groups are graded with
math-verify: each answer parsed, then `verify` against the gold answer and against one member of
every class found so far. Ratios of rates.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from answer_keys import golds, group

GROUPS_PER_STEP, SIZE, CHARACTERS = 64, 16, 300
_IMPORT = """
import json, pathlib, resource, sys, time
import srtbench
log, out, *later = map(pathlib.Path, sys.argv[1:])
done = []
for more in (None, *later):
    if more is not None:
        for file in more.iterdir():
            file.rename(log / file.name)
    began, spent = time.monotonic(), time.process_time()
    result = srtbench.import_rollouts(log, out=out, labels={"variant": "srt"})
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    seconds, spent = time.monotonic() - began, time.process_time() - spent
    done.append([seconds, spent, peak, result.rows, result.total])
print(json.dumps(done))
"""


class Import(NamedTuple):
    """Seconds on the clock and of CPU, peak memory in GiB, new and all rollouts."""

    seconds: float
    cpu: float
    peak: float
    new: int
    total: int


def steps(seed: int) -> Iterator[list[dict[str, object]]]:
    """Training steps of a log, without end; the texts differ, and so do the prompts."""
    rng, known, step = random.Random(seed), golds(), 0
    while True:
        step += 1
        records: list[dict[str, object]] = []
        for number in range(GROUPS_PER_STEP):
            gold = rng.choice(known)
            prompt = f"user\nProblem {rng.randrange(20_000)} of {gold}?\nassistant\n"
            for sample, answer in enumerate(group(gold, rng, SIZE)):
                end = f" so the answer is \\boxed{{{answer}}}."
                filler = f"{rng.random()} " * 20
                records.append(
                    {
                        "input": prompt,
                        "output": filler[: max(0, CHARACTERS - len(end))] + end,
                        "gts": gold,
                        "score": float(answer == gold),
                        "step": step,
                        "uid": f"{step}-{number}_{sample}_0",
                    }
                )
        yield records


def write(folder: Path, batches: Iterator[list[dict[str, object]]], count: int) -> int:
    """Write steps until there are ``count`` rollouts; returns how many there are."""
    folder.mkdir(parents=True, exist_ok=True)
    written = 0
    for records in batches:
        with (folder / f"{records[0]['step']}.jsonl").open("w", encoding="utf-8") as sink:
            sink.writelines(json.dumps(one) + "\n" for one in records)
        written += len(records)
        if written >= count:
            return written
    return written


def timed_import(log: Path, out: Path, *later: Path) -> list[Import]:
    """An import in a process of its own, then one after each of ``later`` was moved into the log.

    The CPU time of the first is that of the whole process but for the later ones: its start, and
    that of its worker for hard answers, are in it.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-c", _IMPORT, str(log), str(out), *map(str, later)],
        check=True,
        capture_output=True,
        text=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    first, *others = [Import(*one) for one in json.loads(done.stdout.splitlines()[-1])]
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return [first._replace(cpu=spent - sum(one.cpu for one in others)), *others]


def command_seconds(*arguments: str | Path, times: int = 5) -> float:
    """Seconds of CPU of a command, the least of several calls."""
    found = []
    for _ in range(times):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-m", "srtbench.cli", *map(str, arguments)]
        subprocess.run(command, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        found.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(found)


def pairwise_seconds(count: int) -> float:
    """Seconds to grade and to sort ``count`` rollouts into classes with math-verify."""
    from math_verify import parse, verify

    logging.getLogger("math_verify").setLevel(logging.CRITICAL)
    rows = [
        one for batch in islice(steps(0), 1 + count // (GROUPS_PER_STEP * SIZE)) for one in batch
    ]
    began = time.monotonic()
    for start in range(0, count, SIZE):
        part = rows[start : start + SIZE]
        gold = parse(f"\\boxed{{{part[0]['gts']}}}")
        classes: list[object] = []
        for one in part:
            answer = parse(str(one["output"]))
            verify(gold, answer)
            if not any(verify(known, answer) for known in classes):
                classes.append(answer)
    return time.monotonic() - began


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rollouts", type=int, default=1_000_000)
    parser.add_argument("--graded", type=int, default=4_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        log, out = Path(place) / "log", Path(place) / "out"
        batches = steps(0)
        written = write(log, batches, arguments.rollouts)
        (whole,) = timed_import(log, out)
        assert whole.new == written
        more = write(log, batches, written // 100)
        write(Path(place) / "later", batches, written // 100)
        again, watched = timed_import(log, out, Path(place) / "later")
        assert (again.new, again.total, watched.new) == (more, written + more, more)
        idle = command_seconds("import", log, "--out", out, "--label", "variant=srt")
        bare = command_seconds("--help")
    pairwise = pairwise_seconds(arguments.graded)
    own, theirs = whole.seconds / written, pairwise / arguments.graded
    rows_done = f"{written:,} rollouts of {CHARACTERS} characters"
    print(
        f"import of {rows_done}: {whole.seconds:.1f} s, {whole.cpu:.1f} s of CPU, "
        f"{1e6 * own:.0f} us each, peak {whole.peak:.2f} GiB"
    )
    print(
        f"appending {more:,} ({more / written:.1%}) in a process of its own: {again.cpu:.2f} s of "
        f"CPU, {again.cpu / whole.cpu:.1%}; in one that has imported before, as --watch: "
        f"{watched.cpu:.2f} s, {watched.cpu / whole.cpu:.1%}"
    )
    print(f"the same command with nothing new: {idle:.2f} s of CPU; srtbench --help: {bare:.2f} s")
    print(f"math-verify, pairwise, {arguments.graded:,} of them: {1e3 * theirs:.2f} ms each")
    print(f"the import is {theirs / own:.0f} times faster")
    own_peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"(this process, with math-verify: {own_peak:.2f} GiB)")


if __name__ == "__main__":
    main()
