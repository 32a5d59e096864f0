"""The report: made from real rollouts, from unfinished sweeps and from hostile texts."""

import base64
import gzip
import html.parser
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from srtbench.analysis import open_sweep
from srtbench.analysis.estimates import paired_change
from srtbench.analysis.export import (
    differences,
    export_sweep,
    export_tables,
    latex_differences,
    latex_summary,
)
from srtbench.analysis.frames import frame, query
from srtbench.analysis.report import write_report
from srtbench.analysis.report.browser import browser_data
from srtbench.analysis.report.facts import direction
from tests.fake_sweep import Shape, write_fake_sweep

SMOKE = Path(__file__).parents[1] / "fixtures" / "smoke"
TINY = Shape(steps=20, every=10, prompts_per_step=2, generations=4, eval_prompts=6, eval_samples=4)
CORE = ("accuracy", "collapse", "label_accuracy", "modal_share")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of the committed part of a real smoke sweep."""
    return write_report(SMOKE, tmp_path_factory.mktemp("report"))


class _Page(html.parser.HTMLParser):
    """Collects tags, addresses and ids of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]


def embedded(page: str) -> dict[str, Any]:
    """The browser's data in a page."""
    packed = re.search(r'id="browser-data">([^<]*)<', page)
    assert packed is not None
    content: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(packed[1])))
    return content


def test_everything_is_written(report: Path) -> None:
    for name in CORE:
        assert (report / "figures" / f"{name}.png").stat().st_size > 10_000
        assert (report / "figures" / f"{name}.svg").read_text(encoding="utf-8").startswith("<?xml")
        assert pl.read_csv(report / "tables" / f"{name}.csv").height > 0
    assert pl.read_csv(report / "tables" / "runs.csv").height == 5
    assert "srt-high-lr" in (report / "report.md").read_text(encoding="utf-8")


def test_the_page_needs_no_network(report: Path) -> None:
    page = _Page((report / "report.html").read_text(encoding="utf-8"))
    assert all(address.startswith(("data:", "#")) for address in page.addresses)
    assert page.tags.count("img") >= len(CORE)
    assert "link" not in page.tags
    assert "iframe" not in page.tags


def test_it_says_what_happened(report: Path) -> None:
    text = (report / "report.md").read_text(encoding="utf-8")
    assert re.search(r"\*\*srt-high-lr\*\* Collapsed between steps 0 and 20", text)
    assert re.search(r"Accuracy rose with srt \(\d\d%\), gold \(\d\d%\)", text)


def test_csvs_are_what_the_frames_show(report: Path) -> None:
    shown = pl.read_csv(report / "tables" / "accuracy.csv")
    frames = frame(open_sweep(SMOKE), "eval_curve")
    wanted = frames.filter(pl.col("measure").is_in(["avg_at_k", "maj_at_k"]))
    assert shown["value"].to_list() == pytest.approx(wanted["value"].to_list())


def test_no_place_of_this_machine_is_in_the_report(report: Path) -> None:
    for path in report.rglob("*.*"):
        content = path.read_bytes()
        for place in (str(SMOKE), str(Path.home()) + os.sep, str(report)):
            if len(place) > 4:
                assert place.encode() not in content, path


def test_model_text_is_escaped(tmp_path: Path) -> None:
    """Completions, prompts, errors that try to leave the page's data or text."""
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(2)>{{7*7}}"
    path = write_fake_sweep(
        tmp_path, TINY, variants=["srt"], seeds=[0, 1], states={("srt", 1): "failed"}
    )
    for part in path.glob("*/rollouts/*.parquet"):
        _replace(part, {"completion": evil, "answer_key": evil, "answer": evil})
    for part in (tmp_path / "_stages").glob("*/prompts.parquet"):
        _replace(part, {"prompt": evil, "gold_answer": evil})
    page = (write_report(path) / "report.html").read_text(encoding="utf-8")
    assert "alert(1)</script>" not in page
    assert "<img src=x" not in page
    assert "{{7*7}}" in page
    assert "&lt;b&gt;no&lt;/b&gt;" in page  # the error
    assert page.count("<script") == 3  # the data and two scripts of ours
    assert evil in embedded(page)["texts"]
    markdown = (path / "report" / "report.md").read_text(encoding="utf-8")
    assert "<script" not in markdown
    assert "<b>" not in markdown


def _replace(path: Path, values: dict[str, str]) -> None:
    table = pq.read_table(path)
    for name, value in values.items():
        place = table.schema.get_field_index(name)
        column = pa.array([value] * table.num_rows)
        table = table.set_column(place, table.schema.field(name), column)
    pq.write_table(table, path)


@pytest.mark.parametrize("state", ["waiting", "failed", "running"])
def test_sweeps_in_which_nothing_finished(tmp_path: Path, state: Any) -> None:
    path = write_fake_sweep(
        tmp_path,
        TINY,
        variants=["srt", "gold"],
        seeds=[0],
        states={("srt", 0): state, ("gold", 0): state},
    )
    folder = write_report(path)
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert page.count(f'class="state {state}"') >= 2
    drawn = (folder / "figures" / "collapse.png").is_file()
    assert drawn == (state != "waiting")
    evaluated = (folder / "figures" / "maj_at_k.png").is_file()
    assert evaluated == (state == "running")


def test_a_sweep_that_has_only_a_plan(tmp_path: Path) -> None:
    path = write_fake_sweep(
        tmp_path, TINY, variants=["srt"], seeds=[0], states={("srt", 0): "waiting"}
    )
    shutil.rmtree(tmp_path / "_stages")
    page = (write_report(path) / "report.html").read_text(encoding="utf-8")
    assert "has not reached its first evaluation yet" in page
    assert 'id="browser"' not in page


def test_failed_runs_are_in_the_table_with_their_error(tmp_path: Path) -> None:
    path = write_fake_sweep(
        tmp_path, TINY, variants=["srt"], seeds=[0, 1], states={("srt", 1): "failed"}
    )
    page = (write_report(path) / "report.html").read_text(encoding="utf-8")
    assert 'class="state failed"' in page
    assert "MemoryError" in page
    assert "Of 2 runs 1 failed; evaluations made before count." in page


def test_many_settings(tmp_path: Path) -> None:
    """Two models, two levels, two entries of one type, two seeds: all figures, all cells."""
    path = write_fake_sweep(
        tmp_path,
        TINY,
        models=["tiny", {"type": "tiny", "name": "tiny-b", "hidden_size": 32}],
        datasets=[
            {"type": "reasoning_gym", "task": "spell_backward", "level": n, "answer_kind": "text"}
            for n in (4, 5)
        ],
        variants=["srt", "fixed_teacher", {"type": "srt", "name": "srt-2", "train": {"beta": 0.1}}],
        seeds=[0],
    )
    folder = write_report(path)
    figures = {file.stem for file in (folder / "figures").glob("*.png")}
    assert {*CORE, "ladder", "heat_map", "vote_flow", "maj_at_k", "teacher"} <= figures
    assert pl.read_csv(folder / "tables" / "variant_summary.csv").height == 12


def test_browser_data_is_the_rollouts(report: Path) -> None:
    data = embedded((report / "report.html").read_text(encoding="utf-8"))
    connection = open_sweep(SMOKE)
    total = query(connection, "SELECT count(*) AS n, sum(gold_reward) AS right FROM rollouts")
    assert sum(data["groups"]["size"]) == len(data["rollouts"]["answer"]) == total["n"][0]
    assert sum(data["rollouts"]["right"]) == total["right"][0]
    assert set(data["answers"]) >= set(
        query(connection, "SELECT DISTINCT answer_key FROM rollouts")["answer_key"].drop_nulls()
    )


def test_the_browser_keeps_to_its_limit_and_to_whole_groups() -> None:
    connection = open_sweep(SMOKE)
    content = browser_data(connection, max_rows=3000)
    assert content is not None
    assert 2000 < content["rows"] <= 3000
    data = json.loads(gzip.decompress(base64.b64decode(content["data"])))
    assert set(data["groups"]["size"]) == {16}
    assert set(data["groups"]["set"]) == {-1, 0}
    assert data["sets"] == ["own"]


def test_latex(tmp_path: Path) -> None:
    table = latex_summary(open_sweep(SMOKE))
    assert r"fixed\_teacher & " in table
    assert table.count(r" \\") == 7
    assert "% Per cent; 95% intervals over 32 prompts." in table


def test_exported_tables_are_read_back(tmp_path: Path) -> None:
    files = export_tables(open_sweep(SMOKE), tmp_path)
    assert {file.suffix for file in files} == {".csv", ".parquet", ".tex"}
    curves = duckdb.connect().execute(
        f"SELECT count(*), min(avg_at_k), max(avg_at_k) FROM '{tmp_path}/eval_curves.parquet'"
    )
    number, low, high = curves.fetchall()[0]
    assert number == 30
    assert 0 <= low <= high <= 1


def test_an_unknown_format_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unknown format xml"):
        export_sweep(SMOKE, tmp_path, ["csv", "xml"])


def test_every_pair_of_variants_is_compared_on_the_same_prompts() -> None:
    connection = open_sweep(SMOKE, snapshot=True)
    found = differences(connection)
    assert found.height == 10
    last = dict(query(connection, "SELECT variant, last_avg FROM run_summary").iter_rows())
    for row in found.iter_rows(named=True):
        assert row["value"] == pytest.approx(last[row["first"]] - last[row["second"]])
        assert row["low"] <= row["value"] <= row["high"]
        assert row["p_value"] <= row["p_holm"] <= 1
        assert (row["step"], row["over"]) == (100, "32 prompts")
    table = latex_differences(connection)
    assert r"srt & fixed\_teacher & $+11.3$ [" in table
    assert table.count(r" \\") == 11
    assert "95% intervals over 32 prompts; p-values corrected" in table


@pytest.mark.parametrize("state", ["waiting", "failed", "running"])
def test_export_of_sweeps_in_which_nothing_finished(tmp_path: Path, state: Any) -> None:
    states = {("srt", 0): state, ("gold", 0): state}
    path = write_fake_sweep(tmp_path, TINY, variants=["srt", "gold"], seeds=[0], states=states)
    files = {file.name: file for file in export_sweep(path)}
    assert pl.read_csv(files["runs.csv"])["state"].to_list() == [state] * 2
    assert "\\bottomrule" in files["summary.tex"].read_text()
    assert "first" in pl.read_parquet(files["differences.parquet"]).columns


CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)


def _dump(page: Path, *options: str) -> str:
    """The page's DOM after its scripts ran."""
    assert CHROMIUM is not None
    command = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    command += [f"--user-data-dir={page.parent / 'profile'}", "--virtual-time-budget=8000"]
    result = subprocess.run(
        [*command, *options, "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
@pytest.mark.parametrize("width", [1400, 500])
def test_the_page_in_a_browser(report: Path, tmp_path: Path, width: int) -> None:
    """The scripts ran, and a screenshot is kept beside the test's files."""
    page = Path(shutil.copy(report / "report.html", tmp_path))
    picture = tmp_path / f"report-{width}.png"
    seen = _dump(page, f"--window-size={width},4000", f"--screenshot={picture}")
    assert re.search(r"[\d,]+ groups with [\d,]+ matching rollouts", seen)
    assert seen.count('class="what"') == 40
    assert picture.stat().st_size > 50_000


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_filters_and_sorting_in_a_browser(report: Path, tmp_path: Path) -> None:
    """Right completions outvoted by a wrong majority: the page counts them as SQL does."""
    act = """<script>setTimeout(function () {
        const form = document.querySelector("#browser .filters");
        for (const [name, value] of [["majority", "0"], ["right", "1"], ["vote", "0"]])
            form[name].value = value;
        form.majority.dispatchEvent(new Event("change", {bubbles: true}));
        const table = document.querySelector("#runs table.sortable");
        const head = [...table.tHead.rows[0].cells].find(c => c.textContent === "last avg");
        head.click(); head.click();
        document.title = document.getElementById("browser-count").textContent + "|" +
            [...table.tBodies[0].rows].map(r => r.cells[0].textContent).join(",");
    }, 3000)</script></body>"""
    text = (report / "report.html").read_text(encoding="utf-8")
    page = tmp_path / "acting.html"
    page.write_text(text.replace("</body>", act), encoding="utf-8")
    title = re.search(r"<title>([^<]*)</title>", _dump(page))
    assert title is not None
    counted, order = title[1].split("|")
    wanted = query(
        open_sweep(SMOKE),
        """SELECT count(DISTINCT (run_id, step, held.group_id)) AS groups, count(*) AS rollouts
           FROM rollouts AS held JOIN groups USING (sweep, run_id, phase, step, group_id)
           WHERE phase = 'eval' AND NOT majority_key_correct AND gold_reward = 1
             AND answer_key IS DISTINCT FROM majority_key""",
    ).row(0)
    assert counted == f"{wanted[0]:,} groups with {wanted[1]:,} matching rollouts"
    assert order.split(",")[0] == "gold uses gold"


def test_figures_of_the_report_use_one_colour_per_variant() -> None:
    from srtbench.analysis.figures.style import COLOURS, legible, variant_style

    assert len(set(COLOURS.values())) == len(COLOURS)
    first, second = variant_style("srt"), variant_style("srt", 1)
    assert first.colour == COLOURS["srt"]
    assert (first.colour, first.marker, first.line) != (second.colour, second.marker, second.line)
    for colour in COLOURS.values():
        channels = np.array([int(legible(colour)[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        linear = np.where(
            channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4
        )
        assert 1.05 / (linear @ [0.2126, 0.7152, 0.0722] + 0.05) > 4.4


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ([0.2, 0.3, 0.2, 0.4], [0.7, 0.8, 0.8, 0.9], "rose"),
        ([0.7, 0.8, 0.8, 0.9], [0.2, 0.3, 0.2, 0.4], "fell"),
        ([0.2, 0.9, 0.2, 0.4], [0.9, 0.2, 0.4, 0.5], "undecided"),
    ],
)
def test_a_change_is_named_only_if_its_interval_excludes_zero(
    first: list[float], last: list[float], expected: str
) -> None:
    rows = pl.DataFrame(
        {"seed": [0] * 4, "prompt_id": list("abcd"), "start_avg": first, "last_avg": last}
    )
    assert direction(paired_change(rows)) == expected
    assert direction(None) == "undecided"
