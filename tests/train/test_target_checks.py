"""A warm start that cannot succeed says so before its first step."""

import json
from pathlib import Path
from typing import Any

import pytest

from srtbench.config.datasets import FileDataset
from srtbench.config.models import TinyModel
from srtbench.models.tokenizer import character_tokenizer
from srtbench.plan.stages import WarmStart
from srtbench.store import Folder
from srtbench.train.stages import warm_start as stages
from srtbench.train.stages.target_checks import check_lengths

ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789=\\{}#"


def _fails(folder: Path, monkeypatch: pytest.MonkeyPatch, limit: int = 16, **options: Any) -> str:
    """What a warm start on answers of three letters says."""

    def train(*_: Any, **__: Any) -> None:
        raise AssertionError("it was trained")

    monkeypatch.setattr(stages, "warm_start", train)
    rows = [{"question": f"q{n}", "answer": f"ab{chr(97 + n % 26)}"} for n in range(100)]
    path = folder / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    values = {"prompt_template": "{question}=", "answer_kind": "text"} | options
    alphabet = values.pop("alphabet", ALPHABET)
    model = TinyModel(
        hidden_size=8, intermediate_size=8, num_layers=1, num_heads=1, alphabet=alphabet
    )
    spec = WarmStart(
        stage_id="warm",
        model=model,
        dataset=FileDataset(path=str(path), **values),
        max_completion_length=limit,
    )
    with pytest.raises(stages.WarmStartError) as error:
        stages.make_start_model(spec, Folder(folder))
    return str(error.value)


def test_a_target_that_its_style_cannot_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = _fails(tmp_path, monkeypatch, target_template="#{answer}")
    assert "targets are not read back as their gold answers, e.g. row " in message
    assert "answer_style boxed reads no answer" in message
    assert "in the target '#ab" in message


def test_a_target_that_its_style_reads_as_something_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = _fails(tmp_path, monkeypatch, target_template="\\boxed{{x{answer}}}")
    assert "reads 'xab" in message
    assert "the gold answer is 'ab" in message


def test_completions_that_no_target_fits_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    style = {"target_template": "{answer}", "answer_style": "text"}
    message = _fails(tmp_path, monkeypatch, limit=2, **style)
    assert message == (
        "no target fits into max_completion_length = 2; the shortest needs 3 tokens, the longest 3"
    )


def test_an_alphabet_that_lacks_characters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    message = _fails(tmp_path, monkeypatch, alphabet="abcdefghijklmnopqrstuvwxyz01234567=")
    assert "alphabet lacks '89'" in message


def test_a_character_that_only_a_word_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    r"""`{` is in the token \boxed{, and has none where it stands alone."""
    letters = ALPHABET.replace("{", "")
    message = _fails(tmp_path, monkeypatch, alphabet=letters, prompt_template="{{{question}=")
    assert "alphabet lacks '{'" in message


def test_too_few_targets_that_fit() -> None:
    from srtbench.datasets import Problem

    tokenizer = character_tokenizer("ab", (), 16)
    checked = [Problem("p", "a", t, None, "train", t) for t in ("a", "ab", "abab", "ababab")]
    check_lengths(tokenizer, checked, 4, 0.75)
    with pytest.raises(stages.WarmStartError, match="only 75% of the targets fit into"):
        check_lengths(tokenizer, checked, 4, 0.8)
