"""What `train:` says of the method `rounds`: how many, from where, and how each is fitted."""

from typing import Any, Literal

from pydantic import Field

from srtbench.sections import Section

KeepRule = Literal["vote_share", "gold"]
"""By what the policies after the epochs of a fit are compared; `gold` uses gold."""


class FitConfig(Section):
    """How a round fits a policy on what was selected, by TRL's SFTTrainer or DPOTrainer."""

    epochs: int = Field(2, ge=1, description="passes over what was selected")
    batch_size: int = Field(16, ge=1, description="completions, or pairs, of an optimiser step")
    micro_batch_size: int | None = Field(
        None, ge=1, description="of a forward pass; null: all of the batch"
    )
    nll_weight: float = Field(0.0, ge=0, description="dpo: weight of the NLL of the chosen one")
    reference: Literal["round_start", "start"] = Field(
        "round_start", description="dpo: the policy that sampled the round, or the start model"
    )
    keep: KeepRule | None = Field(
        None, description="how the policy of a fit is chosen among its epochs; null: the last one"
    )
    trl: dict[str, Any] = Field(
        default_factory=dict, description="any further option of TRL's SFTConfig or DPOConfig"
    )


class RoundsConfig(Section):
    """What a run of the method `rounds` has beside the other keys, which count in rounds."""

    fresh_prompts: bool = Field(True, description="false: every round asks the same prompts")
    init_from: Literal["start", "previous"] = Field(
        "previous", description="weights that each round's fit starts from"
    )
    fit: FitConfig


class FitOverride(Section):
    """`train.fit` as written in a sweep file."""

    learning_rate: float | None = Field(None, gt=0, description="of the optimiser, new each round")
    epochs: int | None = Field(None, ge=1, description="passes over what was selected")
    batch_size: int | None = Field(
        None, ge=1, description="completions, or pairs, of an optimiser step"
    )
    micro_batch_size: int | None = Field(
        None, ge=1, description="of a forward pass; null: all of the batch"
    )
    beta: float | None = Field(
        None, ge=0, description="dpo: strength of the reference; null: 0.1, or the variant's"
    )
    nll_weight: float | None = Field(
        None, ge=0, description="dpo: weight of the NLL of the chosen one"
    )
    reference: Literal["round_start", "start"] | None = Field(
        None, description="dpo: the policy that sampled the round, or the start model"
    )
    keep: Literal["last", KeepRule] | None = Field(
        None,
        description="the policy after which epoch a round ends with: the last, or the one with the "
        "highest mean vote share, or avg@k (gold: uses gold), on own held-out prompts",
    )
    trl: dict[str, Any] = Field(
        default_factory=dict, description="any further option of TRL's SFTConfig or DPOConfig"
    )


FIT_PRESETS: dict[str, dict[str, Any]] = {
    # Measured recipe for models of ~0.2 M parameters.
    "tiny": {
        "rounds": 4,
        "prompts_per_round": 400,
        "fit": {
            "learning_rate": 3e-4,
            "epochs": 2,
            "batch_size": 64,
            "trl": {
                "lr_scheduler_type": "constant",
                "max_grad_norm": 1.0,
                "bf16": False,
                "gradient_checkpointing": False,
            },
        },
    },
    "srt_math": {
        "rounds": 2,
        "prompts_per_round": 2000,
        "fit": {"learning_rate": 5e-6, "epochs": 2, "batch_size": 32, "micro_batch_size": 4},
    },
    "srt_reasoning_gym": {
        "rounds": 2,
        "prompts_per_round": 2000,
        "fit": {"learning_rate": 5e-6, "epochs": 2, "batch_size": 32, "micro_batch_size": 4},
    },
}
"""What the method `rounds` adds to a preset, which counts for the online methods."""

OWN_FIT_OPTIONS: dict[str, str] = {
    "output_dir": "the run folder",
    "seed": "the `seeds` axis",
    "data_seed": "the `seeds` axis",
    "num_train_epochs": "fit.epochs",
    "max_steps": "fit.epochs",
    "per_device_train_batch_size": "fit.micro_batch_size",
    "gradient_accumulation_steps": "fit.batch_size and fit.micro_batch_size",
    "learning_rate": "fit.learning_rate",
    "beta": "fit.beta",
    "loss_type": "the variant's objective and fit.nll_weight",
    "loss_weights": "fit.nll_weight",
    "use_weighting": "the weights that the variant gives",
    "label_smoothing": "nothing: the loss of pairs is the variant's",
    "ld_alpha": "nothing: the loss of pairs is the variant's",
    "f_divergence_type": "nothing: the loss of pairs is the variant's",
    "f_alpha_divergence_coef": "nothing: the loss of pairs is the variant's",
    "discopop_tau": "nothing: the loss of pairs is the variant's",
    "precompute_ref_log_probs": "fit.reference",
    "sync_ref_model": "fit.reference",
    "ref_model_sync_steps": "fit.reference",
    "ref_model_mixup_alpha": "fit.reference",
    "completion_only_loss": "nothing: completions alone are fitted on",
    "assistant_only_loss": "nothing: completions alone are fitted on",
    "packing": "nothing: each completion is a row",
    "padding_free": "nothing: each completion is a row",
    "eval_packing": "nothing: srtbench evaluates",
    "dataset_kwargs": "the variant's formats",
    "dataset_text_field": "the variant's formats",
    "eval_strategy": "nothing: every round is evaluated",
    "eval_steps": "nothing: every round is evaluated",
    "do_eval": "nothing: every round is evaluated",
    "save_strategy": "nothing: every round is kept until the next",
    "save_steps": "nothing: every round is kept until the next",
    "save_total_limit": "nothing: every round is kept until the next",
    "save_only_model": "nothing: every round is kept until the next",
    "load_best_model_at_end": "fit.keep",
    "logging_steps": "nothing: every step is logged",
    "logging_strategy": "nothing: every step is logged",
    "report_to": "nothing: metrics.parquet has every step",
    "use_cpu": "the environment: CUDA_VISIBLE_DEVICES",
    "resume_from_checkpoint": "repeat `srtbench sweep`",
    "remove_unused_columns": "nothing: the loss needs the weights",
    "disable_tqdm": "nothing: the sweep shows progress",
}
"""Options of TRL's fitting trainers that srtbench sets itself -> where a sweep file says it."""
