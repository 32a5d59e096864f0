"""What trains and is probably not meant is said, and does not stop a plan."""

import json
from pathlib import Path
from typing import Any

import pytest

from srtbench.checks import Checked, check_plan, check_sweep
from srtbench.config import load_sweep
from srtbench.plan import plan_sweep
from tests.micro import MODEL, write_sweep

DATA: dict[str, Any] = {"type": "file", "path": "own.jsonl", "prompt_template": "{question}="}
FAR = DATA | {"path": "far.jsonl"}
WIDE = {"alphabet": "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 =+,/{}()\\"}


def checked(folder: Path, golds: list[Any], sets: Any = (), **changes: Any) -> Checked:
    """What is found of questions q0, q1, ... with these answers; far.jsonl asks far0, far1, ..."""
    rows = [{"question": f"q{n}", "answer": gold} for n, gold in enumerate(golds)]
    far = [{"question": f"far{n}", "answer": gold} for n, gold in enumerate(golds)]
    train = {"steps": 2, "prompts_per_step": 4, "num_generations": 4, "max_completion_length": 40}
    file = write_sweep(
        folder,
        models=[MODEL | WIDE],
        datasets=[DATA | changes],
        variants=["srt"],
        train=train,
        eval_sets=list(sets),
    )
    for name, one in (("own.jsonl", rows), ("far.jsonl", far)):
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in one))
    config = load_sweep(file)
    return check_plan(config, plan_sweep(config))


@pytest.mark.parametrize(
    ("kind", "golds", "why"),
    [
        ("math", ["the sum is {}"], "100 of 100 gold answers are literal text as answer_kind math"),
        ("math", ["A", "B", "C", "D"], "are single letters, e.g. 'A': answer_kind choice reads"),
        ("text", ["{}+1/2"], "100 of 100 gold answers are mathematics, e.g. '0+1/2'"),
        ("math", ["{}"], None),
        ("choice", ["A", "B"], None),
        ("text", ["ab{}"], None),
        ("text", ["{}"], None),
        ("math", ["{}", "{}", "the sum is {}"], None),
    ],
)
def test_a_kind_that_most_answers_do_not_fit(
    tmp_path: Path, kind: str, golds: list[str], why: str | None
) -> None:
    found = checked(
        tmp_path, [golds[n % len(golds)].format(n) for n in range(100)], answer_kind=kind
    )
    assert found.problems == []
    if why is None:
        assert found.warnings == []
    else:
        (warning,) = found.warnings
        assert why in warning.message
        assert warning.key_path == ("datasets", 0, "answer_kind")


def test_what_is_dropped_is_counted(tmp_path: Path) -> None:
    golds = [f"x{n}" if n % 10 == 0 else n for n in range(200)]
    found = checked(tmp_path, golds, answer_kind="integer", on_bad_gold="drop")
    assert found.problems == []
    assert {one.key_path for one in found.warnings} == {("datasets", 0, "on_bad_gold")}
    assert any("rows whose gold answer has no key" in one.message for one in found.warnings)


def test_a_character_of_a_prompt_alone_has_no_token(tmp_path: Path) -> None:
    """No target needs it, so the model trains; but it reads the prompt without it."""
    further = FAR | {"name": "far", "prompt_template": "?{question}="}
    found = checked(tmp_path, [*range(100)], [further])
    assert found.problems == []
    (warning,) = found.warnings
    assert warning.key_path == ("eval_sets", 0)
    assert "alphabet lacks '?' of prompts, e.g. '?far" in warning.message


def test_an_evaluation_set_is_looked_at_like_a_dataset(tmp_path: Path) -> None:
    far = FAR | {"name": "far", "answer_column": "gold"}
    many = FAR | {"name": "many", "prompts": 400}
    kind = FAR | {"name": "kind", "answer_kind": "choice"}
    found = checked(tmp_path, [*range(100)], [far, many, kind])
    said = {one.key_path: one.message for one in found.problems}
    assert "far.jsonl: no column 'gold'" in said["eval_sets", 0, "answer_column"]
    assert "100 distinct problems, 400 asked for" in said["eval_sets", 1, "prompts"]
    assert "100 of 100 gold answers have no key" in said["eval_sets", 2, "answer_kind"]
    assert len(said) == 3


def test_broken_rows_of_both_files_and_contradictions_are_told(tmp_path: Path) -> None:
    (tmp_path / "held.jsonl").write_text('{"question": "q1", "answer": null}\n[]\n')
    found = checked(tmp_path, ["", *range(100)], eval_path="held.jsonl")
    said = {one.key_path[-1]: one.message for one in found.problems}
    assert "own.jsonl: row 1: 'answer' is empty" in said["path"]
    assert "held.jsonl: 2 broken rows" in said["eval_path"]


def test_a_pool_that_is_not_there(tmp_path: Path) -> None:
    found = checked(tmp_path, [*range(100)], train={"pool": {"prompts": 90}, "steps": 50})
    (problem,) = found.problems
    assert problem.key_path == ("datasets", 0, "train", "pool", "prompts")
    assert "90 are asked for" in problem.message


def test_a_warm_start_without_prompts(tmp_path: Path) -> None:
    share = {"train": 0.5, "eval": 0.4999, "warm_start": 0.0001}
    found = checked(tmp_path, [*range(100)], split=share)
    assert [one.key_path for one in found.problems] == [("datasets", 0, "split")]
    assert "warm_start: no problems" in found.problems[0].message


@pytest.mark.parametrize(
    ("changes", "key", "why"),
    [
        ({"target_template": "#{answer}"}, "target_template", "reads no answer"),
        ({"level": 3}, "level", "no built-in level rule"),
        ({"level_rule": {"a": "{level}"}, "level": 1, "config": {"a": 3}}, "level", "set by the"),
    ],
)
def test_a_generated_task_is_judged_by_its_entry(
    tmp_path: Path, changes: dict[str, Any], key: str, why: str
) -> None:
    """Nothing is generated: that would load every task there is."""
    task = {"type": "reasoning_gym", "task": "boxnet", "prompt_template": "{question}"}
    task |= {"allow_many_answers": True}
    config = load_sweep(write_sweep(tmp_path, models=[MODEL | WIDE], datasets=[task | changes]))
    *_, found = check_sweep(config)
    said = {one.key_path[-1]: one.message for one in found.problems}
    assert why in said[key]


def test_the_default_template_needs_a_line_break_in_the_alphabet(tmp_path: Path) -> None:
    task = {"type": "reasoning_gym", "task": "chain_sum"}
    config = load_sweep(write_sweep(tmp_path, models=["tiny"], datasets=[task], train={"steps": 2}))
    (problem,) = check_sweep(config)[-1].problems
    assert problem.key_path == ("models", 0, "alphabet")
    assert r"alphabet lacks '\n'" in problem.message


def test_a_part_names_its_own_file(tmp_path: Path) -> None:
    write_sweep(tmp_path, datasets=[DATA | {"path": "swap.jsonl", "answer_column": "gold"}])
    (tmp_path / "all.yaml").write_text("name: all\nparts: [micro.yaml]\n")
    (problem,) = check_sweep(load_sweep(tmp_path / "all.yaml"))[-1].problems
    assert problem.file == tmp_path / "micro.yaml"
    assert str(problem).startswith(f"{tmp_path / 'micro.yaml'}, line ")
    assert "datasets[0].answer_column: swap.jsonl: no column 'gold'" in str(problem)


def test_a_table_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many entries, runs and splits ask for it."""
    from srtbench.checks import tables

    calls = []
    read = tables.read_file
    monkeypatch.setattr(tables, "read_file", lambda *it: calls.append(it) or read(*it))
    further = [DATA | {"name": f"far{n}", "prompts": 5 + n} for n in range(3)]
    checked(tmp_path, [*range(100)], further)
    assert len(calls) == 1


@pytest.mark.parametrize(("golds", "told"), [([7] * 200, 1), ([*range(7)] * 30, 0)])
def test_golds_that_are_all_the_same(tmp_path: Path, golds: list[int], told: int) -> None:
    """One answer to every question earns the whole reward."""
    found = [one.message for one in checked(tmp_path, golds).warnings]
    same = [text for text in found if text.startswith("all 200 gold answers are the same, '7'")]
    assert len(same) == told, found
