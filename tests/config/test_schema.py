"""The JSON schema and the reference of a sweep file: equal to what the sections say, and true."""

import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from srtbench import load_sweep, plan_sweep
from srtbench.cli import main
from srtbench.config.errors import ConfigError
from srtbench.config.schema import sweep_schema
from srtbench.config.yaml_source import read_yaml

REPOSITORY = Path(__file__).parents[2]
SWEEPS = sorted((REPOSITORY / "sweeps").rglob("*.yaml"))


@pytest.fixture(scope="module")
def reference() -> Any:
    spec = importlib.util.spec_from_file_location(
        "reference_script", REPOSITORY / "scripts" / "reference.py"
    )
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = script
    spec.loader.exec_module(script)
    return script


@pytest.fixture(scope="module")
def validator() -> Any:
    schema = sweep_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def valid(validator: Any, content: Any) -> bool:
    return bool(validator.is_valid(json.loads(json.dumps(content))))


def test_the_committed_files_are_what_the_script_writes(reference: Any) -> None:
    again = "run: python scripts/reference.py"
    assert reference.PAGE.read_text(encoding="utf-8") == reference.page(), again
    assert reference.SCHEMA.read_text(encoding="utf-8") == reference.schema_text(), again


def test_the_command_prints_the_committed_schema(capsys: pytest.CaptureFixture[str]) -> None:
    main(["schema"], standalone_mode=False)
    committed = REPOSITORY / "sweeps" / "sweep.schema.json"
    assert capsys.readouterr().out == committed.read_text(encoding="utf-8")


@pytest.mark.parametrize("sweep", SWEEPS, ids=lambda path: path.stem)
def test_committed_sweeps_name_the_schema_and_fit_it(sweep: Path, validator: Any) -> None:
    first = sweep.read_text(encoding="utf-8").partition("\n")[0]
    comment, _, schema = first.partition("$schema=")
    assert comment == "# yaml-language-server: "
    assert (sweep.parent / schema).resolve() == REPOSITORY / "sweeps" / "sweep.schema.json"
    assert valid(validator, read_yaml(sweep).content)


GRID: dict[str, Any] = {
    "name": "grid",
    "models": ["tiny"],
    "datasets": ["spell_backward"],
    "variants": ["srt"],
}


@pytest.mark.parametrize(
    "change",
    [
        {"variants": ["srt", {"type": "python", "path": "mine.py:Mine", "options": {"a": 1}}]},
        {"variants": [{"type": "plugin", "plugin": "theirs"}]},
        {"variants": [{"type": "weighted", "parts": ["srt", {"type": "random", "p": 0.1}]}]},
        {"datasets": [{"type": "hub", "id": "openai/gsm8k", "subset": "main"}, "mine.jsonl"]},
        {"models": [{"type": "local", "path": "./weights"}, "Qwen/Qwen3-4B", "./weights"]},
        {"exclude": [{"variant": "srt", "seed": [0, 1]}], "seeds": [0, 1]},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_may_be_written_is_accepted(change: dict[str, Any], validator: Any) -> None:
    assert valid(validator, GRID | change)


@pytest.mark.parametrize(
    "change",
    [
        {"modells": ["tiny"]},
        {"seeds": 3},
        {"seeds": [-1]},
        {"variants": ["srtt"]},
        {"variants": [{"type": "random", "p": 2}]},
        {"variants": [{"type": "python"}]},
        {"datasets": [{"path": "mine.jsonl"}]},
        {"datasets": [{"type": "reasoning_gym", "task": "spell_backwards"}]},
        {"train": {"learning_rate": 0}},
        {"train": {"stepz": 3}},
        {"train": None},
        {"parts": ["other.yaml"]},
    ],
    ids=str,
)
def test_mistakes_are_underlined(change: dict[str, Any], validator: Any) -> None:
    assert not valid(validator, GRID | change)


def test_every_key_says_what_it_means(reference: Any) -> None:
    rows = [line for line in reference.page().splitlines() if line.startswith("| `")]
    assert len(rows) > 150
    assert not [row for row in rows if row.endswith("|  |")]


PLACES: dict[str, list[tuple[str | int, ...]]] = {
    "TinyModel": [("models", 0)],
    "WarmStart": [("models", 0, "warm_start")],
    "ReasoningGymDataset": [("datasets", 0)],
    "FixedTeacherEntry": [("variants", 0)],
    "VotingPolicy": [("variants", 0, "voting")],
    "TTRLEntry": [("variants", 1)],
    "TrainOverride": [("train",)],
    "PoolConfig": [("train", "pool")],
    "EvalOverride": [("eval",)],
    "GymEvalSet": [("eval_sets", 0)],
    "ExecutionConfig": [("execution",)],
    "GenerationConfig": [("generation",)],
    "SweepConfig": [()],
}
FULL: dict[str, Any] = {
    "name": "full",
    "models": [{"type": "tiny", "warm_start": {"seed": 1}}],
    "datasets": [
        {
            "type": "reasoning_gym",
            "task": "chain_sum",
            "level": 2,
            "warm_start_levels": {1: 1.0, 2: 1.0},
        }
    ],
    "variants": [
        {"type": "fixed_teacher", "voting": {"tie": "first"}},
        {"type": "ttrl", "trains_on_eval_prompts": False},
        {"type": "lmsi"},
    ],
    "eval_sets": [{"type": "reasoning_gym", "task": "gcd", "prompts": 4, "level": 1}],
    "train": {
        "pool": {"prompts": 100},
        "preset": "tiny",
        "steps": 20,
        "num_generations": 8,
        "prompts_per_round": 50,
    },
    "eval": {"prompts": 32},
    "generation": {"engine": "vllm"},
    "execution": {"workers": 1},
}


def other(content: Any, given: Any) -> Iterator[Any]:
    """Values of a key that are not the one it has."""
    for option in content.get("anyOf", [content]):
        candidates = option.get("enum", [])
        if option.get("type") == "boolean":
            candidates = [True, False]
        elif option.get("type") == "integer":
            candidates = [(given or 8) * 2, 3]
        elif option.get("type") == "number":
            candidates = [0.25, 0.75]
        elif option.get("type") == "string" and not candidates:
            candidates = [f"{given or 'x'}y"]
        yield from (one for one in candidates if one != given)


def ids(tmp_path: Path, content: dict[str, Any]) -> list[str] | None:
    """Hashes of the runs; None if the content is no sweep that can be planned."""
    path = tmp_path / "sweep.yaml"
    path.write_text(yaml.safe_dump(content))
    try:
        return [run.run_id.rpartition("-")[2] for run in plan_sweep(load_sweep(path)).runs]
    except ConfigError:
        return None


@pytest.mark.parametrize("name", PLACES)
def test_a_key_enters_the_id_exactly_if_the_reference_says_so(
    name: str, reference: Any, tmp_path: Path
) -> None:
    page = reference.Reference(sweep_schema()["$defs"])
    page.walk(reference.SweepConfig)
    place = page.places[name]
    before = ids(tmp_path, FULL)
    assert before
    said = {row[0].strip("`"): row[-2] for row in page.rows(place)}
    tried: set[str] = set()
    same: set[str] = set()  # an id stayed; one of the values may be what the key is anyway
    for key, content in page.schemas[name]["properties"].items():
        if key == "type" or said[key] not in ("yes", "no"):
            continue
        for path in PLACES[name]:
            for value in other(content, at(FULL, (*path, key))):
                after = ids(tmp_path, replaced(FULL, (*path, key), value))
                if after not in (None, before):
                    assert said[key] == "yes", key
                    break
                if after is not None:
                    same.add(key)
            else:
                assert not same & {key} or said[key] == "no", key
            tried.add(key)
    assert tried


def at(content: Any, path: tuple[str | int, ...]) -> Any:
    for part in path:
        inside = part in content if isinstance(content, dict) else True
        content = content[part] if inside else None
        if content is None:
            return None
    return content


def replaced(content: Any, path: tuple[str | int, ...], value: Any) -> Any:
    if not path:
        return value
    copy = list(content) if isinstance(content, list) else dict(content or {})
    inner = copy[path[0]] if isinstance(copy, list) else copy.get(path[0])
    copy[path[0]] = replaced(inner, path[1:], value)
    return copy
