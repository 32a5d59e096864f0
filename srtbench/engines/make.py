"""The engines of work that has no trainer: the one that the sweep's `generation:` section names."""

from typing import Any

from srtbench.config.generation import GenerationConfig
from srtbench.engines.base import EngineMaker
from srtbench.engines.transformers import transformers_engines


def make_engines(generation: GenerationConfig | None, tokenizer: Any, seed: int) -> EngineMaker:
    """Engines for models whose weights are in a folder, their `name_or_path`.

    Args:
        generation: None: transformers.
        seed: of what an engine draws when it starts; samplings have seeds of their own.
    """
    if generation is None:
        return transformers_engines(tokenizer)
    from srtbench.engines.vllm import vllm_engines  # vLLM is an extra

    return vllm_engines(tokenizer, generation, seed)
