"""`trl_reward(log_to=...)` in TRL's own trainer, killed and resumed from one of its checkpoints."""

from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from transformers import TrainerCallback
from trl import GRPOConfig, GRPOTrainer

from srtbench import open_sweep
from srtbench.config import TinyModel
from srtbench.models.tiny import build_tiny
from srtbench.replay.audit import audit_sweep
from srtbench.rewards import rollout_log, trl_reward
from tests.rewards.trl_script import rollout

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::FutureWarning")]
TINY = TinyModel(
    hidden_size=16, intermediate_size=32, num_layers=1, num_heads=2, alphabet="abcdefghijkl="
)


class Kill(TrainerCallback):
    """Ends a training in the midst of a step, as a signal does; nothing is told of it."""

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == 5:
            raise KeyboardInterrupt


def train(out: Path, log_to: Path, *callbacks: Any, **options: Any) -> GRPOTrainer:
    """Six steps; a generation of two groups is trained on for two steps."""
    model, tokenizer = build_tiny(TINY)
    trainer = GRPOTrainer(
        model=model,
        reward_funcs=trl_reward("srt", answer_style="line", answer_kind="text", log_to=log_to),
        args=GRPOConfig(
            output_dir=str(out), max_steps=6, save_steps=2, eval_strategy="steps", eval_steps=2,
            per_device_train_batch_size=4, steps_per_generation=2, num_generations=4,
            per_device_eval_batch_size=4, max_completion_length=2, beta=0.0, report_to="none",
            use_cpu=True, bf16=False, disable_tqdm=True,
        ),
        train_dataset=Dataset.from_list([{"prompt": f"{letter}="} for letter in "efghijkl"]),
        eval_dataset={
            "plain": Dataset.from_list([{"prompt": "e="}, {"prompt": "e="}]),
            "more": Dataset.from_list([{"prompt": "f="}, {"prompt": "g="}]),
        },
        processing_class=tokenizer,
        rollout_func=rollout,
        callbacks=list(callbacks),
    )  # fmt: skip
    trainer.train(**options)
    return trainer


def rows(folder: Path) -> list[Any]:
    sql = "SELECT * EXCLUDE (sweep) FROM rollouts ORDER BY ALL"
    return open_sweep(folder).sql(sql).fetchall()


def test_no_row_is_lost_or_doubled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    monkeypatch.setenv("TRL_EXPERIMENTAL_SILENCE", "1")
    train(tmp_path / "a", straight)
    monkeypatch.setattr(rollout_log, "FLUSH_SECONDS", 0.0)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "b", killed, Kill())
    assert {row[0] for row in open_sweep(killed).sql("SELECT state FROM runs").fetchall()} == {
        "running"
    }
    train(tmp_path / "b", killed, resume_from_checkpoint=str(tmp_path / "b" / "checkpoint-2"))
    assert rows(killed) == rows(straight)
    counted = "SELECT phase, eval_set, step, count(*) FROM rollouts GROUP BY ALL ORDER BY ALL"
    assert open_sweep(killed).sql(counted).fetchall() == [
        *(("eval", name, step, 8) for name in ("more", "plain") for step in (2, 4, 6)),
        *(("train", None, step, 8) for step in (1, 3, 5)),
    ]
    (said,) = open_sweep(killed).sql("SELECT state, step, caveat FROM runs").fetchall()
    assert said[:2] == ("done", 6)
    assert "A generation is trained on for 2 steps" in said[2]
    assert not audit_sweep(killed).breaches
