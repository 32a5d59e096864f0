"""The worker: reads chunks of answers as JSON lines, writes one reply line per answer.

Two processes. The first imports sympy and then only forks: it reads no answer. Its child answers.
The child cannot run code made from text: an audit hook refuses that (see ``docs/answers.md``). A
kernel timer that counts the child's own CPU time ends it when one answer takes too long, so a busy
or stopped machine changes nothing; the first process says so and forks a fresh child, whose state
no earlier answer has touched.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import os
import re
import resource
import signal
import sys
import time
from typing import Any, BinaryIO

MEMORY_BYTES = 1 << 30
MAX_LINE_BYTES = 256_000
RENEW_AFTER = 20_000
_RENEW, _OUT_OF_MEMORY = 3, 4
_PR_SET_PDEATHSIG = 1
# The polynomial module compiles products of monomials from integers: this vocabulary only.
_MONOMIAL_CODE = re.compile(
    r"def monomial_[a-z]+\((?:[\s()+\-*<>=,:]|(?:return|if|else|None|[abr][0-9]+|[ABk0])\b)*",
    re.ASCII,
)
_FORBIDDEN = (
    "open", "os.", "subprocess.", "socket.", "ctypes.", "shutil.", "pty.", "import", "marshal.",
    "pickle.", "code.__new__", "urllib.", "http.", "ftplib.", "winreg.", "mmap.",
)  # fmt: skip
# Modules that sympy imports late; after start-up the audit hook refuses imports.
_LATE_MODULES = (
    "sympy.assumptions.ask",
    "sympy.assumptions.wrapper",
    "sympy.calculus.accumulationbounds",
    "sympy.combinatorics",
    "sympy.concrete.summations",
    "sympy.functions.special.hyper",
    "sympy.integrals.integrals",
    "sympy.physics.units",
    "sympy.sets.setexpr",
    "sympy.simplify.simplify",
    "sympy.tensor.tensor",
)
_WARM_UP = (
    r"\frac{\sqrt{2}}{2}+\frac{1}{1+i}",
    r"\sqrt{3+2\sqrt{2}}\cdot\sqrt[3]{5}+\frac{1}{\sqrt{2}+\sqrt{3}}",
    r"\frac{\ln 12}{\log_2 3}+e^{i\pi/3}+2^{x}",
    r"\frac{x^2-1}{x y-y}+\sin x\cot x+|x|+\binom{n}{k}+n!+\lfloor\frac{6}{e}\rfloor+\log 8",
    r"x+y\le\frac{\pi}{2}",
    r"\lceil e^{100} \rceil + f(x)",
    r"2x-1\le\frac{\pi}{2}",
)


def _restrict() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    for limit in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE):
        resource.setrlimit(limit, (0, 0))


def _end_with_parent() -> None:
    """Ask Linux to end this process with the one that forked it; elsewhere the pipe does it."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _forbid_code() -> None:
    """From now on: no files, processes, sockets, imports, and no compiling of text."""
    generated: set[Any] = set()

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event == "compile":
            source = args[0].decode() if isinstance(args[0], bytes) else args[0]
            if not (isinstance(source, str) and _MONOMIAL_CODE.fullmatch(source)):
                raise RuntimeError("refused: compile")
            generated.add("monomial")
        elif event == "exec":
            if not generated:
                raise RuntimeError("refused: exec")
            generated.clear()
        elif event.startswith(_FORBIDDEN):
            raise RuntimeError(f"refused: {event}")

    sys.addaudithook(hook)


def _answer(text: str, engine: Any) -> list[Any]:
    from srtbench.answers.lexer import MalformedError
    from srtbench.answers.math_keys import settle

    try:
        return ["ok", settle(text, engine)]
    except (MalformedError, RecursionError, OverflowError, ValueError):
        return ["unparsable", None]


def _prepare() -> Any:
    """Import all that an answer may need and let sympy fill its caches."""
    _restrict()
    from srtbench.answers.engine import SympyEngine

    for module in _LATE_MODULES:
        importlib.import_module(module)
    engine = SympyEngine()
    for text in _WARM_UP:
        _answer(text, engine)
    return engine


def _within(seconds: float, text: str, engine: Any) -> list[Any]:
    """The reply to one answer; the process ends when that takes more CPU time than allowed."""
    if seconds <= 0:
        signal.raise_signal(signal.SIGPROF)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        return _answer(text, engine)
    except MemoryError:
        os._exit(_OUT_OF_MEMORY)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def serve(requests: BinaryIO, replies: BinaryIO, engine: Any) -> int:
    """Answer chunks until the pipe closes; the exit code says whether to fork again."""
    _end_with_parent()
    _forbid_code()
    served = 0
    while line := requests.readline(MAX_LINE_BYTES):
        chunk = json.loads(line)
        started = time.process_time()
        for text in chunk["texts"]:
            before = time.process_time()
            spent = before - started
            seconds = chunk["seconds"] if spent <= chunk["left"] else chunk["short"]
            result = _within(seconds, text, engine)
            result.append(round(time.process_time() - before, 6))
            replies.write(json.dumps(result).encode() + b"\n")
            replies.flush()
            served += 1
        if served >= RENEW_AFTER:
            return _RENEW
    return 0


def _cause(status: int) -> str:
    """Why a child ended, from its wait status."""
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGPROF:
        return "time"
    return "memory" if os.WIFEXITED(status) and os.WEXITSTATUS(status) == _OUT_OF_MEMORY else "lost"


def _say(replies: BinaryIO, *reply: Any) -> None:
    replies.write(json.dumps(reply).encode() + b"\n")
    replies.flush()


def main() -> None:
    """Entry point of the process: prepare once, then one child after another."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    requests, replies = sys.stdin.buffer, sys.stdout.buffer
    engine = _prepare()
    _say(replies, "ready", None, 0.0)
    while True:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                code = serve(requests, replies, engine)
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else 1
        if code == 0:
            return
        if code != _RENEW:
            _say(replies, "died", _cause(status), 0.0)
