"""Why vLLM cannot sample a run as its file says, on whatever machine."""

from collections.abc import Iterator

from srtbench.config.misfit import Misfit, misfit
from srtbench.config.models import TinyModel
from srtbench.plan.specs import RunSpec


def engine_problems(run: RunSpec) -> Iterator[Misfit]:
    """One sentence each; none for transformers."""
    generation = run.generation
    if generation is None:
        return
    if run.train.trl.get("use_transformers_continuous_batching"):
        yield misfit(
            "trl.use_transformers_continuous_batching samples with transformers, and "
            "generation.engine is vllm",
            "train.trl.use_transformers_continuous_batching",
        )
    if run.train.lora is not None:
        yield misfit(
            "train.lora with generation.engine: vllm has never been run; leave one of them out",
            "train.lora",
        )
    if run.keep is not None:
        yield misfit(
            f"train.fit.keep = {run.keep} samples between the epochs of a fit, where vLLM has "
            "never been run: keep: last, or generation.engine: transformers",
            "train.fit.keep",
        )
    longest = generation.max_model_len
    if isinstance(run.model, TinyModel):
        positions = run.model.max_length
        if longest is not None and longest > positions:
            yield misfit(
                f"generation.max_model_len = {longest}, but the tiny model has {positions} "
                "positions (max_length)",
                *("generation.max_model_len", "model.max_length"),
            )
        longest = min(longest or positions, positions)
    if longest is None:
        return
    lengths = {"train": run.train.max_completion_length}
    lengths |= {f"eval set {one.label}": one.sampling.max_completion_length for one in run.further}
    for name, length in lengths.items():
        if length >= longest:
            key = "train.max_completion_length" if name == "train" else "eval_sets"
            yield misfit(
                f"{name}: max_completion_length = {length} leaves no room for a prompt in the "
                f"{longest} tokens that vLLM takes (generation.max_model_len)",
                *(key, "generation.max_model_len"),
            )
