"""A sweep file is someone's input: whatever it holds, it is read soon, or refused in one line."""

import time
from pathlib import Path

import pytest

from srtbench.config.errors import ConfigError
from srtbench.config.yaml_source import MAX_VALUES, read_yaml


def _refused(folder: Path, text: str) -> str:
    path = folder / "sweep.yaml"
    path.write_text(text, encoding="utf-8")
    start = time.process_time()
    with pytest.raises(ConfigError) as error:
        read_yaml(path)
    assert time.process_time() - start < 3
    (problem,) = error.value.problems
    assert "\n" not in str(problem)
    return str(problem)


def _bomb(first: str, item: str) -> str:
    """Nine levels of nine aliases each: 387 million values."""
    pairs = zip("abcdefgh", "bcdefghi", strict=True)
    lines = [f"{c}: &{c} " + item % ", ".join([f"*{b}"] * 9) for b, c in pairs]
    return "\n".join([f"a: &a {first}", *lines])


@pytest.mark.parametrize(
    "text",
    [_bomb("[x]", "[%s]"), _bomb("{x: 1}", "{<<: [%s]}")],
    ids=["lists", "merged keys"],
)
def test_aliases_cannot_blow_up(tmp_path: Path, text: str) -> None:
    assert (
        _refused(tmp_path, text) == f"over {MAX_VALUES:,} values once its aliases are written out"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 2024-13-45", "month must be in 1..12"),
        ("a: " + "1" * 5000, "a value does not fit its type"),
        ("a: !!bool x", "a value does not fit its type"),
        ("a: !!int ''", "a value does not fit its type"),
        ("a: !!timestamp x", "a value does not fit its type"),
    ],
)
def test_values_that_yaml_cannot_make_are_refused(tmp_path: Path, text: str, message: str) -> None:
    assert message in _refused(tmp_path, text)


def test_aliases_that_stay_small_are_read(tmp_path: Path) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_text("a: &a {x: 1}\nb: {<<: *a, y: [" + ", ".join(["*a"] * 1000) + "]}")
    assert len(read_yaml(path).content["b"]["y"]) == 1000


def test_half_of_a_surrogate_pair_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_text('a: 1\nb: "\\ud83d"\n')
    (problem,) = read_yaml(path).problems
    assert problem.line == 2
    assert problem.key_path == ("b",)
