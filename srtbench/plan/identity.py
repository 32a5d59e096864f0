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
from srtbench.sections import AnyOrder, FilePath, NotInId, folder_part, marked

Texts = dict[int, tuple[Any, str]]
"""Canonical JSON of values that many runs share, by identity; each value is kept, so none moves."""


def run_id_of(spec: RunSpec, texts: Texts | None = None) -> str:
    """Id of a run: readable labels, its seed, and the hash of what can change its results.

    The specification may be one that was read from a config.json: the id a run has is the id its
    folder must have.
    """
    labels = (spec.model_label, spec.dataset_label, spec.variant_label)
    readable = "-".join(_part(label) for label in labels)
    return f"{readable}-s{spec.seed}-{content_id(spec, texts)}"


def content_id(section: BaseModel, texts: Texts | None = None) -> str:
    """Hash of what can change a result in a section or specification.

    Args:
        texts: of a plan, whose runs and stages share their sections: each is read once.
    """
    return _hash(_of_fields(section, {} if texts is None else texts))


def digest(content: Any) -> str:
    """First 8 hexadecimal digits of the SHA-256 of canonical JSON."""
    return _hash(_json(content))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


_json = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


_part = functools.cache(folder_part)


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


def _canonical(value: Any, texts: Texts) -> str:
    """Canonical JSON of what can change a result."""
    if not isinstance(value, BaseModel | tuple):
        return _json(to_jsonable_python(value))
    known = texts.get(id(value))
    if known is not None:
        return known[1]
    if isinstance(value, BaseModel):
        text = _of_fields(value, texts)
    else:
        text = f"[{','.join([_canonical(item, texts) for item in value])}]"
    texts[id(value)] = (value, text)
    return text


def _of_fields(section: BaseModel, texts: Texts) -> str:
    parts = []
    for name, mark, is_path, any_order in _fields(type(section)):
        item = getattr(section, name)
        if item is None or (isinstance(item, tuple | dict) and not item):
            continue
        if mark is not None:
            item = {key: one for key, one in item.items() if key not in mark.keys}
        if is_path:
            text = _json(fingerprint(item))
        elif any_order:
            text = f"[{','.join(sorted([_canonical(one, texts) for one in item], key=_hash))}]"
        else:
            text = _canonical(item, texts)
        parts.append(f'"{name}":{text}')
    return f"{{{','.join(parts)}}}"


@functools.cache
def _fields(kind: type[BaseModel]) -> list[tuple[str, NotInId | None, bool, bool]]:
    """Fields in the order of canonical JSON; what is left out of them; paths; lists of any order.

    Without those that are left out whole.
    """
    left_out, paths = marked(kind, NotInId), marked(kind, FilePath)
    any_order = marked(kind, AnyOrder)
    return [
        (name, left_out.get(name), name in paths, name in any_order)
        for name in sorted(kind.model_fields)
        if name not in left_out or left_out[name].keys
    ]


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
