"""TRL's trainers, with an ear on what they compute.

The mixin changes nothing that TRL does. It notes the advantages after generation and, from the
forward pass of the loss, the log-probability, entropy and self-certainty of every completion.
For variants that ask for it, it measures those before the rewards, or samples further votes.
TRL's private methods are overridden by name; a test holds them against the installed version.
"""

from collections.abc import Sequence
from typing import Any

import torch
from accelerate.utils import gather_object
from trl import GRPOTrainer, RLOOTrainer

from srtbench.train.ema import EmaTeacher
from srtbench.train.policy_checks import PolicyChecks
from srtbench.train.reward import RewardAdapter, RolloutBatch
from srtbench.train.sampler import ResumableSampler
from srtbench.train.token_statistics import head_of, masked_mean, padded, self_certainty
from srtbench.variants import TOKEN_STATISTICS


class RolloutMixin:
    """Collects one `RolloutBatch` per generation; `take_batch` hands it out once complete."""

    reward_adapter: RewardAdapter
    ema_teacher: EmaTeacher | None = None
    _checks: PolicyChecks
    _batch: RolloutBatch | None = None
    _statistics: dict[str, torch.Tensor]
    _loss_inputs: dict[str, Any] | None = None
    _hidden: torch.Tensor | None = None
    _prompt_ids: list[list[int]]

    def listen(self, adapter: RewardAdapter, ema_teacher: EmaTeacher | None = None) -> None:
        """Begin to collect.

        Args:
            adapter: the trainer's only reward function.
            ema_teacher: who votes, for a variant whose voter is ``ema_teacher``.
        """
        self.reward_adapter = adapter
        self.ema_teacher = ema_teacher
        if ema_teacher is not None:
            self.add_callback(ema_teacher)  # type: ignore[attr-defined]
        model = self.accelerator.unwrap_model(self.model)  # type: ignore[attr-defined]
        needs_start = self.beta == 0.0  # type: ignore[attr-defined]
        temperature = self.temperature  # type: ignore[attr-defined]
        self._checks = PolicyChecks(model, temperature, needs_start_model=needs_start)
        model.base_model.register_forward_hook(self._keep_hidden)

    def take_batch(self, last: bool = False) -> RolloutBatch | None:
        """The last generation's rollouts, on every process.

        None if it is not used up yet, unless this is the ``last`` step.
        """
        batch = self._batch
        every = self.args.steps_per_generation * self.num_iterations  # type: ignore[attr-defined]
        if batch is None or (self._step % every and not last):  # type: ignore[attr-defined]
            return None
        self._batch = None
        for name, values in self._statistics.items():
            column = [value if value == value else None for value in values.tolist()]
            batch.columns[name] = gather_object(column)
            known = [value for value in batch.columns[name] if value is not None]
            if known:
                batch.metrics[f"rollouts/{name}"] = sum(known) / len(known)
        return batch

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the on-policy checks to what TRL logs of a step."""
        if self._is_training:
            batch = self.reward_adapter.batch
            logs |= batch.metrics if batch is not None else {}
            logs |= self._checks.take(gather_object)
        super().log(logs, start_time)  # type: ignore[misc]

    def _get_train_sampler(self, dataset: Any = None) -> Any:
        sampler = super()._get_train_sampler(dataset)  # type: ignore[misc]
        return ResumableSampler(sampler, lambda: self.state.epoch or 0.0)  # type: ignore[attr-defined]

    @property
    def _is_training(self) -> bool:
        return bool(self.model.training)  # type: ignore[attr-defined]

    def _generate_and_score_completions(self, inputs: Any) -> Any:
        unknown = torch.full((len(inputs),), float("nan"))
        if self._is_training:
            self._statistics = {name: unknown.clone() for name in TOKEN_STATISTICS}
        output = super()._generate_and_score_completions(inputs)  # type: ignore[misc]
        if self._is_training:
            advantages = output["advantages"]
            self._batch = self.reward_adapter.batch
            assert self._batch is not None
            self._batch.columns["advantage"] = gather_object(advantages.tolist())
            output["rollout_index"] = torch.arange(len(advantages), device=advantages.device)
        return output

    def _generate(self, prompts: list[Any]) -> Any:
        self._checks.start_sampling(int(self.state.global_step))  # type: ignore[attr-defined]
        generated = super()._generate(prompts)  # type: ignore[misc]
        self._prompt_ids = generated[0]
        self._checks.end_sampling(generated[0], generated[1])
        votes = self.reward_adapter.votes_per_row if self._is_training else 0
        if votes:
            ids = self._sample_votes(prompts, votes)
            decode = self.processing_class.batch_decode  # type: ignore[attr-defined]
            self.reward_adapter.extras.votes = [
                list(zip(decode(row, skip_special_tokens=True), row, strict=True)) for row in ids
            ]
        return generated

    def _sample_votes(self, prompts: list[Any], votes: int) -> list[list[list[int]]]:
        """(rows, votes) token ids of further completions, from whoever votes."""
        if self.reward_adapter.variant.voter == "ema_teacher":
            if self.ema_teacher is None:
                raise RuntimeError("the variant's votes are an EMA teacher's, but there is none")
            return self.ema_teacher.sample(self._prompt_ids, votes)
        rounds = [self._generate_once_more(prompts) for _ in range(votes)]
        return [list(row) for row in zip(*rounds, strict=True)]

    def _generate_once_more(self, prompts: list[Any]) -> list[list[int]]:
        """One further completion per row, the way TRL samples those that are trained on."""
        rollout_func = getattr(self, "rollout_func", None)
        if rollout_func is not None:
            sampled: list[list[int]] = rollout_func(prompts, self)["completion_ids"]
            return sampled
        generate = super()._generate_single_turn  # type: ignore[misc]
        if isinstance(self, GRPOTrainer):
            completion_ids, _ = generate(self._prompt_ids, None, {}, self.num_generations)
        else:
            completion_ids = generate(self._prompt_ids, None, {})
        ids: list[list[int]] = completion_ids
        return ids

    def _calculate_rewards(
        self, inputs: Any, prompts: Any, completions: Any, completion_ids_list: Any
    ) -> Any:
        if self._is_training and self.reward_adapter.variant.needs_token_statistics:
            self._measure(completion_ids_list)
            self.reward_adapter.extras.statistics = {
                name: values.tolist() for name, values in self._statistics.items()
            }
        return super()._calculate_rewards(  # type: ignore[misc]
            inputs, prompts, completions, completion_ids_list
        )

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def _measure(self, completion_ids: Sequence[Sequence[int]]) -> None:
        """Token statistics of completions, with one forward pass in the loss's micro-batches."""
        device = self.accelerator.device  # type: ignore[attr-defined]
        pad = self._tokenizer.pad_token_id  # type: ignore[attr-defined]
        prompt_ids, prompt_mask = padded(self._prompt_ids, pad, device, left=True)
        ids, mask = padded(completion_ids, pad, device, left=False)
        size = self.args.per_device_train_batch_size  # type: ignore[attr-defined]
        for start in range(0, len(ids), size):
            rows = slice(start, start + size)
            self._loss_inputs = {
                "rollout_index": torch.arange(len(ids))[rows],
                "completion_ids": ids[rows],
                "completion_mask": mask[rows],
            }
            try:
                self._get_per_token_logps_and_entropies(
                    self.model,  # type: ignore[attr-defined]
                    torch.cat([prompt_ids[rows], ids[rows]], dim=1),
                    torch.cat([prompt_mask[rows], mask[rows]], dim=1),
                    ids.shape[1],
                    compute_entropy=True,
                )
            finally:
                self._loss_inputs = self._hidden = None

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
        """Forward hook of the decoder: keep the last hidden states of a pass that is noted."""
        if self._loss_inputs is not None:
            self._hidden = output.last_hidden_state.detach()
        else:
            self._checks.hear(output.last_hidden_state)

    def _note(self, inputs: Any, logprobs: torch.Tensor, entropies: torch.Tensor) -> None:
        rows, mask = inputs["rollout_index"].cpu(), inputs["completion_mask"]
        step = int(self.state.global_step)  # type: ignore[attr-defined]
        if "advantages" in inputs:
            self._checks.compare(rows, logprobs, mask, step)
        if not self._statistics["mean_logprob"][rows].isnan().any():
            return
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
        head = head_of(model)
        width = token_ids.shape[1]
        if head is None or self._hidden is None or self._hidden.shape[1] <= width:
            return None
        hidden = self._hidden[:, -width - 1 : -1]
        temperature = self.temperature  # type: ignore[attr-defined]
        with torch.no_grad():
            return self_certainty(hidden, token_ids, logprobs, *head, temperature)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        super()._save_checkpoint(model, trial)  # type: ignore[misc]
        if self.ema_teacher is not None and self.accelerator.is_main_process:  # type: ignore[attr-defined]
            folder = f"checkpoint-{self.state.global_step}"  # type: ignore[attr-defined]
            self.ema_teacher.save(f"{self.args.output_dir}/{folder}")  # type: ignore[attr-defined]

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        super()._load_from_checkpoint(resume_from_checkpoint, model)  # type: ignore[misc]
        if self.ema_teacher is not None:
            self.ema_teacher.load(resume_from_checkpoint)


class SrtGRPOTrainer(RolloutMixin, GRPOTrainer):  # type: ignore[misc]
    """GRPO with a rollout log."""


class SrtRLOOTrainer(RolloutMixin, RLOOTrainer):  # type: ignore[misc]
    """RLOO with a rollout log."""


TRAINERS = {"grpo": SrtGRPOTrainer, "rloo": SrtRLOOTrainer}
