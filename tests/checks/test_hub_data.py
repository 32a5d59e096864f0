"""Data of the hub are checked where this machine has them; a plan asks no network."""

import json
from pathlib import Path
from typing import Any

import pytest

from srtbench.checks import Checked, check_sweep
from srtbench.config import load_sweep
from tests.hub import commit_of
from tests.micro import MODEL, write_sweep

COMMIT = commit_of("one")
README = (
    "---\nconfigs:\n- data_files: [{split: train, path: data/*}]\n  config_name: default\n---\n"
)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with one dataset, as huggingface_hub lays it out; whoever asks a server fails."""
    import datasets
    import httpx
    from huggingface_hub import constants

    place = tmp_path / "hub" / "datasets--org--swaps"
    files = place / "snapshots" / COMMIT
    (files / "data").mkdir(parents=True)
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text(COMMIT)
    (files / "README.md").write_text(README)
    rows = [{"question": f"a{n}", "answer": n if n else "none"} for n in range(100)]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (files / "data" / "train.jsonl").write_text(text.replace('"none"', '"6 or"'))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "prepared")

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(httpx.Client, "send", refuse)
    return tmp_path


def found(folder: Path, **changes: Any) -> Checked:
    entry = {"type": "hub", "id": "org/swaps", "prompt_template": "{question}="} | changes
    alphabet = "abcdefghijklmnopqrstuvwxyz0123456789=\\{} "
    file = write_sweep(folder, models=[MODEL | {"alphabet": alphabet}], datasets=[entry])
    return check_sweep(load_sweep(file))[-1]


def test_what_the_cache_has_is_read(cache: Path) -> None:
    said = {one.key_path[-1] for one in found(cache, answer_column="gold").problems}
    assert said == {"answer_column"}
    checked = found(
        cache, answer_kind="integer", split={"train": 0.3, "eval": 0.3, "warm_start": 0.4}
    )
    assert checked.unread == {}
    texts = [*checked.problems, *checked.warnings]
    assert any("org/swaps[train]: row 1: '6 or' (unparsable)" in one.message for one in texts)


def test_what_it_has_not_is_said_and_stops_nothing(cache: Path) -> None:
    checked = found(cache, id="org/other")
    assert checked.unread == {"org/other": "not in the cache of this machine"}
    assert checked.problems == []
