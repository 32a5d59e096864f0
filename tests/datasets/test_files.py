"""JSONL, CSV and Parquet: equal content gives equal problems; broken rows are all named."""

import csv
import json
import os
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from srtbench.config.datasets import FileDataset
from srtbench.datasets import DatasetError, check_disjoint, load_problems
from srtbench.datasets.problems import Split

SPLITS: tuple[Split, ...] = ("train", "eval", "warm_start")
Rows = list[dict[str, Any]]


def _rows(count: int, first: int = 0) -> Rows:
    return [
        {"question": f'What is {n}, "{n}"?\nSay it.', "answer": str(n), "level": n % 3}
        for n in range(first, first + count)
    ]


def _jsonl(path: Path, rows: Rows) -> FileDataset:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return FileDataset(path=str(path))


def _lines(path: Path, *lines: str | bytes) -> FileDataset:
    path.write_bytes(b"\n".join(x if isinstance(x, bytes) else x.encode() for x in lines) + b"\n")
    return FileDataset(path=str(path))


def _error(dataset: FileDataset, split: Split = "train") -> str:
    with pytest.raises(DatasetError) as error:
        load_problems(dataset, split)
    return str(error.value)


def test_jsonl_csv_and_parquet_give_the_same_problems(tmp_path: Path) -> None:
    rows = _rows(40)
    _jsonl(tmp_path / "a.jsonl", rows)
    pl.DataFrame(rows).write_parquet(tmp_path / "a.parquet")
    with (tmp_path / "a.csv").open("w", encoding="utf-8", newline="") as sink:
        writer = csv.DictWriter(sink, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    results = [
        {
            split: load_problems(
                FileDataset(path=str(tmp_path / name), level_column="level"), split
            )
            for split in SPLITS
        }
        for name in ("a.jsonl", "a.parquet", "a.csv")
    ]
    assert results[0] == results[1] == results[2]
    assert sum(len(problems) for problems in results[0].values()) == 40
    check_disjoint(**results[0])


def test_order_does_not_follow_the_file_and_prefixes_agree(tmp_path: Path) -> None:
    """A sorted file must not give its easiest rows to a short request."""
    dataset = _jsonl(tmp_path / "a.jsonl", _rows(60))
    everything = load_problems(dataset, "train")
    golds = [int(problem.gold) for problem in everything]
    assert golds != sorted(golds)
    backwards = _jsonl(tmp_path / "b.jsonl", _rows(60)[::-1])
    assert [p.prompt for p in load_problems(backwards, "train")] == [p.prompt for p in everything]
    for count in range(1, len(everything)):
        assert load_problems(dataset, "train", count) == everything[:count]


def test_train_prompts_limits_the_training_pool(tmp_path: Path) -> None:
    dataset = _jsonl(tmp_path / "a.jsonl", _rows(60)).model_copy(update={"train_prompts": 7})
    assert len(load_problems(dataset, "train")) == 7


def test_too_few_problems(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    dataset = _jsonl(tmp_path / "a.jsonl", _rows(30))
    count = len(load_problems(dataset, "eval"))
    with pytest.raises(DatasetError, match=f"a: eval: {count} distinct problems, 400 asked for"):
        load_problems(dataset, "eval", 400)
    assert len(load_problems(dataset, "train", 400)) < 31
    assert "400 asked for" in caplog.text


def test_an_empty_split_is_an_error(tmp_path: Path) -> None:
    dataset = _jsonl(tmp_path / "a.jsonl", _rows(30))
    no_warm = FileDataset(path=dataset.path, split={"train": 0.5, "eval": 0.5, "warm_start": 0})
    with pytest.raises(DatasetError, match=r"no problems \(split.warm_start is 0\)"):
        load_problems(no_warm, "warm_start", 5)


def test_numbers_keep_their_digits(tmp_path: Path) -> None:
    dataset = _lines(
        tmp_path / "a.jsonl",
        '{"question": "half", "answer": 0.50}',
        '{"question": "big", "answer": 123456789012345678901234567890.0}',
        '{"question": "yes", "answer": true}',
        '{"question": 7, "answer": 1e3}',
    )
    found = [p for split in SPLITS for p in _all(dataset, split)]
    golds = {problem.prompt.split("\n")[0]: problem.gold for problem in found}
    assert golds == {
        "half": "0.50",
        "big": "123456789012345678901234567890.0",
        "yes": "true",
        "7": "1e3",
    }


def _all(dataset: FileDataset, split: Split) -> list[Any]:
    try:
        return load_problems(dataset, split)
    except DatasetError:
        return []


def test_every_broken_row_is_named(tmp_path: Path) -> None:
    dataset = _lines(
        tmp_path / "math.jsonl",
        '{"question": "fine", "answer": "1"}',
        "",
        '{"question": "cut", "answer": "1',
        "[1, 2]",
        '{"question": "", "answer": null}',
        '{"question": "no answer"}',
        '{"question": "list", "answer": ["1"]}',
        '{"question": "nan", "answer": NaN}',
        b'{"question": "caf\xe9", "answer": "1"}',
        '{"question": "' + "[" * 100_000,
        "[" * 100_000,
    )
    message = _error(dataset)
    assert message.startswith("math.jsonl: 9 broken rows\n")
    for part in (
        "row 3: not valid JSON: ",
        "row 4: expected an object, got an array",
        "row 5: 'question' is empty; 'answer' is null",
        "row 6: no 'answer'",
        "row 7: 'answer' is a list, not a text or number",
        "row 8: not valid JSON: NaN",
        "row 9: not valid UTF-8",
        "row 10: not valid JSON",
        "row 11: not valid JSON",
    ):
        assert f"  {part}" in message


def test_half_of_a_surrogate_pair_names_its_row(tmp_path: Path) -> None:
    """Later it would be a UnicodeEncodeError, without file or row."""
    lines = [json.dumps(row) for row in _rows(12)]
    lines.append('{"question": "bad \\ud83d char", "answer": "1"}')
    lines.append('{"question": "whole \\ud83d\\ude00", "answer": "1"}')
    lines.append('{"question": "in words: \\\\ud83d", "answer": "1"}')
    message = _error(_lines(tmp_path / "a.jsonl", *lines))
    assert message.startswith("a.jsonl: row 13: 'question' holds \\ud83d alone")
    nested = '{"question": "q", "answer": "1", "more": {"x": ["\\udc00"]}}'
    assert "row 1: 'more' holds \\udc00 alone" in _error(_lines(tmp_path / "b.jsonl", nested))


def test_parquet_text_that_is_not_utf8_names_its_row(tmp_path: Path) -> None:
    texts = pa.array([b"fine", b"caf\xe9", b"good"]).cast(pa.binary())
    column = pa.StringArray.from_buffers(3, texts.buffers()[1], texts.buffers()[2])
    table = pa.table({"question": column, "answer": ["1", "2", "3"]})
    pq.write_table(table, tmp_path / "a.parquet")
    message = _error(FileDataset(path=str(tmp_path / "a.parquet")))
    assert message == "a.parquet: row 2: not valid UTF-8"


def test_one_broken_row_among_many_is_named(tmp_path: Path) -> None:
    lines = [json.dumps(row) for row in _rows(40)]
    lines[16] = '{"question": "x", "answer": }'
    assert _error(_lines(tmp_path / "math.jsonl", *lines)).startswith(
        "math.jsonl: row 17: not valid JSON: "
    )


def test_at_most_twenty_broken_rows_are_listed(tmp_path: Path) -> None:
    message = _error(_lines(tmp_path / "a.jsonl", '{"question": "q", "answer": "1"}', *["{"] * 30))
    assert "30 broken rows" in message
    assert message.endswith("  ... and 10 more")
    assert message.count("not valid JSON") == 20


def test_broken_csv_rows_are_named(tmp_path: Path) -> None:
    dataset = _lines(
        tmp_path / "a.csv",
        "question,answer",
        '"two\nlines",1',
        "one field",
        ",2",
        b"caf\xe9,3",
        '"bad"quote,4',
        "good,5",
    )
    message = _error(dataset)
    for part in (
        "row 2 (line 4): 1 fields, the header has 2",
        "row 3 (line 5): 'question' is null",
        "row 4 (line 6): not valid UTF-8",
        "row 5 (line 7): not valid CSV",
    ):
        assert part in message


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("question,question", "names question twice"),
        ("", "the header is missing"),
        ("question\tanswer", "no comma but '\\t': separate the columns by commas"),
        ("q\0u\0", "not UTF-8, but UTF-16 or no text"),
    ],
)
def test_broken_csv_headers(tmp_path: Path, header: str, message: str) -> None:
    assert message in _error(_lines(tmp_path / "a.csv", header, "1,2"))


def test_broken_parquet_rows_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"question": ["a", None, " "], "answer": [1.5, float("nan"), 2.0]}).write_parquet(
        path
    )
    message = _error(FileDataset(path=str(path)))
    assert "row 2: 'question' is null; 'answer' is nan" in message
    assert "row 3: 'question' is empty" in message


@pytest.mark.parametrize("content", [b"", b"PAR1", b"not parquet at all"])
def test_damaged_parquet_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.parquet").write_bytes(content)
    message = _error(FileDataset(path=str(tmp_path / "a.parquet")))
    assert "a.parquet: not readable as Parquet" in message


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_missing_column_names_the_nearest(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    frame = pl.DataFrame({"problem": ["a", "b"], "answer": ["1", "2"], "grade": ["1", "2"]})
    match suffix:
        case "jsonl":
            frame.write_ndjson(path)
        case "csv":
            frame.write_csv(path)
        case _:
            frame.write_parquet(path)
    message = _error(FileDataset(path=str(path), question_column="problm"))
    expected = "no column 'problm'. did you mean 'problem'? Allowed: answer, grade, problem"
    assert message == f"a.{suffix}: {expected}"


def test_levels_are_whole_numbers(tmp_path: Path) -> None:
    rows = [
        {"question": f"q{n}", "answer": "1", "level": level}
        for n, level in enumerate([1, "2", "Level 3", 4.0, None, "", "hard", 1.5])
    ]
    dataset = _jsonl(tmp_path / "a.jsonl", rows).model_copy(update={"level_column": "level"})
    message = _error(dataset)
    assert "2 broken rows" in message
    assert "row 7: 'level' is 'hard', not a whole number" in message
    good = _jsonl(tmp_path / "b.jsonl", rows[:6]).model_copy(update={"level_column": "level"})
    levels = {p.prompt[:2]: p.level for split in SPLITS for p in _all(good, split)}
    assert levels == {"q0": 1, "q1": 2, "q2": 3, "q3": 4, "q4": None, "q5": None}


def test_duplicates_keep_the_first_and_contradictions_are_errors(tmp_path: Path) -> None:
    rows = _rows(20)
    doubled = [*rows, {**rows[3], "question": rows[3]["question"].replace("\n", "  ")}]
    dataset = _jsonl(tmp_path / "a.jsonl", doubled)
    assert sum(len(_all(dataset, split)) for split in SPLITS) == 20
    dataset = _jsonl(tmp_path / "b.jsonl", [*rows, {**rows[3], "answer": "other"}])
    message = _error(dataset)
    assert message.startswith("b.jsonl: 1 prompt with two answers\n  row 4 and row 21: answers '3'")


def test_a_template_that_drops_the_question_is_an_error(tmp_path: Path) -> None:
    dataset = _jsonl(tmp_path / "a.jsonl", _rows(5)).model_copy(
        update={"prompt_template": "Solve it."}
    )
    assert "4 prompts with two answers" in _error(dataset)


def test_explicit_eval_file(tmp_path: Path) -> None:
    _jsonl(tmp_path / "train.jsonl", _rows(50))
    _jsonl(tmp_path / "test.jsonl", _rows(20, first=100))
    dataset = FileDataset(
        path=str(tmp_path / "train.jsonl"), eval_path=str(tmp_path / "test.jsonl")
    )
    problems = {split: load_problems(dataset, split) for split in SPLITS}
    assert {p.gold for p in problems["eval"]} == {str(n) for n in range(100, 120)}
    assert len(problems["train"]) + len(problems["warm_start"]) == 50
    assert all(problem.split == split for split, found in problems.items() for problem in found)
    check_disjoint(**problems)


def test_overlap_is_refused_or_dropped_from_train(tmp_path: Path) -> None:
    _jsonl(tmp_path / "train.jsonl", _rows(50))
    shared = [{**row, "question": row["question"].upper()} for row in _rows(10, first=45)]
    _jsonl(tmp_path / "test.jsonl", shared)
    paths = {"path": str(tmp_path / "train.jsonl"), "eval_path": str(tmp_path / "test.jsonl")}
    for split in SPLITS:
        message = _error(FileDataset(**paths), split)
        assert message.startswith("train: 5 questions are in train and eval; on_overlap: drop")
        assert "row 46 = eval row 1" in message
    dropping = FileDataset(**paths, on_overlap="drop_from_train")
    problems = {split: load_problems(dropping, split) for split in SPLITS}
    assert len(problems["eval"]) == 10
    assert len(problems["train"]) + len(problems["warm_start"]) == 45
    check_disjoint(**problems)


def test_warm_start_by_level(tmp_path: Path) -> None:
    dataset = _jsonl(tmp_path / "a.jsonl", _rows(200)).model_copy(
        update={"level_column": "level", "warm_start_levels": {0: 1.0, 2: 0.5, 1: 0.0}}
    )
    problems = load_problems(dataset, "warm_start", 4)
    assert [problem.level for problem in problems] == [0, 2] * 4
    assert load_problems(dataset, "warm_start", 2) == problems[:4]
    other = dataset.model_copy(update={"warm_start_levels": {0: 1.0, 9: 1.0}})
    with pytest.raises(DatasetError, match="warm_start, level 9: no problems"):
        load_problems(other, "warm_start", 4)
    other = dataset.model_copy(update={"level_column": None})
    with pytest.raises(DatasetError, match="warm_start_levels needs a level_column"):
        load_problems(other, "warm_start", 4)


@pytest.mark.parametrize(
    ("name", "message"),
    [("none.jsonl", "no such file"), ("a.txt", "unknown file type; allowed: .csv, .jsonl")],
)
def test_files_that_cannot_be_used(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "a.txt").write_text("x")
    assert message in _error(FileDataset(path=str(tmp_path / name)))


def test_a_file_without_rows_is_an_error(tmp_path: Path) -> None:
    assert "no rows" in _error(_lines(tmp_path / "a.jsonl", "", "  "))
    assert "no rows" in _error(_lines(tmp_path / "a.csv", "question,answer"))


def _data(name: str) -> Path:
    default = Path(__file__).parents[3] / "shared" / "data"
    path = Path(os.environ.get("SRTBENCH_DATA", default)) / name
    if not path.is_file():
        pytest.skip(f"{name} is not here: set SRTBENCH_DATA to the folder that holds it")
    return path


@pytest.mark.parametrize(
    ("name", "rows"),
    [("gsm8k_train.jsonl", 7473), ("gsm8k_test.jsonl", 1319), ("math500.jsonl", 500)],
)
def test_real_files_load(name: str, rows: int) -> None:
    dataset = FileDataset(path=str(_data(name)))
    problems = {split: load_problems(dataset, split) for split in SPLITS}
    assert sum(len(found) for found in problems.values()) == rows
    check_disjoint(**problems)


def test_gsm8k_test_is_not_in_its_train() -> None:
    dataset = FileDataset(
        path=str(_data("gsm8k_train.jsonl")), eval_path=str(_data("gsm8k_test.jsonl"))
    )
    assert len(load_problems(dataset, "eval")) == 1319
