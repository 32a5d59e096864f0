"""The rule that gave run ids before config.json had a version, to check older folders by.

It works on the dump of a specification, with names of fields; `identity` reads marks instead.
"""

from typing import Any

from srtbench.plan.identity import digest, fingerprint

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


def run_digest(dump: dict[str, Any]) -> str:
    """The hash at the end of the id of a run whose config.json has this specification."""
    return digest(_result_content({name: dump.get(name) for name in RUN_CONTENT}))


def _result_content(dump: dict[str, Any]) -> dict[str, Any]:
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
            content[key] = fingerprint(content[key])
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
