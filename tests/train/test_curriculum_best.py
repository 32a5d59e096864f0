"""Which policy of a run is the best, and that it is kept for the run that starts from it."""

import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from srtbench.store import Folder, Status, SweepStore
from srtbench.store.checkpoints import Checkpoint
from srtbench.store.choices import evaluation_score
from srtbench.train.prepare import prepare_folder
from srtbench.train.start import (
    BestPolicies,
    StartError,
    resume_from,
    start_model_path,
)
from tests.chains import (
    copy_of,
    run_of,
)
from tests.micro import FinishedSweep


def evaluation(groups: list[list[str | None]], golds: list[str]) -> pa.Table:
    rows = [
        (f"p{number}", key, float(key is not None and key == gold))
        for number, (keys, gold) in enumerate(zip(groups, golds, strict=True))
        for key in keys
    ]
    return pa.table(
        {
            "prompt_id": [row[0] for row in rows],
            "answer_key": pa.array([row[1] for row in rows], pa.string()),
            "gold_reward": pa.array([row[2] for row in rows], pa.float32()),
        }
    )


def majority_by_hand(keys: list[str | None], gold: str) -> float:
    counts = Counter(key for key in keys if key is not None)
    winners = [key for key in counts if counts[key] == max(counts.values())]
    return (gold in winners) / max(1, len(winners))


def test_scores_are_those_counted_by_hand() -> None:
    rng = np.random.default_rng(0)
    alphabet = np.array(["a", "b", "c", None], dtype=object)
    for _ in range(200):
        prompts, samples = rng.integers(1, 6), rng.integers(1, 7)
        groups = [list(rng.choice(alphabet, samples)) for _ in range(prompts)]
        golds = [str(rng.choice(["a", "b", "z"])) for _ in range(prompts)]
        table = evaluation(groups, golds)
        right = [key == gold for keys, gold in zip(groups, golds, strict=True) for key in keys]
        assert evaluation_score(table, "best_avg_at_k") == pytest.approx(np.mean(right))
        wanted = [majority_by_hand(keys, gold) for keys, gold in zip(groups, golds, strict=True)]
        assert evaluation_score(table, "best_maj_at_k") == pytest.approx(np.mean(wanted))


def test_a_tie_for_the_majority_is_split() -> None:
    table = evaluation([["a", "a", "b", "b"], ["a", "b", "c", None]], ["a", "c"])
    assert evaluation_score(table, "best_maj_at_k") == pytest.approx((1 / 2 + 1 / 3) / 2)
    assert evaluation_score(evaluation([[None, None]], ["a"]), "best_maj_at_k") == 0


class Keeper:
    """Offers evaluations with given scores; a policy is a file that names its step."""

    def __init__(self, folder: Folder, rules: tuple[str, ...] = ("best_avg_at_k",)):
        self.folder = folder
        self.best = BestPolicies(folder, rules, self._save)
        self.step = 0

    def _save(self, path: Path) -> None:
        path.mkdir(parents=True)
        (path / "step").write_text(str(self.step))

    def offer(self, step: int, right: int, of: int = 4) -> None:
        self.step = step
        self.best.offer(step, evaluation([["a"] * right + ["b"] * (of - right)], ["a"]))

    def kept(self, rule: str = "best_avg_at_k") -> int:
        return int((self.folder.best_path(rule) / "policy" / "step").read_text())


def test_the_best_policy_is_kept_and_of_equals_the_first(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    for number in range(30):
        rights = [int(right) for right in rng.integers(0, 5, size=8)]
        keeper = Keeper(Folder(tmp_path / str(number)))
        for step, right in enumerate(rights):
            keeper.offer(step, right)
            assert keeper.kept() == rights.index(max(rights[: step + 1]))
        note = keeper.folder.best_path("best_avg_at_k") / "best.json"
        assert json.loads(note.read_text()) == {
            "step": rights.index(max(rights)),
            "score": max(rights) / 4,
        }
        assert not list(keeper.folder.path.rglob("*.tmp"))


def test_a_resumed_run_goes_on_with_what_it_kept(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    before = Keeper(folder, ("best_avg_at_k", "best_maj_at_k"))
    for step, right in ((0, 1), (2, 3), (4, 2)):
        before.offer(step, right)
    shutil.rmtree(folder.best_path("best_avg_at_k") / "policy")  # killed while it was replaced
    after = Keeper(folder, ("best_avg_at_k", "best_maj_at_k"))
    after.offer(2, 3)  # the checkpoint was before it
    assert after.kept() == 2
    after.offer(4, 2)
    after.offer(6, 3)
    assert (after.kept(), after.kept("best_maj_at_k")) == (2, 2)
    after.offer(8, 4)
    assert after.kept() == 8
    assert after.kept("best_maj_at_k") == 2, "a majority of three is a majority of four"


def test_a_run_that_kept_nothing_for_a_rule_begins_anew(
    chains: FinishedSweep, tmp_path: Path
) -> None:
    """Interrupted before a curriculum asked for its best policy: that of step 0 is gone."""
    store = copy_of(chains, tmp_path / "runs")
    run = run_of(chains.plan, "climb", 3)
    folder = store.run(run.run_id)
    step = run.train.steps
    noted = {"checkpoint": f"checkpoint-{step}", "checkpoint_step": step}
    folder.write_status(Status(state="interrupted", **noted))
    shutil.copytree(folder.checkpoint_path, tmp_path / "kept")
    assert resume_from(run, folder) == Checkpoint(step)
    asked = run.model_copy(update={"keep_best": ("best_avg_at_k",)})
    assert resume_from(asked, folder) == Checkpoint(0)
    prepare_folder(asked, store, folder, Checkpoint(0))
    assert folder.read_status().checkpoint is None
    assert not folder.checkpoint_path.exists()
    Keeper(folder).offer(0, 1)
    shutil.copytree(tmp_path / "kept", folder.checkpoint_path)
    folder.update_status(**noted)
    assert resume_from(asked, folder) == Checkpoint(step)
    (folder.best_path("best_avg_at_k") / "best.json").write_text('{"step": "0"}')
    (problem,) = resume_from(asked, folder).passed_over
    assert "best.json: step: input should be a valid integer" in problem


def test_a_policy_that_is_not_there_is_named(chains: FinishedSweep, tmp_path: Path) -> None:
    store = SweepStore(tmp_path, "both")
    run = run_of(chains.plan, "climb", 4)
    with pytest.raises(StartError, match=f"{tmp_path}.*climb.*: not there, and this run starts"):
        start_model_path(run, store)
