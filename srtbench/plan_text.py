"""A plan, and the state of a sweep, as plain text."""

from collections.abc import Iterable, Sequence

from srtbench.plan import Estimate, Plan, estimate
from srtbench.store import SweepStore


def plan_text(plan: Plan) -> str:
    """The grid, the shared stages and the estimates."""
    rows = []
    total = Estimate(0, 0)
    for run in plan.runs:
        work = estimate(run)
        total += work
        rows.append(
            (
                run.run_id,
                run.train.algorithm,
                f"{run.train.steps}",
                f"{run.train.prompts_per_step} x {run.train.num_generations}",
                f"{run.train.learning_rate:g}",
                f"{work.rollouts:,}",
                f"{work.completion_tokens:,}",
            )
        )
    header = ("run", "algorithm", "steps", "group x n", "lr", "rollouts", "tokens <=")
    parts = [f"sweep {plan.name}: {len(plan.runs)} runs", _table(header, rows)]
    shared = [run.run_id for run in plan.runs if run.trains_on_eval_prompts]
    parts += [f"trains on its evaluation prompts, on purpose: {run_id}" for run_id in shared]
    stage_rows = []
    for stage in plan.stages:
        users = sum(stage.stage_id in run.needs.values() for run in plan.runs)
        work = estimate(stage)
        total += work
        stage_rows.append(
            (stage.stage_id, f"{users}", f"{work.rollouts:,}", f"{work.completion_tokens:,}")
        )
    parts += [
        f"{len(plan.stages)} shared stages, each computed once",
        _table(("stage", "used by runs", "rollouts", "tokens <="), stage_rows),
        f"in all: {total.rollouts:,} rollouts, at most {total.completion_tokens:,} completion "
        "tokens (a warm start's supervised steps not counted)",
    ]
    return "\n\n".join(parts)


def status_text(store: SweepStore, runs: Iterable[tuple[str, int]]) -> str:
    """State of every planned run; for a failed one the last line of its error."""
    rows = []
    for run_id, total_steps in runs:
        status = store.run(run_id).read_status()
        reason = (status.error or "").strip().splitlines()[-1:] if status.state == "failed" else []
        accuracy = status.progress.get("eval_accuracy")
        rows.append(
            (
                run_id,
                status.state,
                f"{status.step}/{total_steps}",
                f"{accuracy:.3f}" if accuracy is not None else "",
                *(reason or [""]),
            )
        )
    return _table(("run", "state", "step", "gold (eval)", "why"), rows)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    lines = []
    for row in [header, ["-" * width for width in widths], *rows]:
        cells = [
            cell.ljust(width) if index == 0 or not _numeric(cell) else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _numeric(cell: str) -> bool:
    return cell[:1].isdigit()
