"""Hub datasets, through `datasets.load_dataset` itself on local folders."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from srtbench.config.datasets import HubDataset
from srtbench.datasets import DatasetError, check_disjoint, load_problems
from srtbench.datasets.problems import Split

SPLITS: tuple[Split, ...] = ("train", "eval", "warm_start")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    datasets.disable_progress_bars()


def _frame(count: int, first: int = 0) -> pl.DataFrame:
    numbers = range(first, first + count)
    return pl.DataFrame(
        {
            "problem": [f"What is {n}?" for n in numbers],
            "solution": [str(n) for n in numbers],
            "level": [f"Level {n % 3}" for n in numbers],
        }
    )


def _repository(folder: Path, suffix: str, **frames: pl.DataFrame) -> Path:
    folder.mkdir()
    for split, frame in frames.items():
        path = folder / f"{split}.{suffix}"
        if suffix == "parquet":
            frame.write_parquet(path)
        else:
            frame.write_ndjson(path)
    return folder


def _dataset(folder: Path, **options: Any) -> HubDataset:
    values = {"id": str(folder), "question_column": "problem", "answer_column": "solution"}
    return HubDataset(**(values | options))


@pytest.mark.parametrize("suffix", ["parquet", "jsonl"])
def test_one_split_is_divided_by_hash(tmp_path: Path, suffix: str) -> None:
    dataset = _dataset(
        _repository(tmp_path / "repo", suffix, train=_frame(60)), level_column="level"
    )
    problems = {split: load_problems(dataset, split) for split in SPLITS}
    assert sum(len(found) for found in problems.values()) == 60
    assert {p.level for p in problems["train"]} == {0, 1, 2}
    assert all(p.prompt.startswith(f"What is {p.gold}?") for p in problems["train"])
    check_disjoint(**problems)
    assert load_problems(dataset, "train", 5) == problems["train"][:5]


def test_explicit_eval_split_and_overlap(tmp_path: Path) -> None:
    folder = _repository(tmp_path / "repo", "parquet", train=_frame(40), test=_frame(10, first=35))
    with pytest.raises(DatasetError, match="repo: 5 questions are in train and eval"):
        load_problems(_dataset(folder, eval_split="test"), "train")
    dropping = _dataset(folder, eval_split="test", on_overlap="drop_from_train")
    problems = {split: load_problems(dropping, split) for split in SPLITS}
    assert {p.gold for p in problems["eval"]} == {str(n) for n in range(35, 45)}
    assert len(problems["train"]) + len(problems["warm_start"]) == 35
    check_disjoint(**problems)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"train_split": "trian"}, "[trian]: cannot be loaded: Unknown split"),
        ({"subset": "nothing"}, "[train]: cannot be loaded: "),
        (
            {"answer_column": "solutions"},
            "no column 'solutions'. did you mean 'solution'? Allowed: level, problem, solution",
        ),
        ({"level_column": "lvl"}, "no column 'lvl'"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    folder = _repository(tmp_path / "repo", "parquet", train=_frame(10))
    with pytest.raises(DatasetError) as error:
        load_problems(_dataset(folder, **options), "train")
    assert message in str(error.value)


def test_a_repository_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot be loaded: "):
        load_problems(_dataset(tmp_path / "nowhere"), "train")


def test_broken_rows_are_named(tmp_path: Path) -> None:
    frame = pl.DataFrame({"problem": ["a", None], "solution": ["1", "2"]})
    folder = _repository(tmp_path / "repo", "parquet", train=frame)
    with pytest.raises(DatasetError, match=r"\[train\]: row 2: 'problem' is null"):
        load_problems(_dataset(folder), "train")
