"""C6-2: verdicts on a made-up sweep whose truth is known, and the committed sweep."""

from pathlib import Path

import pytest

import srtbench
from analysis.claims.data import Study
from analysis.claims.hypotheses import C6_2
from analysis.claims.penalty import BETAS, penalised
from analysis.claims.sections import Section
from srtbench.config import load_sweep
from srtbench.plan import RunSpec, plan_sweep
from tests.made_up_study import Truth, grid, hill, line, srt, task, write_made_up

REPOSITORY = Path(__file__).parents[2]


def truth(run: RunSpec) -> Truth:
    """Up to 0.03 all fall, the later the more KL; above, all live; the teacher a little better."""
    beta = BETAS.get(run.variant_label)
    if beta is None:
        return Truth(line(0.5, 0.82))
    if beta < 0.1:
        return Truth(hill(0.5, 0.7, 0.3 + 10 * beta))
    return Truth(line(0.5, 0.7 + beta))


@pytest.fixture(scope="module")
def section(tmp_path_factory: pytest.TempPathFactory) -> Section:
    (name,) = C6_2.parts
    variants = [*(srt(label, beta=beta) for label, beta in BETAS.items()), "fixed_teacher"]
    part = grid(name, variants, 10, 1, datasets=[task(5)], seeds=[*range(8)])
    path = write_made_up(tmp_path_factory.mktemp("kl"), C6_2.sweep, [part], truth)
    return penalised(Study(srtbench.open_sweep(path, snapshot=True, threads=1)))


def test_verdicts(section: Section) -> None:
    found = {f.hypothesis.key: f.verdict for f in section.findings}
    assert found == dict.fromkeys(("C6-2a", "C6-2b", "C6-2c", "C6-2d"), "holds")
    assert section.sheet is not None
    assert not section.missing


def test_the_table_has_fishers_p_against_no_penalty(section: Section) -> None:
    (table,) = section.tables
    rows = {
        labels[0]: [None if number.effect is None else number.effect.value for number in numbers]
        for labels, numbers in table.rows
    }
    assert rows["kl-0"][:4] == [8, 8, 1.0, 1.0]
    assert rows["kl-0.1"][:3] == [8, 0, 0.0]
    assert rows["kl-0.1"][3] == pytest.approx(2 / 12870)  # 8 of 8 against 0 of 8: 2 / C(16, 8)


def test_the_committed_sweep_is_what_the_hypotheses_are_about() -> None:
    plan = plan_sweep(load_sweep(REPOSITORY / "sweeps" / "kl_cpu.yaml"))
    assert plan.name == C6_2.sweep
    assert {run.part for run in plan.runs} == {*C6_2.parts}
    assert {run.seed for run in plan.runs} == {*range(130, 140)}
    betas = {run.variant_label: run.train.beta for run in plan.runs}
    assert betas.pop("fixed_teacher") == 0
    assert betas == BETAS
    assert {run.train.learning_rate for run in plan.runs} == {4e-4}
