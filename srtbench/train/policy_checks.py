"""On-policy checks of a step: is the policy that is trained the one that sampled?

All of them look at the first rows and tokens of each process only, so that they cost little:

on_policy/sampler_logprob_difference  mean |log-probability of a sampled token when it was sampled
                                      - when it was trained|, in nats; 0 up to rounding on policy
on_policy/sampler_logprob_difference_max   the largest of them
on_policy/updates_since_sampling      optimiser steps between sampling and training, at most
on_policy/kl_to_start                 mean KL(policy || start model) per token, in nats; where TRL
                                      trains with beta > 0 it logs ``kl`` itself

Of a policy with adapters the start model is the policy without them.
"""

import contextlib
import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from srtbench.models.lora import decoder_of
from srtbench.train.token_statistics import head_of, padded

PROBE_ROWS = 16
"""Rows of each process that are looked at."""

PROBE_LOGITS = 1 << 26
"""Logits that a check computes at most: with a large vocabulary, those of the first tokens."""

START_MODEL_PARAMETERS = 50_000_000
"""A frozen copy of the start model is kept up to this size; above it, train with beta > 0.

With adapters there is no copy, and no limit."""


class PolicyChecks:
    """Collects the checks between two logs.

    What the policy gave a token when it was sampled is heard from transformers' own generation, and
    said by vLLM.
    """

    def __init__(self, model: Any, temperature: float, *, needs_start_model: bool):
        self._model = model
        self._temperature = temperature
        self._start: Any = None
        self._has_adapters = hasattr(model, "disable_adapter")
        self._measures_kl = needs_start_model
        count = sum(parameter.numel() for parameter in model.parameters())
        if needs_start_model and not self._has_adapters:
            self._measures_kl = count <= START_MODEL_PARAMETERS
            if self._measures_kl:
                self._start = copy.deepcopy(model).eval().requires_grad_(False)
        self._heard: list[torch.Tensor] | None = None
        self._passes = 0
        head = head_of(model)
        self._tokens = PROBE_LOGITS // (PROBE_ROWS * len(head[0])) if head is not None else 0
        self._sampled: torch.Tensor | None = None
        self._replaced: set[int] = set()
        self._prompts: list[list[int]] = []
        self._sampled_at = 0
        self._found: dict[str, list[float]] = {}

    def start_sampling(self, step: int) -> None:
        """Generation begins, after ``step`` optimiser steps."""
        self._heard, self._sampled, self._sampled_at = [], None, step
        self._passes, self._replaced = 0, set()

    def hear(self, hidden: torch.Tensor) -> None:
        """One forward pass of the decoder; hidden: (rows, tokens, width)."""
        if self._heard is not None:
            self._passes += 1
            if len(self._heard) < self._tokens:
                self._heard.append(hidden[:PROBE_ROWS, -1].detach().clone())

    @torch.no_grad()
    def end_sampling(
        self, prompt_ids: Sequence[Sequence[int]], completion_ids: Sequence[Sequence[int]]
    ) -> None:
        """Generation has ended; both: (rows,) token ids."""
        heard, self._heard = self._heard, None
        head = head_of(self._model)
        rows = [ids[: self._tokens] for ids in completion_ids[:PROBE_ROWS]]
        longest = max((len(ids) for ids in completion_ids), default=0)
        if head is None or not heard or self._passes != longest or len(heard[0]) != len(rows):
            return
        ids, _ = padded(rows, 0, heard[0].device, left=False)
        if ids.shape[1] == 0:
            return
        hidden = torch.stack(heard[: ids.shape[1]], dim=1)
        self._sampled = _logprobs(hidden, head, self._temperature).gather(2, ids[:, :, None])[
            ..., 0
        ]
        self._prompts = [list(ids) for ids in prompt_ids[:PROBE_ROWS]]
        if self._measures_kl:
            self._find("on_policy/kl_to_start", self._kl_to_start(rows, hidden, head))

    @torch.no_grad()
    def take_sampling(
        self,
        prompt_ids: Sequence[Sequence[int]],
        completion_ids: Sequence[Sequence[int]],
        logprobs: Sequence[Sequence[float]],
    ) -> None:
        """Another engine has sampled, and says the log-probabilities: (rows, tokens of each)."""
        self._heard, head = None, head_of(self._model)
        longest = max((len(ids) for ids in completion_ids[:PROBE_ROWS]), default=0)
        width = min(longest, self._tokens) if head is not None else longest
        rows = [ids[:width] for ids in completion_ids[:PROBE_ROWS]]
        if not width:
            return
        self._sampled = torch.tensor(
            [[*row[:width], *[0.0] * (width - len(row))] for row in logprobs[: len(rows)]],
            device=next(self._model.parameters()).device,
        )
        self._prompts = [list(ids) for ids in prompt_ids[:PROBE_ROWS]]
        if self._measures_kl and head is not None:
            hidden = self._states(self._model, rows)
            self._find("on_policy/kl_to_start", self._kl_to_start(rows, hidden, head))

    def replace(self, rows: set[int]) -> None:
        """Other completions than those that were heard are trained in these rows."""
        self._replaced = rows

    def compare(
        self, rows: torch.Tensor, logprobs: torch.Tensor, mask: torch.Tensor, step: int
    ) -> None:
        """A micro-batch is trained: rows (batch,), logprobs and mask (batch, tokens)."""
        self._find("on_policy/updates_since_sampling", float(step - self._sampled_at))
        if self._sampled is None:
            return
        heard = [row < len(self._sampled) and row not in self._replaced for row in rows.tolist()]
        chosen = torch.tensor(heard).nonzero()[:, 0]
        if not len(chosen):
            return
        then = self._sampled[rows[chosen]]
        width = min(then.shape[1], logprobs.shape[1])
        kept = mask[chosen, :width].bool()
        gap = (then[:, :width] - logprobs[chosen, :width].float()).abs()[kept]
        if len(gap):
            self._find("on_policy/sampler_logprob_difference", float(gap.mean()))
            self._find("on_policy/sampler_logprob_difference_max", float(gap.max()))

    def take(self, gather: Callable[[list[Any]], list[Any]]) -> dict[str, float]:
        """The checks since the last call, over all processes; collective."""
        found, self._found = self._found, {}
        merged: dict[str, list[float]] = {}
        for part in gather([found]):
            for name, values in part.items():
                merged.setdefault(name, []).extend(values)
        return {
            name: max(values) if name.endswith(("_max", "since_sampling")) else _mean(values)
            for name, values in merged.items()
        }

    def _find(self, name: str, value: float) -> None:
        self._found.setdefault(name, []).append(value)

    def _kl_to_start(
        self, completion_ids: Sequence[Sequence[int]], hidden: torch.Tensor, head: Any
    ) -> float:
        """Exact KL per token, averaged over the probe's tokens."""
        _, mask = padded(completion_ids, 0, hidden.device, left=False)
        with self._start_model() as start:
            states = self._states(start.to(hidden.device), completion_ids)
            start_head = head_of(start)
        now = _logprobs(hidden, head, self._temperature)
        then = _logprobs(states, start_head, self._temperature)
        kl = (now.exp() * (now - then)).sum(dim=2)
        return float((kl * mask).sum() / mask.sum().clamp(min=1))

    @contextlib.contextmanager
    def _start_model(self) -> Iterator[Any]:
        """The frozen copy, or the policy while its adapters are disabled."""
        if not self._has_adapters:
            yield self._start
            return
        with self._model.disable_adapter():
            yield self._model

    def _states(self, model: Any, completion_ids: Sequence[Sequence[int]]) -> torch.Tensor:
        """(rows, tokens, width): what a model computes before each token of the probe."""
        device = next(model.parameters()).device
        prompts, prompt_mask = padded(self._prompts, 0, device, left=True)
        ids, mask = padded(completion_ids, 0, device, left=False)
        was_training = model.training
        model.eval()
        states: torch.Tensor = decoder_of(model)(
            input_ids=torch.cat([prompts, ids], dim=1),
            attention_mask=torch.cat([prompt_mask, mask], dim=1),
        ).last_hidden_state[:, -ids.shape[1] - 1 : -1]
        model.train(was_training)
        return states


def _logprobs(hidden: torch.Tensor, head: Any, temperature: float) -> torch.Tensor:
    """(rows, tokens, width) -> (rows, tokens, vocabulary) log-probabilities in float32."""
    weight, bias = head
    logits = torch.nn.functional.linear(hidden, weight, bias).float()
    return torch.log_softmax(logits / temperature, dim=-1)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
