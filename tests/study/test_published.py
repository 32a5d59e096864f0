"""Published data: the same page without the rollouts, and which hypotheses are older than runs."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from analysis.claims import registration
from analysis.claims.__main__ import main, measure
from analysis.claims.hypotheses import C9, FAMILIES
from analysis.claims.registration import Begun, Registration, digest, read, register, status
from analysis.claims.sources import open_study
from analysis.claims.verdicts import judge, p_value
from analysis.publish import publish
from srtbench.analysis.effects import SHARE, effect
from srtbench.stats import holm, mean_interval
from tests.made_up_study import Truth, grid, hill, line, task, write_made_up

REPOSITORY = Path(__file__).parents[2]
KEYS = ["C9a", "C9b", "C9c", "C9d"]


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """C9 on one task, four seeds: self-reward dies, old labels live."""
    names = ["srt", *(f"snapshot-{every}" for every in (1, 5, 25, 100)), "fixed_teacher", "gold"]
    variants = [
        {"type": "snapshot_teacher", "name": name, "refresh_every": int(name.split("-")[1])}
        if "-" in name
        else name
        for name in names
    ]
    parts = [grid(C9.parts[0], variants, 10, 2, datasets=[task(5)], seeds=[0, 1, 2, 3])]
    return write_made_up(
        tmp_path_factory.mktemp("published"),
        "refresh_cpu",
        parts,
        lambda run: Truth(
            hill(0.5, 0.6, 0.2)
            if run.variant_label in ("srt", "snapshot-1", "snapshot-5")
            else line(0.5, 0.9)
        ),
    )


@pytest.fixture(scope="module")
def data(sweep: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "refresh_cpu"
    publish(sweep, folder)
    return folder


def page(source: Path, out: Path) -> Path:
    assert main([str(source), "--family", "second study", "--out", str(out / "PAGE.md")]) == 0
    return out


def test_the_page_is_that_of_the_sweep(sweep: Path, data: Path, tmp_path: Path) -> None:
    from_runs = page(sweep, tmp_path / "runs")
    from_data = page(data, tmp_path / "data")
    assert (from_data / "PAGE.md").read_text() == (from_runs / "PAGE.md").read_text()
    again = page(data, tmp_path / "again")
    files = sorted(file.relative_to(again) for file in again.rglob("*.*"))
    assert Path("figures/second-study/C9.png") in files
    for file in files:
        assert (again / file).read_bytes() == (from_data / file).read_bytes(), file


def test_commands_say_what_they_need(sweep: Path, data: Path, tmp_path: Path) -> None:
    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", *map(str, arguments)]
        return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)

    mixed = run("analysis.claims", sweep, data, "--out", tmp_path / "x.md")
    assert (mixed.returncode, "not both" in mixed.stderr) == (2, True)
    nothing = run("analysis.publish", tmp_path)
    assert (nothing.returncode, "no plan.json" in nothing.stderr) == (2, True)


def test_holm_is_over_all_that_was_run(data: Path) -> None:
    findings = [
        finding
        for section in measure(open_study([data]), family="second study")
        for finding in section.findings
        if finding.effect is not None
    ]
    assert {finding.hypothesis.key for finding in findings} >= set(KEYS)
    known = [finding for finding in findings if finding.p_value is not None]
    np.testing.assert_allclose(
        [finding.holm for finding in known], holm([finding.p_value for finding in known])
    )
    for finding in known:
        assert (finding.p_value < 0.05) == (finding.verdict == "holds"), finding


@pytest.mark.parametrize("threshold", [-0.2, 0.0, 0.3, 0.49, 0.5, 0.62])
def test_p_is_that_of_the_t_test(threshold: float) -> None:
    scores = np.random.default_rng(0).normal(0.5, 0.2, (5, 40))
    found = effect(scores, None)
    assert found is not None
    expected = mean_interval(scores - threshold).p_value
    assert found.p_value(threshold) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("rule", ["above", "below", "within"])
@pytest.mark.parametrize("spread", [0.01, 0.1, 0.3])
@pytest.mark.parametrize("mean", [0.05, 0.3, 0.52, 0.9])
def test_p_is_below_a_twentieth_where_it_holds(rule: str, spread: float, mean: float) -> None:
    noise = np.random.default_rng(1).normal(0, spread, 6)
    found = effect(np.clip(mean + noise, 0, 1), SHARE)
    hypothesis = replace(C9.hypotheses[0], rule=rule, threshold=0.5)
    p = p_value(hypothesis, found)
    assert p is not None
    assert (p < 0.05) == (judge(hypothesis, found) == "holds")


FIXED = Registration(digest(C9), "a" * 40, 1000.0, descend=True)
RUNS = [Begun(2000.0, "b" * 40, git_dirty=False), Begun(3000.0, "b" * 40, git_dirty=False)]


def test_hypotheses_older_than_their_runs_are_confirmatory() -> None:
    confirmed, words = status(C9, [FIXED], RUNS)
    assert confirmed
    assert words == (
        "Confirmatory: fixed in commit aaaaaaaaaaaa of 1970-01-01 00:16 UTC; its first run began "
        "1970-01-01 00:33 UTC."
    )


@pytest.mark.parametrize(
    ("registered", "runs", "reason"),
    [
        ([], RUNS, "not recorded"),
        ([FIXED, None], RUNS, "not recorded"),
        ([replace(FIXED, digest="other")], RUNS, "changed after"),
        ([replace(FIXED, commit=None, committed=None)], RUNS, "not committed"),
        ([replace(FIXED, committed=2500.0)], RUNS, "which is not later"),
        ([FIXED, replace(FIXED, commit="c" * 40, committed=2000.0)], RUNS, "which is not later"),
        ([replace(FIXED, descend=False)], RUNS, "not every run by a clean checkout"),
        ([FIXED], [*RUNS, replace(RUNS[0], first_started=None)], "began is not recorded"),
    ],
)
def test_else_they_are_exploratory(
    registered: list[Registration | None], runs: list[Begun], reason: str
) -> None:
    confirmed, words = status(C9, registered, runs)
    assert not confirmed
    assert words.startswith("Exploratory: ")
    assert reason in words


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """A repository that has hypotheses.py alone; commits what it is changed to."""
    path = tmp_path / "hypotheses.py"
    text = registration.HYPOTHESES.read_text()
    monkeypatch.setattr(registration, "HYPOTHESES", path)

    def git(*arguments: str) -> str:
        who = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
        command = ["git", "-C", str(tmp_path), *who, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    def change(old: str = "", new: str = "", commit: bool = True) -> str:
        nonlocal text
        assert old in text
        text = text.replace(old, new, 1) if old else text
        path.write_text(text)
        if commit:
            git("add", "hypotheses.py")
            git("commit", "-q", "-m", "x")
        return git("rev-parse", "HEAD")

    git("init", "-q")
    return change


def test_the_commit_is_the_last_that_touched_the_claim(checkout: Callable[..., str]) -> None:
    first = checkout()
    other = checkout('"C1a"', '"C1z"')
    begun = [Begun(4e9, other, git_dirty=False)]
    found = register({"refresh_cpu": begun})
    second = [claim for claim in FAMILIES["second study"] if claim.sweep == "refresh_cpu"]
    assert found.keys() == {claim.key for claim in second}
    assert (found["C9"].commit, found["C9"].descend) == (first, True)
    changed = checkout('"C9a", "srt', '"C9a", "SRT')
    found = register({"refresh_cpu": begun})
    assert (found["C9"].commit, found["C9"].descend) == (changed, False)
    assert found["C9R"].commit == first
    assert not register({"refresh_cpu": [replace(begun[0], git_dirty=True)]})["C9R"].descend
    checkout('"C9b"', '"C9y"', commit=False)
    assert register({"refresh_cpu": begun})["C9"].commit is None
    assert register({"other": begun}) == {}


def test_a_damaged_registration_is_named(data: Path, tmp_path: Path) -> None:
    assert {asdict(one)["digest"] for one in read(data).values()} >= {digest(C9)}
    shutil.copytree(data, tmp_path / "data")
    (tmp_path / "data" / "registered.json").write_text('{"C9": {"digest": 1}}')
    with pytest.raises(ValueError, match=r"registered\.json: no registrations"):
        read(tmp_path / "data")


def test_numbers_have_both_p_values(data: Path, tmp_path: Path) -> None:
    page(data, tmp_path)
    table = pl.read_csv(tmp_path / "figures/second-study/claims.csv")
    rows = table.filter(pl.col("table") == "hypotheses").drop_nulls("p")
    assert rows.height > 0
    assert (rows["p_holm"] >= rows["p"]).all()
