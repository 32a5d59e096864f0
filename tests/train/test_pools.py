"""Which prompts a run trains on: fixed pools, and the easiest part of them."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

from srtbench.config import ConfigError, load_sweep
from srtbench.config.train import PoolConfig
from srtbench.plan import RunSpec, estimate, plan_sweep
from srtbench.store.choices import easiest, pool_prompt_ids
from tests.chains import frame_of, run_of
from tests.micro import CONTENT, MODEL, FinishedSweep, write_sweep


def planned(folder: Path, variants: list[Any] | None = None, **changes: Any) -> list[RunSpec]:
    return list(
        plan_sweep(
            load_sweep(write_sweep(folder, **{"variants": variants or ["srt"]} | changes))
        ).runs
    )


def with_pool(pool: dict[str, Any], **train: Any) -> dict[str, Any]:
    return {"type": "srt", "train": {"pool": pool} | train}


# Plans


def test_the_default_is_fresh_prompts_and_pools_are_other_runs(tmp_path: Path) -> None:
    variants = [
        {"type": "srt"},
        with_pool({"prompts": 12}) | {"name": "fixed"},
        with_pool({"prompts": 12, "keep": 0.5}) | {"name": "easy"},
        with_pool({"prompts": 12, "keep": 0.5, "by": "pass_rate"}) | {"name": "easy-gold"},
    ]
    plan = plan_sweep(load_sweep(write_sweep(tmp_path, variants=variants)))
    assert len({run.run_id.rpartition("-")[2] for run in plan.runs}) == 4

    def stage(stage_id: str | None) -> Any:
        assert stage_id is not None
        return plan.stage(stage_id)

    assert plan.runs[0].train.pool is None
    assert [stage(run.needs.train_prompts).prompts for run in plan.runs] == [20 * 4, 12, 12, 12]
    assert [bool(run.needs.pool_votes) for run in plan.runs] == [False, False, True, True]
    assert plan.runs[2].needs == plan.runs[3].needs, "both ask the start model once"
    votes = stage(plan.runs[2].needs.pool_votes)
    assert (votes.sampling.samples, votes.sampling.temperature, votes.prompts) == (4, 1.0, 12)
    assert estimate(votes).rollouts == 12 * 4
    assert set(votes.requires) == {
        plan.runs[2].needs.start_model,
        plan.runs[2].needs.train_prompts,
    }


def test_votes_of_a_pool_may_be_more_than_are_trained(tmp_path: Path) -> None:
    variant = with_pool({"keep": 0.5, "votes": 32}, temperature=0.7)
    plan = plan_sweep(load_sweep(write_sweep(tmp_path, variants=[variant])))
    votes = plan.stage(plan.runs[0].needs.pool_votes)
    assert (votes.sampling.samples, votes.sampling.temperature) == (32, 0.7)


def test_sections_of_a_pool_are_merged_key_by_key(tmp_path: Path) -> None:
    """Sweep < model < dataset < variant; an explicit null overrides too."""
    dataset = CONTENT["datasets"][0] | {"train": {"pool": {"keep": 0.5}}}
    model = MODEL | {"train": {"pool": {"votes": 8, "keep": 0.9}}}
    train = CONTENT["train"] | {"pool": {"prompts": 16, "by": "pass_rate"}}
    variants = [
        {"type": "srt", "name": "a"},
        with_pool({"by": "vote_share", "keep": 0.25}) | {"name": "b"},
        with_pool({"prompts": None, "keep": 1.0}) | {"name": "c"},
    ]
    a, b, c = planned(tmp_path, variants, models=[model], datasets=[dataset], train=train)
    assert a.train.pool == PoolConfig(prompts=16, keep=0.5, by="pass_rate", votes=8)
    assert b.train.pool == PoolConfig(prompts=16, keep=0.25, by="vote_share", votes=8)
    assert c.train.pool == PoolConfig(prompts=None, keep=1.0, by="pass_rate", votes=8)
    assert b.needs.pool_votes is not None
    assert c.needs.pool_votes is None


def test_a_pool_enters_the_run_id_and_its_absence_does_not(tmp_path: Path) -> None:
    (without,) = planned(tmp_path / "a")
    (with_one,) = planned(tmp_path / "b", [with_pool({"prompts": 40})])
    assert without.run_id != with_one.run_id
    dump = without.model_dump(mode="json")
    assert dump["train"]["pool"] is None, "and a null stays out of the hash"
    from srtbench.plan import RunSpec
    from srtbench.plan.identity import run_id_of

    del dump["train"]["pool"]
    assert run_id_of(RunSpec.model_validate(dump)) == without.run_id


@pytest.mark.parametrize(
    ("pool", "message"),
    [
        ({"keep": 0}, r"variants\[0\].train.pool.keep: .*greater than 0"),
        ({"keep": 1.5}, r"variants\[0\].train.pool.keep: .*less than or equal to 1"),
        ({"prompts": 0}, r"variants\[0\].train.pool.prompts"),
        ({"by": "difficulty"}, r"'difficulty' is not allowed; Allowed: pass_rate, vote_share"),
        ({"kep": 0.5}, r"line \d+, variants\[0\].train.pool.kep: unknown key .* mean 'keep'"),
        (
            {"prompts": 3},
            r"tiny/swap/srt: train.pool leaves 3 of 3 prompts, fewer than prompts_per",
        ),
        ({"prompts": 16, "keep": 0.1}, r"train.pool leaves 2 of 16 prompts"),
    ],
)
def test_a_pool_that_cannot_be_is_refused(
    tmp_path: Path, pool: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        planned(tmp_path, [with_pool(pool)])


def test_a_run_on_its_evaluation_prompts_may_keep_the_easiest_of_them(tmp_path: Path) -> None:
    ttrl = {"type": "ttrl", "votes": 8, "train": {"pool": {"keep": 0.5}}}
    plan = plan_sweep(load_sweep(write_sweep(tmp_path, variants=[ttrl])))
    votes = plan.stage(plan.runs[0].needs.pool_votes)
    assert votes.prompts_stage == plan.runs[0].own.needs.prompts
    assert votes.prompts == plan.runs[0].own.prompts
    ttrl["train"] = {"pool": {"keep": 0.4}}
    with pytest.raises(ConfigError, match=r"ttrl: train.pool leaves 3 of 8 prompts"):
        planned(tmp_path, [ttrl])
    ttrl["train"] = {"pool": {"prompts": 4}}
    with pytest.raises(ConfigError, match=r"ttrl: train.pool.prompts says nothing .* eval.prompts"):
        planned(tmp_path, [ttrl])


# The easiest prompts


def test_the_easiest_are_those_found_by_hand() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        size = int(rng.integers(1, 30))
        keep = float(rng.uniform(0.01, 1))
        ease = {f"p{number:02}": float(rng.integers(0, 5)) / 4 for number in range(size)}
        pool = PoolConfig(keep=keep)
        found = easiest(dict(sorted(ease.items(), key=lambda _: rng.random())), pool)
        count = max(1, round(keep * size))
        assert len(found) == count == pool.kept(size)
        left = set(ease) - found
        assert not left or min(ease[p] for p in found) >= max(ease[p] for p in left)
        border = min(ease[p] for p in found)
        equal = sorted(p for p in ease if ease[p] == border)
        chosen = [p in found for p in equal]
        assert chosen == sorted(chosen, reverse=True), "of equals the first by id"


def test_a_third_is_a_third() -> None:
    ease = {str(number): float(number) for number in range(9)}
    assert easiest(ease, PoolConfig(keep=1 / 3)) == {"8", "7", "6"}
    assert easiest(ease, PoolConfig(keep=0.01)) == {"8"}
    assert easiest(ease, PoolConfig(keep=1.0)) == set(ease)


# Finished runs


def train_rows(chains: FinishedSweep, label: str) -> pl.DataFrame:
    return frame_of(chains.store.run(run_of(chains.plan, label).run_id), "train")


def ease_by_hand(chains: FinishedSweep, label: str) -> dict[str, float]:
    """Vote share or pass rate of each prompt, counted in the start model's completions."""
    run = run_of(chains.plan, label)
    assert run.train.pool is not None
    rows = frame_of(chains.store.stage(run.needs.pool_votes), "eval")
    ease = {}
    for (prompt_id,), group in rows.group_by("prompt_id"):
        keys = [key for key in group["answer_key"] if key is not None]
        assert len(group) == run.train.num_generations
        if run.train.pool.by == "vote_share":
            ease[str(prompt_id)] = max(Counter(keys).values()) / len(keys) if keys else 0.0
        else:
            ease[str(prompt_id)] = float(np.mean(group["gold_reward"].to_numpy()))
    return ease


@pytest.mark.parametrize("label", ["easy", "easy-gold"])
def test_a_run_trains_on_the_easiest_prompts_again_and_again(
    chains: FinishedSweep, label: str
) -> None:
    run = run_of(chains.plan, label)
    ease = ease_by_hand(chains, label)
    assert len(ease) == 8
    wanted = sorted(ease, key=lambda name: (-ease[name], name))[:4]
    assert pool_prompt_ids(run, chains.store) == set(wanted)
    rows = train_rows(chains, label)
    assert set(rows["prompt_id"]) == set(wanted)
    per_step = rows.group_by("step").agg(pl.col("prompt_id").n_unique(), pl.len())
    assert sorted(per_step.rows()) == [(step, 4, 16) for step in (1, 2, 3, 4)], "four epochs"


def test_ease_by_gold_is_another_ease(chains: FinishedSweep) -> None:
    by_share, by_gold = ease_by_hand(chains, "easy"), ease_by_hand(chains, "easy-gold")
    assert set(by_share) == set(by_gold)
    assert by_share != by_gold


def test_a_fixed_pool_is_so_many_prompts_over_all_epochs(chains: FinishedSweep) -> None:
    rows = train_rows(chains, "fixed")
    steps = {step: set(rows.filter(pl.col("step") == step)["prompt_id"]) for step in (1, 2, 3, 4)}
    assert [len(prompts) for prompts in steps.values()] == [4] * 4
    assert len(steps[1] | steps[2]) == len(steps[3] | steps[4]) == 8
    assert rows["prompt_id"].n_unique() == 8
    run = run_of(chains.plan, "fixed")
    drawn = pq.read_table(chains.store.stage(run.needs.train_prompts).prompts_path)
    assert set(drawn["prompt_id"].to_pylist()) == set(rows["prompt_id"])


def test_fresh_prompts_are_used_once(chains: FinishedSweep) -> None:
    rows = frame_of(chains.store.run(run_of(chains.plan, "climb", 3).run_id), "train")
    assert rows["prompt_id"].n_unique() == 2 * 4
