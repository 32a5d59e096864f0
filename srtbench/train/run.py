"""One training run, from its start model or its last checkpoint to the end."""

import shutil

import torch
from accelerate import PartialState

from srtbench.config.train import ExecutionConfig
from srtbench.plan import RunSpec
from srtbench.store import Folder, SweepStore
from srtbench.train.methods.base import Method
from srtbench.train.methods.online import Online
from srtbench.train.methods.rounds import Rounds
from srtbench.train.prepare import prepare_run

METHODS: dict[str, type[Method]] = {"online": Online, "rounds": Rounds}
"""What a variant answers to the question of how it trains -> class."""


def execute_run(
    spec: RunSpec, execution: ExecutionConfig, store: SweepStore, folder: Folder
) -> None:
    """Train ``spec`` into ``folder``; continues from the checkpoint that its status names."""
    process = PartialState(cpu=not torch.cuda.is_available())  # without it, CPU ranks stay alone
    context = prepare_run(spec, execution, store, folder, process)
    METHODS[context.variant.method]().run(context)
    process.wait_for_everyone()
    if process.is_main_process:
        _keep_last_checkpoint(folder)
        folder.update_status(state="done", step=folder.read_status().checkpoint_step)


def _keep_last_checkpoint(folder: Folder) -> None:
    last = folder.read_status().checkpoint
    for path in folder.checkpoint_path.glob("checkpoint-*"):
        if path.name != last:
            shutil.rmtree(path)
