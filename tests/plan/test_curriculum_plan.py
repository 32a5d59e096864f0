"""Curricula planned, mistakes in them, and the examples of the documentation."""

import re
from pathlib import Path
from typing import Any

import pytest

from srtbench.config import ConfigError
from srtbench.plan import RunSpec, estimate
from tests.chains import (
    AGAIN,
    CLIMB,
    DATASET,
    MODEL,
    plan_of,
    write_grid,
)
from tests.micro import CONTENT, write_sweep

DOCUMENT = Path(__file__).parents[2] / "docs" / "curriculum.md"


# Plans


def test_a_curriculum_is_a_chain_of_runs_at_its_levels(tmp_path: Path) -> None:
    plan = plan_of(write_grid(tmp_path, "c", [CLIMB], seeds=[0, 1]))
    assert [(run.seed, run.dataset_label, run.variant.type) for run in plan.runs] == [
        (seed, f"spell_backward-{level}", variant)
        for seed in (0, 1)
        for level, variant in ((3, "gold"), (4, "srt"), (5, "srt"))
    ]
    first, second, third = plan.runs[:3]
    assert first.starts_from is None
    assert second.starts_from is not None
    assert third.starts_from is not None
    assert (second.starts_from.run_id, second.starts_from.rule) == (first.run_id, "last")
    assert (third.starts_from.run_id, third.starts_from.rule) == (second.run_id, "best_avg_at_k")
    assert [run.keep_best for run in (first, second, third)] == [(), ("best_avg_at_k",), ()]
    assert third.requires[-1] == second.run_id
    assert first.needs.base_eval is not None
    assert second.needs.base_eval is None, "its start is another run's policy"
    assert estimate(second).rollouts == 16 * 4 * 4 + 5 * 8 * 4, (
        "its own evaluation at step 0 counts"
    )


def test_curricula_that_begin_alike_share_those_runs(tmp_path: Path) -> None:
    """The first curriculum gives the name; what comes after starts from the shared run."""
    longer = CLIMB | {
        "name": "longer",
        "stages": [*CLIMB["stages"], {"level": 6, "variant": "srt"}],
    }
    plan = plan_of(write_grid(tmp_path, "c", [CLIMB, AGAIN, longer]))
    assert [(run.dataset_label[-1], run.variant_label) for run in plan.runs] == [
        ("3", "climb"),
        ("4", "climb"),
        ("5", "climb"),
        ("3", "again.2"),
        ("6", "longer"),
    ]
    again, longer_run = plan.runs[3:]
    assert again.starts_from is not None
    assert longer_run.starts_from is not None
    assert again.starts_from.run_id == plan.runs[0].run_id
    assert longer_run.starts_from.run_id == plan.runs[2].run_id


def test_every_curriculum_has_its_last_run_to_itself(tmp_path: Path) -> None:
    """However alike curricula, models or datasets are, none is missing in a table."""
    shorter = CLIMB | {"name": "shorter", "stages": CLIMB["stages"][:2]}
    plan = plan_of(write_grid(tmp_path, "c", [CLIMB, CLIMB | {"name": "twin"}, shorter]))
    assert [(run.dataset_label[-1], run.variant_label) for run in plan.runs] == [
        ("3", "climb"),
        ("4", "climb"),
        ("5", "climb"),
        ("5", "twin"),
        ("4", "shorter"),
    ]
    models = [MODEL, MODEL | {"name": "other"}]
    plan = plan_of(write_grid(tmp_path, "c", [CLIMB], models=models))
    assert [run.model_label for run in plan.runs] == ["tiny"] * 3 + ["other"] * 3


def test_a_shared_run_keeps_every_policy_that_is_asked_for(tmp_path: Path) -> None:
    rules = ["best_maj_at_k", "best_avg_at_k", "last"]
    variants = [
        AGAIN
        | {
            "name": f"c{number}",
            "stages": [AGAIN["stages"][0], AGAIN["stages"][1] | {"start_from": rule}],
        }
        for number, rule in enumerate(rules)
    ]
    plan = plan_of(write_grid(tmp_path, "c", variants))
    assert len(plan.runs) == 4
    assert plan.runs[0].keep_best == ("best_avg_at_k", "best_maj_at_k")
    without = plan_of(write_grid(tmp_path, "c", [variants[2]]))
    assert without.runs[0].run_id.rpartition("-")[2] == plan.runs[0].run_id.rpartition("-")[2], (
        "what is kept for others changes no result"
    )


def test_a_level_that_is_visited_twice_gets_a_label_of_its_own(tmp_path: Path) -> None:
    stages = [{"level": level, "variant": "srt"} for level in (3, 4, 3, 3)]
    plan = plan_of(write_grid(tmp_path, "c", [CLIMB | {"stages": stages}]))
    assert [(run.dataset_label[-1], run.variant_label) for run in plan.runs] == [
        ("3", "climb"),
        ("4", "climb"),
        ("3", "climb.2"),
        ("3", "climb.3"),
    ]


def test_overrides_go_from_dataset_to_curriculum_to_stage_to_its_variant(tmp_path: Path) -> None:
    stages = [
        {"level": 3, "variant": "srt"},
        {"level": 4, "variant": "srt", "train": {"steps": 7}, "eval": {"every": 7}},
        {
            "level": 5,
            "variant": {"type": "srt", "train": {"steps": 8, "trl": {"adam_beta2": 0.9}}},
            "train": {"steps": 7, "beta": 0.01},
        },
    ]
    curriculum = CLIMB | {"stages": stages, "train": {"steps": 6, "trl": {"adam_beta1": 0.8}}}
    dataset = DATASET | {"train": {"steps": 5, "learning_rate": 2e-3}}
    plan = plan_of(write_grid(tmp_path, "c", [curriculum], datasets=[dataset]))
    assert [run.train.steps for run in plan.runs] == [6, 7, 8]
    assert [run.train.beta for run in plan.runs] == [0.0, 0.0, 0.01]
    assert [run.eval.every for run in plan.runs] == [2, 7, 2]
    assert {run.train.learning_rate for run in plan.runs} == {2e-3}
    assert {run.train.trl["adam_beta1"] for run in plan.runs} == {0.8}
    assert plan.runs[2].train.trl["adam_beta2"] == 0.9


def test_a_policy_started_from_counts_in_the_run_id(tmp_path: Path) -> None:
    def last_id(**stage: Any) -> str:
        stages = [AGAIN["stages"][0], AGAIN["stages"][1] | stage]
        plan = plan_of(write_grid(tmp_path, "c", [AGAIN | {"stages": stages}]))
        return plan.runs[-1].run_id

    assert last_id() == last_id(start_from="last")
    assert last_id() != last_id(start_from="best_maj_at_k")


def test_a_run_of_a_curriculum_survives_json(tmp_path: Path) -> None:
    for run in plan_of(write_grid(tmp_path, "c", [CLIMB])).runs:
        assert RunSpec.model_validate_json(run.model_dump_json()) == run


def one_stage(**second: Any) -> dict[str, Any]:
    """A curriculum whose second stage is as given."""
    return AGAIN | {"stages": [AGAIN["stages"][0], {"level": 4, "variant": "srt"} | second]}


@pytest.mark.parametrize(
    ("variant", "message"),
    [
        (one_stage(variant="fixed_teacher"), r"spell_backward-4/again: fixed_teacher labels by"),
        (
            one_stage(variant={"type": "all_of", "parts": ["format", "incorrect"]}),
            r"all_of labels by the frozen start model",
        ),
        (
            one_stage(train={"pool": {"keep": 0.5}}),
            r"spell_backward-4/again: train.pool.keep below 1 asks the start model",
        ),
        (
            AGAIN | {"stages": [AGAIN["stages"][0] | {"start_from": "last"}, AGAIN["stages"][1]]},
            r"variants\[0\]: stages\[0\].start_from: the first stage starts from the start model",
        ),
        (one_stage(variant=CLIMB), r"stages\[1\].variant: unknown type 'curriculum'; Allowed:"),
        (
            {"type": "all_of", "parts": ["srt", CLIMB]},
            r"variants\[0\].parts\[1\]: unknown type 'curriculum'",
        ),
        (
            one_stage(variant={"type": "srt", "name": "mine"}),
            r"variants\[0\]: stages\[1\].variant.name: the curriculum gives the name",
        ),
        (one_stage(start_from="best"), r"stages\[1\].start_from: 'best' is not allowed; Allowed:"),
        (
            one_stage(train={"stepz": 3}),
            r"line \d+, variants\[0\].stages\[1\].train.stepz: .* mean 'steps'",
        ),
        (
            one_stage(train={"trl": {"bf17": True}}),
            r"line \d+, variants\[0\].stages\[1\].train.trl.bf17: .* did you mean 'bf16'",
        ),
        (
            one_stage(variant={"type": "srt", "train": {"trl": {"seed": 3}}}),
            r"variants\[0\].stages\[1\].variant.train.trl.seed: .* set by srtbench",
        ),
        (
            one_stage(variant={"type": "python", "path": "mine.py:Mine"}),
            r"line \d+, variants\[0\].stages\[1\].variant.path: file 'mine.py' not found",
        ),
        (
            one_stage(
                variant={
                    "type": "all_of",
                    "parts": ["srt", {"type": "python", "path": "mine.py:Mine"}],
                }
            ),
            r"stages\[1\].variant.parts\[1\].path: file 'mine.py' not found",
        ),
        (
            AGAIN | {"stages": AGAIN["stages"][:1]},
            r"variants\[0\].stages: at least 2 entries are wanted, given: 1",
        ),
    ],
)
def test_a_curriculum_that_cannot_be_is_refused(
    tmp_path: Path, variant: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        plan_of(write_grid(tmp_path, "c", [variant]))


def test_a_wrong_stage_does_not_make_the_list_empty(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        plan_of(write_grid(tmp_path, "c", [one_stage(variant="glod")]))
    assert len(error.value.problems) == 1


def test_a_curriculum_needs_a_dataset_with_levels(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="tiny/swap/climb: a curriculum needs a reasoning_gym"):
        plan_of(write_sweep(tmp_path, variants=[CLIMB], train=CONTENT["train"]))


def test_a_label_that_a_second_visit_takes_is_refused(tmp_path: Path) -> None:
    mine = {"type": "srt", "name": "again.2"}
    with pytest.raises(ConfigError, match=r"again.2: two different runs have these labels"):
        plan_of(write_grid(tmp_path, "c", [AGAIN, mine]))


# The documentation


def examples() -> dict[str, str]:
    """File name -> content of the YAML examples; each begins with a comment that names it."""
    blocks = re.findall(r"```yaml\n# (\S+\.yaml)\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    return dict(blocks)


@pytest.mark.parametrize("name", sorted(examples()))
def test_the_examples_of_the_documentation_are_planned(name: str, tmp_path: Path) -> None:
    for file, content in examples().items():
        (tmp_path / file).write_text(content)
    plan = plan_of(tmp_path / name)
    assert plan.runs
    if name == "climb.yaml":
        assert [run.variant_label for run in plan.runs].count("climb") == 3 * 2


def test_every_yaml_block_of_the_documentation_is_an_example() -> None:
    assert DOCUMENT.read_text().count("```yaml") == len(examples()) > 3
