"""TRL's DPO with a weight of its own for the loss of each pair, as ScPO has it."""

from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F  # noqa: N812
from trl import DPOTrainer
from trl.trainer.dpo_trainer import DataCollatorForPreference

if TYPE_CHECKING:

    class _Trainer:
        """What is used of TRL's trainer, which has no types."""

        model: Any
        ref_model: Any
        beta: float
        accelerator: Any
        _metrics: dict[str, dict[str, list[float]]]

        def __init__(self, **values: Any): ...
        def add_callback(self, callback: Any) -> None: ...
else:
    _Trainer = DPOTrainer


class _WeightedPairs(DataCollatorForPreference):  # type: ignore[misc]
    """Pads pairs, and keeps their weights beside them."""

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        batch: dict[str, Any] = super().torch_call(examples)
        batch["weight"] = torch.tensor([example["weight"] for example in examples])
        return batch


class WeightedDPOTrainer(_Trainer):
    """Minimises the mean over a batch's pairs of, with y+ chosen, y- rejected and weight w:

        -w log s(b log[p(y+)/p_t(y+)] - b log[p(y-)/p_t(y-)]) - (a w / |y+|) log p(y+)

    Source: ScPO, arXiv 2411.04109, section 3. s is the sigmoid, p the policy, p_t the reference
    model, b ``beta``, a ``nll_weight``, |y+| the number of tokens. TRL 1.16 has no weight of a
    pair, and its `sft` loss is a mean over a batch's tokens; with w = 1 and a = 0 this is its DPO.
    Takes rows of prompt_ids, chosen_ids, rejected_ids and weight.
    """

    nll_weight: float = 0.0

    def __init__(self, **values: Any):
        tokenizer, args = values["processing_class"], values["args"]
        collator = _WeightedPairs(
            pad_token_id=tokenizer.pad_token_id,
            max_length=args.max_length,
            truncation_mode=args.truncation_mode,
            pad_to_multiple_of=args.pad_to_multiple_of,
        )
        super().__init__(data_collator=collator, **values)

    def _prepare_dataset(self, dataset: Any, *_: Any, **__: Any) -> Any:
        return dataset  # tokens already

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> torch.Tensor:
        """The loss of a batch; its first half is chosen, its second half rejected."""
        weights = inputs["weight"]
        chosen, rejected = self._logprobs(model, inputs).chunk(2)
        with torch.no_grad():
            anchor_chosen, anchor_rejected = self._logprobs(self.ref_model, inputs).chunk(2)
        lengths = inputs["completion_mask"][:, 1:].sum(dim=1).chunk(2)[0]
        margin = self.beta * ((chosen - anchor_chosen) - (rejected - anchor_rejected))
        nll = -chosen / lengths.clamp(min=1)
        loss = (weights * (self.nll_weight * nll - F.logsigmoid(margin))).mean()
        self._note(
            {
                "weight": weights,
                "nll": nll,
                "rewards/chosen": self.beta * (chosen - anchor_chosen),
                "rewards/rejected": self.beta * (rejected - anchor_rejected),
                "rewards/margins": margin,
                "rewards/accuracies": (margin > 0).float(),
                "logps/chosen": chosen,
                "logps/rejected": rejected,
            }
        )
        return loss

    def _logprobs(self, model: Any, inputs: dict[str, Any]) -> torch.Tensor:
        """Summed log-probability of each completion's tokens, shape (rows,)."""
        mask = inputs["completion_mask"]
        labels = inputs["input_ids"].masked_fill(mask == 0, -100)
        output = model(
            input_ids=inputs["input_ids"],
            attention_mask=inputs["attention_mask"],
            use_cache=False,
            labels=labels,
            fused_lm_head=True,  # TRL's: log-probabilities of labels without all logits
        )
        summed: torch.Tensor = output.log_probs[:, -(mask.shape[1] - 1) :].sum(dim=1)
        return summed

    def _note(self, values: dict[str, torch.Tensor]) -> None:
        for name, value in values.items():
            mean = self.accelerator.gather(value.detach()).float().mean().item()
            self._metrics["train"][name].append(mean)
