"""Batches that are refilled: what is drawn and kept, logged, derived again, resumed and counted."""

import os
import shutil
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from srtbench.analysis.warehouse.open import open_sweep
from srtbench.config import load_sweep
from srtbench.config.errors import ConfigError
from srtbench.plan import RunSpec, plan_sweep
from srtbench.plan.estimate import train_rollouts
from srtbench.plan.refill import RefillRule
from srtbench.replay.audit import audit_sweep
from srtbench.replay.revote import revote_sweep
from srtbench.rollouts import (
    METRIC_SCHEMA,
    part_files,
    read_part,
    read_rollouts,
    read_table,
    with_columns,
    write_parquet,
)
from srtbench.rollouts.judge import runs_of
from srtbench.store import Folder, SweepStore
from srtbench.train.refill import PromptStream
from srtbench.votes import VotingPolicy
from tests.execute.test_resume import assert_same_rollouts, start, wait_for_checkpoint
from tests.micro import CONTENT, FinishedSweep, srtbench, write_sweep

SURE = {"min_share": 0.5}
REFILL = {"train": {"refill": {"draws": 2}}}
VARIANTS: list[dict[str, Any]] = [
    {"type": "ttrl", "votes": 8, "trains_on_eval_prompts": False, "voting": SURE, **REFILL},
    {"type": "snapshot_teacher", "refresh_every": 2, "voting": SURE, **REFILL},
    {
        "type": "weighted",
        "parts": [{"type": "srt", "voting": SURE}, "self_certainty"],
        "train": {"algorithm": "rloo", "updates_per_rollout": 2, **REFILL["train"]},
    },
]


@pytest.fixture(scope="module")
def refilled(tmp_path_factory: pytest.TempPathFactory) -> FinishedSweep:
    """Three variants that refill, six steps. Tests must not change it: copy it first."""
    folder = tmp_path_factory.mktemp("refilled")
    train = CONTENT["train"] | {"steps": 6}
    file = write_sweep(folder, name="refilled", variants=VARIANTS, train=train)
    result = srtbench("sweep", file, "--root", folder / "runs")
    assert result.returncode == 0, result.stdout + result.stderr
    return FinishedSweep(file, folder / "runs", result.stdout)


def run_of(sweep: FinishedSweep, variant: str) -> tuple[RunSpec, Folder]:
    run = next(run for run in sweep.plan.runs if run.variant_label == variant)
    return run, sweep.store.run(run.run_id)


def groups_of(folder: Folder, place: str) -> dict[int, dict[int, float]]:
    """Step -> number of each group -> its vote share, in the order of the log."""
    rows = read_rollouts(folder.path / place, "train").to_pydict()
    found: dict[int, dict[int, float]] = {}
    for first, last in runs_of(rows["group_id"]):
        assert last - first == 4
        number = int(rows["group_id"][first].split("-")[1])
        found.setdefault(rows["step"][first], {})[number] = rows["vote_share"][first]
    return found


def test_the_rule_draws_what_is_missing_and_keeps_places() -> None:
    rule = RefillRule(min_share=0.6, draws=2, places=4, unit=2)
    assert rule.next([], 0) == 4
    shares = [0.7, 0.2, 0.6, 0.3]
    assert rule.next(shares, 1) == 2
    shares += [0.5, 0.9]
    assert rule.next(shares, 2) == 2, "one is missing; two processes draw two"
    assert rule.next([*shares, 0.1, 0.1], 3) == 0, "no more than two further draws"
    assert rule.drawn([*shares, 0.1, 0.1]) == 8
    assert rule.kept([*shares, 0.1, 0.1]) == [0, 5, 2, 3], "its own if none is left"
    assert rule.kept([*shares, 0.8, 0.9]) == [0, 5, 2, 6]
    assert rule.drawn([1.0] * 4) == 4


def test_further_prompts_are_each_asked_once_before_one_is_asked_again() -> None:
    stream, again = PromptStream(7, seed=3), PromptStream(7, seed=3)
    taken = stream.take(5) + stream.take(9)
    assert sorted(taken[:7]) == sorted(taken[7:]) == list(range(7))
    assert taken[:7] != taken[7:]
    again.taken = 5
    assert again.take(9) == taken[5:]
    assert PromptStream(3, seed=0, shuffle=False).take(4) == [0, 1, 2, 0]


@pytest.mark.slow
def test_unsure_groups_are_replaced_and_logged(refilled: FinishedSweep) -> None:
    for run in refilled.plan.runs:
        folder = refilled.store.run(run.run_id)
        trained, dropped = groups_of(folder, "rollouts"), groups_of(folder, "dropped")
        assert dropped, "the policy is weak: some groups are not sure"
        replaced = 0
        for step, kept in trained.items():
            drawn = kept | dropped.get(step, {})
            rule = RefillRule.of(run)
            assert rule is not None
            assert sorted(drawn) == list(range(len(drawn)))
            assert list(kept) == rule.kept([drawn[number] for number in range(len(drawn))])
            replaced += sum(number >= rule.places for number in kept)
        assert replaced
        rows = read_rollouts(folder.dropped_path, "train").to_pydict()
        assert {*rows["train_reward"], *rows["advantage"]} == {None}
        assert None not in rows["gold_reward"]
        assert rows["policy_step"] == [step - 1 for step in rows["step"]]
        prompts = Counter(
            rows["prompt_id"][first]
            for place in (folder.rollouts_path, folder.dropped_path)
            for rows in [read_rollouts(place, "train").to_pydict()]
            for first, _ in runs_of(rows["group_id"])
        )
        assert max(prompts.values()) - min(prompts.values()) <= 1, "no prompt twice in an epoch"


@pytest.mark.slow
def test_a_refilled_sweep_is_audited_clean_and_a_changed_one_is_not(
    refilled: FinishedSweep, tmp_path: Path
) -> None:
    report = audit_sweep(refilled.root / "refilled")
    assert report.breaches == []
    assert report.checked["refill"] > 4 * 6 * 2
    _, original = run_of(refilled, "ttrl")
    for change in ("swap", "cut", "share", "reward", "gone"):
        root = tmp_path / change
        shutil.copytree(refilled.root, root)
        folder = SweepStore(root, "refilled").run(original.path.name)
        path = sorted(folder.dropped_path.iterdir())[0]
        if change == "swap":
            _swap_groups(folder)
        elif change == "gone":
            shutil.rmtree(folder.dropped_path)
        else:
            table = read_part(path)
            if change == "cut":
                table = table.slice(0, len(table) - 4)
            elif change == "share":
                table = with_columns(table, vote_share=[1.0] * len(table))
            else:
                table = with_columns(table, train_reward=[0.0] * len(table))
            path.unlink()
            if len(table):
                write_parquet(table, path)
        found = audit_sweep(root / "refilled")
        assert {breach.run_id for breach in found.breaches} == {folder.path.name}, change


def _swap_groups(folder: Folder) -> None:
    """Exchange the numbers of the first dropped group and a trained one of its step."""
    dropped = part_files(folder.dropped_path)[0]
    table = read_part(dropped).to_pydict()
    step, own = table["step"][0], table["group_id"][0]
    for path in part_files(folder.rollouts_path, "train"):
        part = read_part(path)
        ids = part["group_id"].to_pylist()
        if step in part["step"].to_pylist():
            other = next(one for one in ids if one.startswith(f"{step}-"))
            swapped = [own if one == other else one for one in ids]
            write_parquet(with_columns(part, group_id=swapped), path)
            part = read_part(dropped)
            swapped = [other if one == own else one for one in table["group_id"]]
            write_parquet(with_columns(part, group_id=swapped), dropped)
            return
    raise AssertionError("no such step")


@pytest.mark.slow
def test_a_refilled_sweep_is_killed_and_goes_on_with_the_same_prompts(
    refilled: FinishedSweep, tmp_path: Path
) -> None:
    root = tmp_path / "runs"
    shutil.copytree(refilled.root / "_stages", root / "_stages")
    store = SweepStore(root, "refilled")
    ids = [run.run_id for run in refilled.plan.runs]
    process = start(refilled, root)
    wait_for_checkpoint(store, ids)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    result = srtbench("sweep", refilled.file, "--root", root)
    assert result.returncode == 0, result.stdout + result.stderr
    assert_same_rollouts(refilled, root)
    for run_id in ids:
        for place in ("dropped", "votes"):
            one = read_rollouts(refilled.store.run(run_id).path / place)
            other = read_rollouts(store.run(run_id).path / place)
            same = [name for name in one.schema.names if "float" not in str(one.schema.field(name))]
            assert one.select(same).equals(other.select(same)), (run_id, place)
    assert audit_sweep(root / "refilled").breaches == []


@pytest.mark.slow
def test_a_refilled_sweep_is_voted_again(refilled: FinishedSweep, tmp_path: Path) -> None:
    out, rows = revote_sweep(refilled.root / "refilled", VotingPolicy(), tmp_path / "again")
    assert {row.problem for row in rows} == {None}
    label = {row.variant: row.no_label for row in rows}
    assert label["ttrl"] < 0.05, "without a least share every group that parses has a label"
    assert audit_sweep(out).breaches == []


@pytest.mark.slow
def test_what_was_drawn_is_counted(refilled: FinishedSweep) -> None:
    opened = open_sweep(refilled.root / "refilled")
    for run in refilled.plan.runs:
        folder = refilled.store.run(run.run_id)
        table = read_table(folder.metrics_path, METRIC_SCHEMA).to_pylist()
        drawn = {row["step"]: row["value"] for row in table if row["metric"] == "groups/drawn"}
        tokens = {row["step"]: row["value"] for row in table if row["metric"] == "num_tokens"}
        kept, dropped = groups_of(folder, "rollouts"), groups_of(folder, "dropped")
        for step, groups in kept.items():
            assert drawn[step] == len(groups) + len(dropped.get(step, {}))
        rows = [
            read_rollouts(place, "train") for place in (folder.rollouts_path, folder.dropped_path)
        ]
        sampled = sum(sum(one["completion_tokens"].to_pylist()) for one in rows)
        prompts = sum(len(one) for one in rows) * 3  # two letters and the sign
        assert tokens[max(kept)] == sampled + prompts
        most, _ = train_rollouts(run)
        assert sum(len(one) for one in rows) <= most == 3 * 4 * 4 * 6
        sql = f"SELECT max(samples_drawn) FROM eval_curves WHERE run_id = '{run.run_id}'"
        votes = read_rollouts(folder.votes_path, "train")
        drawn_in_all = sum(len(one) for one in (*rows, votes))
        assert opened.execute(sql).fetchall() == [(drawn_in_all,)]


def test_what_refills_needs_a_least_share_and_changes_no_other_id(tmp_path: Path) -> None:
    plain = plan_sweep(load_sweep(write_sweep(tmp_path, variants=["srt"])))
    null = [{"type": "srt", "train": {"refill": None}}]
    assert plan_sweep(load_sweep(write_sweep(tmp_path, variants=null))).runs[0] == plain.runs[0]
    wrong = [
        {"type": "srt", "name": "any-share", **REFILL},
        {"type": "random", "name": "no-vote", **REFILL},
        {
            "type": "all_of",
            "parts": [{"type": "srt", "voting": SURE}, {"type": "soft_majority"}],
            **REFILL,
        },
    ]
    with pytest.raises(ConfigError) as found:
        plan_sweep(load_sweep(write_sweep(tmp_path, variants=wrong)))
    assert str(found.value).count("voting.min_share, which is 0 here") == 2
    assert "must agree on voting.min_share" in str(found.value)
    right = [{"type": "srt", "voting": SURE, **REFILL}]
    run = plan_sweep(load_sweep(write_sweep(tmp_path, variants=right))).runs[0]
    assert run.run_id != plain.runs[0].run_id
