"""C10: the law is found in a made-up sweep that obeys it, and in one that does not."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import srtbench
from analysis.claims.data import Study
from analysis.claims.hypotheses import C10
from analysis.claims.law import law
from analysis.claims.sections import Section
from srtbench.config import load_sweep
from srtbench.plan import RunSpec, plan_sweep
from tests.made_up_study import FLOOR, Truth, grid, srt, task, write_made_up

REPOSITORY = Path(__file__).parents[2]
STEPS = 40
STARTS = {"start-35": 0.35, "start-50": 0.5, "start-65": 0.65}


def made(tmp_path: Path, power: float, by_start: float) -> Section:
    """Runs that fall at once after ``20 (rate / 4e-4)^power`` steps, later from better starts."""

    def truth(run: RunSpec) -> Truth:
        rng = np.random.default_rng([run.seed, int(1e6 * run.train.learning_rate)])
        start = STARTS[run.model_label]
        odds = math.log(start / (1 - start))
        log_time = math.log(20) + power * math.log(run.train.learning_rate / 4e-4)
        time = math.exp(log_time + by_start * odds + 0.2 * math.log(rng.exponential()))
        return Truth(lambda share: start if share * STEPS < time else FLOOR)

    models: list[dict[str, Any]] = [
        {"type": "tiny", "name": name, "warm_start": {"target_accuracy": start}}
        for name, start in STARTS.items()
    ]
    rates = [srt(f"lr-{rate:g}", learning_rate=rate) for rate in (2e-4, 4e-4, 8e-4, 16e-4)]
    (part,) = C10.parts
    content = grid(part, rates, STEPS, 2, datasets=[task(6)], models=models, seeds=[*range(5)])
    path = write_made_up(tmp_path, C10.sweep, [content], truth)
    return law(Study(srtbench.open_sweep(path, snapshot=True, threads=1)))


def test_a_time_in_proportion_to_one_over_the_rate(tmp_path: Path) -> None:
    section = made(tmp_path, -1.0, 0.8)
    found = {one.hypothesis.key: one for one in section.findings}
    assert {key: one.verdict for key, one in found.items()} == dict.fromkeys(found, "holds")
    assert section.verdict == "holds"
    slope = found["C10a"].effect
    assert slope is not None
    assert slope.value == pytest.approx(-1, abs=0.15)
    assert slope.seeds == 5
    (cells,) = section.tables
    assert len(cells.rows) == 12
    assert section.sheet is not None
    assert len(section.sheet.data) == 60


def test_a_time_that_the_rate_does_not_change(tmp_path: Path) -> None:
    found = {one.hypothesis.key: one.verdict for one in made(tmp_path, 0.0, 0.8).findings}
    assert found == {"C10a": "fails", "C10b": "fails", "C10c": "holds"}


def test_the_committed_sweep_is_what_the_hypotheses_are_about() -> None:
    plan = plan_sweep(load_sweep(REPOSITORY / "sweeps" / "law_cpu.yaml"))
    assert plan.name == C10.sweep
    assert {run.part for run in plan.runs} == {*C10.parts}
    assert {run.seed for run in plan.runs} == {*range(120, 128)}
    assert {run.model_label for run in plan.runs} == {*STARTS}
    assert sorted({run.train.learning_rate for run in plan.runs}) == [2e-4, 4e-4, 8e-4, 16e-4]
    assert {run.own.every for run in plan.runs} == {10}
    assert {run.variant.type for run in plan.runs} == {"srt"}
