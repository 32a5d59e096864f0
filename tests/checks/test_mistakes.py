"""A first study of one's own, with the mistakes that first studies have: `plan` finds each.

Nothing is trained here. Each mistake is told with the line and the key of the sweep file.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from srtbench.cli import main

STUDY = """\
name: mine
models:
  - type: tiny
    alphabet: "0123456789+=#"
    words: []
datasets:
  - type: file
    path: additions.jsonl
    question_column: ask
    answer_column: sum
    prompt_template: "{question}="
    target_template: "{answer}"
    answer_style: text
    answer_kind: integer
variants:
  - srt
  - type: python
    path: mine.py:Mine
train:
  steps: 10
  prompts_per_step: 8
  max_completion_length: 4
eval:
  prompts: 20
"""
GOOD = """\
import numpy as np
from srtbench.variants import Judgement, Variant


class Mine(Variant):
    def judge(self, group, rng):
        lengths = np.array([float(len(text)) for text in group.completions])
        return Judgement(-lengths)
"""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A folder with a sweep file, 200 questions and a variant, all in order."""
    rows = [{"ask": f"{a}+{b}", "sum": a + b} for a in range(20) for b in range(10)]
    write_rows(tmp_path, rows)
    (tmp_path / "mine.py").write_text(GOOD)
    (tmp_path / "mine.yaml").write_text(STUDY)
    return tmp_path


def write_rows(folder: Path, rows: list[dict[str, Any]]) -> None:
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "additions.jsonl").write_text(text)


def change(folder: Path, before: str, after: str, file: str = "mine.yaml") -> int:
    """Change the file in one place; returns the line of the change."""
    text = (folder / file).read_text()
    assert text.count(before) == 1
    (folder / file).write_text(text.replace(before, after))
    return text[: text.index(before)].count("\n") + 1


def plan(folder: Path) -> Result:
    return CliRunner().invoke(main, ["plan", str(folder / "mine.yaml")])


def mistakes(folder: Path) -> list[str]:
    """What `plan` refuses the sweep for, without the first line, which counts."""
    result = plan(folder)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    first, *lines = result.stderr.splitlines()
    found = [line.removeprefix("  ") for line in lines if not line.startswith("    ")]
    assert first == (
        f"error: {folder / 'mine.yaml'}: {len(found)} problem{'s' if len(found) > 1 else ''}"
    )
    return found


def test_a_study_in_order_is_planned_without_a_word(study: Path) -> None:
    result = plan(study)
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    assert "sweep mine: 2 runs" in result.stdout


def test_an_answer_column_that_is_not_there(study: Path) -> None:
    line = change(study, "answer_column: sum", "answer_column: answers")
    assert mistakes(study) == [
        f"line {line}, datasets[0].answer_column: additions.jsonl: no column 'answers'. "
        "Allowed: ask, sum"
    ]


def test_more_prompts_asked_for_than_there_are(study: Path) -> None:
    line = change(study, "answer_kind: integer", "answer_kind: integer\n    train_prompts: 160")
    (found,) = mistakes(study)
    assert found.startswith(f"line {line + 1}, datasets[0].train_prompts: additions: the train")
    assert "has 125 distinct prompts, 160 are asked for" in found


def test_a_run_that_consumes_more_prompts_than_there_are_is_warned(study: Path) -> None:
    """Nobody asked for a number: training goes round, and says so."""
    change(study, "steps: 10", "steps: 20")
    result = plan(study)
    assert result.exit_code == 0
    (line,) = result.stderr.splitlines()
    assert line.startswith("warning: line 7, datasets[0]: additions: the train split has 125")
    assert "a run of 20 steps x 8 prompts asks for 160" in line


def test_more_evaluation_prompts_than_there_are(study: Path) -> None:
    line = change(study, "prompts: 20", "prompts: 160")
    (found,) = mistakes(study)
    assert found.startswith(f"line {line}, eval.prompts: additions: eval: 4")
    assert "160 asked for" in found


def test_a_class_that_does_not_exist(study: Path) -> None:
    line = change(study, "mine.py:Mine", "mine.py:Yours")
    assert mistakes(study) == [
        f"line {line}, variants[1].path: 'mine.py:Yours' is no subclass of "
        "srtbench.variants.Variant: there is no 'Yours' in the file. Variants in it: Mine"
    ]


SIGNATURE = "def judge(self, group: Group, rng: np.random.Generator) -> Judgement"


def test_a_judge_that_takes_something_else(study: Path) -> None:
    change(study, "judge(self, group, rng)", "judge(self, group)", "mine.py")
    (found,) = mistakes(study)
    assert found.startswith("line 18, variants[1].path: Mine.judge takes (self, group), and is ")
    assert found.endswith(SIGNATURE)


@pytest.mark.parametrize(
    ("returned", "why"),
    [
        ("Judgement([0.0 for _ in group.completions])", "train_reward is a list, not an array"),
        ("[0.0 for _ in group.completions]", "it returns a list, not a Judgement"),
        ("None", "it returns None, not a Judgement"),
        ("Judgement(-lengths[1:])", "train_reward has the shape (15,), not (16,)"),
        ("Judgement(lengths / 0)", "train_reward holds a value that is not finite"),
        ("Judgement(lengths.astype(str))", "train_reward holds <U32, not numbers"),
        ("Judgement(lengths, 7)", "pseudo_label is an int, not an answer key or None"),
        ("Judgement(lengths, None, 7.0)", "vote_share is 7.0, not a share between 0 and 1"),
    ],
)
def test_a_judge_that_returns_something_else(study: Path, returned: str, why: str) -> None:
    change(study, "Judgement(-lengths)", returned, "mine.py")
    (found,) = mistakes(study)
    assert found.startswith("line 18, variants[1].path: Mine.judge of a made-up group of 16 ")
    assert why in found
    assert SIGNATURE in found


def test_a_judge_that_fails_names_its_line(study: Path) -> None:
    change(study, "Judgement(-lengths)", "Judgement(lengths * group.gold)", "mine.py")
    (found,) = mistakes(study)
    assert "AttributeError: 'Group' object has no attribute 'gold' (line 8 of its file)" in found


def test_gold_that_is_read_without_a_word(study: Path) -> None:
    change(study, "-lengths", "lengths * (group.gold_key == '7')", "mine.py")
    (found,) = mistakes(study)
    assert "write `uses_gold = True` in its class" in found


def test_what_another_machine_may_have_is_a_warning(study: Path) -> None:
    """A server that is not there, no GPU, a process that ends: nothing of it ends the plan."""
    for returned, why in (
        ("open('/nowhere/at/all')", "FileNotFoundError: [Errno 2] No such file"),
        ("exec('raise RuntimeError(1)')", "RuntimeError: 1 (line 8 of its file)"),
        ("__import__('os')._exit(3)", "it ended its process (exit code 3)"),
    ):
        (study / "mine.py").write_text(GOOD)
        change(study, "Judgement(-lengths)", returned, "mine.py")
        result = plan(study)
        assert result.exit_code == 0, result.output
        assert result.stderr.startswith("warning: line 18, variants[1].path: could not be tried: ")
        assert why in result.stderr
        assert "sweep mine: 2 runs" in result.stdout


def test_a_judge_that_remembers_is_warned_about(study: Path) -> None:
    change(study, "-lengths", "lengths * np.random.random()", "mine.py")
    result = plan(study)
    assert result.exit_code == 0
    assert "gives the same group other rewards each time" in result.stderr


def test_a_class_without_a_judge(study: Path) -> None:
    change(study, "def judge", "def judges", "mine.py")
    (found,) = mistakes(study)
    assert found == f"line 18, variants[1].path: Mine has no judge; write: {SIGNATURE}"


def test_a_target_that_its_style_cannot_read(study: Path) -> None:
    line = change(study, 'target_template: "{answer}"', 'target_template: "#{answer}"')
    (found,) = mistakes(study)
    assert found.startswith(f"line {line}, datasets[0].target_template: ")
    assert "targets are not read back as their gold answers, e.g. row " in found
    assert "answer_style text reads '#" in found


def test_a_target_that_does_not_fit_into_a_completion(study: Path) -> None:
    line = change(study, "max_completion_length: 4", "max_completion_length: 1")
    assert mistakes(study) == [
        f"line {line}, train.max_completion_length: no target fits into max_completion_length = 1; "
        "the shortest needs 2 tokens, the longest 2"
    ]


def test_an_alphabet_that_lacks_characters(study: Path) -> None:
    line = change(study, '"0123456789+=#"', '"01234567+="')
    (found,) = mistakes(study)
    assert found.startswith(
        f"line {line}, models[0].alphabet: the tiny model's alphabet lacks '89'"
    )


def test_a_kind_that_does_not_fit(study: Path) -> None:
    line = change(study, "answer_kind: integer", "answer_kind: choice")
    (found,) = mistakes(study)
    assert found.startswith(f"line {line}, datasets[0].answer_kind: ")
    assert "no key as answer_kind choice, so no completion could be right" in found
    assert "a key as: math, text, word, integer, number" in found


def test_gold_answers_without_a_key_are_named_by_their_rows(study: Path) -> None:
    rows = [{"ask": f"{a}+{b}", "sum": a + b} for a in range(20) for b in range(10)]
    write_rows(study, [row | {"sum": f"{row['sum']} or so"} for row in rows])
    lines = plan(study).stderr.splitlines()
    (problem,) = (line for line in lines if "datasets[0].answer_kind" in line and "line 14" in line)
    assert (
        "130 of 130 gold answers (and 70 that no run draws) have no key as answer_kind integer"
        in problem
    )
    named = [line.strip() for line in lines if line.startswith("    additions.jsonl: row ")]
    assert len(named) == 20
    assert "additions.jsonl: row 1: '0 or so' (unparsable)" in named


def test_a_row_that_no_run_draws_is_a_warning(study: Path) -> None:
    """It would stop nothing; and so no sweep that trains today is refused."""
    rows = [{"ask": f"{a}+{b}", "sum": a + b} for a in range(20) for b in range(10)]
    at_place = {"ask": "never drawn", "sum": "none"}
    for extra in range(200):  # one whose split has more than is asked for
        write_rows(study, [*rows, at_place | {"ask": f"q{extra}"}])
        result = plan(study)
        if result.exit_code == 0:
            break
    assert result.exit_code == 0
    (line,) = result.stderr.splitlines()
    assert "1 gold answers that no run draws have no key as answer_kind integer" in line
    assert "additions.jsonl: row 201: 'none' (unparsable)" in line


def test_every_mistake_is_told_at_once(study: Path) -> None:
    """Also those of a variant's file, which are found when the sweep file is read."""
    change(study, "mine.py:Mine", "mine.py:Yours")
    change(study, '"0123456789+=#"', '"0123456+="')
    change(study, 'target_template: "{answer}"', 'target_template: "#{answer}"')
    change(study, "prompts: 20", "prompts: 160")
    keys = [line.split(": ")[0].split(", ")[1] for line in mistakes(study)]
    assert keys == [
        "models[0].alphabet",
        "datasets[0].target_template",
        "variants[1].path",
        "eval.prompts",
    ]


def test_an_entry_that_is_no_entry_hides_no_mistake_of_the_data(study: Path) -> None:
    """A file that is no valid sweep is looked at less its entries at fault."""
    line = change(study, "answer_column: sum", "answer_column: total")
    change(study, "  - srt\n", "  - {type: srtt}\n")
    change(study, "train:\n", "sedes: [1]\ntrain:\n")
    keys = [line.split(": ")[0] for line in mistakes(study)]
    assert keys[0] == f"line {line}, datasets[0].answer_column"
    assert [key.split(", ")[1] for key in keys[1:]] == ["variants[0]", "sedes"]


def test_a_value_on_which_others_depend_is_told_alone(study: Path) -> None:
    """Of a misspelt `train`, a check of lengths would speak of the preset's."""
    change(study, "train:\n", "trian:\n")
    change(study, "answer_column: sum", "answer_column: total")
    (told,) = mistakes(study)
    assert "unknown key 'trian'; did you mean 'train'?" in told


def test_what_is_wrong_in_one_part_hides_nothing_of_the_others(study: Path) -> None:
    """A sweep of parts: mistakes of files, entries and data, each with its file, all at once."""
    text = (study / "mine.yaml").read_text()
    for name in ("first", "second"):
        part = text.replace("name: mine", f"name: {name}")
        part = part.replace("  - type: file", f"  - type: file\n    name: {name}")
        (study / f"{name}.yaml").write_text(part)
    first = change(study, "answer_column: sum", "answer_column: total", "first.yaml")
    second = change(study, "question_column: ask", "question_column: asked", "second.yaml")
    wrong = change(study, "  - srt\n", "  - {type: srtt}\n", "second.yaml")
    (study / "mine.yaml").write_text(
        "name: whole\nparts:\n  - first.yaml\n  - second.yaml\n  - third.yaml\nseeds: [1]\n"
    )
    told = [line.split(": ")[0] for line in mistakes(study)]
    assert told == [
        "line 5, parts[2]",
        "line 6, seeds",
        f"{study / 'first.yaml'}, line {first}, datasets[0].answer_column",
        f"{study / 'second.yaml'}, line {second}, datasets[0].question_column",
        f"{study / 'second.yaml'}, line {wrong}, variants[0]",
    ]


def test_what_follows_from_a_mistake_is_not_told(study: Path) -> None:
    """Without its only dataset a sweep has no runs; nobody excluded them."""
    line = change(study, "path: additions.jsonl", "path: addition.jsonl")
    assert mistakes(study) == [f"line {line}, datasets[0].path: file 'addition.jsonl' not found"]


def test_a_sweep_does_not_begin_with_a_mistake(study: Path, tmp_path: Path) -> None:
    change(study, "answer_column: sum", "answer_column: answers")
    arguments = ["sweep", str(study / "mine.yaml"), "--root", str(tmp_path / "runs")]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert "datasets[0].answer_column: additions.jsonl: no column 'answers'" in result.stderr
    assert not (tmp_path / "runs" / "mine" / "plan.json").exists()
