"""Problems found in a sweep file: where, what is wrong, what is allowed, what was meant."""

import difflib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

NO_FILE = "is no regular file (a folder, a pipe, a device or a link to nothing)"


@dataclass(frozen=True)
class Problem:
    """One mistake in an input file; ``file``: that file, where several make up the input."""

    message: str
    key_path: tuple[str | int, ...] = ()
    line: int | None = None
    file: Path | None = None

    def __str__(self) -> str:
        where = [str(self.file)] if self.file is not None else []
        if self.line is not None:
            where.append(f"line {self.line}")
        if self.key_path:
            where.append(format_key_path(self.key_path))
        return ": ".join([", ".join(where), self.message]) if where else self.message


class ConfigError(ValueError):
    """An input file is wrong; every mistake found is in ``problems``.

    Attributes:
        rest: what was read of the file, less the entries at fault; None: nothing can be said of it.
    """

    def __init__(self, path: Path | str, problems: Sequence[Problem], rest: object = None):
        self.path = Path(path)
        self.problems = list(problems)
        self.rest = rest
        count = f"{len(problems)} problem" + ("s" if len(problems) != 1 else "")
        listed = [f"  {problem}".replace("\n", "\n  ") for problem in self.problems]
        super().__init__("\n".join([f"{path}: {count}", *listed]))


def format_key_path(key_path: Iterable[str | int]) -> str:
    """``("variants", 1, "train", "trl")`` -> ``variants[1].train.trl``."""
    text = ""
    for part in key_path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def allowed(given: object, choices: Iterable[str], limit: int = 40) -> str:
    """A sentence on the allowed values, with the nearest match to ``given``."""
    names = sorted(set(choices))
    listed = ", ".join(names[:limit]) + (f", ... ({len(names)} in all)" if names[limit:] else "")
    near = difflib.get_close_matches(str(given), names, n=1, cutoff=0.6)
    hint = f"did you mean '{near[0]}'? " if near else ""
    return f"{hint}Allowed: {listed}" if len(names) <= limit or not near else hint.strip()


class StoreError(ValueError):
    """A file that srtbench wrote is damaged; the message is one line and names file and key."""


def require_regular(path: Path) -> None:
    """Refuse what has the name of a file and is none, before it is opened.

    A pipe would be waited for without end, and a device such as ``/dev/zero`` read without end.

    Raises:
        StoreError: it is a folder, a pipe, a socket, a device, or a link to nothing. What is not
            there at all is left to whoever opens it.
    """
    if not path.is_file() and os.path.lexists(path):
        raise StoreError(f"{path}: {NO_FILE}")
