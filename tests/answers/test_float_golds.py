"""Golds that a file stores as floats: the number that was written, and its key."""

from pathlib import Path

import polars as pl
import pytest

from srtbench.answers import answer_key
from srtbench.config.datasets import FileDataset
from srtbench.datasets.rows import Columns, read_file


def _golds(path: Path) -> list[str]:
    return [item.answer for item in read_file(path, Columns.of(FileDataset(path=str(path))))]


@pytest.mark.parametrize("dtype", [pl.Float32, pl.Float64])
def test_floats_of_a_parquet_file_keep_their_digits(tmp_path: Path, dtype: pl.DataType) -> None:
    path = tmp_path / "golds.parquet"
    values = [0.8, 0.4, 0.7, 9e-05, 1e16, 2e22]
    pl.DataFrame(
        {"question": list("abcdef"), "answer": values},
        schema={"question": pl.String, "answer": dtype},
    ).write_parquet(path)
    golds = _golds(path)
    assert golds[:3] == ["0.8", "0.4", "0.7"]
    expected = ["4/5", "2/5", "7/10", "9/100000", str(10**16), str(2 * 10**22)]
    for kind in ("math", "number"):
        assert [answer_key(gold, kind) for gold in golds] == expected


def test_numbers_of_a_jsonl_file_are_read_as_written(tmp_path: Path) -> None:
    path = tmp_path / "golds.jsonl"
    path.write_text(
        '{"question": "a", "answer": 1e-5}\n{"question": "b", "answer": 2E+20}\n', "utf-8"
    )
    assert [answer_key(gold) for gold in _golds(path)] == ["1/100000", str(2 * 10**20)]
