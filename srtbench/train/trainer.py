"""TRL's trainers, with an ear on what they compute.

The mixin changes nothing that TRL does. It notes the advantages after generation and, from the
forward pass of the loss, the log-probability, entropy and self-certainty of every completion.
TRL's private methods are overridden by name; a test holds them against the installed version.
"""

from typing import Any

import torch
from accelerate.utils import gather_object
from trl import GRPOTrainer, RLOOTrainer

from srtbench.train.reward import RewardAdapter, RolloutBatch
from srtbench.train.token_statistics import masked_mean, self_certainty

STATISTICS = ("mean_logprob", "entropy_nats", "self_certainty")


class RolloutMixin:
    """Collects one `RolloutBatch` per generation; `take_batch` hands it out once complete."""

    reward_adapter: RewardAdapter
    _batch: RolloutBatch | None = None
    _statistics: dict[str, torch.Tensor]
    _loss_inputs: dict[str, Any] | None = None
    _hidden: torch.Tensor | None = None

    def listen(self, adapter: RewardAdapter) -> None:
        """Begin to collect; ``adapter`` is the trainer's only reward function."""
        self.reward_adapter = adapter
        model = self.accelerator.unwrap_model(self.model)  # type: ignore[attr-defined]
        model.base_model.register_forward_hook(self._keep_hidden)

    def take_batch(self) -> RolloutBatch | None:
        """The last generation's rollouts, on every process; None if it is not used up yet."""
        batch = self._batch
        every = self.args.steps_per_generation * self.num_iterations  # type: ignore[attr-defined]
        if batch is None or self._step % every:  # type: ignore[attr-defined]
            return None
        self._batch = None
        for name, values in self._statistics.items():
            column = [value if value == value else None for value in values.tolist()]
            batch.columns[name] = gather_object(column)
        return batch

    def _generate_and_score_completions(self, inputs: Any) -> Any:
        output = super()._generate_and_score_completions(inputs)  # type: ignore[misc]
        if self.model.training:  # type: ignore[attr-defined]
            advantages = output["advantages"]
            self._batch = self.reward_adapter.batch
            assert self._batch is not None
            self._batch.columns["advantage"] = gather_object(advantages.tolist())
            unknown = torch.full((len(advantages),), float("nan"))
            self._statistics = {name: unknown.clone() for name in STATISTICS}
            output["rollout_index"] = torch.arange(len(advantages), device=advantages.device)
        return output

    def _compute_loss(self, model: Any, inputs: Any) -> Any:
        self._loss_inputs = inputs if "rollout_index" in inputs else None
        try:
            return super()._compute_loss(model, inputs)  # type: ignore[misc]
        finally:
            self._loss_inputs = self._hidden = None

    def _get_per_token_logps_and_entropies(self, *args: Any, **kwargs: Any) -> Any:
        result = super()._get_per_token_logps_and_entropies(*args, **kwargs)  # type: ignore[misc]
        if self._loss_inputs is not None:
            self._note(self._loss_inputs, result[0].detach(), result[1].detach())
        return result

    def _keep_hidden(self, module: Any, args: Any, output: Any) -> None:
        """Forward hook of the decoder: keep the last hidden states of a loss's forward pass."""
        if self._loss_inputs is not None:
            self._hidden = output.last_hidden_state.detach()

    def _note(self, inputs: Any, logprobs: torch.Tensor, entropies: torch.Tensor) -> None:
        rows, mask = inputs["rollout_index"].cpu(), inputs["completion_mask"]
        found = {
            "mean_logprob": masked_mean(logprobs.float(), mask),
            "entropy_nats": masked_mean(entropies.float(), mask),
        }
        certainty = self._certainty(inputs["completion_ids"], logprobs)
        if certainty is not None:
            found["self_certainty"] = masked_mean(certainty, mask)
        for name, values in found.items():
            first_time = self._statistics[name][rows].isnan()
            self._statistics[name][rows[first_time]] = values.float().cpu()[first_time]

    def _certainty(self, token_ids: torch.Tensor, logprobs: torch.Tensor) -> torch.Tensor | None:
        """Self-certainty per token, or None where the head is not a plain linear layer at hand."""
        model = self.accelerator.unwrap_model(self.model)  # type: ignore[attr-defined]
        head, config = model.get_output_embeddings(), model.config.get_text_config()
        shaped = ("final_logit_softcapping", "logit_scale", "logits_scaling", "lm_head_multiplier")
        if self._hidden is None or any(getattr(config, name, None) for name in shaped):
            return None
        weight = getattr(head, "weight", None)
        width = token_ids.shape[1]
        if weight is None or weight.ndim != 2 or self._hidden.shape[1] <= width:
            return None
        hidden = self._hidden[:, -width - 1 : -1]
        with torch.no_grad():
            return self_certainty(
                hidden,
                token_ids,
                logprobs,
                weight,
                head.bias,
                self.temperature,  # type: ignore[attr-defined]
            )


class SrtGRPOTrainer(RolloutMixin, GRPOTrainer):  # type: ignore[misc]
    """GRPO with a rollout log."""


class SrtRLOOTrainer(RolloutMixin, RLOOTrainer):  # type: ignore[misc]
    """RLOO with a rollout log."""


TRAINERS = {"grpo": SrtGRPOTrainer, "rloo": SrtRLOOTrainer}
