"""Numbers for TensorBoard, Weights & Biases and the like: ``train.trl.report_to``.

The tools' own callbacks do the writing. They hear of a step when the checkpoint that holds it is
on disk, so that a run which is killed and continued tells no step twice. A kill leaves a gap of the
steps that a tool was not told or had not written yet; metrics.parquet has none.
"""

import copy
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from typing import Any

from transformers import TrainerCallback
from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK

from srtbench.plan import RunSpec
from srtbench.store import Folder

Numbers = Callable[[int], dict[str, float]]
"""Step -> further numbers of that step."""


class Reporter(TrainerCallback):
    """Hands the trainer's events on to the tools, and each step's numbers once they are safe.

    Must stand after the callback that notes the checkpoint.
    """

    def __init__(self, tools: Sequence[Any], numbers: Numbers):
        self._tools = tools
        self._numbers = numbers
        self._held: list[tuple[Any, dict[str, Any]]] = []

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Hold the numbers of a step back, with srtbench's own."""
        if logs and "train_runtime" in logs:  # the whole run's; the rest was told with the step
            logs = {name: value for name, value in logs.items() if name.startswith("train_")}
        elif logs:
            logs = logs | self._numbers(state.global_step)
        if logs:
            self._held.append((copy.copy(state), logs))

    def on_save(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Everything up to this checkpoint is safe."""
        self._release(args, control, rest)
        self._hand_on("on_save", args, state, control, rest)

    def on_train_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Open the tools."""
        self._hand_on("on_train_begin", args, state, control, rest)

    def on_train_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Close the tools."""
        self._release(args, control, rest)
        self._hand_on("on_train_end", args, state, control, rest)
        if "wandb" in args.report_to:  # its callback leaves the run open until the process ends
            sys.modules["wandb"].finish()

    def _release(self, args: Any, control: Any, rest: dict[str, Any]) -> None:
        for state, logs in self._held:
            self._hand_on("on_log", args, state, control, rest | {"logs": logs})
        self._held.clear()

    def _hand_on(
        self, event: str, args: Any, state: Any, control: Any, rest: dict[str, Any]
    ) -> None:
        for tool in self._tools:
            getattr(tool, event)(args, state, control, **rest)


def prepare_reports(spec: RunSpec, folder: Folder, resumed_step: int) -> None:
    """Have the tools write into the run folder; a run that begins anew drops what is there.

    ``TENSORBOARD_LOGGING_DIR``, ``WANDB_DIR`` and ``WANDB_PROJECT`` of the user are kept.
    """
    if not resumed_step:
        for name in ("tensorboard", "wandb"):
            shutil.rmtree(folder.path / name, ignore_errors=True)
    if spec.train.trl.get("report_to") in (None, "none"):
        return
    given = os.environ.get("TENSORBOARD_LOGGING_DIR")
    place = os.path.join(given, folder.path.name) if given else str(folder.path / "tensorboard")
    os.environ["TENSORBOARD_LOGGING_DIR"] = place
    os.environ.setdefault("WANDB_DIR", str(folder.path))
    os.environ.setdefault("WANDB_PROJECT", folder.path.parent.name)


def take_tools(trainer: Any, numbers: Numbers) -> Reporter | None:
    """Take the tools of ``report_to`` out of the trainer; None if there are none."""
    kinds = tuple(INTEGRATION_TO_CALLBACK[name] for name in trainer.args.report_to)
    tools = [tool for tool in trainer.callback_handler.callbacks if isinstance(tool, kinds)]
    for tool in tools:
        trainer.remove_callback(tool)
    return Reporter(tools, numbers) if tools else None
