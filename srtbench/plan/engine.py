"""Why vLLM cannot sample a run as its file says, on whatever machine."""

from collections.abc import Iterator

from srtbench.config.models import TinyModel
from srtbench.plan.specs import RunSpec


def engine_problems(run: RunSpec) -> Iterator[str]:
    """One sentence each; none for transformers."""
    generation = run.generation
    if generation is None:
        return
    if run.train.trl.get("use_transformers_continuous_batching"):
        yield (
            "trl.use_transformers_continuous_batching samples with transformers, and "
            "generation.engine is vllm"
        )
    if run.train.lora is not None:
        yield "train.lora with generation.engine: vllm has never been run; leave one of them out"
    if run.keep is not None:
        yield (
            f"train.fit.keep = {run.keep} samples between the epochs of a fit, where vLLM has "
            "never been run: keep: last, or generation.engine: transformers"
        )
    longest = generation.max_model_len
    if isinstance(run.model, TinyModel):
        positions = run.model.max_length
        if longest is not None and longest > positions:
            yield (
                f"generation.max_model_len = {longest}, but the tiny model has {positions} "
                "positions (max_length)"
            )
        longest = min(longest or positions, positions)
    if longest is None:
        return
    lengths = {"train": run.train.max_completion_length}
    lengths |= {f"eval set {one.label}": one.sampling.max_completion_length for one in run.further}
    for name, length in lengths.items():
        if length >= longest:
            yield (
                f"{name}: max_completion_length = {length} leaves no room for a prompt in the "
                f"{longest} tokens that vLLM takes (generation.max_model_len)"
            )
