"""Dotted paths into records: ``response.output[-1].content[0].text``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from srtbench.rollouts.importers.row import parsed

Steps = tuple[str | int, ...]

_STEP = re.compile(r"\.?([^.\[\]]+)|\[(-?\d+)\]|\[['\"]([^'\"]+)['\"]\]")
_INDEX = re.compile(r"-?\d{1,9}")


def parse_path(path: str) -> Steps:
    """The keys and list indices of a path.

    Raises:
        ValueError: it is none.
    """
    steps: list[str | int] = []
    at = 0
    while at < len(path):
        match = _STEP.match(path, at)
        if match is None or (path[at] == "." and at == 0):
            raise ValueError(f"{path!r} is no path like answer.text or output[-1].content[0].text")
        key, index, quoted = match.groups()
        steps.append(int(index) if index is not None else quoted if quoted is not None else key)
        at = match.end()
        if at < len(path) and path[at] not in ".[":
            raise ValueError(f"{path!r} is no path like answer.text or output[-1].content[0].text")
    if not steps or path.endswith("."):
        raise ValueError(f"{path!r} is no path like answer.text or output[-1].content[0].text")
    return tuple(steps)


def look_up(record: Any, steps: Steps, whole: str | None = None) -> Any:
    """What stands there; None where nothing does.

    Keys may have points in them, and stand in texts that are JSON; ``a.0`` is ``a[0]``.

    Args:
        whole: the path as written, tried as one key first.
    """
    if whole is not None and isinstance(record, Mapping) and whole in record:
        return record[whole]
    at = 0
    while at < len(steps):
        step = steps[at]
        at += 1
        if isinstance(record, str) and record.lstrip()[:1] in ("{", "["):
            record = parsed(record)
        if isinstance(record, Mapping):
            name = str(step)
            while name not in record:
                if at == len(steps) or not isinstance(steps[at], str):
                    return None
                name = f"{name}.{steps[at]}"
                at += 1
            record = record[name]
        elif isinstance(record, Sequence) and not isinstance(record, str | bytes):
            if isinstance(step, str) and not _INDEX.fullmatch(step):
                return None
            place = int(step)
            if not -len(record) <= place < len(record):
                return None
            record = record[place]
        else:
            return None
    return record
