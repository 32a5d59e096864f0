"""A moving average of the policy that votes: updated after each step, saved with checkpoints."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from srtbench.engines.transformers import TransformersEngine
from srtbench.train.context import RunContext
from srtbench.train.voters.base import OnceMore, Voter
from srtbench.train.voters.copies import frozen_copy

_FILE = "ema_teacher.safetensors"


class EmaTeacher(Voter):
    """teacher <- a * teacher + (1 - a) * policy after each optimiser step.

    a rises from ``decay_start`` to ``decay_end`` along half a cosine over the run (BYOL, Grill et
    al. 2020). Sampling neither uses nor changes the global random state.

    Args:
        policy: start model; copied before training changes it.
        seed: seed of the sampling. process_index: so that processes sample different votes.
    """

    def __init__(
        self,
        policy: Any,
        tokenizer: Any,
        *,
        decay_start: float,
        decay_end: float,
        temperature: float,
        max_completion_length: int,
        batch_size: int,
        seed: int,
        process_index: int,
    ):
        self._teacher = frozen_copy(policy)
        self._engine = TransformersEngine(self._teacher, tokenizer, batch_size)
        self._decays = (decay_start, decay_end)
        self._temperature = temperature
        self._length = max_completion_length
        self._seed = (seed, process_index)
        self._step = 0
        self._device = torch.device("cpu")

    @classmethod
    def of(cls, context: RunContext, options: Any, once_more: OnceMore) -> "EmaTeacher":
        """See `Voter`; it starts as a copy of the start model."""
        return cls(
            context.policy,
            context.tokenizer,
            decay_start=options.decay_start,
            decay_end=options.decay_end,
            temperature=options.temperature,
            max_completion_length=context.spec.train.max_completion_length,
            batch_size=context.spec.own.sampling.batch_size,
            seed=context.spec.seed,
            process_index=context.process.process_index,
        )

    def decay(self, step: int, total_steps: int) -> float:
        """Weight of the old teacher in the update after ``step`` of ``total_steps``."""
        start, end = self._decays
        done = (step - 1) / max(1, total_steps - 1)
        return end - (end - start) * (math.cos(math.pi * done) + 1) / 2

    def sample(self, prompt_ids: Sequence[Sequence[int]], votes: int) -> list[list[list[int]]]:
        """(rows, votes) token ids of the teacher's completions."""
        self._teacher.to(self._device)
        seed, process = self._seed
        groups = self._engine.sample(
            prompt_ids,
            samples=votes,
            temperature=self._temperature,
            max_completion_length=self._length,
            seed=(seed * 1_009 + process) * 100_003 + self._step,
        )
        return [[list(completion.token_ids) for completion in group] for group in groups]

    def begin(self, policy: Any, step: int) -> None:
        """Note where the policy is and how far it is."""
        self._device = next(policy.parameters()).device
        self._step = step

    @torch.no_grad()
    def follow(self, policy: Any, step: int, total_steps: int) -> None:
        """Move towards the policy."""
        self._step = step
        keep = self.decay(step, total_steps)
        own = dict(self._teacher.named_parameters())
        for name, parameter in policy.named_parameters():
            value = parameter.detach().to(own[name].device, own[name].dtype)
            own[name].lerp_(value, 1 - keep)

    def save(self, checkpoint: Path) -> None:
        """Put the teacher into a checkpoint folder."""
        tensors = {name: p.cpu().contiguous() for name, p in self._teacher.named_parameters()}
        save_file(tensors, checkpoint / _FILE)

    def load(self, checkpoint: Path) -> None:
        """Take the teacher from a checkpoint folder."""
        saved = load_file(checkpoint / _FILE)
        for name, parameter in self._teacher.named_parameters():
            parameter.data.copy_(saved[name])
