"""Follows one trainer of TRL, and has what a `trl_reward` judges written as a run.

TRL hands a reward function its step and nothing of evaluations, checkpoints or the end. So this is
a callback, which the reward adds to its trainer when it is first called. Checkpoints: rows are on
disk before TRL saves one, so a resume finds all rows up to it, and drops later ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from srtbench.config.eval_sets import OWN
from srtbench.rewards.batch import Batch
from srtbench.rewards.judging import Reward
from srtbench.rewards.rollout_log import RolloutLog, hold
from srtbench.store.files import StoreError
from srtbench.store.written import WrittenRun

FORMAT = "trl_reward"
"""Name of such a run's writer in the view ``runs``."""


class TrlLog(TrainerCallback):
    """Opens the run, and knows when a step, an evaluation, a checkpoint or the training ends.

    It runs on every process; the main one writes, and what it refuses all refuse.

    Attributes:
        golds: prompt_id -> gold answer, of prompts that the run has had before.

    Raises:
        StoreError: the run cannot be written there; one line.
    """

    def __init__(self, trainer: Any, reward: Reward, folder: Path, labels: Mapping[str, Any]):
        self.trainer = trainer
        self._is_main = bool(trainer.accelerator.is_main_process)
        self._log: RolloutLog | None = None
        self._evaluated: list[Batch] = []
        self.golds: dict[str, str | None] = self._together(
            lambda: self._open(reward, folder, labels)
        )
        if trainer.is_in_train:
            self._begin(trainer.state)

    def hear(self, batch: Batch) -> None:
        """Take what the reward judged."""
        if self._log is None:
            return
        if batch.is_training:
            self._log.train(batch)
        else:
            self._evaluated.append(batch)

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Another training of the same trainer, or one after an evaluation."""
        self._begin(state)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Rows are written before a checkpoint is."""
        if self._log is not None and (control.should_save or self._log.is_due):
            self._log.flush(state.global_step)

    def on_log(
        self, args: Any, state: Any, control: Any, logs: Mapping[str, Any] | None = None, **_: Any
    ) -> None:
        """TRL's own numbers of the steps since it last logged: loss, entropy, kl where it has one.

        Those of an evaluation are not kept: the rollouts of it have them all.
        """
        if self._log is not None and logs and "train_runtime" not in logs:
            own = {name: value for name, value in logs.items() if not name.startswith("eval_")}
            self._log.metrics(state.global_step, own)

    def on_evaluate(
        self, args: Any, state: Any, control: Any, metrics: Mapping[str, Any], **_: Any
    ) -> None:
        """An evaluation is whole; a checkpoint may follow."""
        batches, self._evaluated = self._evaluated, []
        if self._log is not None and batches:
            step = self._policy_of(batches[0].steps_done, args, state)
            self._log.evaluation(set_of(metrics), step, batches, self._prompts())
            self._log.flush(state.global_step if self.trainer.is_in_train else None)

    on_predict = on_evaluate

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """A checkpoint that another callback asked for."""
        if self._log is not None:
            self._log.flush(state.global_step)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """The training is over, as planned or before."""
        if self._log is not None:
            step, total = state.global_step, state.max_steps
            early = f"its trainer ended it at step {step} of {total}" if step < total else None
            self._log.end(step, early)

    def _begin(self, state: Any) -> None:
        def work() -> None:
            assert self._log is not None
            self._log.begin(state.global_step, state.max_steps)

        self._evaluated = []
        self._together(work)

    def _open(
        self, reward: Reward, folder: Path, labels: Mapping[str, Any]
    ) -> dict[str, str | None]:
        trainer = self.trainer
        run = WrittenRun.open(
            folder,
            {"variant": reward.name} | _known(trainer) | dict(labels) | {"seed": reward.seed},
            format=FORMAT,
            variant=reward.entry.model_dump(mode="json", exclude={"name", "train", "eval"}),
            uses_gold=reward.facts.uses_gold,
            num_generations=int(trainer.num_generations),
            prompts_per_step=_prompts_per_step(trainer),
            trainer=_settings(trainer),
            answer_style=reward.grader.answer_style,
            answer_kind=reward.grader.answer_kind,
            losses=_losses(trainer),
        )
        hold(run.folder)
        self._log = RolloutLog(run)
        return {row["prompt_id"]: row["gold_answer"] for row in run.prompts}

    def _policy_of(self, steps_done: int, args: Any, state: Any) -> int:
        """Step of the policy that was evaluated: after training it may be the best one."""
        best = state.best_global_step if args.load_best_model_at_end else None
        return int(best) if best and not self.trainer.is_in_train else steps_done

    def _prompts(self) -> int | None:
        """Prompts of the evaluation that has just ended; None: its dataset does not say."""
        data = getattr(self.trainer.callback_handler.eval_dataloader, "dataset", None)
        try:
            return len(data)  # type: ignore[arg-type]
        except TypeError:
            return None

    def _together(self, work: Callable[[], Any]) -> Any:
        """Do what the main process has to do; a refusal is raised on every process."""
        told: list[Any] = [None, None]
        if self._is_main:
            try:
                told[0] = work()
            except (StoreError, BlockingIOError, OSError) as error:
                told[1] = str(error)
        if self.trainer.accelerator.num_processes > 1:
            from accelerate.utils import broadcast_object_list

            broadcast_object_list(told)
        if told[1] is not None:
            raise StoreError(told[1])
        return told[0]


def set_of(metrics: Mapping[str, Any]) -> str:
    """Evaluation set by the names of the metrics: ``eval_NAME_runtime``, or ``eval_runtime``."""
    for name in metrics:
        prefix = name.removesuffix("_runtime")
        if prefix != name and f"{prefix}_samples_per_second" in metrics:
            return OWN if prefix == "eval" else prefix.removeprefix("eval_")
    return OWN


def _known(trainer: Any) -> dict[str, str]:
    """Labels that the trainer tells: the names of its model and dataset."""
    model = getattr(getattr(trainer.model, "config", None), "_name_or_path", None)
    data = getattr(getattr(trainer.train_dataset, "info", None), "dataset_name", None)
    found = {"model": model and Path(str(model)).name, "dataset": data and str(data)}
    return {name: value for name, value in found.items() if value}


def _settings(trainer: Any) -> dict[str, Any]:
    """Algorithm, learning rate and KL coefficient, for the view ``runs``."""
    found: dict[str, Any] = {
        name: float(value)
        for name in ("learning_rate", "beta")
        if isinstance(value := getattr(trainer.args, name, None), int | float)
    }
    name = type(trainer).__name__.lower()
    algorithm = next((one for one in ("grpo", "rloo") if one in name), None)
    return {"learning_rate": None, "beta": None} | found | {"algorithm": algorithm}


def _generations_per_step(trainer: Any) -> float:
    args = trainer.args
    return float(
        args.gradient_accumulation_steps / (args.steps_per_generation * trainer.num_iterations)
    )


def _prompts_per_step(trainer: Any) -> int:
    """Groups of a step that has any."""
    groups = trainer.args.generation_batch_size // trainer.num_generations
    return int(groups * max(1, int(_generations_per_step(trainer))))


def _losses(trainer: Any) -> list[str]:
    """What these rollouts cannot tell, in sentences."""
    found = [
        "Written by a reward function in a script of TRL's trainer, whose own settings it does not "
        "hold but for its learning rate and beta. It has no advantages and no token statistics of "
        "single completions, so nothing is said of them.",
    ]
    steps = 1 / _generations_per_step(trainer)
    if steps > 1:
        found.append(
            f"A generation is trained on for {steps:g} steps; its rollouts have the first of them."
        )
    weights = [float(one) for one in trainer.reward_weights]
    if len(weights) > 1 or weights[:1] != [1.0]:
        found.append(
            f"train_reward is what this reward function said; the optimiser saw a weighted sum of "
            f"{len(weights)} (weights {', '.join(f'{one:g}' for one in weights)})."
        )
    return found
