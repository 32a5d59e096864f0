"""Load the start model of a run."""

from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from srtbench.config.models import HubModel, LocalModel, ModelConfig, TinyModel


class ModelError(RuntimeError):
    """A model cannot be loaded; the message names it."""


def load_policy(model: ModelConfig, warm_start: Path | None = None) -> tuple[Any, Any]:
    """The start model and its tokenizer.

    Args:
        model: entry of `models:`.
        warm_start: folder of the warm-started weights of a tiny model.

    Raises:
        ModelError: the model does not exist or cannot be read.
    """
    place, options = _source(model, warm_start)
    loading = {key: options[key] for key in ("revision", "gguf_file") if key in options}
    try:
        tokenizer = AutoTokenizer.from_pretrained(place, **loading)
        policy = AutoModelForCausalLM.from_pretrained(place, **options)
    except (OSError, ValueError, ImportError) as error:
        raise ModelError(f"model '{place}' cannot be loaded: {error}") from error
    tokenizer.padding_side = "left"
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return policy, tokenizer


def uses_chat(model: ModelConfig, tokenizer: Any) -> bool:
    """Whether prompts go through the chat template.

    Raises:
        ModelError: a chat is asked for, but the tokenizer has no template.
    """
    if isinstance(model, TinyModel) or model.prompt_format == "plain":
        return False
    has_template = bool(getattr(tokenizer, "chat_template", None))
    if model.prompt_format == "chat" and not has_template:
        raise ModelError(
            f"model '{model.label}': prompt_format is 'chat', but its tokenizer has no template"
        )
    return has_template


def _source(model: ModelConfig, warm_start: Path | None) -> tuple[str, dict[str, Any]]:
    if isinstance(model, TinyModel):
        if warm_start is None:
            raise ModelError("a tiny model needs its warm start")
        return str(warm_start), {"dtype": torch.float32}
    options: dict[str, Any] = {"dtype": getattr(torch, model.dtype)}
    if model.attn_implementation:
        options["attn_implementation"] = model.attn_implementation
    if isinstance(model, HubModel):
        if model.revision:
            options["revision"] = model.revision
        return model.id, options
    assert isinstance(model, LocalModel)
    if not Path(model.path).is_dir():
        raise ModelError(f"model folder '{model.path}' does not exist")
    if model.gguf_file:
        options["gguf_file"] = model.gguf_file
    return model.path, options
