"""Load the start model of a run."""

import logging
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

from srtbench.config.models import HubModel, LocalModel, ModelConfig, TinyModel

logger = logging.getLogger(__name__)

_NEEDED = ["*.json", "*.safetensors", "*.jinja", "*.model", "*.txt", "*.tiktoken"]
"""Files of a repository that loading needs: no other formats of the same weights."""

_OLD_WEIGHTS = [*_NEEDED, "*.bin"]
"""And of a repository without safetensors."""

_NOT_NEEDED = ["*/*.safetensors", "*/*.bin", "consolidated*"]
"""Further copies of the weights, which some repositories have."""


class ModelError(RuntimeError):
    """A model cannot be loaded; the message names it."""


def load_policy(model: ModelConfig, start: Path | None = None) -> tuple[Any, Any]:
    """The start model and its tokenizer.

    Args:
        model: entry of `models:`.
        start: folder of the weights to start from, where they are not the entry's own: a tiny
            model's warm start, a converted GGUF file, the policy of the run before.

    Raises:
        ModelError: the model does not exist or cannot be read.
    """
    place, options = _source(model, start)
    try:
        tokenizer = AutoTokenizer.from_pretrained(place)
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


def convert_gguf(model: LocalModel, target: Path) -> None:
    """Write the weights of a GGUF file, dequantized, and its tokenizer into ``target``.

    A quantized model cannot be trained, and a trainer loads its reference model from a folder.

    Raises:
        ModelError: the file does not exist or cannot be read.
    """
    if not Path(model.path, model.gguf_file or "").is_file():
        raise ModelError(f"model file '{Path(model.path, model.gguf_file or '')}' does not exist")
    try:
        tokenizer = AutoTokenizer.from_pretrained(model.path, gguf_file=model.gguf_file)
        policy = AutoModelForCausalLM.from_pretrained(
            model.path,
            gguf_file=model.gguf_file,
            dtype=getattr(torch, model.dtype),
            quantization_config=GgufConfig(dequantize=True),
        )
    except ImportError as error:
        raise ModelError(
            f"reading GGUF files needs: pip install 'srtbench[gguf]' ({error})"
        ) from error
    except (OSError, ValueError) as error:
        raise ModelError(f"model '{model.label}' cannot be loaded: {error}") from error
    policy.save_pretrained(target)
    tokenizer.save_pretrained(target)


def snapshot(model: HubModel) -> Path:
    """Folder of the files of a hub model, of its commit alone; downloaded where it is missing.

    Everything loads from this folder and nothing by the id: TRL loads its reference model, and vLLM
    its copy, from the place that the policy names, and neither is told of a revision.

    Raises:
        ModelError: they cannot be had.
    """
    if Path(model.id).is_dir():
        return Path(model.id)
    revision = model.commit or model.revision
    options: dict[str, Any] = {"revision": revision, "ignore_patterns": _NOT_NEEDED}
    try:
        place = Path(snapshot_download(model.id, allow_patterns=_NEEDED, **options))
        if not any(place.glob("*.safetensors")):
            place = Path(snapshot_download(model.id, allow_patterns=_OLD_WEIGHTS, **options))
    except Exception as error:  # no network, no such repository, no access, a full disk
        reason = " ".join(str(error).split())
        raise ModelError(f"model '{model.id}' cannot be downloaded: {reason}") from error
    logger.info("model %s: commit %s", model.id, place.name)
    return place


def _source(model: ModelConfig, start: Path | None) -> tuple[str, dict[str, Any]]:
    if isinstance(model, TinyModel):
        if start is None:
            raise ModelError("a tiny model needs its warm start")
        return str(start), {"dtype": torch.float32}
    options: dict[str, Any] = {"dtype": getattr(torch, model.dtype)}
    if model.attn_implementation:
        options["attn_implementation"] = model.attn_implementation
    if start is not None:
        return str(start), options
    if isinstance(model, HubModel):
        return str(snapshot(model)), options
    if not Path(model.path).is_dir():
        raise ModelError(f"model folder '{model.path}' does not exist")
    return model.path, options
