"""Sweeps made of other sweep files, and start models that seeds or levels share."""

import json
from pathlib import Path
from typing import Any

import pytest

from srtbench import open_sweep
from srtbench.config import ConfigError, load_sweep
from srtbench.config.sweep import SweepConfig, SweepOfParts
from srtbench.plan import plan_sweep
from srtbench.plan.identity import run_id_of
from srtbench.plan.select import select
from srtbench.plan.specs import RunSpec
from tests.chains import (
    AGAIN,
    CLIMB,
    DATASET,
    MODEL,
    POOLS,
    plan_of,
    write_grid,
    write_parts,
)
from tests.chains import write as write_file
from tests.micro import FinishedSweep, srtbench


def parts_of(folder: Path, *parts: str, **content: Any) -> Path:
    return write_file(folder, "all.yaml", **({"name": "all", "parts": list(parts)} | content))


# Plans


def test_a_plan_of_parts_is_the_union_of_their_plans(tmp_path: Path) -> None:
    file = write_parts(tmp_path)
    config = load_sweep(file)
    assert isinstance(config, SweepOfParts)
    whole = plan_sweep(config)
    apart = [plan_of(tmp_path / f"{name}.yaml") for name in ("chain", "pool")]
    wanted = {run.run_id: part.name for part in apart for run in part.runs}
    assert {run.run_id: run.part for run in whole.runs} == wanted
    assert len(whole.runs) == sum(len(part.runs) for part in apart)
    assert {s.stage_id for s in whole.stages} == {s.stage_id for part in apart for s in part.stages}
    assert {run.sweep for run in whole.runs} == {"both"}
    assert whole.execution.workers == 1
    assert all(run.part is None for part in apart for run in part.runs)


def test_a_run_that_two_parts_plan_is_planned_once(tmp_path: Path) -> None:
    for name in "ab":
        write_grid(tmp_path, name, ["srt", {"type": "gold", "name": f"gold-{name}"}])
    plan = plan_of(parts_of(tmp_path, "a.yaml", "b.yaml"))
    assert [(run.variant_label, run.part) for run in plan.runs] == [
        ("srt", "a"),
        ("gold-a", "a"),
        ("gold-b", "b"),
    ]


def test_curricula_of_two_parts_share_their_first_stages(tmp_path: Path) -> None:
    write_grid(tmp_path, "a", [CLIMB])
    write_grid(tmp_path, "b", [AGAIN])
    plan = plan_of(parts_of(tmp_path, "a.yaml", "b.yaml"))
    assert [(run.variant_label, run.part) for run in plan.runs] == [
        *[("climb", "a")] * 3,
        ("again.2", "b"),
    ]


def test_only_takes_the_runs_of_a_part(tmp_path: Path) -> None:
    plan = plan_of(write_parts(tmp_path))
    assert [run.part for run in select(plan, {"part": ["pool"]})] == ["pool"] * 3
    assert select(plan, {"part": ["chain", "pool"]}) == list(plan.runs)
    labels = [run.variant_label for run in select(plan, {"part": ["pool"], "variant": ["easy"]})]
    assert labels == ["easy"]
    with pytest.raises(ValueError, match="unknown part 'pol'; did you mean 'pool'"):
        select(plan, {"part": ["pol"]})
    with pytest.raises(ValueError, match="unknown axis 'part'; Allowed: dataset, model, seed"):
        select(plan_of(tmp_path / "pool.yaml"), {"part": ["pool"]})


def test_paths_in_a_part_start_from_its_own_folder(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "mine.py").write_text(
        "from srtbench.variants import Variant\n\n\nclass Mine(Variant): ...\n"
    )
    write_grid(tmp_path / "sub", "a", [{"type": "python", "path": "mine.py:Mine"}])
    (run,) = plan_of(parts_of(tmp_path, "sub/a.yaml")).runs
    assert getattr(run.variant, "path", "") == f"{(tmp_path / 'sub' / 'mine.py').resolve()}:Mine"


def test_two_different_runs_with_the_same_labels_are_refused(tmp_path: Path) -> None:
    write_grid(tmp_path, "a", ["srt", "gold"])
    write_grid(tmp_path, "b", [{"type": "srt", "train": {"steps": 9}}])
    file = parts_of(tmp_path, "a.yaml", "b.yaml")
    with pytest.raises(ConfigError) as error:
        plan_of(file)
    (problem,) = error.value.problems
    assert error.value.path == file
    assert (
        "tiny/spell_backward-3/srt: two different runs have these labels (a and b); give"
        in problem.message
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"parts": ["a.yaml", "b.yaml"]}, r"all.yaml: .*\n  line 4, parts\[1\]: file 'b.yaml' not"),
        ({"parts": ["sub"]}, r"parts\[0\]: file 'sub' not found"),
        ({"parts": ["a.yaml", "again.yaml"]}, r"line 4, parts\[1\]: two parts have the name 'a'"),
        ({"parts": ["nested.yaml"]}, r"parts\[0\]: 'nested.yaml' is made of parts itself; list"),
        ({"parts": []}, r"line 2, parts: the list is empty"),
        ({"parts": None}, r"line 2, parts: a list is wanted"),
        ({"parts": "a.yaml"}, r"parts: a list is wanted"),
        ({"parts": [3]}, r"line 3, parts\[0\]: input should be a valid string"),
        ({"parts": ["a.yaml"], "seeds": [1]}, r"line 4, seeds: unknown key 'seeds'; Allowed: desc"),
    ],
)
def test_parts_that_cannot_be_are_refused(
    tmp_path: Path, content: dict[str, Any], message: str
) -> None:
    write_grid(tmp_path, "a", ["srt"])
    (tmp_path / "again.yaml").write_text((tmp_path / "a.yaml").read_text())
    (tmp_path / "sub").mkdir()
    write_file(tmp_path, "nested.yaml", name="nested", parts=["a.yaml"])
    with pytest.raises(ConfigError, match=message):
        load_sweep(write_file(tmp_path, "all.yaml", **({"name": "all"} | content)))


def test_a_mistake_in_a_part_is_reported_with_its_file_and_line(tmp_path: Path) -> None:
    part = write_grid(tmp_path, "a", ["srt"])
    part.write_text(part.read_text() + "sedes: [1]\n")
    line = len(part.read_text().splitlines())
    with pytest.raises(
        ConfigError, match=rf"all.yaml: 1 problem\n  {part}, line {line}, sedes: unknown key"
    ):
        load_sweep(parts_of(tmp_path, "a.yaml"))
    result = srtbench("plan", tmp_path / "all.yaml")
    assert result.returncode == 2
    assert f"{part}, line {line}" in result.stderr
    assert "did you mean 'seeds'" in result.stderr


def test_sections_of_a_part_that_do_not_fit_name_the_cell(tmp_path: Path) -> None:
    write_grid(tmp_path, "a", [{"type": "srt", "train": {"num_processes": 3}}])
    with pytest.raises(
        ConfigError, match=r"part a: tiny/spell_backward-3/srt: .* num_processes = 3"
    ):
        plan_of(parts_of(tmp_path, "a.yaml"))


# A finished sweep


def test_the_part_of_a_run_is_in_the_plan_and_in_the_view(chains: FinishedSweep) -> None:
    wanted = {run.run_id: run.part for run in chains.plan.runs}
    assert set(wanted.values()) == {"chain", "pool"}
    content = json.loads(chains.store.plan_path.read_text())
    assert {row["run_id"]: row["part"] for row in content["runs"]} == wanted
    rows = open_sweep(chains.store.path).execute("SELECT run_id, part FROM runs").fetchall()
    assert dict(rows) == wanted


def test_the_commands_take_a_part(chains: FinishedSweep) -> None:
    """All is done, so nothing is trained."""
    result = srtbench("sweep", chains.file, "--root", chains.root, "--only", "part=pool")
    assert result.returncode == 0
    assert "done: 3 runs" in result.stdout
    assert "started" not in result.stdout
    status = srtbench("status", chains.file, "--root", chains.root)
    assert status.returncode == 0
    done = [line.split()[0] for line in status.stdout.splitlines() if "done" in line.split()]
    assert done == [one.run_id for one in chains.plan.runs] + [
        stage.stage_id for stage in chains.plan.stages
    ]


# Start models


def seeded(seed: Any) -> dict[str, Any]:
    return MODEL | {"warm_start": MODEL["warm_start"] | {"seed": seed}}


def test_each_seed_may_have_a_start_model_of_its_own(tmp_path: Path) -> None:
    changes: dict[str, Any] = {"seeds": [0, 1, 2]}
    own = plan_of(write_grid(tmp_path, "c", [CLIMB, *POOLS], models=[seeded("run")], **changes))
    shared = plan_of(write_grid(tmp_path, "c", [CLIMB, *POOLS], models=[seeded(0)], **changes))
    for run in own.runs:
        stage = own.stage(run.needs.start_model)
        assert stage.model is not None
        assert getattr(stage.model, "warm_start").seed == run.seed  # noqa: B009
    assert len({run.needs.start_model for run in own.runs}) == 3
    assert len({run.needs.start_model for run in shared.runs}) == 1
    assert len({run.own.needs.start for run in own.runs if not run.starts_from}) == 3
    assert len({run.run_id for run in own.runs}) == len(own.runs) == len(shared.runs)
    assert own.runs[0].run_id == shared.runs[0].run_id, "seed 0 of 'run' is seed 0"


@pytest.mark.parametrize("seed", ["rum", -1, 1.5, True, None])
def test_a_seed_of_a_start_model_is_a_number_or_a_word(tmp_path: Path, seed: Any) -> None:
    with pytest.raises(ConfigError, match=r"line \d+, models\[0\].warm_start.seed: a seed is") as e:
        plan_of(write_grid(tmp_path, "c", ["srt"], models=[seeded(seed)]))
    assert len(e.value.problems) == 1


def test_levels_may_share_a_start_model(tmp_path: Path) -> None:
    levels = [DATASET | {"level": level} for level in (3, 4, 5)]
    apart = plan_of(write_grid(tmp_path, "c", ["srt"], datasets=levels))
    assert len({run.needs.start_model for run in apart.runs}) == 3
    levels = [dataset | {"warm_start_level": 4} for dataset in levels]
    together = plan_of(write_grid(tmp_path, "c", ["srt"], datasets=levels))
    assert len({run.needs.start_model for run in together.runs}) == 1
    stage = together.stage(together.runs[0].needs.start_model)
    assert getattr(stage.dataset, "level", None) == 4
    assert [getattr(run.dataset, "level", None) for run in together.runs] == [3, 4, 5]
    assert len({run.needs.train_prompts for run in together.runs}) == 3


def test_a_curriculum_starts_from_the_start_model_of_its_first_level(tmp_path: Path) -> None:
    def checked_level(**dataset: Any) -> int | None:
        plan = plan_of(write_grid(tmp_path, "c", [CLIMB], datasets=[DATASET | dataset]))
        assert len({run.needs.start_model for run in plan.runs}) == 1
        return getattr(plan.stage(plan.runs[0].needs.start_model).dataset, "level", None)

    assert checked_level(level=5) == 3
    assert checked_level(level=5, warm_start_level=4) == 4


def test_an_option_that_is_null_leaves_ids_as_they_were(tmp_path: Path) -> None:
    """Options that came later do not make earlier results other ones."""
    plain = plan_of(write_grid(tmp_path, "c", ["srt"])).runs[0]
    named = plan_of(
        write_grid(tmp_path, "c", ["srt"], datasets=[DATASET | {"warm_start_level": None}])
    ).runs[0]
    assert plain.run_id == named.run_id
    assert plain.needs == named.needs
    dump = plain.model_dump(mode="json")
    assert dump["dataset"]["warm_start_level"] is None
    assert dump["train"]["pool"] is None
    assert dump["starts_from"] is None
    del dump["dataset"]["warm_start_level"], dump["train"]["pool"], dump["starts_from"]
    assert run_id_of(RunSpec.model_validate(dump)) == plain.run_id


def test_a_grid_is_still_a_grid(tmp_path: Path) -> None:
    config = load_sweep(write_grid(tmp_path, "c", ["srt"]))
    assert isinstance(config, SweepConfig)
    assert [run.part for run in plan_sweep(config).runs] == [None]
