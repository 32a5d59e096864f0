"""C1-2, C2-2, C3-2: verdicts on a made-up sweep whose truth is known, and the committed sweep."""

from pathlib import Path

import pytest

import srtbench
from analysis.claims.again import (
    improves_again,
    labels_ahead,
    labels_pass_the_teacher,
    leads_the_teacher,
)
from analysis.claims.data import Study
from analysis.claims.hypotheses import C1_2, C2_2, C3_2
from srtbench.config import load_sweep
from srtbench.plan import RunSpec, plan_sweep
from tests.made_up_study import Truth, grid, line, task, write_made_up

REPOSITORY = Path(__file__).parents[2]
SEEDS = [*range(8)]
CLAIMS = (C1_2, C2_2, C3_2)


def truth(run: RunSpec) -> Truth:
    """On level 5 srt leads its teacher in accuracy and labels; on level 6 they are alike."""
    name = run.variant_label
    if name == "gold":
        return Truth(line(0.4, 0.82))
    if name == "fixed_teacher" and run.dataset_label.endswith("5"):
        return Truth(line(0.4, 0.5), labels=lambda share: 0.3)
    return Truth(line(0.4, 0.8), labels=lambda share: 1.0)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    variants = ["srt", "gold", "fixed_teacher"]
    parts = [
        grid(part, variants, 10, 5, datasets=[task(level)], seeds=SEEDS)
        for part, level in zip(C3_2.parts, (5, 6), strict=True)
    ]
    path = write_made_up(tmp_path_factory.mktemp("again"), C3_2.sweep, parts, truth)
    return Study(srtbench.open_sweep(path, snapshot=True, threads=1))


@pytest.mark.parametrize(
    ("build", "level", "verdicts"),
    [
        (improves_again, "5", ["holds", "holds"]),
        (leads_the_teacher, "5", ["holds", "holds"]),
        (leads_the_teacher, "6", ["holds", "undecided"]),
        (labels_pass_the_teacher, "5", ["holds", "holds"]),
        (labels_pass_the_teacher, "6", ["fails", "fails"]),
    ],
)
def test_verdicts(study: Study, build: object, level: str, verdicts: list[str]) -> None:
    assert callable(build)
    section = build(study)
    assert [f.verdict for f in section.findings if f.task.endswith(level)] == verdicts
    assert section.sheet is not None
    assert not section.missing


def test_labels_are_compared_seed_by_seed_over_the_last_fifth(study: Study) -> None:
    (srt, teacher) = (
        study.find(study.part("core-spelling"), name=name) for name in ("srt", "fixed_teacher")
    )
    found = labels_ahead(study, srt, teacher)
    assert found is not None
    assert srt is not None
    assert teacher is not None
    differences = []
    for seed in SEEDS:
        last = [
            study.training[cell.runs[seed]].sort("step")["label_accuracy"].to_list()[-2:]
            for cell in (srt, teacher)
        ]
        differences.append(sum(last[0]) / 2 - sum(last[1]) / 2)
    assert found.value == pytest.approx(sum(differences) / len(SEEDS))
    assert found.seeds == len(SEEDS)
    assert found.prompts is None


def test_the_committed_sweep_is_what_the_hypotheses_are_about() -> None:
    plan = plan_sweep(load_sweep(REPOSITORY / "sweeps" / "core_cpu.yaml"))
    for claim in CLAIMS:
        assert {run.part for run in plan.runs} == {*claim.parts}
        assert claim.sweep == plan.name
    seeds = {part: {run.seed for run in plan.runs if run.part == part} for part in C3_2.parts}
    assert seeds == {"core-spelling": {*range(80, 90)}, "core-sorting": {*range(90, 103)}}
    assert {run.variant_label for run in plan.runs} == {"srt", "gold", "fixed_teacher"}
