"""What every part of a run's training is given."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from srtbench.config.train import ExecutionConfig
from srtbench.engines.base import PromptFormat
from srtbench.plan import RunSpec
from srtbench.store import Folder, SweepStore
from srtbench.train.evaluate import Prompt
from srtbench.variants import Variant


@dataclass(frozen=True)
class RunContext:
    """A run that is ready to be trained, by whatever method.

    Attributes:
        process: accelerate's `PartialState`. Every process has a context of its own; only the main
            one writes.
        resumed_step: step of the checkpoint to go on from; 0: from the beginning.
        policy, tokenizer: the start model, even when the run goes on from a checkpoint.
        format: how prompts of the run's dataset become token ids.
        prompts: those to train on, which the variant and the pool keep.
        gold_keys: prompt id -> hidden answer, for grading and for variants that declare it.
    """

    spec: RunSpec
    execution: ExecutionConfig
    store: SweepStore
    folder: Folder
    process: Any
    resumed_step: int
    policy: Any
    tokenizer: Any
    format: PromptFormat
    prompts: Sequence[Prompt]
    gold_keys: Mapping[str, str | None]
    variant: Variant
