"""C5-2: verdicts and survival on a made-up sweep whose truth is known, and the committed sweep."""

from pathlib import Path

import pytest

import srtbench
from analysis.claims.data import Study
from analysis.claims.hypotheses import C5_2
from analysis.claims.long_runs import collapses_in_time
from analysis.claims.sections import Section
from srtbench.config import load_sweep
from srtbench.plan import RunSpec, plan_sweep
from tests.made_up_study import Truth, grid, hill, line, task, write_made_up

REPOSITORY = Path(__file__).parents[2]


def truth(run: RunSpec) -> Truth:
    """Of ten seeds of srt, three fall after a quarter, six after a half, one lives; gold lives."""
    if run.variant_label == "gold" or run.seed == 9:
        return Truth(line(0.5, 0.9))
    return Truth(hill(0.5, 0.8, 0.25 if run.seed < 3 else 0.5))


@pytest.fixture(scope="module")
def section(tmp_path_factory: pytest.TempPathFactory) -> Section:
    (name,) = C5_2.parts
    parts = [grid(name, ["srt", "gold"], 20, 1, datasets=[task(5)], seeds=[*range(10)])]
    path = write_made_up(tmp_path_factory.mktemp("long"), C5_2.sweep, parts, truth)
    return collapses_in_time(Study(srtbench.open_sweep(path, snapshot=True, threads=1)))


def test_verdicts(section: Section) -> None:
    found = {f.hypothesis.key: (f.verdict, f.effect) for f in section.findings}
    assert {key: verdict for key, (verdict, _) in found.items()} == {
        "C5-2a": "holds", "C5-2b": "holds", "C5-2c": "holds",
    }  # fmt: skip
    shares = [found[key][1] for key in ("C5-2a", "C5-2b")]
    assert [(one.value, one.seeds) for one in shares if one] == [(0.9, 10), (0.0, 10)]
    assert section.sheet is not None
    assert not section.missing


def test_survival_is_that_of_the_truth(section: Section) -> None:
    """Three fall from .8 to below .25 within a fifth of the run, six others later."""
    (table,) = [one for one in section.tables if one.name.startswith("survival")]
    rows = [
        (int(labels[1]), *(n.effect.value for n in numbers if n.effect))
        for labels, numbers in table.rows
    ]
    assert [row[1:] for row in rows] == [(10.0, 3.0, 0.7), (7.0, 6.0, pytest.approx(0.1))]
    assert 5 < rows[0][0] < 10 < rows[1][0] < 15


def test_the_committed_sweep_is_what_the_hypotheses_are_about() -> None:
    plan = plan_sweep(load_sweep(REPOSITORY / "sweeps" / "long_cpu.yaml"))
    assert plan.name == C5_2.sweep
    assert {run.part for run in plan.runs} == {*C5_2.parts}
    seeds = {
        name: {run.seed for run in plan.runs if run.variant_label == name}
        for name in ("srt", "gold")
    }
    assert seeds == {"srt": {*range(110, 120)}, "gold": {*range(110, 120)}}
    assert {run.train.steps for run in plan.runs} == {1500}
    assert {run.train.learning_rate for run in plan.runs} == {1e-4}
    starts: dict[int, set[str | None]] = {}
    for run in plan.runs:
        starts.setdefault(run.seed, set()).add(run.needs.start_model)
    assert all(len(found) == 1 for found in starts.values()), "one start model per seed"
