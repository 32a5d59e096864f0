"""The second study's page and figures are those of the data that are published with it."""

from pathlib import Path

import pytest

from analysis.claims.__main__ import main
from analysis.claims.history import read
from analysis.claims.sources import DATA, published
from srtbench.analysis.warehouse.condensed import MANIFEST

ANALYSIS = Path(__file__).parents[2] / "analysis"
FIGURES = ANALYSIS / "figures" / "second-study"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `make results` makes it."""
    page = tmp_path_factory.mktemp("second") / "SECOND.md"
    assert main(["--family", "second study", "--out", str(page)]) == 0
    return page.parent


def test_the_same_bytes_without_any_training(made: Path) -> None:
    assert (made / "SECOND.md").read_bytes() == (ANALYSIS / "SECOND.md").read_bytes()
    new = {path.name: path for path in (made / "figures" / "second-study").iterdir()}
    assert new.keys() == {path.name for path in FIGURES.iterdir()}
    for name, path in new.items():
        assert path.read_bytes() == (FIGURES / name).read_bytes(), f"{name}: make results"


def test_it_says_what_is_fixed_and_what_was_before() -> None:
    text = (ANALYSIS / "SECOND.md").read_text(encoding="utf-8")
    assert "Confirmatory: fixed in commit" in text
    for row in read():
        assert f"| {row.key} | {row.commit} | {row.date} |" in text


def test_the_data_are_small() -> None:
    assert all((folder / MANIFEST).is_file() for folder in published())
    assert sum(path.stat().st_size for path in DATA.rglob("*") if path.is_file()) < 25e6
