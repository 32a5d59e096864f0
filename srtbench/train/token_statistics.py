"""Per-token statistics of a policy from what a forward pass has at hand."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch.distributed.tensor import DTensor

from srtbench.models.lora import base_of
from srtbench.variants import TOKEN_STATISTICS


class CompletionStatistics:
    """Means over each completion's tokens, TOKEN_STATISTICS, as the first forward pass gives them.

    A later pass over the same rows, of a policy that was updated meanwhile, changes nothing.

    Args:
        rows: completions of this process.
    """

    def __init__(self, rows: int):
        self._values = {name: torch.full((rows,), math.nan) for name in TOKEN_STATISTICS}

    def lacks(self, rows: torch.Tensor) -> bool:
        """Whether one of the rows is not known yet; rows: (batch,) indices."""
        return bool(self._values["mean_logprob"][rows].isnan().any())

    def note(
        self,
        rows: torch.Tensor,
        mask: torch.Tensor,
        logprobs: torch.Tensor,
        entropies: torch.Tensor,
        certainty: torch.Tensor | None,
    ) -> None:
        """Keep what is new; rows: (batch,) indices, the others (batch, tokens)."""
        found = {"mean_logprob": logprobs, "entropy_nats": entropies}
        if certainty is not None:
            found["self_certainty"] = certainty
        for name, values in found.items():
            means = masked_mean(values.float(), mask).float().cpu()
            new = self._values[name][rows].isnan()
            self._values[name][rows[new]] = means[new]

    def put(self, rows: Sequence[dict[str, float]]) -> None:
        """Keep what was measured before, name -> value of each row."""
        for row, found in enumerate(rows):
            for name, value in found.items():
                self._values[name][row] = value

    def columns(self) -> dict[str, list[float]]:
        """Name -> (rows,), nan where unknown."""
        return {name: values.tolist() for name, values in self._values.items()}


def self_certainty(
    hidden: torch.Tensor,
    token_ids: torch.Tensor,
    logprobs: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    temperature: float,
) -> torch.Tensor:
    """KL(U || p) of each token's distribution, without computing all logits again.

    KL(U || p) = logsumexp(z) - mean(z) - log V with z = logits / temperature (Intuitor, Zhao et
    al. 2025). With a linear head the token's own logit and its log-probability give the
    logsumexp, and the mean of the logits is one product with the mean row of the head.

    Args:
        hidden: (rows, tokens, width) last hidden states that predict ``token_ids``.
        token_ids: (rows, tokens). logprobs: (rows, tokens) their log-probabilities, in nats.
        weight: (vocabulary, width). bias: (vocabulary,) or None.

    Returns:
        (rows, tokens), in nats.
    """
    hidden = hidden.float()
    own = torch.einsum("rtw,rtw->rt", hidden, weight[token_ids].float())
    mean = hidden @ weight.mean(dim=0, dtype=torch.float32)
    if bias is not None:
        own = own + bias.float()[token_ids]
        mean = mean + bias.float().mean()
    logsumexp = own / temperature - logprobs.float()
    return logsumexp - mean / temperature - math.log(weight.shape[0])


def masked_mean(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean over the tokens of each row; (rows, tokens) -> (rows,), nan for a row without any."""
    mask = mask.to(values.dtype)
    return (values * mask).sum(dim=1) / mask.sum(dim=1)


def head_of(model: Any) -> tuple[torch.Tensor, torch.Tensor | None] | None:
    """Weight (vocabulary, width) and bias of the head; None if it is no plain linear layer.

    A sharded one is not plain either.

    The head has no adapters: `srtbench.models.lora` gives it none.
    """
    model = base_of(model)
    head, config = model.get_output_embeddings(), model.config.get_text_config()
    shaped = ("final_logit_softcapping", "logit_scale", "logits_scaling", "lm_head_multiplier")
    weight = getattr(head, "weight", None)
    if (
        weight is None
        or weight.ndim != 2
        or isinstance(weight, DTensor)
        or any(getattr(config, name, None) for name in shaped)
    ):
        return None
    return weight, getattr(head, "bias", None)


def padded(
    rows: Sequence[Sequence[int]], pad: int, device: torch.device, *, left: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and their mask, each (rows, longest), padded on one side."""
    longest = max(len(row) for row in rows)
    gaps = [longest - len(row) for row in rows]
    ids = [
        [pad] * gap + list(row) if left else list(row) + [pad] * gap
        for row, gap in zip(rows, gaps, strict=True)
    ]
    mask = [
        [0] * gap + [1] * (longest - gap) if left else [1] * (longest - gap) + [0] * gap
        for gap in gaps
    ]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)
