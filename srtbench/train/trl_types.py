"""What srtbench relies on in TRL's trainers, declared once, for the type checker.

Private names are among them; a test holds all of it against the installed version.
"""

from collections.abc import Sequence
from typing import Any


class TrlTrainer:
    """The part of `GRPOTrainer` and `RLOOTrainer` that `RolloutMixin` uses or overrides."""

    accelerator: Any
    args: Any
    beta: float
    callback_handler: Any
    model: Any
    model_wrapped: Any
    num_generations: int
    num_iterations: int
    processing_class: Any
    state: Any
    temperature: float
    shuffle_dataset: bool
    train_dataset: Any
    use_vllm: bool
    vllm_generation: Any
    _metrics: Any
    _step: int
    _tokenizer: Any

    def __init__(self, **options: Any): ...

    def add_callback(self, callback: Any) -> None: ...

    def remove_callback(self, callback: Any) -> None: ...

    def train(self, resume_from_checkpoint: str | None = None) -> Any: ...

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None: ...

    def _get_train_sampler(self, dataset: Any = None) -> Any: ...

    def _generate_and_score_completions(self, inputs: Any) -> Any: ...

    def _generate(self, prompts: list[Any]) -> Any: ...

    def _generate_single_turn(
        self, prompt_ids: Any, images: Any, multimodal_fields: Any, *more: Any
    ) -> Any: ...

    def _calculate_rewards(
        self, inputs: Any, prompts: Any, completions: Any, completion_ids_list: Sequence[Any]
    ) -> Any: ...

    def _compute_loss(self, model: Any, inputs: Any) -> Any: ...

    def _get_per_token_logps_and_entropies(self, *args: Any, **kwargs: Any) -> Any: ...

    def _save_checkpoint(self, model: Any, trial: Any) -> None: ...

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None: ...
