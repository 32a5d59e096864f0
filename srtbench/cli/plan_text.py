"""A plan as plain text: the grid, the shared stages, the estimates."""

from collections import Counter
from collections.abc import Sequence

from srtbench.cli.cost_text import cost_parts
from srtbench.cli.plan_groups import PAGE, WORK, page, run_groups, sentences, stage_groups
from srtbench.cli.render import table_text
from srtbench.config.stop import StopConfig
from srtbench.config.words import counted
from srtbench.plan import Estimate, Plan, cost, estimate
from srtbench.plan.estimate import estimates
from srtbench.plan.once import Once
from srtbench.plan.stages import prompt_count
from srtbench.variants import facts


def plan_text(plan: Plan, assumed: cost.Assumptions | None = None, *, every: bool = False) -> str:
    """The grid, the shared stages and the estimates.

    What GPUs would have to do is estimated for models of the hub and from folders, not for tiny
    ones.

    Args:
        every: list every run and stage, however many; else a large plan is grouped.
    """
    work = estimates(plan.runs)
    parts = [
        f"sweep {plan.name}: {counted(len(plan.runs), 'run')}",
        *_table(*_run_rows(plan, work, every), every),
    ]
    shared = [run.run_id for run in plan.runs if run.trains_on_eval_prompts]
    parts += sentences("trains on its evaluation prompts, on purpose", shared, every)
    once = Once()
    gold = [run.run_id for run in plan.runs if once(facts, run.variant).uses_gold]
    parts += sentences("uses gold: rewards depend on the hidden answers", gold, every)
    parts += _stops(plan, every)
    parts += _keeps(plan, every)
    parts += _trained_before(plan, every)
    chains = [
        (run.run_id, run.starts_from.rule, run.starts_from.run_id)
        for run in plan.runs
        if run.starts_from is not None
    ]
    if chains:
        parts += _table(("run of a curriculum", "starts from", "of the run"), chains, every)
    stage_work = [estimate(stage) for stage in plan.stages]
    total = sum((*work, *stage_work), Estimate(0, 0))
    parts += [
        f"{counted(len(plan.stages), 'shared stage')}, each computed once",
        *_table(*_stage_rows(plan, stage_work, every), every),
        f"in all: {'at most ' if any(run.train.stop for run in plan.runs) else ''}"
        f"{counted(total.rollouts, 'rollout')}, at most {total.completion_tokens:,} completion "
        "tokens (a warm start's supervised steps not counted)",
    ]
    parts += [
        f"not counted: evaluation set {name}, all of it; how many prompts that is, its entry does "
        "not say (give `prompts`)"
        for name in _uncounted(plan)
    ]
    parts += cost_parts(plan, assumed or cost.Assumptions(), every)
    return "\n\n".join(parts)


def _run_rows(
    plan: Plan, work: Sequence[Estimate], every: bool
) -> tuple[Sequence[str], list[list[str]]]:
    """Header and rows: a row for each run, or for groups of them."""
    if len(plan.runs) > PAGE and not every:
        return run_groups(plan.runs, work)
    has_parts = any(run.part for run in plan.runs)
    rows = [
        [
            *([run.part or ""] if has_parts else []),
            run.run_id,
            run.train.algorithm,
            f"{run.train.steps}",
            f"{run.train.prompts_per_step} x {run.train.num_generations}",
            f"{run.train.learning_rate:g}",
            f"{done.rollouts:,}",
            f"{done.completion_tokens:,}",
        ]
        for run, done in zip(plan.runs, work, strict=True)
    ]
    return [*(["part"] if has_parts else []), "run", *WORK], rows


def _stage_rows(
    plan: Plan, work: Sequence[Estimate], every: bool
) -> tuple[Sequence[str], list[list[str]]]:
    """The same of the shared stages."""
    users = Counter(stage_id for run in plan.runs for stage_id in {*run.stages})
    if len(plan.stages) > PAGE and not every:
        return stage_groups(plan.stages, work, users)
    rows = [
        [
            stage.stage_id,
            f"{users[stage.stage_id]}",
            f"{done.rollouts:,}",
            f"{done.completion_tokens:,}",
        ]
        for stage, done in zip(plan.stages, work, strict=True)
    ]
    return ["stage", "used by runs", "rollouts", "tokens <="], rows


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], every: bool) -> list[str]:
    """A table of a page at most, and a line on what is left out."""
    shown, more = page(rows, every)
    return [table_text(header, shown) + (f"\n{more}" if more else "")]


def _stops(plan: Plan, every: bool) -> list[str]:
    """Which runs may end before their last step, and by what."""
    ways: dict[StopConfig, list[str]] = {}
    for run in plan.runs:
        if run.train.stop is not None:
            ways.setdefault(run.train.stop, []).append(run.run_id)
    lines = []
    for stop, runs in ways.items():
        gold = ", which uses gold" if stop.labelled_prompts is not None else ""
        text = f"may stop early, by {stop.label} (patience {stop.patience}){gold}"
        lines += sentences(text, runs, every)
    if ways:
        lines.append("rollouts, tokens and cost of these runs are the most there can be")
    return lines


_KEEPS = {
    "vote_share": "each fit keeps the epoch with the highest vote share on held-out prompts",
    "gold": "uses gold: each fit keeps the epoch that is best by the answers of held-out prompts",
}


def _keeps(plan: Plan, every: bool) -> list[str]:
    """Which runs choose among the epochs of their fits, and by what."""
    lines = []
    for rule, text in _KEEPS.items():
        lines += sentences(text, [run.run_id for run in plan.runs if run.keep == rule], every)
    return lines


def _trained_before(plan: Plan, every: bool) -> list[str]:
    """Sentences on runs of curricula after one that trained on their evaluation prompts."""
    found: dict[str, list[str]] = {}
    for run in plan.runs:
        if run.starts_from is None:
            continue
        before = [one for one in plan.before(run) if one.trains_on_eval_prompts]
        same = [one.run_id for one in before if one.dataset == run.dataset]
        if same and not run.trains_on_eval_prompts:
            found.setdefault(same[-1], []).append(run.run_id)
    text = "evaluated on prompts that a stage before it trained on"
    return [
        sentence
        for other, run_ids in found.items()
        for sentence in sentences(f"{text} ({other})", run_ids, every)
    ]


def _uncounted(plan: Plan) -> list[str]:
    """Evaluation sets whose size no plan can know."""
    different = {id(one): one for run in plan.runs for one in run.eval_sets}.values()
    sets = {one.label: prompt_count(one.dataset, one.prompts) for one in different}
    return [label for label, count in sets.items() if not count]
