"""Evaluation sets that ask what a run learns from are found by a plan, as training would."""

import json
from pathlib import Path
from typing import Any

import pytest

from srtbench.checks import Checked, check_sweep
from srtbench.config import load_sweep
from tests.micro import write_sweep

QUESTIONS = [f"{a}{b}" for a in "abcd" for b in "efghij"]
OWN = {"type": "file", "path": "own.jsonl", "prompt_template": "{question}="}
SET = {"type": "file", "name": "other", "path": "set.jsonl", "prompts": 5}


def rows(folder: Path, name: str, questions: list[str]) -> None:
    lines = [json.dumps({"question": one, "answer": one[::-1]}) + "\n" for one in questions]
    (folder / name).write_text("".join(lines))


def look(folder: Path, dataset: dict[str, Any], one: dict[str, Any], **changes: Any) -> Checked:
    content: dict[str, Any] = {"models": [{"type": "hub", "id": "a/Toy-1B"}], "variants": ["srt"]}
    content |= {"datasets": [OWN | dataset], "eval_sets": [SET | one]}
    file = write_sweep(folder, **content | {"eval": {"prompts": 4}} | changes)
    return check_sweep(load_sweep(file))[-1]


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A set of ten questions, five of which are in the run's own file."""
    rows(tmp_path, "own.jsonl", QUESTIONS)
    rows(tmp_path, "set.jsonl", [*QUESTIONS[:5], *"vwxyz"])
    return tmp_path


SPLIT = {"split": {"train": 0.7, "eval": 0.3, "warm_start": 0}}


def test_questions_that_are_trained_on_are_refused_with_their_set(study: Path) -> None:
    """The set has no `=` behind its questions; it asks the same all the same."""
    (found,) = look(study, SPLIT, {"prompts": 10}).problems
    assert found.key_path == ("eval_sets", 0, "on_overlap")
    assert found.line is not None
    assert found.message.startswith("evaluation set other: ")
    assert " of its 10 questions are among the prompts that this run trains on, e.g. '" in (
        found.message
    )
    hint = "on_overlap: drop_from_train in the set would leave it out of training"
    assert found.message.endswith(hint)


def test_a_set_that_says_so_has_them_left_out_of_training(study: Path) -> None:
    assert look(study, SPLIT, {"prompts": 10, "on_overlap": "drop_from_train"}).problems == []


def test_a_set_that_asks_all_that_is_trained_on_leaves_nothing(study: Path) -> None:
    one = {"path": "own.jsonl", "prompts": len(QUESTIONS), "on_overlap": "drop_from_train"}
    (found,) = look(study, SPLIT, one).problems
    assert "none is left" in found.message


def test_what_a_warm_start_learns_cannot_be_dropped(study: Path) -> None:
    model = {"type": "tiny", "alphabet": "abcdefghij=vwxyz"}
    dataset = {"split": {"train": 0.1, "eval": 0.3, "warm_start": 0.6}}
    dataset |= {"target_template": "{answer}", "answer_style": "text", "answer_kind": "text"}
    one = {"prompts": 10, "on_overlap": "drop_from_train"}
    (found,) = look(study, dataset, one, models=[model]).problems
    assert found.key_path == ("eval_sets", 0)
    assert "among the prompts that the warm start was trained on" in found.message


def test_a_run_that_trains_on_its_held_out_prompts_learns_from_those(study: Path) -> None:
    changes = {"train": {"prompts_per_step": 2}, "eval": {"prompts": 7}, "variants": ["ttrl"]}
    (found,) = look(study, SPLIT, {"prompts": 10}, **changes).problems
    assert "on_overlap: drop_from_train" not in found.message


def test_rows_that_repeat_a_prompt_are_warned(study: Path) -> None:
    rows(study, "own.jsonl", [*QUESTIONS, *QUESTIONS[:3], f" {QUESTIONS[0]} "])
    rows(study, "set.jsonl", [*"uvwxyz"])
    found = look(study, SPLIT, {})
    assert found.problems == []
    (line,) = [one.message for one in found.warnings if "counts once" in one.message]
    assert line == (
        "own.jsonl: 4 rows with the prompt of an earlier row, e.g. row 25 as row 1: each prompt "
        "counts once"
    )
