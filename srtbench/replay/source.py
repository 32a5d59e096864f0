"""Whether the Python file of a run's variant is what the run was trained with."""

import json
from pathlib import Path
from typing import Any, Literal

from srtbench.config.variants import PythonConfig, flat_parts
from srtbench.plan.identity import RUN_CONTENT, content_hash, result_content
from srtbench.store.runs import LoggedRun
from srtbench.variants.external import source_sha256

SOURCE_CHANGED = (
    "the file of the variant (or of the dataset or model) has changed since the run: their "
    "content no longer gives the run id"
)
SOURCE_UNKNOWN = (
    "the dataset's or model's file is not here, so whether the variant's file is still what the "
    "run used cannot be told"
)


def source_state(run: LoggedRun) -> Literal["same", "changed", "unknown"]:
    """Whether the Python file of the run's variant is what the run used; the run id tells.

    ``same`` for a variant without such a file.

    Raises:
        VariantError: there is no such file any more.
    """
    if not any(isinstance(part, PythonConfig) for part in flat_parts(run.spec.variant)):
        return "same"
    content = json.loads(run.folder.config_path.read_text(encoding="utf-8"))
    dump = {name: content["spec"].get(name) for name in RUN_CONTENT}
    dump["variant"] = content.get(TRAINED_VARIANT, dump["variant"])
    hashed = result_content(dump)
    hashed["variant"] = _with_sources(hashed["variant"], dump["variant"])
    if content_hash(hashed) == run.spec.run_id.rpartition("-")[2]:
        return "same"
    sections = [dump["model"], dump["dataset"]]
    sections += [one["dataset"] for one in dump.get("eval_sets") or []]
    files = [section.get(key) for section in sections for key in ("path", "eval_path")]
    return "changed" if all(Path(file).exists() for file in files if file) else "unknown"


TRAINED_VARIANT = "trained_variant"
"""Key of a revoted run's config.json: the entry that it was trained with."""


def _with_sources(hashed: dict[str, Any], section: dict[str, Any]) -> dict[str, Any]:
    """Python files by their content of this moment: what was hashed before may be remembered."""
    if section["type"] == "python":
        file, _, name = section["path"].rpartition(":")
        return hashed | {"path": f"{source_sha256(Path(file))}:{name}"}
    if section.get("parts"):
        pairs = zip(hashed["parts"], section["parts"], strict=True)
        return hashed | {"parts": [_with_sources(*pair) for pair in pairs]}
    return hashed
