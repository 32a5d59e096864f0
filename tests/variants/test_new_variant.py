"""A variant from a temporary package or file is planned, refused, estimated, trained, audited and
voted again like a built-in one."""

import importlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from srtbench.config import ConfigError, load_sweep
from srtbench.plan import RunSpec, estimate, plan_sweep
from srtbench.plan.cost import Assumptions, cost
from srtbench.plan.identity import run_id_of
from tests.micro import CONTENT, srtbench, write_sweep

SOURCE = """\
from typing import Any

import numpy as np
from pydantic import Field
from srtbench.variants import Group, Judgement, Variant, VariantOptions
from srtbench.votes import VotingPolicy, vote


class More(Variant):
    class Config(VariantOptions):
        votes: int = Field(8, ge=2)
        voting: VotingPolicy = VotingPolicy()

    votes_on_answers = True
    voter = "policy"

    @classmethod
    def extra_votes(cls, config: Any, num_generations: int) -> int:
        return config.votes - num_generations

    @classmethod
    def model_copies(cls, config: Any) -> int:
        return 2

    def judge(self, group: Group, rng: np.random.Generator) -> Judgement:
        outcome = vote(group.answer_keys + group.vote_keys, self.config.voting, rng)
        rewards = np.array([outcome.weight(key) for key in group.answer_keys])
        return Judgement(rewards, outcome.label, outcome.share)


class Peeks(Variant):
    def judge(self, group: Group, rng: np.random.Generator) -> Judgement:
        return Judgement(np.array([float(k == group.gold_key) for k in group.answer_keys]))
"""

FILE = {"type": "python", "path": "more.py:More"}
PLUGIN = {"type": "plugin", "plugin": "wider"}
TTRL = {"type": "ttrl", "votes": 8, "trains_on_eval_prompts": False}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the class in a file, and in a package that is installed for this test."""
    (tmp_path / "more.py").write_text(SOURCE)
    site = tmp_path / "site"
    info = site / "some_rewards-1.2.dist-info"
    info.mkdir(parents=True)
    (site / "some_rewards.py").write_text(SOURCE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: some-rewards\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text("[srtbench.variants]\nwider = some_rewards:More\n")
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.delitem(sys.modules, "some_rewards", raising=False)
    importlib.invalidate_caches()
    return tmp_path


def planned(folder: Path, entry: Any, **changes: Any) -> RunSpec:
    return plan_sweep(load_sweep(write_sweep(folder, variants=[entry], **changes))).runs[0]


def mistakes(folder: Path, entry: Any, **changes: Any) -> str:
    with pytest.raises(ConfigError) as found:
        planned(folder, entry, **changes)
    return str(found.value)


@pytest.mark.parametrize("entry", [FILE, PLUGIN, {"type": "all_of", "parts": [FILE, "format"]}])
def test_it_is_planned_like_a_built_in_one(folder: Path, entry: dict[str, Any]) -> None:
    run, known = planned(folder, entry), planned(folder, TTRL)
    assert estimate(run) == estimate(known)
    own, other = cost(run, Assumptions()), cost(known, Assumptions())
    assert own is not None
    assert other is not None
    assert own.gigabytes > other.gigabytes, "two further models"
    again = RunSpec.model_validate(run.model_dump(mode="json"))
    assert run_id_of(again) == run.run_id
    boxnet = [{"type": "reasoning_gym", "task": "boxnet"}]
    assert "has many right ones" in mistakes(folder, entry, datasets=boxnet)
    assert "has many right ones" in mistakes(folder, "srt", datasets=boxnet)


@pytest.mark.parametrize("entry", [FILE, PLUGIN])
def test_its_options_are_checked_with_line_and_key(folder: Path, entry: dict[str, Any]) -> None:
    text = mistakes(folder, entry | {"options": {"voting": {"tie": "abstian"}, "vots": 3}})
    assert "variants[0].options.voting.tie: 'abstian' is not allowed; did you mean" in text
    assert "variants[0].options.vots: unknown key 'vots'; did you mean 'votes'?" in text
    assert text.count("line ") == 2
    assert "num_generations = 4" in mistakes(folder, entry | {"options": {"votes": 5}})
    both = {"type": "all_of", "parts": [entry, TTRL]}
    assert "at most one part may" in mistakes(folder, both)


def test_a_file_that_fails_is_a_problem_with_its_line(folder: Path) -> None:
    (folder / "more.py").write_text("import nothing_of_that_name\n")
    text = mistakes(folder, FILE)
    assert "line " in text
    assert "variants[0].path" in text
    assert "nothing_of_that_name" in text


@pytest.mark.slow
def test_it_is_trained_audited_and_voted_again(folder: Path) -> None:
    peeks = {"type": "python", "path": "more.py:Peeks"}
    train = CONTENT["train"] | {"steps": 2}
    sweep = write_sweep(folder, name="new", variants=[FILE, PLUGIN, peeks], train=train)
    result = srtbench("sweep", sweep, "--root", folder / "runs")
    assert result.returncode == 2
    assert "variants[2].path: Peeks.judge fails" in result.stderr
    assert "uses_gold = True" in result.stderr, "the third reads gold undeclared"
    sweep = write_sweep(folder, name="new", variants=[FILE, PLUGIN], train=train)
    result = srtbench("sweep", sweep, "--root", folder / "runs")
    assert result.returncode == 0, result.stdout + result.stderr
    place = folder / "runs" / "new"
    for command in (("audit", place), ("revote", place, "--tie", "abstain")):
        result = srtbench(*command, "--run-code")
        assert result.returncode == 0, result.stdout + result.stderr
        assert "does not vote" not in result.stdout
    result = srtbench("audit", place / "revote-tie-abstain", "--run-code")
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_plan_waits_for_no_numpy() -> None:
    code = "import sys, srtbench.plan; print('numpy' in sys.modules, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
