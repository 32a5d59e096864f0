"""What makes two runs the same run: the hash of every value that can change their results.

Sections and specifications say it themselves, by marks on their fields: `NotInId`, `AnyOrder`,
`FilePath` (see `srtbench.sections`). What is nothing (null, an empty list or mapping) stays out,
so that an option added later leaves older ids as they were.
"""

import functools
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from srtbench.plan.specs import RunSpec
from srtbench.sections import AnyOrder, FilePath, NotInId, marked, slug


def run_id_of(spec: RunSpec) -> str:
    """Id of a run: readable labels, its seed, and the hash of what can change its results.

    The specification may be one that was read from a config.json: the id a run has is the id its
    folder must have.
    """
    labels = (spec.model_label, spec.dataset_label, spec.variant_label)
    readable = "-".join(slug(label)[:32] for label in labels)
    return f"{readable}-s{spec.seed}-{content_id(spec)}"


def content_id(section: BaseModel) -> str:
    """Hash of what can change a result in a section or specification."""
    return digest(_content(section))


def digest(content: Any) -> str:
    """First 8 hexadecimal digits of the SHA-256 of canonical JSON."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def paths_in(section: BaseModel) -> Iterator[str]:
    """The paths in a section, at any depth."""
    paths = marked(type(section), FilePath)
    for name in type(section).model_fields:
        value = getattr(section, name)
        if name in paths and value is not None:
            yield value
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, BaseModel):
                yield from paths_in(part)


def _content(value: Any) -> Any:
    if isinstance(value, BaseModel):
        kind = type(value)
        left_out, paths = marked(kind, NotInId), marked(kind, FilePath)
        any_order, found = marked(kind, AnyOrder), {}
        for name in kind.model_fields:
            item, mark = getattr(value, name), left_out.get(name)
            nothing = item is None or (isinstance(item, tuple | dict) and not item)
            if nothing or (mark is not None and not mark.keys):
                continue
            if mark is not None:
                item = {key: one for key, one in item.items() if key not in mark.keys}
            found[name] = fingerprint(item) if name in paths else _content(item)
            if name in any_order:
                found[name] = sorted(found[name], key=digest)
        return found
    if isinstance(value, tuple):
        return [_content(item) for item in value]
    return to_jsonable_python(value)


def fingerprint(path: str) -> str:
    """Hash of the content of a file, or of every file of a folder (weights take a few seconds).

    ``FILE.py:CLASS`` is the content of the file and the name of the class.
    """
    place, rest = FilePath.split(path)
    return f"{_fingerprint(place)}{rest}"


def _fingerprint(place: Path) -> str:
    if place.is_dir():
        files = [entry for entry in sorted(place.iterdir()) if entry.is_file()]
        text = "".join(f"{entry.name}:{_fingerprint(entry)};" for entry in files)
        return hashlib.sha256(text.encode()).hexdigest()
    if not place.is_file():
        return f"missing:{place.name}"
    state = place.stat()
    return _of_file(place, state.st_size, state.st_mtime_ns)


@functools.cache
def _of_file(place: Path, size: int, changed: int) -> str:
    """Hash of a file, remembered for as long as its size and time of change are these."""
    found = hashlib.sha256()
    with place.open("rb") as source:
        while block := source.read(1 << 20):
            found.update(block)
    return found.hexdigest()
