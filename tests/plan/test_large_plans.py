"""Large plans: sections that cells share are worked on once, and the listing is a page."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from srtbench.cli.plan_text import plan_text
from srtbench.config import load_sweep
from srtbench.plan import Plan, estimate, plan_sweep
from srtbench.plan.estimate import estimates
from srtbench.plan.identity import content_id, run_id_of
from srtbench.plan.once import Once
from tests.micro import MODEL, write_sweep

VARIANTS: list[Any] = ["srt", "gold", {"type": "srt", "name": "slow", "train": {"steps": 10}}]


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """900 runs: models with a start model for each seed and without, and three variants."""
    own = MODEL | {"name": "own", "warm_start": MODEL["warm_start"] | {"seed": "run"}}
    folder = tmp_path_factory.mktemp("large")
    file = write_sweep(
        folder,
        models=[MODEL, own],
        variants=VARIANTS,
        seeds=list(range(150)),
        exclude=[{"seed": 7}],
    )
    return plan_sweep(load_sweep(file))


def test_runs_that_share_work_are_what_they_are_alone(large: Plan) -> None:
    """Ids and estimates do not depend on what was planned before."""
    assert len({run.run_id for run in large.runs}) == len(large.runs) == 2 * 3 * 149
    for run in large.runs[::50]:
        assert run.run_id == run_id_of(run)
    for stage in large.stages[::20]:
        assert stage.stage_id == f"{stage.kind}-{content_id(stage)}"
    assert estimates(large.runs) == [estimate(run) for run in large.runs]


def test_a_seed_of_its_own_has_a_start_model_of_its_own(large: Plan) -> None:
    starts = {run.needs.start_model for run in large.runs if run.model_label == "own"}
    assert len(starts) == 149
    for run in large.runs:
        seed = large.stage(run.needs.start_model or "").model.warm_start.seed  # type: ignore[attr-defined]
        assert seed == (run.seed if run.model_label == "own" else 0)


def test_runs_and_stages_are_found_by_their_ids(large: Plan) -> None:
    assert all(large.run(run.run_id) is run for run in large.runs)
    assert all(large.stage(stage.stage_id) is stage for stage in large.stages)
    with pytest.raises(KeyError):
        large.run("nobody")


def test_a_large_plan_is_a_page(large: Plan) -> None:
    text = plan_text(large)
    assert len(text.splitlines()) < 50
    assert f"sweep micro: {len(large.runs)} runs" in text
    rows = [line.split() for line in text.splitlines() if line.startswith(("tiny ", "own "))]
    runs = {(row[0], row[2]): int(row[3]) for row in rows}
    assert runs == {
        (model, variant): 149 for model in ("tiny", "own") for variant in ("srt", "gold", "slow")
    }
    assert "uses gold: rewards depend on the hidden answers: 298 runs, the first" in text


def test_everything_is_listed_where_it_is_asked_for(large: Plan) -> None:
    text = plan_text(large, every=True)
    names = {line.split()[0] for line in text.splitlines() if line.strip()}
    assert {run.run_id for run in large.runs} <= names
    assert {stage.stage_id for stage in large.stages} <= names
    total = "in all: "
    (short,) = (line for line in plan_text(large).splitlines() if line.startswith(total))
    (full,) = (line for line in text.splitlines() if line.startswith(total))
    assert short == full


def test_a_grid_of_many_labels_is_grouped_by_the_axis_with_fewest(tmp_path: Path) -> None:
    variants = [{"type": "srt", "name": f"v{n}"} for n in range(60)]
    text = plan_text(plan_sweep(load_sweep(write_sweep(tmp_path, variants=variants))))
    assert "60 values" in text
    assert len(text.splitlines()) < 30


def test_a_null_that_a_dataset_writes_is_not_shared_with_one_that_writes_nothing(
    tmp_path: Path,
) -> None:
    """Cells whose sections say the same are merged once; these two do not say the same."""
    plain = {"type": "file", "path": "swap.jsonl", "prompt_template": "{question}="}
    whole = plain | {"name": "whole", "train": {"micro_batch_size": None}}
    train = {"steps": 2, "prompts_per_step": 4, "num_generations": 4, "micro_batch_size": 8}
    for datasets in ([plain, whole], [whole, plain]):
        file = write_sweep(tmp_path, datasets=datasets, variants=["srt"], train=train)
        sizes = {
            run.dataset_label: run.train.micro_batch_size
            for run in plan_sweep(load_sweep(file)).runs
        }
        assert sizes == {"swap": 8, "whole": None}


class _Section(BaseModel):
    value: int


def test_work_is_done_once_for_one_object() -> None:
    once, calls = Once(), []

    def work(section: _Section, times: int) -> int:
        calls.append(section)
        return section.value * times

    first, equal = _Section(value=3), _Section(value=3)
    assert [once(work, first, 2), once(work, first, 2), once(work, first, times=2)] == [6, 6, 6]
    assert len(calls) == 2, "a name is part of the call"
    assert once(work, equal, 2) == 6
    assert len(calls) == 3, "equal sections are not compared"
    assert once.same(first) is first
    assert once.same(equal) is first
