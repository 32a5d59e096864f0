"""Bounds: CPU time and not wall time, on every kind, with keys that no load changes."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from srtbench.answers import KINDS, answer_key, answer_key_status, answer_keys, keys, sandbox
from srtbench.answers.sandbox import Sandbox

SURDS = [rf"\sqrt{{{4 * n}}}" for n in (2, 3, 5, 6, 7, 10)]
EXPECTED = [("ok", f"2*sqrt({n})") for n in (2, 3, 5, 6, 7, 10)]
SLOW = [rf"|e^{{e^{{e^{n}}}}} - \pi^{{\pi^{{\pi^{n}}}}}|" for n in range(9, 60)]


@pytest.fixture
def box():
    made = Sandbox()
    yield made
    made.close()


def _processes(leader: int) -> list[int]:
    """The worker and the child it forked."""
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(leader)], capture_output=True, text=True, check=False
    )
    return [leader, *map(int, listed.stdout.split())]


def test_a_worker_that_is_stopped_for_three_seconds_gives_the_same_keys(box: Sandbox) -> None:
    assert box.ask(SURDS[:1]) == EXPECTED[:1]
    assert box.worker_pid is not None
    stopped = _processes(box.worker_pid)
    assert len(stopped) == 2
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)

    def wake() -> None:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)

    timer = threading.Timer(3.0, wake)
    timer.start()
    started = time.monotonic()
    assert box.ask(SURDS) == EXPECTED
    assert time.monotonic() - started > 2.5
    timer.join()
    assert _processes(box.worker_pid) == stopped


def test_a_timeout_is_retried_once_and_never_cached(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = r"\sqrt{68}"
    asked: list[list[str]] = []
    real = sandbox._Worker.write

    def write(worker, texts, seconds, left):
        asked.append(list(texts))
        real(worker, texts, 0.0 if len(asked) < 3 else seconds, left)

    monkeypatch.setattr(sandbox._Worker, "write", write)
    assert answer_key_status(answer) == (None, "timeout")
    assert asked == [[answer], [answer]]
    assert answer_key_status(answer) == ("2*sqrt(17)", "ok")
    asked.clear()
    assert answer_key_status(r"\sqrt{76}") == (None, "timeout")
    monkeypatch.setattr(sandbox._Worker, "write", real)
    assert answer_key_status(r"\sqrt{76}") == ("2*sqrt(19)", "ok")


def test_one_timeout_that_the_retry_mends_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    real = sandbox._Worker.write
    calls = iter([0.0])

    def write(worker, texts, seconds, left):
        real(worker, texts, next(calls, seconds), left)

    monkeypatch.setattr(sandbox._Worker, "write", write)
    assert answer_keys([r"\sqrt{92}", r"\sqrt{116}"]) == [
        ("2*sqrt(23)", "ok"),
        ("2*sqrt(29)", "ok"),
    ]


def test_a_batch_of_slow_answers_has_a_limit_of_its_own(
    box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "BATCH_SECONDS", 1.0)
    before = time.process_time()
    replies = box.ask([*SLOW, *SURDS])
    assert replies == [("timeout", None)] * len(SLOW) + EXPECTED
    assert time.process_time() - before < 2


def test_threads_do_not_wait_for_a_whole_batch(box: Sandbox) -> None:
    box.ask(SURDS[:1])
    slow = threading.Thread(target=box.ask, args=([*SLOW[:8]],))
    slow.start()
    time.sleep(0.3)
    assert box.ask(SURDS) == EXPECTED
    assert slow.is_alive()
    slow.join()


_MARKS = "a" + "\u0345" * 49_999 + "\u0334" * 50_000
HOSTILE = [
    _MARKS, ("a" + "\u0345" * 15 + "\u0334" * 15) * 3_200, "\u0344" * 30 + "a" * 99_000,
    "\u1e9e" * 100_000, "\ufdfa" * 100_000, r"\text{" * 16_000, r"\text" + " " * 99_000,
    "(" * 100_000, "A" + " " * 99_998 + "B", "A) " + "x " * 49_000, "A) " + ") " * 49_000,
    "A" + ",;" * 40_000, "A " + "and " * 20_000, "1" * 100_000, "0." + "(" * 50_000,
    "1" + " " * 99_000 + "/2", "1," * 50_000, "*" * 100_000, "**" + "a**" * 30_000,
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_texts_cost_every_kind_little(kind: str) -> None:
    for text in HOSTILE:
        before = time.process_time()
        answer_key(text, kind)
        assert time.process_time() - before < 0.2, (kind, text[:12])


_COSTLY = [
    r"(\log_8 422394)^{33}", r"(\ln 30030)^{40}", r"\lceil e^{300} \rceil", SLOW[0],
    r"\lceil e^{20000} \rceil", "2^{" * 20 + "x" + "}" * 20, r"\sin(\frac{\pi}{257})^{32}",
    r"\frac{1}{" + "+".join(rf"\sqrt[{n}]{{{n}}}" for n in range(3, 20)) + "}",
    r"(1+\sqrt2+\sqrt3+\sqrt5+\sqrt7)^{32}",
    r"\sqrt{2+\sqrt{3+\sqrt{5+\sqrt{7+\sqrt{11+\sqrt{13}}}}}}", r"\binom{200}{100}!", "x^{8000}+1",
    r"\frac{(x+y+z)^{9}}{(x-y)^{9}} + \frac{(x-z)^{9}}{(y+z)^{9}}", r"\cos(1)^{31}+\sin(1)^{31}",
    r"\tan(x+y)^{30}", r"(\ln 6 + \ln 10 + \ln 15)^{7}", r"\arctan(\frac{1}{239})^{32} i^{i}",
    r"f(" * 20 + "x" + ")" * 20, "+".join(rf"\frac{{1}}{{x+{n}}}" for n in range(14)),
]  # fmt: skip


def _costs(answers: list[str]) -> list[float]:
    """CPU seconds of each answer, with the worker's start, in a fresh process."""
    code = (
        "import json, os, sys; from srtbench.answers import answer_key_status, keys\n"
        "status = answer_key_status(json.loads(sys.argv[1]))[1]; keys._sandbox.close()\n"
        "assert status in {'ok', 'unparsable', 'timeout'}, status; times = os.times()\n"
        "print(times.user + times.system + times.children_user + times.children_system)"
    )
    return [
        float(
            subprocess.run(
                [sys.executable, "-c", code, json.dumps(answer)],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
        for answer in answers
    ]


def test_one_key_costs_less_than_three_seconds_with_the_start_of_the_worker() -> None:
    for answer, seconds in zip(_COSTLY[:4], _costs(_COSTLY[:4]), strict=True):
        assert seconds < 3, answer


def test_costly_answers_get_a_status_and_the_worker_goes_on() -> None:
    statuses = dict(zip(_COSTLY, (status for _, status in answer_keys(_COSTLY)), strict=True))
    assert set(statuses.values()) <= {"ok", "unparsable", "timeout"}
    assert statuses[r"\lceil e^{300} \rceil"] == statuses[r"(\log_8 422394)^{33}"] == "ok"
    assert answer_key(r"\sqrt{8}") == "2*sqrt(2)"


def test_a_number_with_more_digits_than_python_prints_is_no_error() -> None:
    for answer in ("9" * 1_001, r"2^{9000}", r"\lfloor e^{20000} \rfloor", r"10^{5000}+\pi"):
        assert answer_key_status(answer)[1] in {"ok", "unparsable"}, answer


def test_a_caller_deep_in_its_own_stack_gets_the_same_key() -> None:
    answer = "((((((1/2))))))"
    assert answer_key(r"\sqrt{8}") == "2*sqrt(2)"

    def dive(levels: int) -> str | None:
        return answer_key(answer) if levels == 0 else dive(levels - 1)

    depth = 0
    frame = sys._getframe()
    while frame is not None:
        depth, frame = depth + 1, frame.f_back
    assert dive(sys.getrecursionlimit() - depth - 120) == dive(1) == "1/2"
    assert keys._sandbox.worker_pid is not None
