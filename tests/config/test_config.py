"""Sweep files: short and full entries, and errors that say where, what, allowed, and meant."""

from pathlib import Path

import pytest

from srtbench.config import ConfigError, load_sweep
from srtbench.config.train import EVAL_PRESETS, OWN_TRL_OPTIONS, TRAIN_PRESETS
from srtbench.config.trl_options import trl_options
from srtbench.plan import plan_sweep

VALID = """\
name: ok
models: [tiny]
datasets: [spell_backward]
variants: [srt]
"""


def load_text(tmp_path: Path, text: str):
    path = tmp_path / "sweep.yaml"
    path.write_text(text)
    return load_sweep(path)


def problems_of(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_text(tmp_path, text)
    return [str(problem) for problem in caught.value.problems]


def test_short_entries_become_full_ones(tmp_path: Path) -> None:
    config = load_text(
        tmp_path,
        """\
name: short
models: [tiny, Qwen/Qwen3-4B-Base, ./model]
datasets: [spell_backward, openai/gsm8k]
variants: [srt, {type: random, p: 0.25, name: quarter}]
seeds: [3]
""",
    )
    assert [model.type for model in config.models] == ["tiny", "hub", "local"]
    assert [dataset.type for dataset in config.datasets] == ["reasoning_gym", "hub"]
    assert [variant.label for variant in config.variants] == ["srt", "quarter"]
    assert config.variants[1].p == 0.25
    assert config.seeds == (3,)


def test_scientific_notation_is_a_number_also_for_trl_options(tmp_path: Path) -> None:
    config = load_text(
        tmp_path, VALID + "train: {learning_rate: 1e-3, trl: {adam_epsilon: 1e-6}}\n"
    )
    assert config.train.learning_rate == 1e-3
    assert config.train.trl["adam_epsilon"] == 1e-6


def test_five_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    problems = problems_of(
        tmp_path,
        """\
name: bad
models: [tiny]
datasets: [{type: reasoning_gym, task: spell_backward, levl: 3}]
variants: [srtt, {type: random, p: 2}]
train:
  lerning_rate: 1e-3
  algorithm: gpro
""",
    )
    assert len(problems) == 5
    text = "\n".join(problems)
    assert "line 3, datasets[0].levl: unknown key 'levl'; did you mean 'level'?" in text
    assert "line 4, variants[0]: unknown type 'srtt'; did you mean 'srt'?" in text
    assert "line 4, variants[1].p: input should be less than or equal to 1 (given: 2)" in text
    assert "line 6, train.lerning_rate: unknown key" in text
    assert "did you mean 'learning_rate'?" in text
    assert "line 7, train.algorithm: 'gpro' is not allowed; did you mean 'grpo'?" in text


@pytest.mark.parametrize(
    ("addition", "message"),
    [
        ("exclude: [{variant: srtx}]", "unknown variant 'srtx'; did you mean 'srt'?"),
        ("exclude: [{seed: 9}]", "unknown seed 9"),
        ("seeds: [0, 0]", "seed 0 is given twice"),
        ("train: {trl: {seed: 1}}", "'seed' is set by srtbench: use the `seeds` axis"),
        ("train: {trl: {los_type: dapo}}", "did you mean 'loss_type'?"),
        ("train: {steps: 0}", "greater than or equal to 1 (given: 0)"),
        ("name: twice", "key is given twice"),
        ("nonsense: 1", "unknown key 'nonsense'"),
        ("exclude: [{}]", "names no axis, and would exclude every run"),
        ("train: {learning_rate: .inf}", "finite number"),
        ("train: {steps: 100000000000000000}", "less than or equal to 10000000"),
        ("train: fast", "a mapping is wanted"),
        ("seeds: [true]", "valid integer"),
    ],
)
def test_mistakes_across_sections(tmp_path: Path, addition: str, message: str) -> None:
    problems = problems_of(tmp_path, VALID + addition + "\n")
    assert len(problems) == 1
    assert message in problems[0]
    assert problems[0].startswith("line ")


def test_two_entries_of_one_name_are_refused(tmp_path: Path) -> None:
    problems = problems_of(tmp_path, VALID.replace("[srt]", "[srt, srt]"))
    assert "two entries are called 'srt'" in problems[0]


def test_a_missing_data_file_is_named(tmp_path: Path) -> None:
    problems = problems_of(tmp_path, VALID.replace("[spell_backward]", "[nowhere.jsonl]"))
    assert "file 'nowhere.jsonl' not found" in problems[0]


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ("datasets: [spell_backwards]", "did you mean 'spell_backward'?"),
        (
            "datasets: [{type: reasoning_gym, task: spel_backward}]",
            "did you mean 'spell_backward'?",
        ),
        ("variants: srt", "a list is wanted, e.g. [srt]"),
        ("variants: [{type: all_of, parts: []}]", "the list is empty"),
        ("variants: []", "the list is empty"),
        ("variants: [{type: srt, name: A}, {type: srt, name: a}]", "two entries are called 'a'"),
        ("datasets: [{type: file, path: x.txt}]", "unknown ending"),
        ("models:", "a list is wanted, e.g. [srt] (the key has no value"),
    ],
)
def test_mistakes_in_the_axes(tmp_path: Path, entries: str, message: str) -> None:
    axis = entries.split(":")[0]
    lines = [line for line in VALID.splitlines() if not line.startswith(axis)]
    problems = problems_of(tmp_path, "\n".join([*lines, entries]) + "\n")
    assert any(message in problem for problem in problems), problems


def test_a_sweep_of_which_every_run_is_excluded_is_refused(tmp_path: Path) -> None:
    config = load_text(tmp_path, VALID + "exclude: [{variant: srt}]\n")
    with pytest.raises(ConfigError, match=r"sweep\.yaml: 1 problem\n  every run is excluded"):
        plan_sweep(config)


@pytest.mark.parametrize(
    "text",
    ["", "- a list", "a: [1", "\tb: 1", "train: &a {steps: 10, trl: *a}", "a: " + "[" * 3000],
    ids=["empty", "list", "open", "tab", "anchor", "deep"],
)
def test_what_is_no_sweep_file_is_refused(tmp_path: Path, text: str) -> None:
    assert problems_of(tmp_path, text)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing\.yaml.*\n.*file not found"):
        load_sweep(tmp_path / "nothing.yaml")


@pytest.mark.parametrize("algorithm", ["grpo", "rloo"])
def test_trl_options_equal_those_of_trls_own_class(algorithm: str) -> None:
    import dataclasses

    from trl import GRPOConfig, RLOOConfig

    real = {"grpo": GRPOConfig, "rloo": RLOOConfig}[algorithm]
    names = {field.name for field in dataclasses.fields(real) if field.init}
    assert trl_options(algorithm) == names


def test_presets_and_own_options_are_options_of_trl() -> None:
    assert set(TRAIN_PRESETS) == set(EVAL_PRESETS)
    for preset in TRAIN_PRESETS.values():
        assert set(preset["trl"]) <= trl_options(preset["algorithm"])
    assert set(OWN_TRL_OPTIONS) <= trl_options("grpo") | trl_options("rloo")
