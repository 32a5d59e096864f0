"""Gold answers: found in their cell, never without a key; a warm start can check what it trains."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from srtbench.answers import KINDS, STYLES
from srtbench.config.datasets import (
    AnswerKind,
    AnswerStyle,
    FileDataset,
    ReasoningGymDataset,
    SplitShares,
)
from srtbench.config.models import TinyModel
from srtbench.datasets import DatasetError, Problem, draw_problems, load_problems
from srtbench.models.warm_start import Example, WarmStartResult, check_count
from srtbench.plan.stages import WarmStart
from srtbench.store import Folder
from srtbench.train.prompts import prompt_table
from srtbench.train.stages import warm_start as stages
from srtbench.variants.incorrect import Incorrect

ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789=\\{}# "


def _file(path: Path, answers: list[str], **options: Any) -> FileDataset:
    rows = [{"question": f"q{n}", "answer": a, "level": n % 3} for n, a in enumerate(answers)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return FileDataset(path=str(path), prompt_template="{question}=", **options)


def _problem(gold: str) -> Problem:
    return Problem(gold, gold, gold, None, "eval", gold)


def test_the_literals_of_the_sweep_file_are_those_of_the_answers() -> None:
    assert get_args(AnswerKind) == KINDS
    assert get_args(AnswerStyle) == STYLES


@pytest.mark.parametrize("wrong", [{"answer_kind": "txt"}, {"gold_style": "hsh"}])
def test_an_unknown_kind_or_style_is_refused_in_the_sweep_file(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="Input should be"):
        FileDataset(path="a.jsonl", **wrong)


def test_gold_style_takes_the_answer_out_of_a_rationale(tmp_path: Path) -> None:
    answers = [f"{n} + 1 = <<{n}+1={n + 1}>>{n + 1}\n#### 1,0{n + 10}" for n in range(30)]
    dataset = _file(
        tmp_path / "a.jsonl",
        answers,
        gold_style="hash",
        target_template="{metadata[answer]} \\boxed{{{answer}}}",
    )
    problems = load_problems(dataset, "train")
    assert {problem.gold for problem in problems} <= {f"1,0{n + 10}" for n in range(30)}
    assert all(problem.target.startswith(f"{problem.prompt[1:-1]} + 1") for problem in problems)
    keys = prompt_table(dataset, problems)["gold_key"].to_pylist()
    assert keys == [problem.gold.replace(",", "") for problem in problems]


def test_a_row_without_its_answer_is_broken(tmp_path: Path) -> None:
    dataset = _file(tmp_path / "a.jsonl", ["#### 1", "so it is 2", "####"], gold_style="hash")
    with pytest.raises(DatasetError) as error:
        load_problems(dataset, "train")
    assert "a.jsonl: 2 broken rows" in str(error.value)
    expected = "row 2: 'answer' holds no answer in gold_style hash: 'so it is 2'"
    assert expected in str(error.value)


def test_gold_style_of_a_generated_task() -> None:
    found = load_problems(ReasoningGymDataset(task="gcd", level=2, gold_style="line"), "eval", 3)
    assert found == load_problems(ReasoningGymDataset(task="gcd", level=2), "eval", 3)
    with pytest.raises(DatasetError, match="gcd item 0 of seed 0: no answer in gold_style hash"):
        load_problems(ReasoningGymDataset(task="gcd", level=2, gold_style="hash"), "eval", 3)


def test_gold_answers_without_a_key_are_named() -> None:
    dataset = FileDataset(path="sums.jsonl", answer_kind="integer")
    golds = ["1", "one", "2", "two", "three", "four"]
    with pytest.raises(DatasetError) as error:
        prompt_table(dataset, [_problem(gold) for gold in golds])
    assert str(error.value).startswith(
        "sums: 4 of 6 eval gold answers have no key as answer_kind integer: 'one' (unparsable), "
        "'two' (unparsable), 'three' (unparsable), ...; "
    )
    assert prompt_table(dataset, [_problem("1")])["gold_key"].to_pylist() == ["1"]
    assert prompt_table(dataset, []).num_rows == 0


def test_incorrect_keeps_no_prompt_whose_gold_has_no_key() -> None:
    variant = object.__new__(Incorrect)
    variant.context = SimpleNamespace(teacher_labels={"p": SimpleNamespace(label="5")})  # type: ignore[assignment]
    assert variant.keeps_prompt("p", "4")
    assert not variant.keeps_prompt("p", "5")
    assert not variant.keeps_prompt("p", None)


@pytest.mark.parametrize(
    ("available", "held_out"), [(1, 1), (3, 1), (8, 2), (511, 127), (512, 128), (2000, 128)]
)
def test_a_warm_start_holds_out_a_quarter_at_most(available: int, held_out: int) -> None:
    assert check_count(available, 128) == held_out


class _TrainedError(Exception):
    """Raised in place of training."""


def _warm_start(
    folder: Path, monkeypatch: pytest.MonkeyPatch, dataset: FileDataset | ReasoningGymDataset
) -> tuple[list[Example], dict[int | None, float], list[str]]:
    """What a warm start would train on, with which weights, and check."""
    seen: list[Any] = []

    def train(
        model: Any,
        tokenizer: Any,
        config: Any,
        training: list[Example],
        weights: dict[int | None, float],
        checks: list[str],
        *_: Any,
        **__: Any,
    ) -> WarmStartResult:
        seen.extend([training, weights, checks])
        raise _TrainedError

    monkeypatch.setattr(stages, "warm_start", train)
    spec = WarmStart(
        stage_id="warm",
        model=TinyModel(
            hidden_size=8, intermediate_size=8, num_layers=1, num_heads=1, alphabet=ALPHABET
        ),
        dataset=dataset,
        max_completion_length=8,
    )
    place = folder / "warm"
    place.mkdir()
    with pytest.raises(_TrainedError):
        stages.make_start_model(spec, Folder(place))
    training, weights, checks = seen
    return training, weights, checks


def test_a_small_pool_is_not_all_held_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = _file(tmp_path / "a.jsonl", [str(n) for n in range(100)])
    pool = load_problems(dataset, "warm_start")
    assert len(pool) < 128
    training, weights, checks = _warm_start(tmp_path, monkeypatch, dataset)
    assert len(checks) == len(pool) // 4
    assert sorted([*checks, *(e.prompt for e in training)]) == sorted(p.prompt for p in pool)
    assert weights == {None: 1.0}


def test_levels_without_a_mixture_are_one_pool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [str(n) for n in range(100)]
    dataset = _file(tmp_path / "a.jsonl", answers, level_column="level")
    training, weights, _ = _warm_start(tmp_path, monkeypatch, dataset)
    assert {example.level for example in training} == set(weights) == {None}


def _no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(config: TinyModel) -> None:
        raise AssertionError("the model is built before the pool is checked")

    monkeypatch.setattr(stages, "build_tiny", fail)


@pytest.mark.parametrize("nothing", ["to check", "to train on"])
def test_a_pool_that_cannot_work_stops_before_the_model_is_built(
    nothing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _no_model(monkeypatch)
    dataset: FileDataset | ReasoningGymDataset
    if nothing == "to check":
        dataset = ReasoningGymDataset(
            task="spell_backward", level=6, answer_kind="text", warm_start_levels={3: 1}
        )
        message = "level 6 will be trained, but warm_start_levels has none of it"
    else:
        dataset = _file(
            tmp_path / "a.jsonl",
            [str(n) for n in range(3)],
            split=SplitShares(train=0.05, eval=0.05, warm_start=0.9),
        )
        monkeypatch.setattr(
            stages, "draw_problems", lambda *_: draw_problems(dataset, "warm_start", 1)
        )
        message = "a: nothing is left to train on: of 1 warm-start prompts"
    spec = WarmStart(stage_id="warm", model=TinyModel(), dataset=dataset, max_completion_length=8)
    with pytest.raises(stages.WarmStartError, match=message):
        stages.make_start_model(spec, Folder(tmp_path))
