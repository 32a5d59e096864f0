"""A sweep as a folder that a hub of data sets takes as it is."""

from pathlib import Path

import polars as pl
import pytest
import yaml

import srtbench
from srtbench.analysis.sharing import SharingError, write_hub_folder

SMOKE = Path(__file__).parent.parent / "fixtures" / "smoke"


def test_splits_and_a_card_that_names_them_and_leaves_the_licence(tmp_path: Path) -> None:
    write_hub_folder(SMOKE, tmp_path / "hub")
    (card, *_) = write_hub_folder(SMOKE, tmp_path / "hub")
    front = yaml.safe_load(card.read_text(encoding="utf-8").split("---")[1])
    assert "license" not in front
    configs = {one["config_name"]: one["data_files"] for one in front["configs"]}
    counted = srtbench.open_sweep(SMOKE).sql("SELECT phase, count(*) FROM rollouts GROUP BY phase")
    for phase, rows in counted.fetchall():
        (split,) = (one for one in configs["rollouts"] if one["split"] == phase)
        table = pl.read_parquet(tmp_path / "hub" / split["path"])
        assert table.height == rows
        assert "source_file" not in table.columns
    for name in ("runs", "prompts", "eval_curves"):
        assert pl.read_parquet(tmp_path / "hub" / configs[name]).height
    assert "| `answer_key` | " in card.read_text(encoding="utf-8")


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(SharingError, match="something else"):
        write_hub_folder(SMOKE, tmp_path)
