"""`CollapseMonitor` in TRL's own trainer: a run that collapses, one that does not, a resume."""

import json
import math
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer

from srtbench.config import TinyModel
from srtbench.models.tiny import build_tiny
from srtbench.rewards import CollapseMonitor, CollapseWarning, trl_reward
from srtbench.stats import ALARM_RULES

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")
TINY = TinyModel(
    hidden_size=16, intermediate_size=32, num_layers=1, num_heads=2, alphabet="abcdefghijkl="
)


def trainer_of(out: Path, monitor: Any, learning_rate: float, **options: Any) -> GRPOTrainer:
    model, tokenizer = build_tiny(TINY)
    reward = trl_reward("srt", answer_style="line", answer_kind="text")
    return GRPOTrainer(
        model=model,
        reward_funcs=options.pop("reward_funcs", reward),
        args=GRPOConfig(
            output_dir=str(out),
            learning_rate=learning_rate,
            lr_scheduler_type="constant",
            per_device_train_batch_size=24,
            num_generations=6,
            max_completion_length=1,
            max_steps=40,
            beta=0.0,
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            use_cpu=True,
            bf16=False,
            disable_tqdm=True,
            **options,
        ),
        train_dataset=Dataset.from_list([{"prompt": f"{letter}="} for letter in "efghijkl"]),
        processing_class=tokenizer,
        callbacks=[monitor],
    )


@pytest.mark.slow
def test_a_run_that_collapses_is_warned_of_by_name_and_stopped(tmp_path: Path) -> None:
    monitor = CollapseMonitor(stop=["modal_share"], window=3)
    trainer = trainer_of(tmp_path, monitor, learning_rate=0.02)
    with pytest.warns(CollapseWarning, match=r"may be collapsing: step \d+: modal_share is 0\."):
        trainer.train()
    rang = {alarm.signal: alarm for alarm in monitor.alarms}
    assert rang["modal_share"].value > rang["modal_share"].start + 0.1
    assert trainer.state.global_step == rang["modal_share"].step < 40
    steps = [row["step"] for row in monitor.history]
    assert steps == list(range(1, trainer.state.global_step + 1))
    assert {"train_reward", "vote_share", "modal_share", "mean_length"} <= {*monitor.history[0]}


@pytest.mark.slow
def test_a_run_that_does_not_collapse_is_left_alone(tmp_path: Path) -> None:
    monitor = CollapseMonitor(stop=True)
    trainer = trainer_of(tmp_path, monitor, learning_rate=1e-7)
    with warnings.catch_warnings():
        warnings.simplefilter("error", CollapseWarning)
        trainer.train()
    assert (monitor.alarms, trainer.state.global_step) == ([], 40)


def hear(monitor: CollapseMonitor, values: list[list[str]], name: str = "srt") -> None:
    """Let a reward judge a batch of groups of three per step, as a trainer would."""
    reward = trl_reward("srt", answer_kind="text", answer_style="line")
    for done, answers in enumerate(values):
        reward(
            prompts=[f"{row // 3}" for row in range(len(answers))],
            completions=answers,
            completion_ids=[[1]] * len(answers),
            trainer_state=SimpleNamespace(global_step=done),
        )
        assert reward.batch is not None
        monitor.hear(name, reward.batch, True)


CALM = [["a", "b", "b", "c", "d", "d"]] * 2
FALLEN = [["a", "a", "a", "a", "a", "a"]]


def test_a_resumed_monitor_knows_the_start(tmp_path: Path) -> None:
    before = CollapseMonitor(window=1, stop="modal_share")
    hear(before, CALM)
    kept = json.loads(json.dumps(before.state()))
    after = CollapseMonitor.from_state(kept)
    assert after.history == before.history
    with pytest.warns(CollapseWarning) as caught:
        hear(after, FALLEN)
    assert "modal_share" in [alarm.signal for alarm in after.alarms]
    assert len(caught) == len(after.alarms) > 1
    assert json.loads(json.dumps(after.state()))["args"] == kept["args"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = CollapseMonitor.from_state(after.state())
    assert again.alarms == after.alarms


def test_signals_are_those_of_the_diagnosis() -> None:
    monitor = CollapseMonitor(window=1)
    hear(monitor, CALM[:1])
    assert monitor.history == [
        pytest.approx(
            {
                "step": 1,
                "train_reward": 4 / 6,
                "vote_share": 2 / 3,
                "unanimous_share": 0.0,
                "modal_share": 2 / 6,
                "answer_entropy": math.log(3) - 2 / 3 * math.log(2),
                "mean_length": 1.0,
            }
        )
    ]
    assert {*monitor.history[0]} - {"step"} <= {*ALARM_RULES}


def test_kl_comes_from_the_log_of_trl() -> None:
    monitor = CollapseMonitor(rules={"kl": {"side": "above", "scale": "level", "bound": 0.5}})
    state = SimpleNamespace(global_step=0)
    for state.global_step in range(1, 10):
        monitor.on_log(None, state, None, logs={"kl": 0.7})
    assert not monitor.alarms
    state.global_step = 10
    with pytest.warns(CollapseWarning, match="step 10: kl is 0.7"):
        monitor.on_log(None, state, None, logs={"kl": 0.7})


def test_what_is_wrong_is_said_in_one_line() -> None:
    for options, message in (
        ({"stop": ["vote"]}, "stop: no signal 'vote'"),
        ({"rules": {"votes": {}}}, "rules: no signal 'votes'"),
        ({"rules": {"kl": {"bound": 1.0}}}, "rules: kl:"),
        ({"window": 0}, "window must be at least 1"),
    ):
        with pytest.raises(ValueError, match=message):
            CollapseMonitor(**options)
    state, control = SimpleNamespace(global_step=1), SimpleNamespace()
    with pytest.raises(RuntimeError, match="no trl_reward among reward_funcs"):
        CollapseMonitor().on_step_end(None, state, control)
    monitor = CollapseMonitor(reward="gold")
    hear(monitor, CALM)
    with pytest.raises(RuntimeError, match="no trl_reward named 'gold'"):
        monitor.on_step_end(None, state, control)
