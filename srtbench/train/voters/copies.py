"""Copies of the policy that vote, and are saved with the checkpoints."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from srtbench.engines.base import EngineMaker
from srtbench.train.context import RunContext
from srtbench.train.voters.base import Voter


class CopyVoter(Voter):
    """Votes by a copy of the policy. Sampling neither uses nor changes the global random state.

    Args:
        policy: start model; copied before training changes it.
        engines: what samples the copy.
        seed: seed of the sampling. process_index: so that processes sample different votes.
    """

    file: str
    """Name of the copy in a checkpoint folder."""

    def __init__(
        self,
        policy: Any,
        engines: EngineMaker,
        *,
        temperature: float,
        max_completion_length: int,
        batch_size: int,
        seed: int,
        process_index: int,
    ):
        self._trained = [name for name, p in policy.named_parameters() if p.requires_grad]
        self._copy = frozen_copy(policy)
        self._engine = engines(self._copy, batch_size)
        self._temperature = temperature
        self._length = max_completion_length
        self._seed = (seed, process_index)
        self._step = 0
        self._calls = 0
        self._device = torch.device("cpu")

    @staticmethod
    def sampling_of(context: RunContext, options: Any) -> dict[str, Any]:
        """How the copies of a run sample: arguments of the constructor."""
        return {
            "temperature": options.temperature,
            "max_completion_length": context.spec.train.max_completion_length,
            "batch_size": context.spec.own.sampling.batch_size,
            "seed": context.spec.seed,
            "process_index": context.process.process_index,
        }

    def sample(self, prompt_ids: Sequence[Sequence[int]], votes: int) -> list[list[list[int]]]:
        """(rows, votes) token ids of the copy's completions."""
        self._copy.to(self._device)
        seed, process = self._seed
        seed = (seed * 1_009 + process) * 100_003 + self._step
        if self._calls:  # again in one step
            seed = int(np.random.SeedSequence([seed, self._calls]).generate_state(1)[0])
        groups = self._engine.sample(
            prompt_ids,
            samples=votes,
            temperature=self._temperature,
            max_completion_length=self._length,
            seed=seed,
        )
        self._calls += 1
        return [[list(completion.token_ids) for completion in group] for group in groups]

    def begin(self, policy: Any, step: int) -> None:
        """Note where the policy is and how far it is."""
        self._device = next(policy.parameters()).device
        self._step, self._calls = step, 0

    def follow(self, policy: Any, step: int, total_steps: int) -> None:
        """Note how far the policy is."""
        self._step, self._calls = step, 0

    @torch.no_grad()
    def move(self, policy: Any, weight: float) -> None:
        """copy <- copy + weight * (policy - copy), parameter by parameter of those trained."""
        own, policies = dict(self._copy.named_parameters()), dict(policy.named_parameters())
        for name in self._trained:
            value = policies[name].detach().to(own[name].device, own[name].dtype)
            own[name].lerp_(value, weight)

    def save(self, checkpoint: Path) -> None:
        """Put what is trained of the copy into a checkpoint folder."""
        own = dict(self._copy.named_parameters())
        tensors = {name: own[name].cpu().contiguous() for name in self._trained}
        save_file(tensors, checkpoint / self.file)

    def load(self, checkpoint: Path) -> None:
        """Take the copy from a checkpoint folder."""
        saved = load_file(checkpoint / self.file)
        own = dict(self._copy.named_parameters())
        for name in self._trained:
            own[name].data.copy_(saved[name])


def frozen_copy(policy: Any) -> Any:
    """A copy of a model that computes with its own weights, whatever was put around its forward.

    TRL and accelerate give a model a ``forward`` of its own, a closure over the forward of the very
    model. ``deepcopy`` copies no closure: a copy with it would compute with the policy's weights.
    Weights that are not trained, those beside adapters, are not copied but shared.
    """
    shared = {id(p): p for p in policy.parameters() if not p.requires_grad}
    made = copy.deepcopy(policy, shared)
    for module in made.modules():
        vars(module).pop("forward", None)
    return made.eval().requires_grad_(False)
