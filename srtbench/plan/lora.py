"""Why a run's adapters could not be made, found before anything is loaded."""

import functools
import json
import struct
from collections.abc import Iterator
from pathlib import Path

from srtbench.config.lora import LoraConfig, peft_is_missing
from srtbench.config.misfit import Misfit, misfit
from srtbench.config.models import LocalModel, ModelConfig, TinyModel
from srtbench.config.train import TrainConfig

_TINY = (
    *("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj"),
    *("mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"),
)
"""Linear layers of a decoder layer of a tiny model, of either architecture."""

_HEADER = 1 << 26
"""Bytes of the longest header of a file of tensors that is read."""


def lora_problems(model: ModelConfig, train: TrainConfig, *, after_lora: bool) -> Iterator[Misfit]:
    """Why `train.lora` cannot be had, as far as the files that are here tell.

    Args:
        model: its paths are absolute.
        after_lora: whether the run starts from the policy of one that trains adapters.
    """
    lora = train.lora
    if lora is None:
        if after_lora and train.beta > 0 and train.rounds is None:
            yield misfit(
                "train.beta above 0 without train.lora after a stage with it: the reference model "
                "would be loaded without that stage's adapters; keep train.lora, or set beta: 0",
                *("train.lora", "train.beta"),
            )
        return
    if peft_is_missing():
        yield misfit(
            "train.lora needs the package peft: pip install 'srtbench[lora]'", "train.lora"
        )
    if train.trl.get("sync_ref_model"):
        yield misfit(
            "trl.sync_ref_model with train.lora: there is no reference model to move, only the "
            "model without its adapters",
            "train.trl.sync_ref_model",
        )
    known = _linear_layers(model)
    if known is not None and (problem := missing_targets(lora, known)):
        yield misfit(f"train.lora.targets: {problem}", "train.lora.targets", "train.lora")


def missing_targets(lora: LoraConfig, known: tuple[str, ...]) -> str:
    """Which targets are no linear layer of a model, and which there are; empty: all are.

    Args:
        known: full names of its linear layers, without the output head.
    """
    alone = [lora.model_copy(update={"targets": (target,)}) for target in lora.targets]
    wrong = [one.targets[0] for one in alone if not any(map(one.covers, known))]
    if not wrong:
        return ""
    found = ", ".join(dict.fromkeys(name.rsplit(".", 1)[-1] for name in known))
    names = " and ".join(f"'{name}'" for name in wrong)
    return (
        f"the model has no linear layer {names} besides its output head; it has: "
        f"{found or 'none that an adapter could be given'}"
    )


def _linear_layers(model: ModelConfig) -> tuple[str, ...] | None:
    """Full names of its linear layers but the output head; None if no file here says them."""
    if isinstance(model, TinyModel):
        return tuple(f"model.layers.{n}.{name}" for n in range(model.num_layers) for name in _TINY)
    if not isinstance(model, LocalModel) or model.gguf_file or not Path(model.path).is_dir():
        return None
    return _of_folder(Path(model.path))


@functools.cache
def _of_folder(folder: Path) -> tuple[str, ...] | None:
    """Matrices in its files of tensors, embeddings and the output head left out."""
    names: set[str] = set()
    for file in sorted(folder.glob("*.safetensors")):
        found = _matrices(file)
        if found is None:
            return None
        names |= found
    if not names:
        return None
    return tuple(sorted(name for name in names if not _is_no_layer(name)))


def _is_no_layer(name: str) -> bool:
    """Embeddings and heads, which carry these names in every architecture of transformers."""
    last = name.rsplit(".", 1)[-1]
    return last in {"lm_head", "wte", "wpe", "embed_out"} or "embed" in last


def _matrices(file: Path) -> set[str] | None:
    """Names of modules with a matrix of weights in a safetensors file; None if it is none."""
    try:
        with file.open("rb") as source:
            (length,) = struct.unpack("<Q", source.read(8))
            if length > _HEADER:
                return None
            header = json.loads(source.read(length))
        return {
            name.removesuffix(".weight")
            for name, one in header.items()
            if name.endswith(".weight") and len(one["shape"]) == 2
        }
    except (OSError, ValueError, struct.error, AttributeError, LookupError, TypeError):
        return None  # loading it will say what is wrong
