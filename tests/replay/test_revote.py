"""Voting again over a finished sweep: by hand, without touching it, and back to where it was."""

import hashlib
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from srtbench.replay.audit import audit_sweep
from srtbench.replay.revote import RevoteError, policy_name, revote_sweep
from srtbench.rollouts import read_rollouts
from srtbench.votes import VotingPolicy, vote
from tests.micro import FinishedSweep, srtbench

CHANGED = ("pseudo_label", "vote_share", "train_reward", "advantage")


def digest(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def run_of(sweep: Path, variant: str) -> str:
    return next(p.name for p in sweep.iterdir() if f"swap-{variant}-s0" in p.name)


def test_names_of_rules() -> None:
    assert policy_name(VotingPolicy()) == "revote-default"
    rule = VotingPolicy(tie="abstain", min_share=0.5)
    assert policy_name(rule) == "revote-tie-abstain-min-share-0.5"


@pytest.mark.slow
def test_the_default_rule_gives_the_sweep_back(varied_sweep: FinishedSweep, tmp_path: Path) -> None:
    before = digest(varied_sweep.root)
    target, rows = revote_sweep(varied_sweep.store.path, VotingPolicy(), tmp_path / "again")
    assert digest(varied_sweep.root) == before, "the sweep itself must stay as it is"
    assert [row.changed_labels for row in rows] == [0.0] * 8
    for row in rows:
        assert row.train_reward_after == pytest.approx(row.train_reward_before)
        one = read_rollouts(varied_sweep.store.run(row.run_id).rollouts_path)
        two = read_rollouts(target / row.run_id / "rollouts")
        assert one.drop_columns(list(CHANGED)) == two.drop_columns(list(CHANGED))
        for name in ("train_reward", "advantage"):
            assert two[name].to_pylist() == pytest.approx(one[name].to_pylist(), abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    "rule",
    [
        VotingPolicy(tie="abstain"),
        VotingPolicy(tie="split", unparsable="count"),
        VotingPolicy(tie="random"),
        VotingPolicy(min_share=0.75, denominator="samples"),
    ],
    ids=policy_name,
)
def test_another_rule_by_hand(
    varied_sweep: FinishedSweep, tmp_path: Path, rule: VotingPolicy
) -> None:
    target, rows = revote_sweep(varied_sweep.store.path, rule, tmp_path / "other")
    assert audit_sweep(target).breaches == []
    run_id = run_of(target, "srt")
    policy = rule
    table = read_rollouts(target / run_id / "rollouts", "train").to_pydict()
    for start in range(0, len(table["step"]), 4):
        keys = table["answer_key"][start : start + 4]
        if rule.tie == "random" and len(set(keys)) > 1:
            continue
        outcome = vote(keys, policy)
        assert table["pseudo_label"][start] == outcome.label
        rewards = [outcome.weight(key) for key in keys]
        assert table["train_reward"][start : start + 4] == rewards
        mean = sum(rewards) / 4
        assert table["advantage"][start : start + 4] == pytest.approx([r - mean for r in rewards])
    votes = {row.variant: row.votes for row in rows}
    assert votes == {
        "srt": True,
        "fixed_teacher": True,
        "random": False,
        "self_certainty": False,
        "ttrl": True,
        "ema_teacher": True,
        "all_of": True,
        "srt-rloo": True,
    }


@pytest.mark.slow
def test_a_folder_that_reads_as_a_sweep(varied_sweep: FinishedSweep, tmp_path: Path) -> None:
    shutil.copytree(varied_sweep.root, tmp_path / "runs")
    sweep = tmp_path / "runs" / "varied"
    result = srtbench("revote", sweep, "--tie", "abstain")
    assert result.returncode == 0, result.stdout + result.stderr
    target = sweep / "revote-tie-abstain"
    assert "labels changed" in result.stdout
    header = (target / "summary.csv").read_text().splitlines()[0]
    assert header.startswith("run_id,variant,seed,votes,groups,changed_labels")
    metrics = pq.read_table(target / run_of(target, "srt") / "metrics.parquet")["metric"]
    assert "reward" not in metrics.to_pylist()
    assert "entropy" in metrics.to_pylist()
    assert srtbench("revote", sweep, "--tie", "abstain").returncode == 0, "may be repeated"
    assert srtbench("audit", target).returncode == 0
    assert srtbench("audit", sweep).returncode == 0, "the sweep around it is as before"


@pytest.mark.slow
def test_nothing_else_is_overwritten(varied_sweep: FinishedSweep, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("...")
    with pytest.raises(RevoteError, match="choose another"):
        revote_sweep(varied_sweep.store.path, VotingPolicy(), tmp_path / "mine")
    with pytest.raises(FileNotFoundError, match="no sweep"):
        revote_sweep(tmp_path, VotingPolicy())
    assert srtbench("revote", tmp_path).returncode == 2


@pytest.mark.slow
def test_a_missing_stage_is_named_and_an_earlier_revote_stays(
    varied_sweep: FinishedSweep, tmp_path: Path
) -> None:
    shutil.copytree(varied_sweep.root, tmp_path / "runs")
    sweep = tmp_path / "runs" / varied_sweep.store.path.name
    target, _ = revote_sweep(sweep, VotingPolicy(tie="abstain"))
    before = (target / "plan.json").read_bytes()
    for stage in (tmp_path / "runs" / "_stages").glob("teacher_labels-*"):
        shutil.rmtree(stage)
    for _ in range(2):
        with pytest.raises(RevoteError, match=r"teacher_labels-\w{8} is missing.*copy the shared"):
            revote_sweep(sweep, VotingPolicy(tie="abstain"))
    result = srtbench("revote", sweep, "--tie", "abstain")
    assert result.returncode == 2
    assert "teacher_labels-" in result.stderr
    assert (target / "plan.json").read_bytes() == before
    assert not list(sweep.glob("*.partial"))


@pytest.mark.slow
def test_an_earlier_revote_is_replaced_by_a_whole_one_only(
    varied_sweep: FinishedSweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, _ = revote_sweep(varied_sweep.store.path, VotingPolicy(), tmp_path / "again")
    before = digest(target)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("srtbench.replay.revote._write_votes", interrupt)
        with pytest.raises(KeyboardInterrupt):
            revote_sweep(varied_sweep.store.path, VotingPolicy(tie="abstain"), target)
    assert digest(target) == before
    revote_sweep(varied_sweep.store.path, VotingPolicy(tie="abstain"), target)
    assert digest(target) != before
    assert [path.name for path in tmp_path.iterdir()] == ["again"]
