"""A run's `train:` section as TRL's own config object."""

import typing
from pathlib import Path
from typing import Any

import torch
from pydantic import PydanticSchemaGenerationError, TypeAdapter, ValidationError
from trl import GRPOConfig, RLOOConfig

from srtbench.plan import RunSpec


class TrainerConfigError(ValueError):
    """TRL refuses a value; the message names the run's `train:` section and TRL's reason."""


def trainer_arguments(spec: RunSpec, output_dir: Path) -> Any:
    """Build GRPOConfig or RLOOConfig.

    On policy by default: each optimiser step generates anew. Checkpoints, evaluation and logs
    are driven by srtbench's callbacks.

    Raises:
        TrainerConfigError: TRL refuses an option or value.
    """
    train = spec.train
    per_process = train.completions_per_step // train.num_processes
    micro = train.micro_batch_size or per_process
    values: dict[str, Any] = {
        "per_device_train_batch_size": micro,
        "gradient_accumulation_steps": per_process // micro,
        "num_generations": train.num_generations,
        "max_completion_length": train.max_completion_length,
        "temperature": train.temperature,
        "learning_rate": train.learning_rate,
        "beta": train.beta,
        "max_steps": train.steps,
        "logging_steps": 1,
        "report_to": "none",
        "run_name": spec.run_id,
        "project": output_dir.parents[1].name,
        "top_k": 0,
        "use_cpu": not torch.cuda.is_available(),
    }
    if spec.generation is not None:
        values |= {
            "use_vllm": True,
            "vllm_mode": "colocate",
            "vllm_enable_sleep_mode": spec.generation.enable_sleep_mode,
            "vllm_gpu_memory_utilization": spec.generation.gpu_memory_utilization,
        }
    config_class = GRPOConfig if train.algorithm == "grpo" else RLOOConfig
    _check_values(config_class, spec)
    values |= train.trl
    values |= {
        "output_dir": str(output_dir),
        "seed": spec.seed,
        "save_strategy": "no",
        "save_total_limit": 2,
        "eval_strategy": "no",
        "disable_tqdm": True,
        "remove_unused_columns": False,
    }
    if values.get("fsdp") and values["use_cpu"]:
        raise TrainerConfigError(
            f"train section of {spec.cell}: trl.fsdp shards over GPUs, and there is none here; "
            "accelerate would leave it out and train unsharded without a word"
        )
    try:
        return config_class(**values)
    except (TypeError, ValueError) as error:
        raise TrainerConfigError(f"train section of {spec.cell}: {error}") from error


def _check_values(config_class: Any, spec: RunSpec) -> None:
    """Hold `train.trl` against the types of TRL's own dataclass, which does not check them."""
    hints = typing.get_type_hints(config_class)
    for key, value in spec.train.trl.items():
        try:
            TypeAdapter(hints[key]).validate_python(value)
        except ValidationError as error:
            reason = error.errors()[0]["msg"]
            raise TrainerConfigError(
                f"train section of {spec.cell}: trl.{key} = {value!r}: {reason}"
            ) from error
        except PydanticSchemaGenerationError:
            continue  # a type that only TRL knows: its own checks must do
