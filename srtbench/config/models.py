"""The `models:` axis: which policy is trained."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator

from srtbench.config.hub import Commit
from srtbench.config.train import EvalOverride, TrainOverride
from srtbench.sections import FilePath, Name, NotInId, Section, slug

LETTERS = "abcdefghijklmnopqrstuvwxyz"
DIGITS = "0123456789"
DEFAULT_ALPHABET = LETTERS + LETTERS.upper() + DIGITS + " =+-*/.,:;?()[]<>#'"


class ModelBase(Section):
    """What every model entry may carry."""

    name: Annotated[Name | None, NotInId()] = Field(None, description="label in tables and run ids")
    train: Annotated[TrainOverride, NotInId()] = Field(
        default_factory=TrainOverride, description="overrides of `train`"
    )
    eval: Annotated[EvalOverride, NotInId()] = Field(
        default_factory=EvalOverride, description="overrides of `eval`"
    )


class WarmStart(Section):
    """Supervised training that gives a random tiny model its start accuracy."""

    max_steps: int = Field(600, ge=1, description="optimiser steps at most")
    batch_size: int = Field(256, ge=1, description="targets per step")
    learning_rate: float = Field(3e-3, gt=0, description="of AdamW")
    target_accuracy: float = Field(
        0.6,
        ge=0,
        le=1,
        description="stop once avg@k on held-out warm-start prompts reaches this; 0: at the first "
        "check",
    )
    check_every: int = Field(10, ge=1, description="steps between two accuracy checks")
    check_prompts: int = Field(128, ge=8, description="held-out prompts of a check")
    check_samples: int = Field(4, ge=1, description="completions per prompt of a check")
    seed: int | Literal["run"] = Field(
        0, description="'run': each seed of the sweep has a start model of its own"
    )

    @field_validator("seed", mode="before")
    @classmethod
    def _check_seed(cls, seed: Any) -> Any:
        if seed != "run" and (isinstance(seed, bool) or not isinstance(seed, int) or seed < 0):
            raise ValueError("a seed is a whole number from 0, or the word run")
        return seed


class TinyModel(ModelBase):
    """A randomly initialised character-level decoder, warm-started by supervised training."""

    type: Literal["tiny"] = "tiny"
    architecture: Literal["qwen3", "llama"] = Field("qwen3", description="of transformers")
    hidden_size: int = Field(64, ge=8, description="width")
    intermediate_size: int = Field(256, ge=8, description="width of the feed-forward layers")
    num_layers: int = Field(3, ge=1, description="decoder layers")
    num_heads: int = Field(4, ge=1, description="attention heads of a layer")
    max_length: int = Field(256, ge=8, description="positions, in tokens")
    alphabet: str = Field(DEFAULT_ALPHABET, min_length=2, description="characters with a token")
    words: tuple[str, ...] = Field(
        ("\\boxed{", "}"), description="strings of more than one character, or braces, with a token"
    )
    warm_start: WarmStart = Field(
        default_factory=WarmStart, description="how it gets its start accuracy"
    )

    @property
    def label(self) -> str:
        """Name in tables."""
        return self.name or "tiny"


Dtype = Literal["float32", "bfloat16", "float16"]
_DTYPE = "type of the trained weights; mixed precision is trl.bf16, on by default where it works"
_ATTENTION = "attention of transformers, e.g. sdpa; null: its choice"
_FORMAT = "auto: the chat template if the tokenizer has one"


class HubModel(ModelBase):
    """A model of the Hugging Face hub, or of its local cache."""

    type: Literal["hub"] = "hub"
    id: str = Field(min_length=1, description="repository id, e.g. Qwen/Qwen2.5-Math-7B")
    revision: str | None = Field(None, description="branch, tag or commit")
    commit: Commit = None
    dtype: Dtype = Field("float32", description=_DTYPE)
    attn_implementation: str | None = Field(None, description=_ATTENTION)
    prompt_format: Literal["auto", "chat", "plain"] = Field("auto", description=_FORMAT)

    @property
    def label(self) -> str:
        """Name in tables."""
        return self.name or slug(self.id.split("/")[-1])


class LocalModel(ModelBase):
    """A model folder on disk in the transformers format, or a GGUF file inside it."""

    type: Literal["local"] = "local"
    path: Annotated[str, FilePath()] = Field(
        min_length=1, description="folder, relative to the sweep file"
    )
    gguf_file: str | None = Field(None, description="GGUF file name inside `path`")
    dtype: Dtype = Field("float32", description=_DTYPE)
    attn_implementation: str | None = Field(None, description=_ATTENTION)
    prompt_format: Literal["auto", "chat", "plain"] = Field("auto", description=_FORMAT)

    @property
    def label(self) -> str:
        """Name in tables."""
        return self.name or slug(self.path.rstrip("/").split("/")[-1])


def _expand(entry: Any) -> Any:
    """Short forms: ``tiny``; a path (starts with '.', '/', '~'); with a '/', a hub id."""
    if not isinstance(entry, str):
        return entry
    if entry.startswith((".", "/", "~")):
        return {"type": "local", "path": entry}
    if "/" in entry:
        return {"type": "hub", "id": entry}
    return {"type": entry}


_Model = Annotated[TinyModel | HubModel | LocalModel, Field(discriminator="type")]
ModelConfig = Annotated[_Model, BeforeValidator(_expand, json_schema_input_type=str | _Model)]
