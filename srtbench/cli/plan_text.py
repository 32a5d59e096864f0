"""A plan as plain text: the grid, the shared stages, the estimates."""

from srtbench.cli.render import table_text
from srtbench.plan import Estimate, Plan, StageSpec, cost, estimate
from srtbench.plan.stages import StartModelStage, prompt_count
from srtbench.variants import facts


def plan_text(plan: Plan, assumed: cost.Assumptions | None = None) -> str:
    """The grid, the shared stages and the estimates.

    What GPUs would have to do is estimated for models of the hub and from folders, not for tiny
    ones.
    """
    rows: list[list[str]] = []
    total = Estimate(0, 0)
    for run in plan.runs:
        work = estimate(run)
        total += work
        rows.append(
            [
                run.run_id,
                run.train.algorithm,
                f"{run.train.steps}",
                f"{run.train.prompts_per_step} x {run.train.num_generations}",
                f"{run.train.learning_rate:g}",
                f"{work.rollouts:,}",
                f"{work.completion_tokens:,}",
            ]
        )
    header = ["run", "algorithm", "steps", "group x n", "lr", "rollouts", "tokens <="]
    if any(run.part for run in plan.runs):
        header = ["part", *header]
        rows = [[run.part or "", *row] for run, row in zip(plan.runs, rows, strict=True)]
    parts = [f"sweep {plan.name}: {len(plan.runs)} runs", table_text(header, rows)]
    shared = [run.run_id for run in plan.runs if run.trains_on_eval_prompts]
    parts += [f"trains on its evaluation prompts, on purpose: {run_id}" for run_id in shared]
    gold = [run.run_id for run in plan.runs if facts(run.variant).uses_gold]
    parts += [f"uses gold: rewards depend on the hidden answers: {run_id}" for run_id in gold]
    parts += _stops(plan)
    parts += [
        f"evaluated on prompts that a stage before it trained on ({other}): {run_id}"
        for run_id, other in _trained_before(plan)
    ]
    chains = [
        (run.run_id, run.starts_from.rule, run.starts_from.run_id)
        for run in plan.runs
        if run.starts_from is not None
    ]
    if chains:
        parts.append(table_text(("run of a curriculum", "starts from", "of the run"), chains))
    stage_rows = []
    for stage in plan.stages:
        users = sum(stage.stage_id in run.stages for run in plan.runs)
        work = estimate(stage)
        total += work
        stage_rows.append(
            (stage.stage_id, f"{users}", f"{work.rollouts:,}", f"{work.completion_tokens:,}")
        )
    parts += [
        f"{len(plan.stages)} shared stages, each computed once",
        table_text(("stage", "used by runs", "rollouts", "tokens <="), stage_rows),
        f"in all: {'at most ' if any(run.train.stop for run in plan.runs) else ''}"
        f"{total.rollouts:,} rollouts, at most {total.completion_tokens:,} completion "
        "tokens (a warm start's supervised steps not counted)",
    ]
    parts += [
        f"not counted: evaluation set {name}, all of it; how many prompts that is, its entry does "
        "not say (give `prompts`)"
        for name in _uncounted(plan)
    ]
    parts += _cost_parts(plan, assumed or cost.Assumptions())
    return "\n\n".join(parts)


def _stops(plan: Plan) -> list[str]:
    """Which runs may end before their last step, and by what."""
    ways = dict.fromkeys(run.train.stop for run in plan.runs if run.train.stop is not None)
    lines = []
    for stop in ways:
        runs = [run.run_id for run in plan.runs if run.train.stop == stop]
        gold = stop.labelled_prompts is not None
        text = f"may stop early, by {stop.label} (patience {stop.patience})"
        text += ", which uses gold: " if gold else ": "
        lines.append(text + ", ".join(runs))
    if ways:
        lines.append("rollouts, tokens and cost of these runs are the most there can be")
    return lines


def _trained_before(plan: Plan) -> list[tuple[str, str]]:
    """Runs of curricula, each with a run before it that trained on its evaluation prompts."""
    found = []
    for run in plan.runs:
        before = [one for one in plan.before(run) if one.trains_on_eval_prompts]
        same = [one.run_id for one in before if one.dataset == run.dataset]
        if same and not run.trains_on_eval_prompts:
            found.append((run.run_id, same[-1]))
    return found


def _uncounted(plan: Plan) -> list[str]:
    """Evaluation sets whose size no plan can know."""
    sets = {
        one.label: prompt_count(one.dataset, one.prompts)
        for run in plan.runs
        for one in run.eval_sets
    }
    return [label for label, count in sets.items() if not count]


_COST_HEADER = (
    *("run or stage", "model", "prompt tokens", "completion tokens", "FLOP", "GPU-hours"),
    *("GPUs", "GB each", "least GPUs"),
)


def _cost_parts(plan: Plan, assumed: cost.Assumptions) -> list[str]:
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
    costs = [(name, spec, cost.cost(spec, assumed)) for name, spec in works]
    label = cost.GPUS[assumed.gpu].label
    known = [(spec, found) for _, spec, found in costs if found is not None]
    hours = sum(found.gpu_hours for _, found in known)
    stages = sum(found.gpu_hours for spec, found in known if isinstance(spec, StageSpec))
    flop = sum(found.flop for _, found in known)
    most = "at most " if any(run.train.stop for run in plan.runs) else ""
    parts = [
        "what GPUs would do: a rough model, not calibrated on measured runs (docs/cost.md)",
        table_text(_COST_HEADER, [_cost_row(name, spec, found) for name, spec, found in costs]),
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
        more = f" and {len(tight) - 3} more" if len(tight) > 3 else ""
        parts.append(
            f"not on {label} as written ({len(tight)} of {len(costs)}): {', '.join(tight[:3])}"
            f"{more}; docs/cost.md says what makes a run smaller"
        )
    return [*parts, _assumptions(assumed)] if known else parts


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
