"""Which work a sweep starts, in what order, and what it no longer needs when something fails."""

from pathlib import Path
from typing import Any

import pytest

from srtbench.config import load_sweep
from srtbench.execute import sweep as module
from srtbench.execute.base import ExitCode, Handle, Work
from srtbench.plan import plan_sweep
from srtbench.store import SweepStore
from tests.micro import MODEL, write_sweep


class Ended:
    """A worker that has ended already."""

    def __init__(self, code: ExitCode):
        self._code = code

    def poll(self) -> int | None:
        return self._code

    def stop(self) -> None: ...

    def kill(self) -> None: ...


class Pretending:
    """An executor that trains nothing: work is done at once, or fails."""

    def __init__(self, store: SweepStore, failing: str):
        self.store = store
        self.failing = failing
        self.started: list[str] = []

    def start(self, work: Work) -> Handle:
        folder = self.store.folder(work)
        assert folder.config_path.is_file(), "the worker reads what to do"
        self.started.append(folder.path.name)
        if folder.path.name.startswith(self.failing):
            folder.update_status(state="failed", error="no luck")
            return Ended(ExitCode.FAILED)
        folder.update_status(state="done")
        return Ended(ExitCode.DONE)

    def can_start(self, work: Work) -> bool:
        return True

    def close(self) -> None: ...


def swept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str, **content: Any
) -> tuple[list[str], dict[str, str]]:
    """What was started, and how each run ended."""
    made: list[Pretending] = []

    def make(_: object, store: SweepStore, *others: object) -> Pretending:
        made.append(Pretending(store, failing))
        return made[-1]

    monkeypatch.setattr(module, "make_executor", make)
    monkeypatch.setattr(module, "POLL_SECONDS", 0.0)
    config = load_sweep(write_sweep(tmp_path, variants=["srt"], **content))
    result = module.run_sweep(config, root=tmp_path / "runs", workers=1)
    return made[0].started, dict(result.states)


def test_work_starts_after_what_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started, states = swept(tmp_path, monkeypatch, "nothing")
    kinds = [name.rpartition("-")[0] for name in started]
    assert sorted(kinds[:3]) == ["eval_prompts", "train_prompts", "warm_start"]
    assert kinds[3] == "base_eval"
    assert started[4:] == list(states)
    assert set(states.values()) == {"done"}


def test_stages_that_only_failed_runs_need_are_not_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, states = swept(tmp_path, monkeypatch, "train_prompts")
    assert len(started) == 1, "neither the warm start nor the evaluation prompts are of any use"
    assert set(states.values()) == {"failed"}


def test_what_other_runs_need_is_still_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = MODEL | {"name": "other", "hidden_size": 16}
    config = load_sweep(write_sweep(tmp_path / "first", models=[MODEL, other], variants=["srt"]))
    plan = plan_sweep(config)
    (lost,) = [run for run in plan.runs if run.model_label == "tiny"]
    failing = next(name for name in lost.requires if name.startswith("warm_start"))
    started, states = swept(tmp_path, monkeypatch, failing, models=[MODEL, other])
    assert [state for _, state in sorted(states.items())] == ["done", "failed"]
    alone = {name for name in lost.requires if name.startswith("base_eval")}
    assert not alone & set(started)
    assert {name.rpartition("-")[0] for name in started} >= {"base_eval", "train_prompts"}
