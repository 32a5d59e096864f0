"""C9: verdicts on a made-up sweep whose truth is known, and the committed sweep."""

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import srtbench
from analysis.claims.data import Study
from analysis.claims.hypotheses import C9, C9R, C9S
from analysis.claims.refresh import PERIODS, periods, rivals, spearman
from analysis.claims.refresh_rounds import PROMPTS, rounds
from srtbench.config import load_sweep
from srtbench.plan import RunSpec, plan_sweep
from srtbench.variants.snapshot_teacher import SnapshotTeacher
from tests.made_up_study import Truth, grid, hill, line, task, write_made_up

REPOSITORY = Path(__file__).parents[2]
SEEDS = [*range(10)]
VARIANTS = [
    "srt",
    *({"type": "snapshot_teacher", "name": name, "refresh_every": every}
      for name, every in PERIODS.items()),
    "fixed_teacher",
    "gold",
]  # fmt: skip


def truth(run: RunSpec) -> Truth:
    """On level 5 the period decides; on level 6 a separate electorate is enough."""
    ends = {"snapshot-25": 0.7, "snapshot-100": 0.92, "fixed_teacher": 0.8, "gold": 0.95}
    name = run.variant_label
    if run.dataset_label.endswith("6") and name.startswith("snapshot"):
        return Truth(line(0.5, 0.8))
    if name in ends:
        return Truth(line(0.5, ends[name]))
    return Truth(hill(0.5, 0.6, 0.5 if name == "snapshot-5" else 0.2))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    parts = [
        grid(part, VARIANTS, 10, 2, datasets=[task(level)], seeds=SEEDS)
        for part, level in zip(C9.parts, (5, 6), strict=True)
    ]
    path = write_made_up(tmp_path_factory.mktemp("refresh"), "refresh_cpu", parts, truth)
    return Study(srtbench.open_sweep(path, snapshot=True, threads=1))


def test_the_period_decides_where_it_does(study: Study) -> None:
    section = periods(study)
    found = {(f.hypothesis.key, f.task[-1]): f.verdict for f in section.findings}
    assert [found[key, "5"] for key in ("C9a", "C9b", "C9c", "C9d")] == ["holds"] * 4
    assert found["C9a", "6"] == "holds"
    assert found["C9b", "6"] == "fails", "no seed of snapshot-1 is dead there"
    assert section.verdict == "mixed: holds on spell_backward-5; fails on spell_backward-6"
    assert section.sheet is not None


def test_shares_of_seeds_have_exact_intervals(study: Study) -> None:
    (first, *_) = periods(study).findings
    assert first.effect is not None
    assert first.effect.value == 1
    assert first.effect.low == pytest.approx(0.025 ** (1 / 10), abs=1e-6)  # Clopper-Pearson, 10/10
    assert first.effect.high == 1


def test_against_both_rails(study: Study) -> None:
    found = {(f.hypothesis.key, f.task[-1]): f.verdict for f in rivals(study).findings}
    assert found["C9e", "5"] == "holds"
    assert found["C9f", "5"] == "holds"
    assert found["C9f", "6"] == "fails"


def test_the_table_counts_who_lives(study: Study) -> None:
    table = next(one for one in periods(study).tables if one.name.endswith("5"))
    rows = {
        labels[0]: {
            name: None if number.effect is None else number.effect.value
            for name, number in zip(table.quantities, numbers, strict=True)
        }
        for labels, numbers in table.rows
    }
    assert rows["snapshot-1"]["collapsed"] == 10
    assert rows["snapshot-1"]["final avg@k of the others"] is None
    assert rows["snapshot-100"]["collapsed"] == 0
    assert rows["snapshot-100"]["first evaluation below half the start, of those"] is None
    assert rows["srt"]["first evaluation below half the start, of those"] == 4
    assert rows["snapshot-5"]["first evaluation below half the start, of those"] == 8


@given(st.lists(st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]), min_size=2, max_size=6))
def test_the_rank_correlation_is_that_of_pandas(values: list[float]) -> None:
    expected = pd.Series(range(len(values))).corr(pd.Series(values).rank())
    assert spearman(values) == pytest.approx(0 if pd.isna(expected) else expected)


def test_the_committed_sweep_is_what_the_hypotheses_are_about() -> None:
    plan = plan_sweep(load_sweep(REPOSITORY / "sweeps" / "refresh_cpu.yaml"))
    assert {run.part for run in plan.runs} == {*C9.parts} == {*C9R.parts}
    taught = [run for run in plan.runs if run.variant_label in PERIODS]
    assert len(taught) == 2 * 10 * len(PERIODS)
    for run in taught:
        assert isinstance(run.variant, SnapshotTeacher.Config)
        assert run.variant.refresh_every == PERIODS[run.variant_label]
    assert {run.seed for run in plan.runs} == {*range(60, 70)}, "seeds of no other run"


def test_rounds_by_size(tmp_path: Path) -> None:
    """Small rounds die and large ones live; the small batches with right labels live too."""
    variants = [
        {"type": "star" if name.startswith("gold") else "lmsi", "name": name,
         "train": {"rounds": 4, "prompts_per_round": 2}}
        for name in (*PROMPTS, "rounds-1600", "gold-16", "gold-400")
    ]  # fmt: skip
    ends = {"rounds-100": 0.5, "rounds-200": 0.6, "rounds-400": 0.85}

    def made_up(run: RunSpec) -> Truth:
        if run.variant_label in ("rounds-16", "rounds-50"):
            return Truth(hill(0.5, 0.6, 0.2 if run.variant_label == "rounds-16" else 0.45))
        return Truth(line(0.5, ends.get(run.variant_label, 0.87)))

    parts = [
        grid(part, variants, 4, 1, datasets=[task(level)], seeds=SEEDS)
        for part, level in zip(C9S.parts, (5, 6), strict=True)
    ]
    path = write_made_up(tmp_path, C9S.sweep, parts, made_up)
    section = rounds(Study(srtbench.open_sweep(path, snapshot=True, threads=1)))
    assert {(f.hypothesis.key, f.verdict) for f in section.findings} == {
        (hypothesis.key, "holds") for hypothesis in C9S.hypotheses
    }
    assert section.sheet is not None
    falls_of = [table for table in section.tables if table.name.startswith("fall")]
    counted = {number.effect.value for table in falls_of for number in table.rows[0][1][1:]
               if number.effect}  # fmt: skip
    assert counted == {20.0, 50.0}, "of fifty runs those of two sizes fell"


def test_the_committed_rounds_draw_the_same_samples() -> None:
    plan = plan_sweep(load_sweep(REPOSITORY / "sweeps" / "refresh_rounds_cpu.yaml"))
    assert {run.part for run in plan.runs} == {*C9S.parts}
    for run in plan.runs:
        label = run.variant_label
        asked = int(label.rpartition("-")[2])
        assert run.train.prompts_per_step == asked
        assert run.train.steps * asked == 3200, label
        assert run.train.num_generations == 16
        assert run.train.rounds is not None
        assert run.train.rounds.init_from == "previous"
        assert (run.eval_sets[0].every or 0) * asked in (400, 1600), label
    assert {run.seed for run in plan.runs} == {*range(70, 80)}, "seeds of no other run"
