"""Labels keep the letters of any script, and every variant has a look of its own in a figure."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from matplotlib.figure import Figure

from srtbench.analysis.bands import OVER_BOTH, OVER_PROMPTS, one_kind, tables_of
from srtbench.analysis.effects import table_of
from srtbench.analysis.figures.fonts import give_fonts
from srtbench.analysis.figures.panels import MOST_PANELS, few_cells
from srtbench.analysis.figures.style import COLOURS, save, variant_style
from srtbench.analysis.report import write_report
from srtbench.plan import plan_sweep
from srtbench.sections import folder_part, slug
from srtbench.variants import VARIANTS
from tests.fake_sweep import Shape, small_config, write_fake_sweep

OUTSIDE = ("python", "plugin")
NOWHERE = "\U000f1234"
"""A letter that no font has: of private use."""


def look(variant_type: str, rank: int) -> tuple[str, str, str]:
    style = variant_style(variant_type, rank)
    return style.colour, style.marker, str(style.line)


def test_every_variant_has_a_colour_of_its_own() -> None:
    inside = [name for name in VARIANTS if name not in OUTSIDE]
    assert set(inside) <= set(COLOURS)
    assert len({variant_style(name).colour for name in inside}) == len(inside)


@pytest.mark.parametrize("variant_type", [*OUTSIDE, "imported"])
def test_variants_from_outside_look_like_no_other(variant_type: str) -> None:
    """By colour alone, and 24 of them by colour, marker and line."""
    looks = [look(variant_type, rank) for rank in range(24)]
    assert len(set(looks)) == 24
    assert not {colour for colour, *_ in looks} & set(COLOURS.values())
    assert len({colour for colour, *_ in looks[:6]}) == 6
    assert len({(marker, line) for _, marker, line in looks[:6]}) == 6  # in grey, too
    assert looks == [look(variant_type, rank) for rank in range(24)]


def test_settings_of_one_type_differ() -> None:
    assert len({look("srt", rank) for rank in range(40)}) == 40


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("Qwen/Qwen3-4B", "Qwen-Qwen3-4B"),
        ("a  b_c", "a-b-c"),
        ("мой метод", "мой-метод"),
        ("数学/題", "数学-題"),
        ("Ελληνικά 1", "Ελληνικά-1"),
        ("e\u0301tude", "étude"),
        ("हिन्दी", "हिन्दी"),
        ("../x\u202e\0", "x"),
        ("///", "unnamed"),
    ],
)
def test_a_folder_keeps_the_letters_of_a_label(text: str, part: str) -> None:
    assert slug(text) == part


def test_a_folder_of_long_names_fits_a_file_system() -> None:
    """255 bytes; model, dataset and variant have three bytes a letter here."""
    name = "数" * 60
    config = small_config(
        Shape(), models=[{"type": "tiny", "name": name}], variants=[{"type": "srt", "name": name}],
        datasets=[{"type": "reasoning_gym", "task": "gcd", "name": name}],
    )  # fmt: skip
    for run in plan_sweep(config).runs:
        assert len(run.run_id.encode()) < 240
        assert run.variant_label == name
    assert folder_part("x" * 60) == "x" * 32


def test_names_that_look_alike_are_one_name() -> None:
    (first, second) = (
        plan_sweep(small_config(Shape(), variants=[{"type": "srt", "name": name}], seeds=[0]))
        for name in ("étude", "e\u0301tude")
    )
    assert first.runs[0].run_id == second.runs[0].run_id


def test_a_letter_without_a_font_is_told_by_its_number() -> None:
    figure = Figure()
    axes = figure.subplots()
    title = axes.set_title(f"a{NOWHERE}{NOWHERE} я")
    axes.set_xticks([0, 1], [f"x{NOWHERE}", "数"])
    give_fonts(figure)
    assert title.get_text() == "aU+F1234 U+F1234 я"
    assert save(figure, "png").startswith(b"\x89PNG")
    assert axes.get_xticklabels()[0].get_text() == "xU+F1234"


def test_a_report_of_names_in_other_scripts(tmp_path: Path) -> None:
    """Every figure is drawn, without a warning, which would be an error here."""
    shape = Shape(
        steps=20, every=10, prompts_per_step=2, generations=4, eval_prompts=6, eval_samples=4
    )
    dataset = {"type": "reasoning_gym", "task": "spell_backward", "answer_kind": "text"}
    sweep = write_fake_sweep(
        tmp_path, shape, name="опыт", seeds=[0],
        variants=[{"type": "srt", "name": "мой-метод"}, {"type": "gold", "name": "金"}],
        datasets=[dataset | {"name": name, "level": 4} for name in ("данные", "naïve")],
    )  # fmt: skip
    folder = write_report(sweep)
    for name in ("report.html", "report.md"):
        text = (folder / name).read_text(encoding="utf-8")
        for label in ("опыт", "мой-метод", "金", "данные", "naïve"):
            assert label in text
    names = {path.name for path in sweep.iterdir()}
    assert sum("данные-мой-метод-s0" in name for name in names) == 1


def test_a_panel_has_one_kind_of_band() -> None:
    """Points of one seed have none where others are over seeds too; other panels keep theirs."""
    rows: list[dict[str, Any]] = [
        {"sweep": "s", "model": "m", "dataset": data, "measure": "avg_at_k", "low": 0.1,
         "high": 0.2, "band": band}
        for data, band in (("a", OVER_BOTH), ("a", OVER_PROMPTS), ("b", OVER_PROMPTS))
    ]  # fmt: skip
    shown = one_kind(pl.DataFrame(rows))
    assert shown["band"].to_list() == [OVER_BOTH, None, OVER_PROMPTS]
    assert shown["low"].to_list() == [0.1, None, 0.1]


def test_a_figure_of_many_cells_draws_some_and_says_so() -> None:
    """The collapsed ones before others."""
    cells: list[Any] = [("s", "m", f"d{n}", "srt") for n in range(50)]
    chosen, said = few_cells(cells, "collapse", first=cells[48:])
    assert len(chosen) == MOST_PANELS
    assert chosen == {*cells[: MOST_PANELS - 2], *cells[48:]}
    assert f"{MOST_PANELS} of 50 cells" in said
    assert "tables/collapse.csv" in said
    assert few_cells(cells[:MOST_PANELS], "collapse") == ({*cells[:MOST_PANELS]}, "")


def test_tables_of_several_columns_are_those_of_each() -> None:
    rows = pl.DataFrame(
        {
            "seed": [1, 0, 0, 1, 1],
            "prompt_id": ["b", "a", "b", "a", "c"],
            "avg_gold": [0.1, 0.2, None, 0.4, 0.5],
            "any_correct": [True, None, False, True, True],
        }
    )
    for part in (rows, rows.head(4)):
        found = tables_of(part, ["avg_gold", "any_correct"])
        for column, table in found.items():
            np.testing.assert_array_equal(table, table_of(part, column))
