"""What GPUs would have to do for a plan, as plain text."""

from collections.abc import Sequence
from typing import Any

from srtbench.cli.plan_groups import page
from srtbench.cli.render import table_text
from srtbench.plan import EvalSetSpec, Plan, RunSpec, StageSpec, cost, estimate
from srtbench.plan.stages import StartModelStage, prompt_count

_COST_HEADER = (
    *("run or stage", "model", "prompt tokens", "completion tokens", "FLOP", "GPU-hours"),
    *("GPUs", "GB each", "least GPUs"),
)


def cost_parts(plan: Plan, assumed: cost.Assumptions, every: bool) -> list[str]:
    """Table, sum and assumptions of the estimated cost; nothing if all models are tiny."""
    works: list[tuple[str, cost.Sampler]] = [
        (run.run_id, run) for run in plan.runs if cost.needs_gpu(run)
    ]
    works += [
        (stage.stage_id, stage)
        for stage in plan.stages
        if isinstance(stage, StartModelStage) and cost.needs_gpu(stage)
        if estimate(stage).rollouts
    ]
    if not works:
        return []
    found = _costs([spec for _, spec in works], assumed)
    costs = [(*work, one) for work, one in zip(works, found, strict=True)]
    shown, more = page(costs, every)
    label = cost.GPUS[assumed.gpu].label
    known = [(spec, found) for _, spec, found in costs if found is not None]
    hours = sum(found.gpu_hours for _, found in known)
    stages = sum(found.gpu_hours for spec, found in known if isinstance(spec, StageSpec))
    flop = sum(found.flop for _, found in known)
    most = "at most " if any(run.train.stop for run in plan.runs) else ""
    parts = [
        "what GPUs would do: a rough model, not calibrated on measured runs (docs/cost.md)",
        table_text(_COST_HEADER, [_cost_row(*one) for one in shown])
        + (f"\n{more}" if more else ""),
    ]
    if known:
        parts.append(
            f"in all: {most}~{_short(hours)} GPU-hours on {label}, of which ~{_short(stages)} in "
            f"shared stages; ~{_short(flop)} FLOP"
        )
    if len(known) < len(costs):
        parts.append(
            f"not counted: {len(costs) - len(known)} of {len(costs)}, whose model's name does not "
            "say its parameters"
        )
    tight = [name for name, _, found in costs if found is not None and not found.fits]
    if tight:
        others = f" and {len(tight) - 3} more" if len(tight) > 3 else ""
        parts.append(
            f"not on {label} as written ({len(tight)} of {len(costs)}): {', '.join(tight[:3])}"
            f"{others}; docs/cost.md says what makes a run smaller"
        )
    return [*parts, _assumptions(assumed)] if known else parts


def _costs(specs: Sequence[cost.Sampler], assumed: cost.Assumptions) -> list[cost.Cost | None]:
    """Of each; runs of one plan that differ only in what costs nothing are estimated once."""
    once: dict[tuple[Any, ...], cost.Cost | None] = {}
    found = []
    for spec in specs:
        key: tuple[Any, ...] = (id(spec),)
        if isinstance(spec, RunSpec):
            key = (id(spec.model), id(spec.train), id(spec.variant), *map(_set_key, spec.eval_sets))
        if key not in once:
            once[key] = cost.cost(spec, assumed)
        found.append(once[key])
    return found


def _set_key(one: EvalSetSpec) -> tuple[Any, ...]:
    """What the cost of an evaluation set depends on."""
    return one.sampling, one.every, one.needs.start is None, prompt_count(one.dataset, one.prompts)


def _assumptions(assumed: cost.Assumptions) -> str:
    gpu = cost.GPUS[assumed.gpu]
    shares = cost.BANDWIDTH_SHARE
    return (
        f"assumed: completions ~{assumed.mean_length:g} of their limit (--mean-length), prompts "
        f"~{assumed.prompt_tokens} tokens (--prompt-length), {gpu.label} (--gpu) with "
        f"{gpu.tflops:g} TFLOP/s, {gpu.gigabytes:g} GB, {gpu.terabytes_per_second:g} TB/s; "
        f"training at {cost.TRAIN_UTILISATION:.0%} of the peak, decoding at {shares['vllm']:.0%} "
        f"of the bandwidth by vLLM and {shares['transformers']:.0%} by transformers"
    )


def _cost_row(name: str, spec: cost.Sampler, found: cost.Cost | None) -> tuple[str, ...]:
    size = cost.model_size(spec.model)
    if size is None or found is None:
        return (name, "unknown", *[""] * 7)
    return (
        name,
        f"~{_short(size.parameters)}",
        f"~{_short(found.prompt_tokens)}",
        f"~{_short(found.completion_tokens)}",
        f"~{_short(found.flop)}",
        f"~{_short(found.gpu_hours)}",
        f"{found.gpus}",
        f"~{_short(found.gigabytes)}",
        "none" if found.least_gpus is None else f"~{found.least_gpus}",
    )


def _short(value: float) -> str:
    """Two digits, which is more than is known: ``7 B``, ``390 M``, ``0.24``, ``4.8e19``."""
    for unit, letter in ((1e12, " T"), (1e9, " B"), (1e6, " M"), (1e3, " k")):
        if unit <= value < 1e15:
            return f"{_two_digits(value / unit)}{letter}"
    return f"{value:.1e}".replace("e+", "e") if value >= 1e15 else _two_digits(value)


def _two_digits(value: float) -> str:
    return f"{round(value)}" if value >= 10 else f"{value:.2g}"
