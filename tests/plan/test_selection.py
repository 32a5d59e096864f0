"""`--only`: labels of single runs, and the name of a curriculum for all its stages."""

from pathlib import Path

from srtbench.plan import RunSpec
from srtbench.plan.select import restricted, select
from tests.chains import AGAIN, CLIMB, plan_of, write_grid
from tests.micro import srtbench


def told(runs: list[RunSpec]) -> list[tuple[str, str, int]]:
    return [(run.dataset_label[-1], run.variant_label, run.seed) for run in runs]


def test_the_name_of_a_curriculum_takes_all_its_stages(tmp_path: Path) -> None:
    stages = [{"level": level, "variant": "srt"} for level in (3, 4, 3, 3)]
    variants = [CLIMB | {"stages": stages}, "srt"]
    plan = plan_of(write_grid(tmp_path, "c", variants, seeds=[0, 1]))
    wanted = [("3", "climb"), ("4", "climb"), ("3", "climb.2"), ("3", "climb.3")]
    assert told(select(plan, {"variant": ["climb"]})) == [
        (*label, seed) for seed in (0, 1) for label in wanted
    ]
    assert told(select(plan, {"variant": ["climb"], "seed": ["1"]})) == [
        (*label, 1) for label in wanted
    ]
    assert told(select(plan, {"variant": ["climb.2"], "seed": ["0"]})) == [("3", "climb.2", 0)]


def test_stages_that_curricula_share_belong_to_each_of_them(tmp_path: Path) -> None:
    """Also the curriculum whose name no run has: all of its runs are called otherwise."""
    plan = plan_of(write_grid(tmp_path, "c", [CLIMB, AGAIN]))
    assert told(select(plan, {"variant": ["again"]})) == [("3", "climb", 0), ("3", "again.2", 0)]
    assert len(select(plan, {"variant": ["climb"]})) == 3
    assert select(plan, {"variant": ["again", "climb"]}) == list(plan.runs)


def test_a_restricted_plan_has_what_its_runs_need(tmp_path: Path) -> None:
    plan = plan_of(write_grid(tmp_path, "c", [CLIMB, AGAIN, "random"]))
    (last,) = select(plan, {"variant": ["again.2"]})
    part = restricted(plan, [last])
    assert told(list(part.runs)) == [("3", "climb", 0), ("3", "again.2", 0)]
    assert {stage.stage_id for stage in part.stages} == {s for run in part.runs for s in run.stages}
    assert restricted(plan, plan.runs) == plan


def test_both_commands_take_the_name(tmp_path: Path) -> None:
    file = write_grid(tmp_path, "c", [CLIMB, AGAIN])
    wanted = [run.run_id for run in select(plan_of(file), {"variant": ["again"]})]
    dry = srtbench("sweep", file, "--root", tmp_path, "--only", "variant=again", "--dry-run")
    assert [line.split()[1] for line in dry.stdout.splitlines()] == wanted
    plan = srtbench("plan", file, "--only", "variant=again")
    assert plan.stdout.startswith("sweep c: 2 runs\n")
    assert all(run_id in plan.stdout for run_id in wanted)
    wrong = srtbench("plan", file, "--only", "variant=agan")
    assert wrong.returncode == 2
    assert "did you mean 'again'" in wrong.stderr
