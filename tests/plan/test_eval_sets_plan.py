"""Further evaluation sets planned, shared by runs, and mistakes in them; the page about them."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from srtbench.cli.plan_text import plan_text
from srtbench.config import ConfigError, load_sweep
from srtbench.config.eval_sets import FileEvalSet, GymEvalSet, HubEvalSet
from srtbench.datasets import DatasetError, load_eval_set
from srtbench.plan import estimate, plan_sweep
from tests import chains
from tests.micro import CONTENT, write_sweep
from tests.sets import (
    FURTHER,
    SETS,
    plan_of,
    run_of,
)

# What is planned


def test_ids_stay_as_they_are(tmp_path: Path) -> None:
    """The ids of version 2, by the marks on the fields; a change here is one for the CHANGELOG."""
    plan = plan_sweep(load_sweep(write_sweep(tmp_path)))
    assert [run.run_id for run in plan.runs] == KNOWN_RUNS
    assert sorted(stage.stage_id for stage in plan.stages) == KNOWN_STAGES


KNOWN_RUNS = [
    "tiny-swap-srt-s0-57788cdb",
    "tiny-swap-gold-s0-5f89c8a0",
    "tiny-swap-fixed-teacher-s0-d1c9a61c",
    "tiny-swap-random-s0-91fe1b59",
]
KNOWN_STAGES = [
    "base_eval-7eea02be",
    "eval_prompts-440456cf",
    "teacher_labels-6cfefc23",
    "train_prompts-c5ff536c",
    "warm_start-812d9ef3",
]


@pytest.mark.parametrize(
    "change",
    [
        {"prompts": 4},
        {"samples": 2},
        {"temperature": 0.5},
        {"every": 10},
        {"name": "other"},
        {"max_completion_length": 3},
        {"prompt_template": "{question}>"},
        {"on_overlap": "drop_from_train"},
    ],
)
def test_every_value_of_a_set_changes_the_run_id(tmp_path: Path, change: dict[str, Any]) -> None:
    none = run_of(plan_of(tmp_path, eval_sets=[]))
    one = run_of(plan_of(tmp_path, eval_sets=[FURTHER]))
    other = run_of(plan_of(tmp_path, eval_sets=[FURTHER | change]))
    assert len({none.run_id, one.run_id, other.run_id}) == 3


def test_the_order_of_the_sets_is_no_result(tmp_path: Path) -> None:
    one, other = plan_of(tmp_path), plan_of(tmp_path, eval_sets=SETS[::-1])
    assert run_of(one).run_id == run_of(other).run_id


def test_what_a_set_leaves_out_is_as_in_the_runs_own_evaluation(tmp_path: Path) -> None:
    sets = [FURTHER, FURTHER | {"name": "other", "temperature": 0.5, "samples": 2, "batch_size": 3}]
    settings = CONTENT["eval"] | {"temperature": 0.8, "seed": 7}
    plain, other = run_of(plan_of(tmp_path, eval_sets=sets, eval=settings)).further
    assert plain.sampling.model_dump() == {
        "samples": 4,
        "temperature": 0.8,
        "max_completion_length": 6,
        "batch_size": 512,
        "seed": 7,
    }
    assert (other.sampling.samples, other.sampling.temperature, other.sampling.batch_size) == (
        2,
        0.5,
        3,
    )


def test_runs_share_the_stages_of_a_set(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, seeds=[0, 1])
    kinds = Counter(stage.kind for stage in plan.stages)
    assert (kinds["eval_prompts"], kinds["base_eval"]) == (1 + 2, 1 + 2)
    assert len({one.needs.start for run in plan.runs for one in run.further}) == 2
    renamed = plan_of(tmp_path, eval_sets=[FURTHER | {"name": "other", "every": 3}])
    stages = {stage.stage_id for stage in renamed.stages}
    assert stages <= {stage.stage_id for stage in plan.stages}, "a label makes no other start"


def test_estimates_count_sets_once(tmp_path: Path) -> None:
    plan, bare = plan_of(tmp_path), plan_of(tmp_path, eval_sets=[])
    run, own = run_of(plan), estimate(run_of(bare))
    assert [one.steps(20) for one in run.further] == [(0, 20), (0, 5, 10, 15, 20)]
    found = estimate(run)
    assert found.rollouts - own.rollouts == 1 * 16 * 4 + 4 * 5 * 1
    assert found.completion_tokens - own.completion_tokens == 64 * 6 + 20 * 4
    starts = [
        estimate(plan.stage(one.needs.start)).rollouts for one in run.further if one.needs.start
    ]
    assert sorted(starts) == [5, 64]


def test_a_hub_set_of_unknown_size_is_said_not_to_be_counted(tmp_path: Path) -> None:
    sets = [{"type": "hub", "id": "some/aime"}, {"type": "hub", "id": "some/amc", "prompts": 40}]
    plan = plan_of(tmp_path, eval_sets=sets)
    assert estimate(run_of(plan)).rollouts - 384 == 40 * 4
    assert "not counted: evaluation set aime" in plan_text(plan)
    assert "evaluation set amc" not in plan_text(plan)


def test_a_generated_set_is_divided_as_the_runs_own_dataset(tmp_path: Path) -> None:
    shares = {"train": 0.5, "eval": 0.3, "warm_start": 0.2}
    task = {"type": "reasoning_gym", "task": "spell_backward", "level": 4, "prompts": 3}
    datasets = [CONTENT["datasets"][0] | {"split": shares}]
    (one,) = run_of(plan_of(tmp_path, eval_sets=[task], datasets=datasets)).further
    assert one.label == "spell_backward-4"
    assert one.dataset.split.model_dump() == shares
    assert {p.split for p in load_eval_set(one.dataset, one.prompts)} == {"eval"}


def test_a_later_stage_of_a_curriculum_evaluates_its_own_start(tmp_path: Path) -> None:
    sets = [{"type": "reasoning_gym", "task": "gcd", "level": 1, "prompts": 2}]
    file = chains.write_grid(tmp_path, "chain", [chains.CLIMB], eval_sets=sets)
    first, *later = chains.plan_of(file).runs
    assert first.further[0].needs.start is not None
    for run in later:
        assert run.further[0].needs.start is None
        assert (
            estimate(run).rollouts
            > estimate(run.model_copy(update={"eval_sets": run.eval_sets[:1]})).rollouts
        )


# Mistakes


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        ([FURTHER | {"name": "own"}], r"a set cannot be called 'own', as the run's own prompts"),
        ([FURTHER | {"name": "train"}], r"a set cannot be called 'train'"),
        ([FURTHER, FURTHER], r"two entries are called 'further'"),
        (["missing.jsonl"], r"file 'missing.jsonl' not found"),
        ([FURTHER | {"sample": 3}], r"unknown key 'sample'; did you mean 'samples'|'samples'"),
        ([FURTHER | {"train_prompts": 3}], r"unknown key 'train_prompts'"),
        ([{"type": "reasoning_gym", "task": "gcd"}], r"key 'prompts' is missing"),
        ([{"type": "reasoning_gym", "task": "gdc", "prompts": 2}], r"unknown Reasoning Gym task"),
        ([FURTHER | {"prompt_template": "{answer}"}], r"must not see the gold answer"),
        ([FURTHER | {"temperature": -1}], r"greater than or equal to 0"),
    ],
)
def test_a_mistake_in_a_set_is_named_with_its_line(
    tmp_path: Path, sets: list[Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        plan_of(tmp_path, eval_sets=sets)
    assert "eval_sets" in str(caught.value)
    assert all(problem.line for problem in caught.value.problems)


def test_greedy_evaluation_has_one_sample(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"eval set further: temperature 0 is greedy .* not 4"):
        plan_of(tmp_path, eval_sets=[FURTHER | {"temperature": 0}])
    with pytest.raises(ConfigError, match="tiny/swap/srt: eval: temperature 0 is greedy"):
        plan_of(tmp_path, eval=CONTENT["eval"] | {"temperature": 0})
    greedy = CONTENT["eval"] | {"temperature": 0, "samples": 1}
    assert run_of(plan_of(tmp_path, eval=greedy)).further[0].sampling.temperature == 0


def test_a_set_with_fewer_prompts_than_asked_for_is_refused(tmp_path: Path) -> None:
    run = run_of(plan_of(tmp_path, eval_sets=[FURTHER | {"prompts": 17}]))
    with pytest.raises(DatasetError, match="16 distinct problems, 17 asked for"):
        load_eval_set(run.further[0].dataset, 17)


def test_a_smaller_request_is_the_beginning_of_a_larger_one(tmp_path: Path) -> None:
    dataset = run_of(plan_of(tmp_path)).further[0].dataset
    every = load_eval_set(dataset)
    assert len(every) == 16
    assert load_eval_set(dataset, 5) == every[:5]
    assert [problem.prompt_id for problem in every] == sorted(p.prompt_id for p in every)


def test_a_hub_set_is_all_of_the_named_split(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through the `datasets` library itself, on a local folder."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    datasets.disable_progress_bars()
    (tmp_path / "repository").mkdir()
    for split, count in (("train", 3), ("test", 7)):
        rows = {"problem": [f"{split} {n}?" for n in range(count)], "solution": ["2"] * count}
        pl.DataFrame(rows).write_parquet(tmp_path / "repository" / f"{split}.parquet")
    entry = {"type": "hub", "id": str(tmp_path / "repository"), "name": "aime"}
    entry |= {"question_column": "problem", "answer_column": "solution"}
    for split, count in (("test", 7), ("train", 3)):
        sets = [entry | ({} if split == "test" else {"split": split})]
        problems = load_eval_set(run_of(plan_of(tmp_path, eval_sets=sets)).further[0].dataset)
        assert len(problems) == count
        assert all(p.prompt.startswith(split) and p.split == "eval" for p in problems)


# The page about it

PAGE = (Path(__file__).parents[2] / "docs" / "evaluation.md").read_text(encoding="utf-8")


def test_the_examples_of_the_page_plan(tmp_path: Path) -> None:
    sweep, stop = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    (tmp_path / "words.yaml").write_text(sweep + stop)
    for name in ("gsm8k_test.jsonl", "math500.jsonl"):
        (tmp_path / name).write_text('{"question": "1 + 1?", "answer": "2"}\n' * 3)
    run = run_of(plan_sweep(load_sweep(tmp_path / "words.yaml")))
    assert [(one.label, one.prompts, one.every) for one in run.further] == [
        ("gsm8k-test", None, None),
        ("math500", 200, 40),
        ("math500-greedy", None, None),
        ("spell_backward-8", 64, None),
    ]


def test_every_key_of_a_set_is_explained() -> None:
    for entry in (GymEvalSet, HubEvalSet, FileEvalSet):
        for key in entry.model_fields.keys() - {"type"}:
            assert f"`{key}`" in PAGE, key
