"""The fit of a round: TRL's SFT on completions, or DPO on pairs whose loss has weights."""

import logging
import typing
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import datasets
import torch
from pydantic import PydanticSchemaGenerationError, TypeAdapter, ValidationError
from transformers import PrinterCallback, ProgressCallback, TrainerCallback
from trl import DPOConfig, SFTConfig, SFTTrainer

from srtbench.plan import RunSpec
from srtbench.train.arguments import TrainerConfigError
from srtbench.train.weighted_dpo import WeightedDPOTrainer

logger = logging.getLogger(__name__)

OnStep = Callable[[int, dict[str, Any]], None]
"""Optimiser step of the fit, from 1, and what TRL logs of it."""
OnEpoch = Callable[[int], None]
"""Epoch of the fit that is over, from 1."""


@dataclass(frozen=True)
class Example:
    """A prompt and the completion that is fitted, as token ids."""

    prompt_ids: list[int]
    completion_ids: list[int]


@dataclass(frozen=True)
class Pair:
    """A prompt, the completion to prefer, the one to avoid, and the weight of the pair's loss."""

    prompt_ids: list[int]
    chosen_ids: list[int]
    rejected_ids: list[int]
    weight: float


def fit_examples(
    policy: Any,
    tokenizer: Any,
    examples: Sequence[Example],
    spec: RunSpec,
    seed: int,
    place: Path,
    on_step: OnStep,
    on_epoch: OnEpoch | None = None,
) -> None:
    """Change the policy by SFT: the mean NLL of the completion tokens of a batch.

    Args:
        seed: of the order of the examples. place: folder that the trainer may write into.
    """
    rows = [
        {
            "input_ids": [*one.prompt_ids, *one.completion_ids],
            "labels": [-100] * len(one.prompt_ids) + list(one.completion_ids),
        }
        for one in examples
    ]
    own = {"max_length": None, "dataset_kwargs": {"skip_prepare_dataset": True}}
    trainer = SFTTrainer(
        model=policy,
        args=_arguments(SFTConfig, spec, seed, place, own),
        train_dataset=datasets.Dataset.from_list(rows),
        processing_class=tokenizer,
    )
    _train(trainer, on_step, on_epoch)


def fit_pairs(
    policy: Any,
    reference: Any,
    tokenizer: Any,
    pairs: Sequence[Pair],
    spec: RunSpec,
    seed: int,
    place: Path,
    on_step: OnStep,
    on_epoch: OnEpoch | None = None,
) -> None:
    """Change the policy by weighted DPO and NLL, see `WeightedDPOTrainer`.

    Args:
        reference: a model of its own, which does not change.
    """
    assert spec.train.rounds is not None
    trainer = WeightedDPOTrainer(
        model=policy,
        ref_model=reference,
        args=_arguments(
            DPOConfig, spec, seed, place, {"max_length": None, "beta": spec.train.beta}
        ),
        train_dataset=datasets.Dataset.from_list([asdict(pair) for pair in pairs]),
        processing_class=tokenizer,
    )
    trainer.nll_weight = spec.train.rounds.fit.nll_weight
    _train(trainer, on_step, on_epoch)


def _train(trainer: Any, on_step: OnStep, on_epoch: OnEpoch | None) -> None:
    trainer.remove_callback(PrinterCallback)
    trainer.remove_callback(ProgressCallback)
    trainer.add_callback(_Listening(on_step, on_epoch))
    trainer.train()


def _arguments(
    config_class: Any, spec: RunSpec, seed: int, place: Path, own: dict[str, Any]
) -> Any:
    """The `fit` section as TRL's own config object.

    Raises:
        TrainerConfigError: TRL refuses an option or value.
    """
    assert spec.train.rounds is not None
    fit = spec.train.rounds.fit
    micro = fit.micro_batch_size or fit.batch_size
    _check_values(config_class, spec)
    values: dict[str, Any] = own | fit.trl
    values |= {
        "num_train_epochs": fit.epochs,
        "per_device_train_batch_size": micro,
        "gradient_accumulation_steps": fit.batch_size // micro,
        "learning_rate": spec.train.learning_rate,
        "output_dir": str(place),
        "seed": seed,
        "logging_steps": 1,
        "report_to": "none",
        "save_strategy": "no",
        "eval_strategy": "no",
        "disable_tqdm": True,
        "remove_unused_columns": False,
        "use_cpu": not torch.cuda.is_available(),
    }
    try:
        return config_class(**values)
    except (TypeError, ValueError) as error:
        raise TrainerConfigError(f"train.fit section of {spec.cell}: {error}") from error


def _check_values(config_class: Any, spec: RunSpec) -> None:
    """Hold `fit.trl` against the types of TRL's own dataclass, which does not check them."""
    assert spec.train.rounds is not None
    hints = typing.get_type_hints(config_class)
    for key, value in spec.train.rounds.fit.trl.items():
        try:
            TypeAdapter(hints[key]).validate_python(value)
        except ValidationError as error:
            reason = error.errors()[0]["msg"]
            raise TrainerConfigError(
                f"train section of {spec.cell}: fit.trl.{key} = {value!r}: {reason}"
            ) from error
        except PydanticSchemaGenerationError:
            continue  # a type that only TRL knows: its own checks must do


class _Listening(TrainerCallback):
    """Hands on what the trainer logs of each step, and that an epoch is over."""

    def __init__(self, on_step: OnStep, on_epoch: OnEpoch | None):
        self._on_step, self._on_epoch = on_step, on_epoch

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """One step's numbers; those of the whole fit are left out."""
        if logs and "train_runtime" not in logs:
            self._on_step(state.global_step, dict(logs))

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """After the log of its last step."""
        if self._on_epoch is not None:
            self._on_epoch(round(state.epoch))
