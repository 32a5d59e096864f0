"""Several sweeps on one page: their names in every label, paired where prompts agree."""

import json
import re
import shutil
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from srtbench.analysis import open_sweep
from srtbench.analysis.between import between_sweeps
from srtbench.analysis.effects import table_of
from srtbench.analysis.frames import frame
from srtbench.cli import main
from tests.analysis.test_report import TINY, _replace
from tests.fake_sweep import write_fake_sweep


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`one` and `two` have the same prompts, `far` others; `alone` shares no name."""
    root = tmp_path_factory.mktemp("several")
    both = ["srt", "gold"]
    for name, changes in (
        ("one", {"variants": both, "seeds": [0, 1]}),
        ("two", {"variants": ["srt", "random"], "seeds": [1, 2]}),
        ("alone", {"variants": ["ttrl"], "seeds": [0]}),
    ):
        write_fake_sweep(root, TINY, name=name, **changes)
    write_fake_sweep(root / "elsewhere", TINY, name="far", variants=both, seeds=[0])
    for part in (root / "elsewhere" / "_stages").glob("*/prompts.parquet"):
        _replace(part, {"prompt": "another question", "gold_answer": "?"})
    return root


def test_cells_of_one_name_are_compared_on_shared_prompts_and_seeds(root: Path) -> None:
    connection = open_sweep(root / "one", root / "two")
    (row,) = between_sweeps(connection).rows(named=True)
    assert (row["first_sweep"], row["second_sweep"]) == ("one", "two")
    assert (row["first"], row["second"], row["paired"]) == ("srt", "srt", True)
    scores = frame(connection, "held_out_scores").filter(
        (pl.col("seed") == 1) & (pl.col("variant") == "srt") & (pl.col("step") == TINY.steps)
    )
    sides = [
        table_of(scores.filter(pl.col("sweep") == name), "avg_gold") for name in ("one", "two")
    ]
    assert row["value"] == pytest.approx(float(sides[0].mean() - sides[1].mean()))
    assert row["low"] <= row["value"] <= row["high"]
    assert row["over"] == "6 prompts"  # of the one seed that both have


def test_other_prompts_are_compared_unpaired_and_it_says_why(root: Path) -> None:
    table = between_sweeps(open_sweep(root / "one", root / "elsewhere" / "far"))
    assert table["first"].to_list() == ["srt", "gold"]
    assert not table["paired"].any()
    assert table["why_unpaired"][0] == "their prompts differ (0 shared of 6 and 6)"
    assert table["low"].null_count() == 0


def test_no_shared_seed_is_unpaired(root: Path) -> None:
    connection = open_sweep(root / "two", root / "elsewhere" / "far")
    assert between_sweeps(connection)["why_unpaired"].null_count() == 0


def test_sweeps_without_a_variant_of_one_name_are_compared_by_dataset(root: Path) -> None:
    table = between_sweeps(open_sweep(root / "one", root / "alone"))
    assert table.select("first", "second").rows() == [("srt", "ttrl"), ("gold", "ttrl")]
    assert table["paired"].all()


def test_the_page_of_two_sweeps_has_their_names_in_every_label(root: Path) -> None:
    result = CliRunner().invoke(main, ["report", str(root / "one"), str(root / "two")])
    assert result.exit_code == 0, result.output
    folder = root / "report-one-two"
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "<h1>one · two</h1>" in page
    assert 'id="between"' in page
    assert "paired; over 6 prompts" in page
    assert pl.read_csv(folder / "tables" / "between_sweeps.csv").height == 1
    svg = (folder / "figures" / "accuracy.svg").read_text(encoding="utf-8")
    assert {"<!-- one -->", "<!-- two -->"} <= set(re.findall("<!-- (?:one|two) -->", svg))
    markdown = (folder / "report.md").read_text(encoding="utf-8")
    assert "| one · srt | two · srt |" in markdown
    assert "one/tiny-" in markdown


def test_a_sweep_that_is_named_twice_or_is_none_is_refused(root: Path) -> None:
    for folders, said in (
        ([root / "one", root / "one"], "named twice"),
        ([root / "one", root], "no plan.json there"),
    ):
        result = CliRunner().invoke(main, ["report", *map(str, folders)])
        assert (result.exit_code, said in result.output) == (2, True)


def test_two_folders_with_one_name_stay_apart(root: Path, tmp_path: Path) -> None:
    copied = shutil.copytree(root / "one", tmp_path / "one")
    shutil.copytree(root / "_stages", tmp_path / "_stages")
    connection = open_sweep(root / "one", copied)
    table = between_sweeps(connection)
    assert set(table["second_sweep"]) == {"one (2)"}
    assert table["value"].to_list() == [0.0] * 2
    assert json.loads((copied / "plan.json").read_text())["sweep"] == "one"
