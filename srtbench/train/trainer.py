"""TRL's trainers, with an ear on what they compute.

The mixin changes nothing that TRL does. It notes the advantages after generation and, from the
forward pass of the loss, the log-probability, entropy and self-certainty of every completion.
For variants that ask for it, it measures those before the rewards, or has further votes sampled.
TRL's private methods are overridden by name; a test holds them against the installed version.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from accelerate.utils import gather_object
from transformers import TrainerCallback
from trl import GRPOTrainer, RLOOTrainer

from srtbench.models.lora import decoder_of
from srtbench.plan.refill import RefillRule
from srtbench.train.colocated import hear_logprobs
from srtbench.train.policy_checks import PolicyChecks
from srtbench.train.refill import Drawn, PromptStream, Sampled
from srtbench.train.reward import RewardAdapter, RolloutBatch
from srtbench.train.sampler import ResumableSampler
from srtbench.train.sharded import gathered, is_sharded
from srtbench.train.stopper import Stopper
from srtbench.train.token_statistics import CompletionStatistics, head_of, padded, self_certainty
from srtbench.train.voters import Voter

if TYPE_CHECKING:
    from srtbench.train.trl_types import TrlTrainer
else:
    TrlTrainer = object


class RolloutMixin(TrlTrainer):
    """Collects one `RolloutBatch` per generation; `take_batch` hands it out once complete."""

    reward_adapter: RewardAdapter
    _voter: Voter | None = None
    _stopper: Stopper | None = None
    _checks: PolicyChecks
    _batch: RolloutBatch | None = None
    _statistics: CompletionStatistics
    _refill: tuple[RefillRule, PromptStream] | None = None
    _ready: list[Sampled] | None = None
    _loss_inputs: dict[str, Any] | None = None
    _hidden: torch.Tensor | None = None
    _sampled_logprobs: list[list[float]]
    _prompts: list[Any]
    _prompt_ids: list[list[int]]

    def listen(
        self,
        adapter: RewardAdapter,
        voter: Voter | None = None,
        refill: RefillRule | None = None,
    ) -> None:
        """Begin to collect.

        Args:
            adapter: the trainer's only reward function.
            voter: who votes, for a variant that has further votes.
            refill: prompts whose votes agree too little are replaced by further ones.
        """
        self.reward_adapter = adapter
        self._voter = voter
        if voter is not None:
            self.add_callback(_Following(voter, self))
        if refill is not None:
            count, seed = len(self.train_dataset), self.args.seed
            self._refill = refill, PromptStream(count, seed, shuffle=self.shuffle_dataset)
        model = self.unwrapped_policy()
        self._checks = PolicyChecks(model, self.temperature, needs_start_model=self.beta == 0.0)
        decoder_of(model).register_forward_hook(self._keep_hidden)
        if self.use_vllm:
            hear_logprobs(self.vllm_generation, self._hear)

    def keep_in_checkpoints(self, stopper: Stopper | None) -> None:
        """Have checkpoints hold what ends the run early, if anything does."""
        self._stopper = stopper

    def unwrapped_policy(self) -> Any:
        """The policy as it is now, without what accelerate puts around it."""
        return self.accelerator.unwrap_model(self.model)

    def whole_policy(self) -> Any:
        """The policy as it is now, with all its weights on each process; collective."""
        model, policy = self.model_wrapped, self.unwrapped_policy()
        return gathered(model, policy) if is_sharded(model) else policy

    def take_batch(self, last: bool = False) -> RolloutBatch | None:
        """The last generation's rollouts, on every process.

        None if it is not used up yet, unless this is the ``last`` step.
        """
        batch = self._batch
        every = self.args.steps_per_generation * self.num_iterations
        if batch is None or (self._step % every and not last):
            return None
        self._batch = None
        for name, values in self._statistics.columns().items():
            column = [value if value == value else None for value in values]
            batch.columns[name] = gather_object(column)
            known = [value for value in batch.columns[name] if value is not None]
            if known:
                batch.metrics[f"rollouts/{name}"] = sum(known) / len(known)
        return batch

    def sample_once_more(self) -> list[list[int]]:
        """One further completion per row, the way TRL samples those that are trained on.

        For use while a generation is under way: its prompts are asked again.
        """
        rollout_func = getattr(self, "rollout_func", None)
        if rollout_func is not None:
            sampled: list[list[int]] = rollout_func(self._prompts, self)["completion_ids"]
            return sampled
        if isinstance(self, GRPOTrainer):
            ids, _ = self._generate_single_turn(self._prompt_ids, None, {}, self.num_generations)
        else:
            ids = self._generate_single_turn(self._prompt_ids, None, {})
        completion_ids: list[list[int]] = ids
        return completion_ids

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the on-policy checks to what TRL logs of a step."""
        if self._is_training:
            batch = self.reward_adapter.batch
            logs |= batch.metrics if batch is not None else {}
            logs |= self._checks.take(gather_object)
        super().log(logs, start_time)

    def _get_train_sampler(self, dataset: Any = None) -> Any:
        sampler = super()._get_train_sampler(dataset)
        return ResumableSampler(sampler, lambda: self.state.epoch or 0.0)

    @property
    def _is_training(self) -> bool:
        return bool(self.model.training)

    def _generate_and_score_completions(self, inputs: Any) -> Any:
        if self._is_training:
            self._statistics = CompletionStatistics(len(inputs))
            inputs = self._refilled(inputs)
        output = super()._generate_and_score_completions(inputs)
        if self._is_training:
            advantages = output["advantages"]
            self._batch = self.reward_adapter.batch
            assert self._batch is not None
            self._batch.columns["advantage"] = gather_object(advantages.tolist())
            output["rollout_index"] = torch.arange(len(advantages), device=advantages.device)
        return output

    def _refilled(self, inputs: Any) -> Any:
        """As many rows as ``inputs``, with further prompts for those whose votes agree too little.

        What is sampled for them is kept for TRL to find; ``inputs`` itself where nothing refills.
        """
        if self._refill is None:
            return inputs
        rule, stream = self._refill
        drawn, adapter = Drawn(rule, self.num_generations), self.reward_adapter
        before = {name: len(values) for name, values in self._metrics["train"].items()}
        while groups := drawn.missing:
            batch = self._draw(drawn, stream.take(groups))
        # TRL logs what it generates; it is to log what is trained, and to count all tokens once.
        for name, values in self._metrics["train"].items():
            del values[before.get(name, 0) :]
        kept = [drawn.sampled[row] for row in drawn.rows()]
        again = sum(one.prompt_tokens + len(one.token_ids) for one in kept)
        self.state.num_input_tokens_seen -= again
        adapter.ready = drawn.batch(batch)
        first = self.accelerator.process_index * len(inputs)
        own = slice(first, first + len(inputs))
        self._checks.replace({i for i, row in enumerate(drawn.rows()[own]) if row != first + i})
        self._ready = kept[own]
        self._statistics.put([one.statistics for one in self._ready])
        return [self.train_dataset[one.prompt] for one in self._ready]

    def _draw(self, drawn: Drawn, prompts: Sequence[int]) -> RolloutBatch:
        """Sample and judge one group for each prompt, given by its place; collective."""
        places = [place for place in prompts for _ in range(self.num_generations)]
        share = len(places) // self.accelerator.num_processes
        first = self.accelerator.process_index * share
        places = places[first : first + share]
        rows = [self.train_dataset[place] for place in places]
        generated = self._generate([row["prompt"] for row in rows], further=drawn.draws > 0)
        prompt_ids, ids, texts, logprobs = _of_generated(generated)
        found: dict[str, list[float]] = {}
        if self.reward_adapter.variant.needs_token_statistics:
            wanted, self._statistics = self._statistics, CompletionStatistics(share)
            self._measure(ids)
            found, self._statistics = self._statistics.columns(), wanted
            self.reward_adapter.extras.statistics = found
        step, number = self.state.global_step + 1, len(drawn.shares)
        names = [row["prompt_id"] for row in rows]
        batch = self.reward_adapter.judged(names, texts, ids, step, number)
        sampled = [
            Sampled(
                places[row],
                len(prompt_ids[row]),
                list(ids[row]),
                None if logprobs is None else logprobs[row],
                {name: values[row] for name, values in found.items()},
            )
            for row in range(share)
        ]
        drawn.add(batch, gather_object(sampled))
        return batch

    def _generate_single_turn(
        self, prompt_ids: Any, images: Any, multimodal_fields: Any, *more: Any
    ) -> Any:
        """What was sampled already, once; else as TRL samples."""
        if self._ready is None:
            return super()._generate_single_turn(prompt_ids, images, multimodal_fields, *more)
        ready, self._ready = self._ready, None
        ids, logprobs = [one.token_ids for one in ready], [one.logprobs for one in ready]
        known = None if None in logprobs else logprobs
        return (ids, known) if isinstance(self, GRPOTrainer) else ids

    def _generate(self, prompts: list[Any], *, further: bool = False) -> Any:
        """As TRL; ``further``: not the first draw of a generation."""
        if self._ready is not None:
            return super()._generate(prompts)
        if not further:
            self._checks.start_sampling(int(self.state.global_step))
        generated = super()._generate(prompts)
        self._prompts, self._prompt_ids = prompts, generated[0]
        if not further and self.use_vllm:
            self._checks.take_sampling(generated[0], generated[1], self._sampled_logprobs)
        elif not further:
            self._checks.end_sampling(generated[0], generated[1])
        votes = self.reward_adapter.votes_per_row if self._is_training else 0
        if votes:
            if self._voter is None:
                raise RuntimeError(
                    "the variant has further votes, but there is nobody to cast them"
                )
            decode = self.processing_class.batch_decode
            self.reward_adapter.extras.voted_at = self._voter.policy_step
            self.reward_adapter.extras.votes = [
                list(zip(decode(row, skip_special_tokens=True), row, strict=True))
                for row in self._voter.sample(self._prompt_ids, votes)
            ]
        return generated

    def _calculate_rewards(
        self, inputs: Any, prompts: Any, completions: Any, completion_ids_list: Sequence[Any]
    ) -> Any:
        judged, adapter = self.reward_adapter.ready is not None, self.reward_adapter
        if self._is_training and adapter.variant.needs_token_statistics and not judged:
            self._measure(completion_ids_list)
            self.reward_adapter.extras.statistics = self._statistics.columns()
        return super()._calculate_rewards(inputs, prompts, completions, completion_ids_list)

    @torch.no_grad()
    def _measure(self, completion_ids: Sequence[Sequence[int]]) -> None:
        """Token statistics of completions, with one forward pass in the loss's micro-batches."""
        device, pad = self.accelerator.device, self._tokenizer.pad_token_id
        prompt_ids, prompt_mask = padded(self._prompt_ids, pad, device, left=True)
        ids, mask = padded(completion_ids, pad, device, left=False)
        size = self.args.per_device_train_batch_size
        for start in range(0, len(ids), size):
            rows = slice(start, start + size)
            self._loss_inputs = {
                "rollout_index": torch.arange(len(ids))[rows],
                "completion_ids": ids[rows],
                "completion_mask": mask[rows],
            }
            try:
                self._get_per_token_logps_and_entropies(
                    self.model,
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
            return super()._compute_loss(model, inputs)
        finally:
            self._loss_inputs = self._hidden = None

    def _get_per_token_logps_and_entropies(self, *args: Any, **kwargs: Any) -> Any:
        result = super()._get_per_token_logps_and_entropies(*args, **kwargs)
        if self._loss_inputs is not None:
            self._note(self._loss_inputs, result[0].detach(), result[1].detach())
        return result

    def _hear(self, logprobs: list[list[float]]) -> None:
        """What vLLM says of the completions that it sampled last."""
        self._sampled_logprobs = logprobs

    def _keep_hidden(self, module: Any, args: Any, output: Any) -> None:
        """Forward hook of the decoder: keep the last hidden states of a pass that is noted."""
        if self._loss_inputs is not None:
            self._hidden = output.last_hidden_state.detach()
        else:
            self._checks.hear(output.last_hidden_state)

    def _note(self, inputs: Any, logprobs: torch.Tensor, entropies: torch.Tensor) -> None:
        rows, mask = inputs["rollout_index"].cpu(), inputs["completion_mask"]
        if "advantages" in inputs:
            self._checks.compare(rows, logprobs, mask, int(self.state.global_step))
        if self._statistics.lacks(rows):
            certainty = self._certainty(inputs["completion_ids"], logprobs)
            self._statistics.note(rows, mask, logprobs, entropies, certainty)

    def _certainty(self, token_ids: torch.Tensor, logprobs: torch.Tensor) -> torch.Tensor | None:
        """Self-certainty per token, or None where the head is not a plain linear layer at hand."""
        head = head_of(self.unwrapped_policy())
        width = token_ids.shape[1]
        if head is None or self._hidden is None or self._hidden.shape[1] <= width:
            return None
        hidden = self._hidden[:, -width - 1 : -1]
        with torch.no_grad():
            return self_certainty(hidden, token_ids, logprobs, *head, self.temperature)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        super()._save_checkpoint(model, trial)
        folder = Path(self.args.output_dir, f"checkpoint-{self.state.global_step}")
        for part in self._kept_parts if self.accelerator.is_main_process else ():
            part.save(folder)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        super()._load_from_checkpoint(resume_from_checkpoint, model)
        for part in self._kept_parts:
            part.load(Path(resume_from_checkpoint))

    @property
    def _kept_parts(self) -> list[Voter | PromptStream | Stopper]:
        """What a checkpoint holds beside what TRL knows."""
        parts = (self._voter, self._refill[1] if self._refill else None, self._stopper)
        return [part for part in parts if part is not None]


def _of_generated(generated: Any) -> tuple[list[list[int]], list[list[int]], list[Any], Any]:
    """Prompt ids, completion ids, completions and log-probabilities in what `_generate` returns."""
    if len(generated) == 3:  # RLOO
        return (*generated, None)
    prompt_ids, ids, _, completions, logprobs, *_ = generated
    return prompt_ids, ids, completions, logprobs


class _Following(TrainerCallback):
    """Tells a voter of every step, before anything of the step is saved."""

    def __init__(self, voter: Voter, trainer: RolloutMixin):
        self._voter = voter
        self._trainer = trainer

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._voter.begin(self._trainer.unwrapped_policy(), state.global_step)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._voter.follow(self._trainer.unwrapped_policy(), state.global_step, state.max_steps)


class SrtGRPOTrainer(RolloutMixin, GRPOTrainer):
    """GRPO with a rollout log."""


class SrtRLOOTrainer(RolloutMixin, RLOOTrainer):
    """RLOO with a rollout log."""


TRAINERS: dict[str, type[RolloutMixin]] = {"grpo": SrtGRPOTrainer, "rloo": SrtRLOOTrainer}
