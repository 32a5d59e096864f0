"""`train.trl.report_to`: the numbers reach the tools once each, in the run folder."""

import importlib.util
import itertools
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from srtbench.config import load_sweep
from srtbench.plan import plan_sweep
from srtbench.rollouts import read_rollouts
from srtbench.store import SweepStore
from tests.execute.test_resume import wait_for_checkpoint
from tests.micro import CONTENT, srtbench, write_sweep

needs_tensorboard = pytest.mark.skipif(
    importlib.util.find_spec("tensorboard") is None, reason="needs tensorboard"
)
STEPS = 40


def sweep_file(folder: Path, **options: Any) -> Path:
    return write_sweep(
        folder, variants=["srt"], train=CONTENT["train"] | {"steps": STEPS, "trl": options}
    )


def run_id(file: Path) -> str:
    (run,) = plan_sweep(load_sweep(file)).runs
    return run.run_id


def test_where_numbers_are_shown_is_no_part_of_the_run_id(tmp_path: Path) -> None:
    plain = run_id(sweep_file(tmp_path))
    shown = {"report_to": ["tensorboard", "wandb"], "run_name": "mine", "project": "ours"}
    assert run_id(sweep_file(tmp_path, **shown)) == plain
    assert run_id(sweep_file(tmp_path, report_to="none", max_grad_norm=0.5)) != plain


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tensorbord", "unknown tool 'tensorbord'; did you mean 'tensorboard'?"),
        ("dvclive", "'dvclive' is not installed; install it with: pip install dvclive"),
    ],
)
def test_a_tool_that_is_not_there_is_refused_before_any_work(
    tmp_path: Path, name: str, message: str
) -> None:
    result = srtbench("sweep", sweep_file(tmp_path, report_to=name), "--root", tmp_path / "runs")
    assert result.returncode == 2
    assert message in result.stderr
    assert "train.trl.report_to" in result.stderr
    assert not (tmp_path / "runs" / "_stages").exists()


class Tool:
    """Hears what a reporting callback of transformers hears."""

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.events.append(("begin",))

    def on_log(self, args: Any, state: Any, control: Any, logs: Any, **_: Any) -> None:
        self.events.append((state.global_step, logs))

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.events.append(("save", state.global_step))

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.events.append(("end",))


def test_a_step_is_told_once_its_checkpoint_is_safe() -> None:
    from srtbench.train.reports import Reporter

    tool = Tool()
    reporter = Reporter([tool], lambda step: {"train_reward": step / 10})
    state, args = SimpleNamespace(global_step=0), SimpleNamespace(report_to=["tool"])
    reporter.on_train_begin(args, state, None)
    for state.global_step in (1, 2, 3):
        reporter.on_log(args, state, None, logs={"loss": 0.5}, model=None)
        if state.global_step == 2:
            assert tool.events == [("begin",)]
            reporter.on_save(args, state, None)
    told = [(step, {"loss": 0.5, "train_reward": step / 10}) for step in (1, 2, 3)]
    assert tool.events == [("begin",), *told[:2], ("save", 2)]  # a kill now forgets step 3
    reporter.on_log(args, state, None, logs={"train_runtime": 1.0})
    reporter.on_train_end(args, state, None)
    assert tool.events[4:] == [told[2], (3, {"train_runtime": 1.0}), ("end",)]


READ = """
import sys, json
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
found = EventAccumulator(sys.argv[1], {"scalars": 0})
found.Reload()
print(json.dumps({tag: [(e.step, e.value) for e in found.Scalars(tag)]
                  for tag in found.Tags()["scalars"]}))
"""


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard shows: tag -> (step, value)."""
    result = subprocess.run(
        [sys.executable, "-c", READ, str(folder)], capture_output=True, text=True, check=True
    )
    found: dict[str, list[list[float]]] = json.loads(result.stdout)
    return {tag: [(int(s), v) for s, v in points] for tag, points in found.items()}


@needs_tensorboard
def test_tensorboard_shows_every_step_once_also_after_a_kill(tmp_path: Path) -> None:
    file = sweep_file(tmp_path, report_to="tensorboard")
    store = SweepStore(tmp_path / "runs", "micro")
    run = store.run(run_id(file))
    command = [sys.executable, "-m", "srtbench.cli", "sweep", str(file), "--root"]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    process = subprocess.Popen(
        [*command, str(store.root)],
        cwd=elsewhere,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    wait_for_checkpoint(store, [run.path.name])
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    result = srtbench("sweep", file, "--root", store.root, cwd=elsewhere)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "started, from step" in result.stdout
    assert not list(elsewhere.iterdir())
    events = sorted(path.parent for path in tmp_path.rglob("*tfevents*"))
    assert set(events) == {run.path / "tensorboard"}
    found = scalars(run.path / "tensorboard")
    rollouts = read_rollouts(run.rollouts_path).to_pandas()
    for tag, phase, column in (
        ("train/train_reward", "train", "train_reward"),
        ("train/gold_reward", "train", "gold_reward"),
        ("eval/avg_at_k", "eval", "gold_reward"),
    ):
        part = rollouts[(rollouts["phase"] == phase) & (rollouts["step"] > 0)]
        means = part.groupby("step")[column].mean()
        # The kill may have come between a checkpoint and its report: those steps are not told.
        steps = [step for step, _ in found[tag]]
        assert len(means) - len(steps) <= CONTENT["execution"]["checkpoint_every"]
        assert steps[-1] == means.index[-1] == STEPS
        assert [value for _, value in found[tag]] == pytest.approx(means[steps].tolist(), abs=1e-6)
    # It may also have come between what TRL tells of a step and what srtbench tells of it; of what
    # came after the continuation nothing is missing in either.
    resumed = int(re.findall(r"started, from step (\d+)", result.stdout)[0])
    trl, own = ({step for step, _ in found[tag]} for tag in ("train/loss", "train/train_reward"))
    assert len(trl ^ own) <= CONTENT["execution"]["checkpoint_every"]
    assert {*range(resumed + 1, STEPS + 1)} <= trl & own
    for tag, points in found.items():
        assert all(one < other for (one, _), (other, _) in itertools.pairwise(points)), tag
