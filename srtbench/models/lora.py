"""Low-rank adapters of a policy, through peft: made, read, merged, and seen through.

peft is needed where a run has them, and imported by nothing else.
"""

from pathlib import Path
from typing import Any

import torch

from srtbench.config.lora import ALL_LINEAR, LoraConfig
from srtbench.models.load import ModelError
from srtbench.plan.lora import missing_targets
from srtbench.store.checkpoints import ADAPTER_CONFIG


def is_adapter(place: Path) -> bool:
    """Whether a folder of a policy holds its adapters alone, as `save_pretrained` writes them."""
    return (place / ADAPTER_CONFIG).is_file()


def base_of(model: Any) -> Any:
    """The model of transformers itself, out of peft's wrappers if it has any."""
    inside = getattr(model, "get_base_model", None)
    return model if inside is None else inside()


def decoder_of(model: Any) -> Any:
    """The decoder, which gives hidden states (rows, tokens, width)."""
    return base_of(model).base_model


def peft_config(policy: Any, lora: LoraConfig) -> Any:
    """What peft is told of the adapters of a policy.

    Raises:
        ModelError: the policy lacks a target; the message names what it has.
    """
    import peft

    known = _linear_layers(policy)
    if problem := missing_targets(lora, known):
        raise ModelError(f"train.lora.targets: {problem}")
    return peft.LoraConfig(
        task_type="CAUSAL_LM",
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        use_rslora=lora.rslora,
        target_modules=ALL_LINEAR if lora.targets == (ALL_LINEAR,) else list(lora.targets),
    )


def with_adapters(policy: Any, lora: LoraConfig, seed: int) -> Any:
    """The policy with fresh adapters, which change nothing yet; they are put into it in place.

    The global random state stays as it is.
    """
    import peft

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return peft.get_peft_model(policy, peft_config(policy, lora))


def with_adapters_of(policy: Any, place: Path) -> Any:
    """The policy with the adapters of a folder, to be trained further.

    Raises:
        ModelError: they cannot be read, or are no adapters of this model.
    """
    import peft

    try:
        return peft.PeftModel.from_pretrained(policy, place, is_trainable=True)
    except (OSError, ValueError, RuntimeError) as error:
        raise ModelError(f"adapters '{place}' cannot be loaded: {error}") from error


def merged(policy: Any, place: Path) -> Any:
    """The model with the adapters of a folder added into its weights; needs no peft from then on.

    Raises:
        ModelError: as `with_adapters_of`.
    """
    plain = with_adapters_of(policy, place).merge_and_unload(safe_merge=True)
    return plain.requires_grad_(True)  # as any model that was loaded: peft had frozen it


def _linear_layers(policy: Any) -> tuple[str, ...]:
    """Full names of its linear layers but the output head, of those kinds that peft knows here."""
    from transformers.pytorch_utils import Conv1D

    head = policy.get_output_embeddings()
    return tuple(
        name
        for name, module in policy.named_modules()
        if isinstance(module, torch.nn.Linear | Conv1D) and module is not head
    )
