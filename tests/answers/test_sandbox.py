"""The worker: bounded, replaceable, shared safely, and unable to run code."""

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from srtbench.answers import answer_key, answer_key_status, answer_keys, keys, sandbox
from srtbench.answers.sandbox import Sandbox

SURDS = [rf"\sqrt{{{4 * n}}}" for n in (2, 3, 5, 6, 7, 10)]
EXPECTED = [f"2*sqrt({n})" for n in (2, 3, 5, 6, 7, 10)]
SLOW = r"|e^{e^{e^9}} - \pi^{\pi^{\pi^9}}|"


def _run(code: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *options, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def _gone(pid: int, seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def box():
    made = Sandbox(seconds=1.0)
    yield made
    made.close()


def test_a_slow_answer_times_out_and_the_others_keep_their_keys(box: Sandbox) -> None:
    started = time.monotonic()
    replies = box.ask([SURDS[0], SLOW, SURDS[1], SLOW.replace("9", "8"), SURDS[2]])
    assert replies == [
        ("ok", EXPECTED[0]),
        ("timeout", None),
        ("ok", EXPECTED[1]),
        ("timeout", None),
        ("ok", EXPECTED[2]),
    ]
    assert time.monotonic() - started < 20


def test_every_answer_can_time_out() -> None:
    box = Sandbox(seconds=0.0)
    assert box.ask(SURDS[:3]) == [("timeout", None)] * 3
    box.close()


def test_a_killed_worker_is_replaced(box: Sandbox) -> None:
    assert box.ask(SURDS[:1]) == [("ok", EXPECTED[0])]
    assert box.worker_pid is not None
    os.kill(box.worker_pid, signal.SIGKILL)
    assert box.ask(SURDS[1:2]) == [("ok", EXPECTED[1])]


def test_a_worker_that_cannot_start_is_an_error(
    box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "_BOOT", "raise SystemExit(1)")
    assert box.ask(SURDS[:2]) == [("error", None)] * 2
    monkeypatch.setattr(sandbox, "_BOOT", "import time; time.sleep(60)")
    monkeypatch.setattr(sandbox, "WALL_SECONDS", 0.2)
    assert box.ask(SURDS[:1]) == [("error", None)]
    monkeypatch.undo()
    assert box.ask(SURDS[:1]) == [("ok", EXPECTED[0])]


def test_an_error_is_reported_and_not_cached(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = r"\sqrt{148}"
    with monkeypatch.context() as patch:
        patch.setattr(keys._sandbox, "ask", lambda texts: [("error", None)] * len(texts))
        assert answer_key_status(answer) == (None, "error")
    assert answer_key_status(answer) == ("2*sqrt(37)", "ok")


def test_a_large_batch_does_not_fill_the_pipe(box: Sandbox) -> None:
    texts = [rf"\sqrt{{{n}}}+\text{{\u00e9}}" + " " * 1_500 for n in range(200)]
    assert {status for status, _ in box.ask(texts)} <= {"ok", "unparsable"}


def test_limits_of_the_worker(box: Sandbox) -> None:
    box.ask(SURDS[:1])
    limits = Path(f"/proc/{box.worker_pid}/limits").read_text()
    rows = {line[:25].strip(): line[26:].split()[0] for line in limits.splitlines()[1:]}
    assert rows["Max address space"] == str(1 << 30)
    assert rows["Max file size"] == rows["Max core file size"] == "0"


def test_threads_share_one_worker() -> None:
    results: dict[int, list[str | None]] = {}

    def work(number: int) -> None:
        results[number] = [
            answer_key(rf"\sqrt{{{4 * n}}}+{number}\pi") for n in (2, 3, 5, 6, 7, 10)
        ]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2, 8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, found in results.items():
        assert found == answer_keys_of(number)


def answer_keys_of(number: int) -> list[str | None]:
    return [
        key
        for key, _ in answer_keys([rf"\sqrt{{{4 * n}}}+{number}\pi" for n in (2, 3, 5, 6, 7, 10)])
    ]


def _child(connection) -> None:
    before = keys._sandbox.worker_pid
    found = [answer_key(answer + "+0") for answer in SURDS]
    connection.send((before, found, keys._sandbox.worker_pid))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_daemonic_children_start_their_own_worker(method: str) -> None:
    assert [answer_key(answer) for answer in SURDS] == EXPECTED
    mine = keys._sandbox.worker_pid
    context = multiprocessing.get_context(method)
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_child, args=(sender,), daemon=True)
    child.start()
    before, found, theirs = receiver.recv()
    child.join()
    for end in (receiver, sender):
        end.close()
    assert before is None
    assert found == EXPECTED
    assert theirs not in {None, mine}
    assert _gone(theirs)
    assert keys._sandbox.worker_pid == mine
    assert answer_key(r"\sqrt{44}") == "2*sqrt(11)"


@pytest.mark.parametrize("ending", ["pass", "import os, signal; os.kill(os.getpid(), 9)"])
def test_the_worker_ends_with_its_parent(ending: str) -> None:
    done = _run(
        f"""
        from srtbench.answers import answer_key, keys
        answer_key(r"\\sqrt{{8}}")
        print(keys._sandbox.worker_pid, flush=True)
        {ending}
        """,
        "-W",
        "error",
    )
    assert done.stderr == ""
    assert _gone(int(done.stdout))


def test_a_busy_worker_ends_when_its_parent_is_killed() -> None:
    code = f"""
    import threading
    from srtbench.answers import answer_key, keys
    answer_key(r"\\sqrt{{8}}")
    print(keys._sandbox.worker_pid, flush=True)
    keys._sandbox._worker.write([{SLOW!r}], 2.0, 10.0)
    import os; os.kill(os.getpid(), 9)
    """
    done = _run(code)
    assert _gone(int(done.stdout), seconds=10)


INJECTIONS = [
    "__import__('os').system('touch PATH')",
    r"\mathrm{exec}(\text{open('PATH','w')})",
    "eval(compile('open(\"PATH\",\"w\")','','exec'))",
    "x.__class__.__mro__[1].__subclasses__()",
    r"\sqrt{open('PATH','w')}",
    r"\operatorname{system}(touch PATH)",
    "lambda: open('PATH','w')",
    r"\input{PATH}",
    r"\write18{touch PATH}",
    'f\'{open("PATH","w")}\'',
    "sin(__import__('os'))",
    "E.args; S.Infinity; Symbol('x')",
]


@pytest.mark.parametrize("template", INJECTIONS)
def test_model_text_is_never_evaluated(template: str, tmp_path: Path) -> None:
    target = tmp_path / "made"
    answer_key_status(template.replace("PATH", str(target)))
    assert not target.exists()


def test_the_audit_hook_refuses_code_files_and_processes() -> None:
    done = _run(
        r"""
        import sympy
        from sympy.parsing.sympy_parser import parse_expr
        from sympy.utilities.lambdify import lambdify
        from srtbench.answers import worker
        x = sympy.Symbol("x")
        import os, socket, subprocess
        attempts = {
            "eval": lambda: eval("1+1"),
            "exec": lambda: exec("y = 1"),
            "compile": lambda: compile("1", "", "eval"),
            "call in monomial": lambda: compile("def monomial_mul(A, B):\n open(A)", "", "exec"),
            "open": lambda: open("/etc/hostname"),
            "import": lambda: __import__("this"),
            "system": lambda: os.system("true"),
            "popen": lambda: subprocess.run(["true"]),
            "socket": lambda: socket.socket(),
            "listdir": lambda: os.listdir("."),
            "fork": lambda: os.fork(),
            "parse_expr": lambda: parse_expr("x + 1"),
            "sympify": lambda: sympy.sympify("x + 1"),
            "lambdify": lambda: lambdify(x, x + 1),
            "nsimplify": lambda: sympy.nsimplify(sympy.pi + 0.5),
        }
        for module in worker._LATE_MODULES:
            __import__(module)
        y = x**2 - 1
        worker._forbid_code()
        for name, attempt in attempts.items():
            try:
                attempt()
            except Exception as error:
                if "refused" not in str(error) + str(error.__cause__) + str(error.__context__):
                    print(name, "failed otherwise:", repr(error))
            else:
                print(name, "was allowed")
        print(sympy.Poly(y).div(sympy.Poly(x - 1))[0].as_expr())
        """
    )
    assert done.stdout.strip() == "x + 1", done.stdout + done.stderr
