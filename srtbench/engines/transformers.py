"""Sample completions with transformers, apart from training."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class Completion:
    """One sampled text; ``truncated``: it ended at the length limit, without an end token."""

    text: str
    token_ids: tuple[int, ...]
    truncated: bool


@dataclass(frozen=True)
class PromptFormat:
    """How a prompt becomes token ids, the same in training and evaluation."""

    chat: bool
    system_prompt: str | None = None

    def messages(self, prompt: str) -> Any:
        """What the trainer takes: a text, or chat messages."""
        if not self.chat:
            return f"{self.system_prompt}\n\n{prompt}" if self.system_prompt else prompt
        system = [{"role": "system", "content": self.system_prompt}] if self.system_prompt else []
        return [*system, {"role": "user", "content": prompt}]

    def token_ids(self, tokenizer: Any, prompt: str) -> list[int]:
        """Token ids that the policy continues."""
        content = self.messages(prompt)
        if self.chat:
            content = tokenizer.apply_chat_template(
                content, add_generation_prompt=True, tokenize=False
            )
            return list(tokenizer(content, add_special_tokens=False)["input_ids"])
        return list(tokenizer(content)["input_ids"])


@torch.no_grad()
def sample_completions(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[Sequence[int]],
    *,
    samples: int,
    max_completion_length: int,
    temperature: float,
    batch_size: int,
    seed: int,
) -> Iterator[list[Completion]]:
    """Yield ``samples`` completions for each tokenized prompt, in order.

    With ``temperature`` 0 the most likely token is taken at each place, and ``samples`` must be 1.

    Neither the mode of the model nor the global random state is changed. The batches, and so the
    texts, depend on ``seed`` and ``batch_size`` only, not on what was sampled before.
    """
    per_batch = max(1, batch_size // samples)
    ends = _end_tokens(model, tokenizer)
    was_training = model.training
    model.eval()
    try:
        for start in range(0, len(prompts), per_batch):
            batch = list(prompts[start : start + per_batch])
            with torch.random.fork_rng():
                torch.manual_seed(seed * 1_000_003 + start)
                rows = _generate(
                    model, tokenizer, batch, samples, max_completion_length, temperature, ends
                )
            for index in range(len(batch)):
                yield [
                    _completion(row, tokenizer, ends)
                    for row in rows[index * samples : (index + 1) * samples]
                ]
    finally:
        model.train(was_training)


def _generate(
    model: Any,
    tokenizer: Any,
    batch: Sequence[Sequence[int]],
    samples: int,
    max_completion_length: int,
    temperature: float,
    ends: list[int],
) -> list[list[int]]:
    longest = max(len(ids) for ids in batch)
    pad = tokenizer.pad_token_id
    input_ids = torch.tensor([[pad] * (longest - len(ids)) + list(ids) for ids in batch])
    mask = torch.tensor([[0] * (longest - len(ids)) + [1] * len(ids) for ids in batch])
    output = model.generate(
        input_ids=input_ids.to(model.device),
        attention_mask=mask.to(model.device),
        **_decoding(temperature),
        num_return_sequences=samples,
        max_new_tokens=max_completion_length,
        pad_token_id=pad,
        eos_token_id=ends,
    )
    rows: list[list[int]] = output[:, longest:].tolist()
    return rows


def _decoding(temperature: float) -> dict[str, Any]:
    """Options of ``generate``: the plain distribution at a temperature, or its most likely token.

    What a model's own generation config says of sampling is overruled either way.
    """
    if temperature == 0:
        return {"do_sample": False, "temperature": 1.0, "top_k": 50, "top_p": 1.0}
    return {"do_sample": True, "temperature": temperature, "top_k": 0, "top_p": 1.0}


def _end_tokens(model: Any, tokenizer: Any) -> list[int]:
    """Every token that ends a completion: the tokenizer's and the generation config's."""
    ends = {tokenizer.eos_token_id}
    configured = getattr(model, "generation_config", None)
    if configured is not None and configured.eos_token_id is not None:
        value = configured.eos_token_id
        ends |= set(value) if isinstance(value, list) else {value}
    return sorted(token for token in ends if token is not None)


def _completion(row: Sequence[int], tokenizer: Any, ends: Sequence[int]) -> Completion:
    """Cut a row after its first end token."""
    for position, token in enumerate(row):
        if token in ends:
            ids = tuple(row[: position + 1])
            return Completion(tokenizer.decode(ids, skip_special_tokens=True), ids, False)
    return Completion(tokenizer.decode(row, skip_special_tokens=True), tuple(row), True)
