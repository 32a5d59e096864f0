"""Files that srtbench wrote: written whole or not at all, and checked where they are read."""

import contextlib
import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import psutil
from pydantic import TypeAdapter, ValidationError

from srtbench.config.errors import StoreError as StoreError
from srtbench.config.errors import require_regular

T = TypeVar("T")


SEAL = "seal"
"""Key of a file's seal. It tells an edit by hand or a mixed-up copy, and says nothing against
whoever seals a file anew."""


def seal_of(content: dict[str, Any]) -> str:
    """SHA-256 of everything else in a file's content."""
    rest = {key: value for key, value in content.items() if key != SEAL}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def seal_broken(content: dict[str, Any]) -> bool:
    """Whether a file that has a seal is not as it was written; older files have none."""
    return SEAL in content and content[SEAL] != seal_of(content)


def write_sealed(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON object with its seal."""
    plain = json.loads(json.dumps(content))  # as it will be read: tuples are lists, keys strings
    write_json(path, plain | {SEAL: seal_of(plain)})


def write_json(path: Path, content: Any, indent: int | None = 2) -> None:
    """Write JSON so that ``path`` is at any moment whole; without an indent it is much faster."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        # A lone surrogate, as an error message may quote one, becomes JSON's own escape of it.
        with temporary.open("w", encoding="utf-8", errors="backslashreplace") as sink:
            sink.write(json.dumps(content, indent=indent, ensure_ascii=False))
            sink.write("\n")
            sink.flush()
            os.fsync(sink.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        FileNotFoundError: there is no file. StoreError: it holds no JSON object.
    """
    require_regular(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        reason = error if isinstance(error, ValueError) else "nested too deeply"
        raise StoreError(f"{path}: not valid JSON ({reason})") from None
    if not isinstance(content, dict):
        raise StoreError(f"{path}: not a JSON object")
    return content


def refused(error: BaseException) -> bool:
    """Whether the system refuses (no right, full, read-only, broken): nothing is gone or damaged.

    pyarrow raises an `OSError` without a number for a damaged file.
    """
    gone = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR)
    return isinstance(error, OSError) and error.errno is not None and error.errno not in gone


_ADAPTERS: dict[Any, TypeAdapter[Any]] = {}


def checked(kind: type[T], value: Any, path: Path, *at: str, strict: bool = False) -> T:
    """JSON value ``value``, found in ``path`` under the keys ``at``, as ``kind``.

    Args:
        strict: no value of another type is converted, as "3" to 3.

    Raises:
        StoreError: it is not; the first wrong key is named.
    """
    try:
        if kind not in _ADAPTERS:
            _ADAPTERS[kind] = TypeAdapter(kind)
        adapter = _ADAPTERS[kind]
        if strict:
            text = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
            found = adapter.validate_json(text, strict=True)
        else:
            found = adapter.validate_python(value)
    except ValidationError as error:
        raise StoreError(f"{path}: {_in_words(error, at)}") from None
    return cast("T", found)


def _in_words(error: ValidationError, at: Sequence[str]) -> str:
    """The first mistake, and how many there are besides, in one line."""
    first, *others = error.errors(include_url=False, include_context=False)
    key = ".".join(map(str, (*at, *first["loc"]))) or "content"
    given = repr(first["input"])
    given = given if len(given) <= 40 else f"{given[:37]}..."
    words = {
        "missing": "is missing",
        "extra_forbidden": "is not known to this version of srtbench",
    }.get(first["type"])
    if words is None:
        message = first["msg"].removeprefix("Value error, ").splitlines()[0]
        words = f"{message[0].lower()}{message[1:]}, not {given}"
    more = f" (and {len(others)} more)" if others else ""
    return f"{key}: {words}{more}"


@contextlib.contextmanager
def held(path: Path, wait_seconds: float = 0) -> Iterator[None]:
    """Hold a lock file for this process; the system lets go of it however the process ends.

    Args:
        wait_seconds: how long to wait for another process.

    Raises:
        BlockingIOError: another live process holds it. StoreError: it is a symbolic link, which
            could be somebody else's file.
    """
    from filelock import FileLock, Timeout

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, blocking=False, fallback_to_soft=False)
    try:
        lock.acquire(timeout=wait_seconds, blocking=wait_seconds > 0)
    except Timeout:
        raise BlockingIOError(f"{path.parent} is in use by another process") from None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise StoreError(f"{path}: is a symbolic link, so it is not locked") from None
        raise
    try:
        yield
    finally:
        lock.release()


def remove_leftovers(folder: Path, *, deep: bool = True) -> None:
    """Remove temporary files of writes that a kill cut short; whoever calls holds the folder.

    Those of a process that lives stay: the sweep itself writes the status of a worker that ended.

    Args:
        deep: in the folders below, too.
    """
    for leftover in [*(folder.rglob if deep else folder.glob)(".*.tmp")]:
        pid = leftover.name.split(".")[-2]
        if pid.isdecimal() and psutil.pid_exists(int(pid)) and int(pid) != os.getpid():
            continue
        if leftover.is_dir() and not leftover.is_symlink():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)
