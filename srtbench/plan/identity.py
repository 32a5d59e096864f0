"""What makes two runs the same run: the hash of every value that can change their results."""

import functools
import hashlib
import json
from pathlib import Path
from typing import Any

RUN_CONTENT = (
    *("model", "dataset", "variant", "seed", "train", "eval", "starts_from"),
    "eval_sets",
)
"""Fields of a run's specification that its id is the hash of."""

# Overrides are already merged into a run's own sections; a permission changes no result.
_LABELS = {"name", "train", "eval", "allow_many_answers"}

# What others are given as it is written: null is a value there.
_PASSED_ON = {"trl", "config", "level_rule", "options"}

# Options of TRL that say where a run's numbers are shown.
_REPORTING = {"report_to", "run_name", "project"}


def content_hash(content: Any) -> str:
    """First 8 hexadecimal digits of the SHA-256 of canonical JSON."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def result_content(dump: dict[str, Any]) -> dict[str, Any]:
    """What counts of a dump: no labels or overrides; files by their content, not their place.

    A key that is null stays out, so that an option added later leaves older ids as they were.
    """
    content: dict[str, Any] = _without_nulls(dump)
    for axis in ("model", "dataset", "variant"):
        if content.get(axis):
            content[axis] = _section_content(content[axis])
    train = content.get("train")
    if train and train.get("trl"):
        options = {k: v for k, v in train["trl"].items() if k not in _REPORTING}
        content["train"] = train | {"trl": options}
    if sets := content.pop("eval_sets", None):
        content["eval_sets"] = sorted(map(_set_content, sets), key=lambda one: str(one["label"]))
    return content


def _set_content(section: dict[str, Any]) -> dict[str, Any]:
    """An evaluation set; its label counts, because the run's folder has it as a name."""
    content = {key: value for key, value in section.items() if key != "needs"}
    return content | {"dataset": _section_content(section["dataset"])}


def _section_content(section: dict[str, Any]) -> dict[str, Any]:
    content = {k: v for k, v in section.items() if k not in _LABELS}
    for key in ("path", "eval_path"):
        if content.get(key):
            content[key] = _fingerprint(content[key])
    if content.get("parts"):
        content["parts"] = [_section_content(part) for part in content["parts"]]
    return content


def _without_nulls(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: v if key in _PASSED_ON else _without_nulls(v)
        for key, v in value.items()
        if v is not None
    }


@functools.cache
def _fingerprint(path: str) -> str:
    """Hash of the content of a file, or of every file of a folder (weights take a few seconds).

    ``FILE.py:CLASS`` is the content of the file and the name of the class.
    """
    place = Path(path)
    source_file, _, class_name = path.rpartition(":")
    if source_file.endswith(".py"):
        return f"{_fingerprint(source_file)}:{class_name}"
    digest = hashlib.sha256()
    if place.is_file():
        with place.open("rb") as source:
            while block := source.read(1 << 20):
                digest.update(block)
    elif place.is_dir():
        for entry in sorted(place.iterdir()):
            if entry.is_file():
                digest.update(f"{entry.name}:{_fingerprint(str(entry))};".encode())
    else:
        return f"missing:{place.name}"
    return digest.hexdigest()
