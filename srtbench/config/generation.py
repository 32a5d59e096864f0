"""The `generation:` section: which engine samples, in training, evaluation and votes alike."""

from typing import Literal, Self

from pydantic import Field, model_validator

from srtbench.config.models import Dtype
from srtbench.sections import Section

CPU_HEAD_SIZES = (32, 64, 80, 96, 112, 128, 160, 192, 224, 256, 512)
"""Widths of an attention head that vLLM's attention for CPUs takes, as of vLLM 0.30."""

EngineName = Literal["transformers", "vllm"]


class GenerationConfig(Section):
    """What generates completions. Every value enters the run id, but not with transformers.

    The keys beside ``engine`` are of vLLM, under its own names.
    """

    engine: EngineName = Field(
        "transformers", description="of training, every evaluation, votes and rounds"
    )
    dtype: Dtype | None = Field(
        None, description="weights of vLLM's copy of the policy; null: the model's own dtype"
    )
    max_model_len: int | None = Field(
        None, ge=2, description="tokens of prompt and completion; null: what the model can"
    )
    gpu_memory_utilization: float = Field(
        0.3,
        gt=0,
        le=1,
        description="share of a GPU that vLLM takes, weights included; not looked at on CPU",
    )
    kv_cache_gib: float = Field(
        1.0, gt=0, description="memory for keys and values on CPU, in GiB; not looked at on GPUs"
    )
    enforce_eager: bool | None = Field(
        None, description="no compiled graphs; null: true on CPU, where compiling takes a minute"
    )
    enable_sleep_mode: bool = Field(
        False, description="GPUs only: vLLM gives its memory back while the policy is trained"
    )

    @model_validator(mode="after")
    def _of_vllm(self) -> Self:
        fields = type(self).model_fields
        given = [name for name in fields if getattr(self, name) != fields[name].default]
        if self.engine == "transformers" and given:
            raise ValueError(f"{given[0]} is an option of `engine: vllm`")
        return self

    @property
    def in_plan(self) -> "GenerationConfig | None":
        """What runs and stages carry: nothing for transformers, so that their ids stay."""
        return None if self.engine == "transformers" else self
