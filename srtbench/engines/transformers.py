"""Completions from a transformers model in this process."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from srtbench.engines.base import Completion, EngineMaker, end_tokens


class TransformersEngine:
    """An `Engine` over a model that is in memory, in training or not.

    The mode of the model is the same after each use as before.

    Args:
        batch_size: completions at once. The texts depend on it: a batch shares random numbers.
    """

    def __init__(self, model: Any, tokenizer: Any, batch_size: int):
        self._model = model
        self._tokenizer = tokenizer
        self._batch_size = batch_size
        self._ends = end_tokens(model, tokenizer)

    @torch.no_grad()
    def sample(
        self,
        prompts: Sequence[Sequence[int]],
        *,
        samples: int,
        temperature: float,
        max_completion_length: int,
        seed: int,
    ) -> Iterator[list[Completion]]:
        """See `Engine`."""
        per_batch = max(1, self._batch_size // samples)
        was_training = self._model.training
        self._model.eval()
        try:
            for start in range(0, len(prompts), per_batch):
                batch = prompts[start : start + per_batch]
                with torch.random.fork_rng():
                    torch.manual_seed(seed * 1_000_003 + start)
                    rows = self._generate(batch, samples, temperature, max_completion_length)
                for index in range(len(batch)):
                    group = rows[index * samples : (index + 1) * samples]
                    yield [self._completion(row) for row in group]
        finally:
            self._model.train(was_training)

    def _generate(
        self,
        batch: Sequence[Sequence[int]],
        samples: int,
        temperature: float,
        max_completion_length: int,
    ) -> list[list[int]]:
        longest = max(len(ids) for ids in batch)
        pad = self._tokenizer.pad_token_id
        input_ids = torch.tensor([[pad] * (longest - len(ids)) + list(ids) for ids in batch])
        mask = torch.tensor([[0] * (longest - len(ids)) + [1] * len(ids) for ids in batch])
        output = self._model.generate(
            input_ids=input_ids.to(self._model.device),
            attention_mask=mask.to(self._model.device),
            **_decoding(temperature),
            num_return_sequences=samples,
            max_new_tokens=max_completion_length,
            pad_token_id=pad,
            eos_token_id=self._ends,
        )
        rows: list[list[int]] = output[:, longest:].tolist()
        return rows

    def _completion(self, row: Sequence[int]) -> Completion:
        """Cut a row after its first end token."""
        end = next((place for place, token in enumerate(row) if token in self._ends), None)
        ids = tuple(row if end is None else row[: end + 1])
        text = self._tokenizer.decode(ids, skip_special_tokens=True)
        return Completion(text, ids, truncated=end is None)


def _decoding(temperature: float) -> dict[str, Any]:
    """Options of ``generate``: the plain distribution at a temperature, or its most likely token.

    What a model's own generation config says of sampling is overruled either way.
    """
    if temperature == 0:
        return {"do_sample": False, "temperature": 1.0, "top_k": 50, "top_p": 1.0}
    return {"do_sample": True, "temperature": temperature, "top_k": 0, "top_p": 1.0}


def transformers_engines(tokenizer: Any) -> EngineMaker:
    """Engines that sample a model where it is."""
    return lambda model, batch_size: TransformersEngine(model, tokenizer, batch_size)
