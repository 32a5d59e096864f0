"""The `train:`, `eval:` and `execution:` sections, and the published presets behind them."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from srtbench.config.lora import LoraConfig
from srtbench.config.rounds import FitOverride, RoundsConfig
from srtbench.config.slurm import SlurmConfig
from srtbench.config.stop import StopConfig
from srtbench.sections import NotInId, Section

MAX_STEPS = 10_000_000

REPORTING = ("report_to", "run_name", "project")
"""Options of TRL that say where the numbers of a run are shown."""

Algorithm = Literal["grpo", "rloo"]
PresetName = Literal["tiny", "srt_math", "srt_reasoning_gym"]


class PoolConfig(Section):
    """Which prompts a run trains on; left out: as many fresh ones as it consumes."""

    prompts: int | None = Field(
        None, ge=1, description="size of a fixed pool; null: steps x prompts_per_step"
    )
    keep: float = Field(1.0, gt=0, le=1, description="easiest share of the pool to train on")
    by: Literal["vote_share", "pass_rate"] = Field(
        "vote_share",
        description="what makes a prompt easy for the start model; pass_rate uses gold answers",
    )
    votes: int | None = Field(
        None, ge=1, description="completions per prompt of the start model; null: num_generations"
    )

    def kept(self, size: int) -> int:
        """How many of ``size`` prompts are trained on: at least one."""
        return max(1, round(self.keep * size))


class RefillConfig(Section):
    """Further prompts in the place of those whose vote share is below the variant's `min_share`."""

    draws: int = Field(
        3,
        ge=1,
        le=1000,
        description="further draws of a rollout batch, each of as many prompts as are missing",
    )


class TrainConfig(Section):
    """How a policy is trained. Every value changes results and enters the run id.

    Of a run that trains by rounds, a step is a round: it samples ``prompts_per_step`` groups.
    """

    algorithm: Algorithm | Literal["sft", "dpo"] = Field(description="trainer of TRL")
    steps: int = Field(ge=1, le=MAX_STEPS, description="optimiser steps, or rounds")
    prompts_per_step: int = Field(ge=1, description="groups per step")
    num_generations: int = Field(ge=1, description="completions per group")
    max_completion_length: int = Field(ge=1, description="tokens")
    temperature: float = Field(gt=0, description="of the sampling")
    learning_rate: float = Field(gt=0, description="of the optimiser")
    beta: float = Field(ge=0, description="weight of the KL to the start model")
    micro_batch_size: int | None = Field(
        None, ge=1, description="completions per forward pass and process; null: all of the step"
    )
    num_processes: int = Field(1, ge=1, description="data-parallel processes of one run")
    pool: PoolConfig | None = Field(
        None, description="null: as many fresh prompts as the run consumes, or all there are"
    )
    refill: RefillConfig | None = Field(
        None,
        description="sample further prompts for those whose vote share is below voting.min_share, "
        "until the batch is full; null: those stay in it without a label",
    )
    stop: StopConfig | None = Field(
        None, description="when a run ends before its last step; null: never"
    )
    lora: LoraConfig | None = Field(
        None, description="train low-rank adapters; null: all weights of the model"
    )
    trl: Annotated[dict[str, Any], NotInId(REPORTING)] = Field(
        default_factory=dict, description="any further option of TRL's GRPOConfig or RLOOConfig"
    )
    rounds: RoundsConfig | None = Field(None, description="null: the method is online")

    @property
    def completions_per_step(self) -> int:
        """Rollouts of one optimiser step."""
        return self.prompts_per_step * self.num_generations


class TrainOverride(Section):
    """`train:` as written in a sweep file: every key may be left to the preset.

    The method ``online`` reads the keys up to ``updates_per_rollout``; the method ``rounds`` those
    from ``rounds`` on. Both read lengths, temperature, processes, the pool and ``lora``.
    """

    preset: PresetName | None = Field(None, description="null: chosen by model and dataset type")
    algorithm: Algorithm | None = None
    steps: int | None = Field(None, ge=1, le=MAX_STEPS)
    prompts_per_step: int | None = Field(None, ge=1)
    num_generations: int | None = Field(None, ge=2)
    max_completion_length: int | None = Field(None, ge=1)
    temperature: float | None = Field(None, gt=0)
    learning_rate: float | None = Field(None, gt=0)
    beta: float | None = Field(None, ge=0)
    micro_batch_size: int | None = Field(None, ge=1)
    num_processes: int | None = Field(None, ge=1)
    updates_per_rollout: int | None = Field(
        None,
        ge=1,
        description="optimiser steps on each batch of rollouts; null: 1, or what "
        "trl.steps_per_generation gives",
    )
    pool: PoolConfig | None = None
    refill: RefillConfig | None = None
    stop: StopConfig | None = None
    lora: LoraConfig | None = None
    trl: dict[str, Any] = Field(default_factory=dict)
    rounds: int | None = Field(None, ge=1, le=MAX_STEPS, description="rounds of a rounds variant")
    prompts_per_round: int | None = Field(None, ge=1, description="prompts that a round samples")
    samples_per_prompt: int | None = Field(
        None, ge=1, description="completions that vote, of each prompt; null: num_generations"
    )
    fresh_prompts: bool | None = Field(
        None, description="false: every round asks the same prompts; null: true"
    )
    init_from: Literal["start", "previous"] | None = Field(
        None, description="weights that each round's fit starts from; null: as the variant does"
    )
    fit: FitOverride | None = Field(None, description="how a round fits on what was selected")


class EvalConfig(Section):
    """How a policy is evaluated on held-out prompts. Every value enters the run id."""

    every: int = Field(ge=1, description="steps between two evaluations")
    prompts: int = Field(ge=1, description="held-out prompts")
    samples: int = Field(ge=1, description="completions per prompt")
    temperature: float = Field(1.0, ge=0, description="0: greedy, with one sample")
    batch_size: int = Field(ge=1, description="completions generated at once")
    seed: int = Field(0, ge=0, description="seed of the sampling, the same for every run")


class EvalOverride(Section):
    """`eval:` as written in a sweep file."""

    every: int | None = Field(None, ge=1)
    prompts: int | None = Field(None, ge=1)
    samples: int | None = Field(None, ge=1)
    temperature: float | None = Field(None, ge=0)
    batch_size: int | None = Field(None, ge=1)
    seed: int | None = Field(None, ge=0)


class ExecutionConfig(Section):
    """Where and how runs are executed. No value changes a result; none enters the run id."""

    workers: int | None = Field(None, ge=1, description="runs at once; null: one per core")
    threads: int = Field(1, ge=1, description="CPU threads of each process")
    checkpoint_every: int = Field(20, ge=1, description="steps between two checkpoints")
    flush_every: int = Field(5, ge=1, description="steps between two writes of rollouts")
    backend: Literal["local", "ray", "slurm"] = Field(
        "local", description="processes of this machine, a Ray cluster, or jobs of Slurm"
    )
    gpus_per_run: float = Field(0, ge=0, description="GPUs that Ray or Slurm reserves for one run")
    slurm: SlurmConfig | None = Field(
        None, description="what each job asks for; of `backend: slurm` alone"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="of the log of each run"
    )

    @model_validator(mode="after")
    def _one_backend(self) -> Self:
        if self.backend != "slurm":
            if self.slurm is not None:
                raise ValueError(
                    f"`slurm` is of `backend: slurm`, and the backend is {self.backend}"
                )
            return self
        if self.slurm is None:
            raise ValueError("`backend: slurm` needs `slurm: {minutes: ...}`, the time of a job")
        if self.gpus_per_run % 1:
            raise ValueError(f"`gpus_per_run` is {self.gpus_per_run}: Slurm gives whole GPUs")
        return self


TRAIN_PRESETS: dict[PresetName, dict[str, Any]] = {
    # Measured recipe for models of ~0.2 M parameters.
    "tiny": {
        "algorithm": "grpo",
        "steps": 120,
        "prompts_per_step": 16,
        "num_generations": 16,
        "max_completion_length": 12,
        "temperature": 1.0,
        "learning_rate": 1e-4,
        "beta": 0.0,
        "trl": {
            "loss_type": "dapo",
            "scale_rewards": "none",
            "lr_scheduler_type": "constant",
            "adam_beta2": 0.99,
            "max_grad_norm": 1.0,
            "bf16": False,
            "gradient_checkpointing": False,
        },
    },
    # SRT on mathematics, arXiv 2505.21444: RLOO, 16 prompts x 32, lr 1e-6, KL 1e-3.
    "srt_math": {
        "algorithm": "rloo",
        "steps": 500,
        "prompts_per_step": 16,
        "num_generations": 32,
        "max_completion_length": 3072,
        "temperature": 1.0,
        "learning_rate": 1e-6,
        "beta": 1e-3,
        "micro_batch_size": 8,
        "trl": {
            "lr_scheduler_type": "constant",
        },
    },
    # SRT on Reasoning Gym, the same source: GRPO, 32 rollouts, lr 1e-6, KL 1e-4.
    "srt_reasoning_gym": {
        "algorithm": "grpo",
        "steps": 500,
        "prompts_per_step": 16,
        "num_generations": 32,
        "max_completion_length": 3072,
        "temperature": 1.0,
        "learning_rate": 1e-6,
        "beta": 1e-4,
        "micro_batch_size": 8,
        "trl": {
            "lr_scheduler_type": "constant",
            "loss_type": "grpo",
            "scale_rewards": "group",
        },
    },
}

EVAL_PRESETS: dict[PresetName, dict[str, Any]] = {
    "tiny": {"every": 20, "prompts": 128, "samples": 16, "batch_size": 512},
    "srt_math": {"every": 100, "prompts": 500, "samples": 32, "batch_size": 64},
    "srt_reasoning_gym": {"every": 100, "prompts": 200, "samples": 16, "batch_size": 64},
}

OWN_TRL_OPTIONS: dict[str, str] = {
    "output_dir": "the run folder",
    "seed": "the `seeds` axis",
    "data_seed": "the `seeds` axis",
    "max_steps": "train.steps",
    "num_train_epochs": "train.steps",
    "num_generations": "train.num_generations",
    "per_device_train_batch_size": "train.micro_batch_size",
    "gradient_accumulation_steps": "train.prompts_per_step and train.micro_batch_size",
    "generation_batch_size": "train.prompts_per_step",
    "max_completion_length": "train.max_completion_length",
    "temperature": "train.temperature",
    "learning_rate": "train.learning_rate",
    "beta": "train.beta",
    "eval_strategy": "eval.every",
    "eval_steps": "eval.every",
    "do_eval": "eval.every",
    "num_generations_eval": "eval.samples",
    "save_strategy": "execution.checkpoint_every",
    "save_steps": "execution.checkpoint_every",
    "save_total_limit": "nothing: the last two are kept, and at the end the last",
    "save_only_model": "nothing: a run must be able to continue",
    "load_best_model_at_end": "`srtbench report`, which names best and last",
    "ignore_data_skip": "nothing: a run must continue where it stopped",
    "logging_steps": "nothing: every step is logged",
    "logging_strategy": "nothing: every step is logged",
    "use_cpu": "the environment: CUDA_VISIBLE_DEVICES",
    "resume_from_checkpoint": "repeat `srtbench sweep`",
    "remove_unused_columns": "nothing: rewards need the prompt ids",
    "disable_tqdm": "nothing: the sweep shows progress",
    "reward_weights": "the `weighted` variant",
    "use_vllm": "generation.engine",
    "vllm_gpu_memory_utilization": "generation.gpu_memory_utilization",
    "vllm_max_model_length": "generation.max_model_len",
    "vllm_enable_sleep_mode": "generation.enable_sleep_mode",
    "vllm_mode": "nothing: vLLM samples in the training processes (colocate)",
    "vllm_tensor_parallel_size": "nothing: each training process has a vLLM of its own",
    "vllm_model_impl": "nothing: vLLM's own",
    "vllm_structured_outputs_regex": "nothing: completions are sampled freely",
    "vllm_server_base_url": "nothing: vLLM samples in the training processes",
    "vllm_server_host": "nothing: vLLM samples in the training processes",
    "vllm_server_port": "nothing: vLLM samples in the training processes",
    "vllm_server_timeout": "nothing: vLLM samples in the training processes",
    "vllm_group_port": "nothing: vLLM samples in the training processes",
}
"""TRL options that srtbench sets itself -> where a sweep file says the same."""
