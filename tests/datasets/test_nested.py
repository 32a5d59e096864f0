"""Columns within columns and chat messages: the tables of verl and TRL, as they are."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtbench.config.datasets import FileDataset, HubDataset
from srtbench.datasets import DatasetError, load_problems
from srtbench.datasets.columns import MISSING, names_in, value_at

VERL: dict[str, Any] = {
    "question_column": "prompt",
    "answer_column": "reward_model.ground_truth",
    "level_column": "extra_info.level",
    "prompt_template": "{question}",
}


def _verl(number: int, *before: dict[str, str]) -> dict[str, Any]:
    return {
        "data_source": "sums",
        "prompt": [*before, {"role": "user", "content": f"What is {number}?"}],
        "reward_model": {"style": "rule", "ground_truth": str(number)},
        "extra_info": {"index": number, "level": "Level 2"},
    }


def _write(path: Path, rows: list[dict[str, Any]]) -> str:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def _error(path: str, **options: Any) -> str:
    with pytest.raises(DatasetError) as error:
        load_problems(FileDataset(path=path, **(VERL | options)), "train")
    return str(error.value)


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_verls_table_is_read_as_it_is(tmp_path: Path, suffix: str) -> None:
    path = _write(tmp_path / f"a.{suffix}", [_verl(n) for n in range(30)])
    found = load_problems(FileDataset(path=path, **VERL), "train")
    assert found
    for problem in found:
        assert problem.prompt == f"What is {problem.gold}?"
        assert problem.level == 2


def test_a_repository_is_read_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    datasets.disable_progress_bars()
    rows = [_verl(n) for n in range(30)]
    (tmp_path / "repo").mkdir()
    path = _write(tmp_path / "repo" / "train.parquet", rows)
    hub = HubDataset(id=str(tmp_path / "repo"), **VERL)
    assert load_problems(hub, "train") == load_problems(FileDataset(path=path, **VERL), "train")
    wrong = hub.model_copy(update={"answer_column": "reward_modl.ground_truth"})
    with pytest.raises(DatasetError, match="did you mean 'reward_model'"):
        load_problems(wrong, "train")
    wrong = hub.model_copy(update={"answer_column": "reward_model.ground_truht"})
    with pytest.raises(DatasetError, match=r"did you mean 'reward_model\.ground_truth'"):
        load_problems(wrong, "train")


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"answer_column": "reward_model.ground_truht"},
            "no column 'reward_model.ground_truht'. did you mean 'reward_model.ground_truth'?",
        ),
        (
            {"answer_column": "ground_truth"},
            "no column 'ground_truth'. did you mean 'reward_model.ground_truth'?",
        ),
        (
            {"answer_column": "reward_model"},
            "row 1: 'reward_model' is a dict, not a text or number; "
            "name what is in it: reward_model.style, reward_model.ground_truth",
        ),
        (
            {"question_column": "prompt.1.content"},
            "no column 'prompt.1.content'. did you mean 'prompt.0.content'?",
        ),
        (
            {"prompt_template": "{metadata[reward_model][ground_truth]}"},
            "{metadata[reward_model]}: the policy must not see the gold answer",
        ),
    ],
)
def test_a_wrong_path_names_the_nearest(
    tmp_path: Path, suffix: str, options: dict[str, Any], message: str
) -> None:
    path = _write(tmp_path / f"a.{suffix}", [_verl(n) for n in range(3)])
    assert message in _error(path, **options)


def test_a_row_that_lacks_a_nested_value_is_named(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [_verl(n) for n in range(4)]
    rows[1]["reward_model"] = None
    rows[2]["reward_model"] = {"ground_truth": None}
    rows[3]["prompt"] = []
    message = _error(_write(tmp_path / "a.jsonl", rows))
    assert "row 2: no 'reward_model.ground_truth'" in message
    assert "row 3: 'reward_model.ground_truth' is null" in message
    assert "row 4: 'prompt' is a list, not a text or number" in message


def test_a_column_whose_own_name_has_dots_comes_first(tmp_path: Path) -> None:
    rows = [{"q": f"q{n}", "a.b": str(n), "a": {"b": "other"}} for n in range(20)]
    path = _write(tmp_path / "a.jsonl", rows)
    columns = {"question_column": "q", "answer_column": "a.b", "level_column": None}
    found = load_problems(FileDataset(path=path, **(VERL | columns)), "train")
    assert all(problem.prompt == f"q{problem.gold}" for problem in found)
    for column in ("a", "a.b"):
        message = _error(path, **columns, prompt_template=f"{{metadata[{column}]}}")
        assert "must not see the gold answer" in message


SYSTEM = {"role": "system", "content": 'Think.\nSay "so".'}


def test_one_system_message_is_the_system_prompt_or_refused_with_the_line(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.parquet", [_verl(n, SYSTEM) for n in range(30)])
    message = _error(path)
    line = message.splitlines()[-1]
    assert line == '  system_prompt: "Think.\\nSay \\"so\\"."'
    kept = FileDataset(path=path, system_prompt=SYSTEM["content"], **VERL)
    assert load_problems(kept, "train")[0].prompt.startswith("What is")
    assert "not the entry's system_prompt" in _error(path, system_prompt="Another.")
    left_out = FileDataset(path=path, **(VERL | {"question_column": "prompt.-1.content"}))
    assert load_problems(left_out, "train") == load_problems(kept, "train")


def test_system_messages_that_differ_are_refused(tmp_path: Path) -> None:
    rows = [_verl(n, SYSTEM) for n in range(3)] + [_verl(n) for n in range(3, 6)]
    message = _error(_write(tmp_path / "a.jsonl", rows), system_prompt=SYSTEM["content"])
    assert "'prompt' has 2 different system messages" in message
    assert "prompt.-1.content leaves system messages out" in message


def test_earlier_turns_are_not_lost_in_silence(tmp_path: Path) -> None:
    before = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    path = _write(tmp_path / "a.jsonl", [_verl(n, *before) for n in range(20)])
    assert "row 1: 'prompt' is a chat of user, assistant, user" in _error(path)
    assert "name the message to ask, as prompt.-1.content" in _error(path)
    last = FileDataset(path=path, **(VERL | {"question_column": "prompt.-1.content"}))
    assert load_problems(last, "train")[0].prompt.startswith("What is")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "has a message whose content is null, not text"),
        ([{"type": "image"}], "has a message whose content is a list, not text"),
        ("  ", "'prompt' is empty"),
    ],
)
def test_messages_without_text_are_named(tmp_path: Path, content: Any, message: str) -> None:
    row = _verl(1) | {"prompt": [{"role": "user", "content": content}]}
    assert message in _error(_write(tmp_path / "a.jsonl", [row]))


def test_text_in_parts_is_text(tmp_path: Path) -> None:
    parts = [{"type": "text", "text": "What is "}, {"type": "text", "text": "1?"}]
    rows = [_verl(n) for n in range(30)]
    rows[1]["prompt"][0]["content"] = parts
    path = _write(tmp_path / "a.jsonl", rows)
    plain = _write(tmp_path / "b.jsonl", [_verl(n) for n in range(30)])
    for split in ("train", "eval", "warm_start"):
        found = [load_problems(FileDataset(path=p, **VERL), split) for p in (path, plain)]  # type: ignore[arg-type]
        assert found[0] == found[1]


KEYS = st.text(st.sampled_from("ab.0-1"), min_size=1, max_size=4)
VALUES = st.recursive(
    st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner),
    max_leaves=8,
)


@given(st.dictionaries(KEYS, VALUES))
def test_every_name_that_a_message_offers_can_be_read(row: dict[str, Any]) -> None:
    for name in names_in(row):
        assert value_at(row, name) is not MISSING


@given(VALUES, st.text("ab.01-", max_size=6))
def test_any_name_of_any_row_is_a_value_or_missing(row: Any, name: str) -> None:
    value_at(row, name)


def test_narrow_floats_within_columns_are_the_numbers_that_were_written(tmp_path: Path) -> None:
    truths = [f"0.{number}" for number in range(11, 60) if number % 10]
    numbers = pa.array([float(text) for text in truths], pa.float32())
    lists = pa.array([[float(text)] for text in truths], pa.list_(pa.float16()))
    columns = {
        "question": pa.array([f"What is {text}?" for text in truths]),
        "reward": pa.StructArray.from_arrays([numbers, lists], ["truth", "all"]),
    }
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    for column in ("reward.truth", "reward.all.0"):
        dataset = FileDataset(
            path=str(tmp_path / "a.parquet"),
            answer_column=column,
            prompt_template="{question}",
        )
        for problem in load_problems(dataset, "train"):
            assert problem.gold == problem.prompt.removeprefix("What is ")[:-1]
