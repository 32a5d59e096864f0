"""Dotted paths into records: ``response.output[-1].content[0].text``."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

Steps = tuple[str | int, ...]

_STEP = re.compile(r"\.?([^.\[\]]+)|\[(-?\d+)\]|\[['\"]([^'\"]+)['\"]\]")


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

    Args:
        whole: the path as written, tried as one key first: columns may have points in their names.
    """
    if whole is not None and isinstance(record, Mapping) and whole in record:
        return record[whole]
    for step in steps:
        if isinstance(record, str) and record.lstrip()[:1] in ("{", "["):
            record = _parsed(record)  # cells of a CSV file may be JSON
        if isinstance(step, int):
            if not isinstance(record, Sequence) or isinstance(record, str | bytes):
                return None
            if not -len(record) <= step < len(record):
                return None
            record = record[step]
        elif isinstance(record, Mapping):
            if step not in record:
                return None
            record = record[step]
        else:
            return None
    return record


def _parsed(text: str) -> Any:
    """JSON in a cell; the text itself if it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
