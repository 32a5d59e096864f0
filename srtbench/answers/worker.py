"""The worker process: reads answers as JSON lines, writes ``[status, key]`` lines.

It holds no state between answers, opens nothing after start-up and cannot run code made from
text: an audit hook refuses that (see ``docs/answers.md``). A kernel timer ends the process when
one answer takes too long, even if the parent is gone.
"""

from __future__ import annotations

import importlib
import json
import re
import resource
import signal
import sys
from typing import Any, BinaryIO

MEMORY_BYTES = 1 << 30
MAX_LINE_BYTES = 64_000
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
    "sympy.assumptions.wrapper",
    "sympy.combinatorics",
    "sympy.sets.setexpr",
    "sympy.tensor.tensor",
)
_WARM_UP = (
    r"\frac{\sqrt{2}}{2}+\frac{1}{1+i}",
    r"\sqrt{3+2\sqrt{2}}\cdot\sqrt[3]{5}+\frac{1}{\sqrt{2}+\sqrt{3}}",
    r"\frac{\ln 12}{\log_2 3}+e^{i\pi/3}+2^{x}",
    r"\frac{x^2-1}{x y-y}+\sin x\cot x+|x|+\binom{n}{k}+n!+\lfloor\frac{6}{e}\rfloor+\log 8",
    r"x+y\le\frac{\pi}{2}",
)


def _restrict() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    for limit in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE):
        resource.setrlimit(limit, (0, 0))


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


def _answer(text: str, engine: Any) -> list[str | None]:
    from srtbench.answers.lexer import MalformedError
    from srtbench.answers.math_keys import settle

    try:
        return ["ok", settle(text, engine)]
    except (MalformedError, RecursionError, OverflowError):
        return ["unparsable", None]
    except MemoryError:
        return ["timeout", None]
    except Exception as error:
        return ["error", type(error).__name__]


def serve(requests: BinaryIO, replies: BinaryIO, seconds: float) -> None:
    """Answer requests until the parent closes the pipe."""
    _restrict()
    from srtbench.answers.engine import SympyEngine

    for module in _LATE_MODULES:
        importlib.import_module(module)
    engine = SympyEngine()
    for text in _WARM_UP:
        _answer(text, engine)
    _forbid_code()
    replies.write(b'["ready", null]\n')
    replies.flush()
    while line := requests.readline(MAX_LINE_BYTES):
        signal.setitimer(signal.ITIMER_REAL, seconds + 1.0)
        result = _answer(json.loads(line), engine)
        signal.setitimer(signal.ITIMER_REAL, 0)
        replies.write(json.dumps(result).encode() + b"\n")
        replies.flush()
        if result[0] == "timeout":
            return


def main() -> None:
    """Entry point of the process; the one argument is the time limit per answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    serve(sys.stdin.buffer, sys.stdout.buffer, float(sys.argv[1]))
