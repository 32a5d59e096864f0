"""Gold answers that cannot be used: named by default, counted and left out with `drop`."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtbench.config.datasets import FileDataset
from srtbench.config.eval_sets import FileEvalSet
from srtbench.datasets import DatasetError, draw_eval_set, draw_problems
from srtbench.datasets.golds import settle
from srtbench.datasets.problems import Item, Split
from srtbench.plan.identity import content_id
from srtbench.plan.stages import EvalPrompts, TrainPrompts
from srtbench.store import Folder
from srtbench.train.prompts import prompt_table
from srtbench.train.stages.prompts import draw_eval_prompts, draw_train_prompts

SPLITS: tuple[Split, ...] = ("train", "eval", "warm_start")


def _file(path: Path, *pairs: tuple[str, str], **options: Any) -> FileDataset:
    rows = [{"question": question, "answer": answer} for question, answer in pairs]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return FileDataset(path=str(path), prompt_template="{question}", **options)


GOOD = [(f"q{n}", str(n)) for n in range(60)]


def test_equal_keys_are_no_contradiction(tmp_path: Path) -> None:
    """302 prompts of DeepScaleR had two answers as text; 31 of them were equal."""
    dataset = _file(
        tmp_path / "a.jsonl", *GOOD, ("q3", "\\$ 3"), ("q4", "4.0"), ("q5", "\\frac{10}{2}")
    )
    found = {p.prompt: p.gold for split in SPLITS for p in draw_problems(dataset, split).problems}
    assert found == dict(GOOD)


def test_two_answers_are_an_error_that_says_how_to_go_on(tmp_path: Path) -> None:
    dataset = _file(tmp_path / "a.jsonl", *GOOD, ("q3", "4"))
    with pytest.raises(DatasetError) as error:
        draw_problems(dataset, "train")
    first, second, last = str(error.value).splitlines()
    assert first == "a.jsonl: 1 prompt with two answers"
    assert second == "  row 4 and row 61: answers '3' and '4' to 'q3'"
    assert "on_bad_gold: drop" in last


def test_golds_without_a_key_name_their_rows(tmp_path: Path) -> None:
    bad = [(f"bad {n}", f"word {n}") for n in range(50)]
    dataset = _file(tmp_path / "a.jsonl", *GOOD, *bad, answer_kind="integer")
    with pytest.raises(DatasetError) as error:
        prompt_table(dataset, draw_problems(dataset, "train").problems)
    message = str(error.value)
    assert "train gold answers have no key as answer_kind integer: row " in message
    assert message.count("(unparsable)") == 3
    assert "on_bad_gold: drop" in message


def test_drop_counts_what_it_leaves_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pairs = [*GOOD, ("bad", "word"), ("q3", "word"), ("q4", "5"), ("q4", "6"), ("q7", "8")]
    dataset = _file(tmp_path / "a.jsonl", *pairs, answer_kind="integer", on_bad_gold="drop")
    drawn = {split: draw_problems(dataset, split) for split in SPLITS}
    kept = {problem.prompt for one in drawn.values() for problem in one.problems}
    assert kept == {question for question, _ in GOOD} - {"q4", "q7"}
    dropped = [one.dropped for one in drawn.values()]
    assert sorted(row for one in dropped for row in one.without_key) == [
        "row 61: 'word'",
        "row 62: 'word'",
    ]
    assert sorted(row for one in dropped for row in one.two_answers) == [
        "row 5 and row 63: answers '4' and '5' to 'q4'",
        "row 8 and row 65: answers '7' and '8' to 'q7'",
    ]
    assert "dropped " in caplog.text
    assert all(prompt_table(dataset, one.problems).num_rows for one in drawn.values())


def test_a_request_gets_as_many_as_it_asks_for(tmp_path: Path) -> None:
    """Rows are left out before prompts are counted."""
    mixed = [pair for n in range(60) for pair in ((f"q{n}", str(n)), (f"bad {n}", "word"))]
    dataset = _file(tmp_path / "a.jsonl", *mixed, answer_kind="integer", on_bad_gold="drop")
    every = draw_problems(dataset, "train").problems
    for count in range(1, len(every)):
        assert draw_problems(dataset, "train", count).problems == every[:count]


def test_the_stages_write_what_they_dropped(tmp_path: Path) -> None:
    bad = [(f"bad {n}", "word") for n in range(20)]
    dataset = _file(tmp_path / "a.jsonl", *GOOD, *bad, answer_kind="integer", on_bad_gold="drop")
    total = 0
    for name in ("train", "eval", "whole"):
        folder = Folder(tmp_path / name)
        folder.path.mkdir()
        if name == "train":
            draw_train_prompts(TrainPrompts(stage_id="s", dataset=dataset, prompts=5), folder)
        else:
            draw_eval_prompts(
                EvalPrompts(stage_id="s", dataset=dataset, prompts=5, whole=name == "whole"), folder
            )
        result = json.loads((folder.path / "result.json").read_text())
        assert result["prompts"] == 5
        assert result["dropped"]["prompts_with_two_answers"] == 0
        assert len(result["dropped"]["named"]) <= 3
        if name == "whole":
            assert result["dropped"]["rows_without_key"] == 20
        total += result["dropped"]["rows_without_key"]
    assert 20 < total < 40


def test_an_evaluation_set_has_the_rule_too(tmp_path: Path) -> None:
    dataset = _file(tmp_path / "a.jsonl", *GOOD, ("bad", "word"))
    entry = FileEvalSet(path=dataset.path, answer_kind="integer", on_bad_gold="drop")
    drawn = draw_eval_set(entry.dataset(dataset.split))
    assert len(drawn.problems) == 60
    assert drawn.dropped.without_key == ["row 61: 'word'"]


def test_error_is_what_an_entry_says_that_says_nothing() -> None:
    said, unsaid = FileDataset(path="a.jsonl", on_bad_gold="error"), FileDataset(path="a.jsonl")
    assert content_id(said) == content_id(unsaid)
    assert content_id(FileDataset(path="a.jsonl", on_bad_gold="drop")) != content_id(unsaid)


ROWS = st.lists(st.tuples(st.integers(0, 4), st.sampled_from(["1", "1.0", "01", "2", "x", "y"])))


@given(ROWS)
def test_drop_keeps_a_prompt_if_all_its_keys_are_one(rows: list[tuple[int, str]]) -> None:
    groups: dict[int, list[tuple[str, Item]]] = {}
    for place, (prompt, answer) in enumerate(rows):
        item = Item(f"row {place}", str(prompt), answer, None, {})
        groups.setdefault(prompt, []).append((str(prompt), item))
    kept, bad = settle("a", groups.values(), "number", drop=True)
    for prompt, group in groups.items():
        values = {float(item.answer) for _, item in group if item.answer not in "xy"}
        assert (str(prompt) in kept) == (len(values) == 1)
    assert sum(one.kind == "without_key" for one in bad) == sum(a in "xy" for _, a in rows)
