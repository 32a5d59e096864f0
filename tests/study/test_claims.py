"""The page of claims: verdicts on made-up sweeps whose truth is known, gaps, and equal bytes."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import srtbench
from analysis import mitigation, phase
from analysis.claims.__main__ import main, measure
from analysis.claims.data import Study
from analysis.claims.hypotheses import CLAIMS, Hypothesis
from analysis.claims.page import shown
from analysis.claims.samples import as_code
from analysis.claims.sections import Section
from analysis.claims.verdicts import all_of, judge, spelled_out
from srtbench.analysis.effects import SHARE_DIFFERENCE, Effect, effect
from srtbench.analysis.scores import cross_fitted_rise
from srtbench.analysis.warehouse.open import CorruptFileWarning
from srtbench.store import write_json
from tests.made_up_study import write_study

REPOSITORY = Path(__file__).parents[2]
SMOKE = REPOSITORY / "tests" / "fixtures" / "smoke"


@pytest.fixture(scope="module")
def sweeps(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_study(tmp_path_factory.mktemp("claims"))


@pytest.fixture(scope="module")
def study(sweeps: list[Path]) -> Study:
    return Study(srtbench.open_sweep(*sweeps, snapshot=True, threads=1))


@pytest.fixture(scope="module")
def sections(study: Study) -> dict[str, Section]:
    return {section.claim.key: section for section in measure(study)}


@pytest.fixture(scope="module")
def page(sweeps: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("page") / "RESULTS.md"
    assert main([*map(str, sweeps), "--out", str(out)]) == 0
    return out


def verdicts(section: Section) -> dict[tuple[str, str], str]:
    return {(f.hypothesis.key, f.task[-1:]): f.verdict for f in section.findings}


@pytest.mark.parametrize(
    ("rule", "low", "high", "verdict"),
    [
        ("above", 0.06, 0.2, "holds"),
        ("above", 0.01, 0.2, "undecided"),
        ("above", -0.1, 0.04, "fails"),
        ("above", 0.05, 0.2, "undecided"),
        ("below", -0.1, 0.04, "holds"),
        ("below", 0.0, 0.06, "undecided"),
        ("below", 0.06, 0.2, "fails"),
        ("within", -0.04, 0.04, "holds"),
        ("within", 0.04, 0.06, "undecided"),
        ("within", 0.06, 0.2, "fails"),
        ("within", -0.2, -0.06, "fails"),
    ],
)
def test_the_rule_of_the_verdict(rule: Any, low: float, high: float, verdict: str) -> None:
    hypothesis = Hypothesis("X", "x", rule, 0.05)
    assert judge(hypothesis, Effect((low + high) / 2, low, high, 3, 8)) == verdict
    assert judge(hypothesis, Effect((low + high) / 2, low, high, 1, 8)) == "undecided"
    assert judge(hypothesis, None) == "not run"


def test_verdicts_combine() -> None:
    assert all_of(["holds", "holds"]) == "holds"
    assert all_of(["holds", "fails", "not run"]) == "fails"
    assert all_of(["holds", "not run"]) == "undecided"
    assert all_of(["not run", "not run"]) == "not run"
    assert spelled_out({"a": "holds", "b": "holds"}) == "holds"
    assert spelled_out({"a": "holds", "b": "fails"}) == "mixed: holds on a; fails on b"


def test_a_rise_that_is_luck_is_none() -> None:
    curves = np.random.default_rng(0).random((40, 30, 20))
    fitted = effect(cross_fitted_rise(curves), SHARE_DIFFERENCE)
    naive = (curves.mean(axis=2).max(axis=1) - curves[:, 0].mean(axis=1)).mean()
    assert fitted is not None
    assert fitted.low is not None
    assert fitted.low < 0 < (fitted.high or 0)
    assert naive > 0.1


def test_improvement_by_task(sections: dict[str, Section]) -> None:
    assert verdicts(sections["C1"]) == {
        ("C1a", "5"): "holds", ("C1b", "5"): "holds",
        ("C1a", "6"): "fails", ("C1b", "6"): "fails",
    }  # fmt: skip
    assert sections["C1"].verdict == ("mixed: holds on spell_backward-5; fails on spell_backward-6")
    assert verdicts(sections["C2"]) == {("C2", "5"): "holds", ("C2", "6"): "fails"}


def test_labels(sections: dict[str, Section]) -> None:
    found = verdicts(sections["C3"])
    assert [found[key, "5"] for key in ("C3a", "C3b", "C3c")] == ["holds"] * 3
    assert found["C3b", "6"] == "undecided"  # one finished seed decides nothing


def test_the_curriculum(sections: dict[str, Section]) -> None:
    assert sections["C4"].verdict == "holds"
    assert [f.task[-1] for f in sections["C4"].findings] == ["8", "6", "7", "8"]
    (rungs,) = (table for table in sections["C4"].tables if table.name == "rungs")
    assert [n.effect.value for n in rungs.rows[0][1] if n.effect] == [30, 8, 8]


def test_the_collapse(sections: dict[str, Section]) -> None:
    assert sections["C5"].verdict == "holds"
    (onsets,) = (t for t in sections["C5"].tables if t.name.startswith("onset"))
    assert len(onsets.rows) == 3
    assert {labels[3] for labels, _ in onsets.rows} == {"constant_answer"}
    steps = [numbers[0].effect.value for _, numbers in onsets.rows if numbers[0].effect]
    assert all(16 <= step <= 24 for step in steps)


def test_the_phase_diagram_and_knobs(sections: dict[str, Section]) -> None:
    assert sections["C6"].verdict == "holds"
    (cells,) = (table for table in sections["C6"].tables if table.name == "phase")
    assert len(cells.rows) == 12
    (knobs,) = (table for table in sections["C6 knobs"].tables if table.name == "knobs")
    rows = {labels[1]: numbers for labels, numbers in knobs.rows}
    assert rows["base"][3].effect == Effect(3.0, None, None, 0, None)
    later = rows["fewer"][5].effect
    assert later is not None
    assert 8 <= later.value <= 16


def test_spurious_rewards_are_judged_one_by_one(sections: dict[str, Section]) -> None:
    assert sections["C7"].verdict == (
        "mixed: holds for format; fails for incorrect; undecided for random"
    )


def test_remedies(sections: dict[str, Section]) -> None:
    found = {key: verdict for (key, _), verdict in verdicts(sections["C8"]).items()}
    assert (found["C8b"], found["C8c"], found["C8d"]) == ("holds", "holds", "not run")
    assert any("easiest-pass" in text for text in sections["C8"].missing)
    (rules,) = (table for table in sections["C8"].tables if table.name == "rules")
    assert {labels[0] for labels, _ in rules.rows} >= {"best", "last", "labelled_split"}


def test_runs_that_cannot_be_used_are_named(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert "tiny, spell_backward-6, srt: 2 of 3 seeds, seed 2 failed" in text
    assert "1 of 3 seeds, seed 1 not finished (running); seed 2 not begun" in text
    assert "over 2 seeds and 12 prompts" in text


def test_a_pretrained_model_has_no_verdict(page: Path) -> None:
    section = page.read_text(encoding="utf-8").split("## A pretrained model")[1]
    assert "0.200 [" in section
    assert "erdict" not in section
    assert "one seed" in section


def test_samples_are_code(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert "<script>" not in text
    assert "&#60;script&#62;" in text
    assert as_code("a|b`*\n[x]\x1b") == ("<code>a&#124;b&#96;&#42;\u23ce&#91;x&#93;</code>")
    assert len(re.sub("&#[0-9]+;", "x", as_code("*" * 500))) < 90


def numbers_in(line: str) -> Iterator[str]:
    yield from re.findall(r"(?<![\w.-])-?\d+\.\d{3}(?!\d)", line)


def test_every_number_is_in_the_csv(page: Path) -> None:
    table = pl.read_csv(page.parent / "figures" / "claims.csv")
    written = {
        shown(Effect(value, None, None, 0, None))
        for column in ("value", "low", "high")
        for value in table[column].drop_nulls()
    }
    text = page.read_text(encoding="utf-8").partition("## History")[0]  # numbers of older pages
    found = [number for line in text.splitlines() for number in numbers_in(line)]
    assert len(found) > 200
    labels = {number for row in table["row"] for number in numbers_in(row)}  # learning rates
    assert set(found) <= written | labels


def test_figures_of_the_page_exist(page: Path) -> None:
    images = re.findall(r"!\[[^\]]*\]\((\S+)\)", page.read_text(encoding="utf-8"))
    names = ["summary", "C1", "C2", "C3", "C4", "C5", "C6", "C6-knobs", "C7", "C8", "pretrained"]
    assert images == [f"figures/{name}.png" for name in names]
    for image in images:
        assert (page.parent / image).read_bytes().startswith(b"\x89PNG")
        assert pl.read_csv((page.parent / image).with_suffix(".csv")).height > 0


def test_the_same_bytes_in_another_process(page: Path, sweeps: list[Path], tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-m", "analysis.claims", *map(str, sweeps)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    result = subprocess.run(
        [*command, "--out", str(tmp_path / "RESULTS.md")], cwd=REPOSITORY, env=environment,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (result.returncode, result.stderr) == (0, "")
    first = {p.relative_to(page.parent): p for p in page.parent.rglob("*") if p.is_file()}
    second = {p.relative_to(tmp_path): p for p in tmp_path.rglob("*") if p.is_file()}
    assert first.keys() == second.keys()
    assert [n for n in first if first[n].read_bytes() != second[n].read_bytes()] == []
    assert str(sweeps[0].parent) not in page.read_text(encoding="utf-8")


def without_holm(text: str) -> str:
    """The p-value after Holm, which stands before the verdict, is of all claims together."""
    return re.sub(r"\| [^|]* \| (holds|fails|undecided) \|$", r"| \1 |", text, flags=re.M)


def test_one_claim_only(page: Path, sweeps: list[Path], tmp_path: Path) -> None:
    assert main([str(sweeps[0]), "--claim", "C3", "--out", str(tmp_path / "C3.md")]) == 0
    text = (tmp_path / "C3.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (.*)$", text, re.M)[1:] == ["C3. Labels get better as the policy does"]
    whole = page.read_text(encoding="utf-8")
    section = text.split("## C3.")[1]
    assert "| \u2013 | holds |" in section, "one claim is not corrected for the others"
    assert without_holm(section).strip() in without_holm(whole)
    assert sorted(p.name for p in (tmp_path / "figures").iterdir()) == [
        "C3.csv", "C3.png", "claims.csv",
    ]  # fmt: skip


def test_sweeps_that_are_not_given(sweeps: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "RESULTS.md"
    assert main([str(SMOKE), "--out", str(out)]) == 0
    text = out.read_text(encoding="utf-8")
    for claim in CLAIMS:
        assert f"## {claim.key}. {claim.title}" in text
    assert text.count("Verdict: **not run**.") == len(CLAIMS)
    assert "no sweep given has the part 'phase'" in text


def test_a_folder_that_is_no_sweep(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path), "--out", str(tmp_path / "R.md")]) == 2
    assert "no plan.json" in capsys.readouterr().err
    assert not (tmp_path / "R.md").exists()


def test_gaps_of_a_running_sweep(sweeps: list[Path], tmp_path: Path) -> None:
    """One seed decides nothing; a cell without one, or a damaged file, is said."""
    for name in ("paper_cpu", "paper_cpu_full"):
        shutil.copytree(sweeps[0].parent / name, tmp_path / name)
    set_state(tmp_path / "paper_cpu", lambda run: run["seed"] > 0, "running")
    set_state(tmp_path / "paper_cpu_full", lambda run: run["variant"] == "lr-0.0001", "failed")
    plan = json.loads((tmp_path / "paper_cpu_full" / "plan.json").read_text())
    run = next(r["run_id"] for r in plan["runs"] if r["variant"] == "srt-base" and r["seed"] == 1)
    damaged = next((tmp_path / "paper_cpu_full" / run / "rollouts").glob("train-*.parquet"))
    damaged.write_bytes(b"PAR1")
    with pytest.warns(CorruptFileWarning):
        connection = srtbench.open_sweep(
            tmp_path / "paper_cpu", tmp_path / "paper_cpu_full", snapshot=True, threads=1
        )
    found = {section.claim.key: section for section in measure(Study(connection))}
    assert {found[key].verdict for key in ("C1", "C2", "C3", "C4", "C5")} == {"undecided"}
    assert {key: v for (key, _), v in verdicts(found["C6"]).items()} == {
        "C6a": "not run",
        "C6b": "holds",
    }
    assert any("seed 1 with a file that could not be read" in t for t in found["C8"].missing)


def set_state(sweep: Path, chosen: Callable[[dict[str, Any]], bool], state: str) -> None:
    for run in json.loads((sweep / "plan.json").read_text())["runs"]:
        file = sweep / run["run_id"] / "status.json"
        if chosen(run) and file.exists():
            write_json(file, json.loads(file.read_text()) | {"state": state})


@pytest.mark.parametrize("script", [phase, mitigation])
def test_figures_of_their_own(script: Any, study: Study) -> None:
    sheet = script.draw(study.connection)
    assert sheet.name == script.PART
    assert sheet.data.height > 0


@pytest.mark.parametrize("script", [phase, mitigation])
def test_figures_say_what_is_missing(script: Any) -> None:
    with pytest.raises(script.MissingError, match=script.PART):
        script.draw(srtbench.open_sweep(SMOKE))
