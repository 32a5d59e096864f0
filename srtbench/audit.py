"""`srtbench audit`: derive again, from the logged text, everything a sweep's numbers rest on.

A breach is a logged value that the logged text, the configuration and the hidden answers do not
give. What no log can give again is checked against its second record in metrics.parquet: token
counts, truncation, token statistics. Every check names the column it guards.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from srtbench.audit_checks import check_eval, check_metrics, check_train
from srtbench.audit_prompts import check_labels, check_prompts
from srtbench.replay import GenerationShape, LoggedRun, open_runs
from srtbench.rollouts import part_files
from srtbench.store import Folder

SHOWN = 3
"""Breaches of one kind that the text shows."""


@dataclass(frozen=True)
class Breach:
    """One disagreement.

    Attributes:
        column: what is wrong, a column of the rollouts, or ``structure``, ``prompts``, ``labels``.
        where: where it stands, e.g. ``train step 3 group 3-1 sample 2``.
    """

    run_id: str
    column: str
    where: str
    message: str


@dataclass(frozen=True)
class Health:
    """Verifier statuses of the rollouts of one dataset, phase and step, and truncations."""

    dataset: str
    phase: str
    step: int
    rollouts: int
    ok: int
    unparsable: int
    timeout: int
    error: int
    truncated: int


@dataclass
class AuditReport:
    """What an audit found.

    Attributes:
        notes: facts to know that are no breach: exceptions, runs not done, what was not derivable.
        checked: values that were derived again, by column.
    """

    sweep: str
    runs: int = 0
    breaches: list[Breach] = field(default_factory=list)
    health: list[Health] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    checked: Counter[str] = field(default_factory=Counter)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.breaches


def audit_sweep(path: str | Path) -> AuditReport:
    """Audit every run of a sweep that has begun.

    Raises:
        FileNotFoundError: the folder holds no sweep.
    """
    plan, runs = open_runs(Path(path))
    report = AuditReport(plan["sweep"], len(runs))
    begun = {run.spec.run_id for run in runs}
    missing = [row["run_id"] for row in plan["runs"] if row["run_id"] not in begun]
    if plan.get("revote"):
        report.notes.append(f"voted again under {plan['revote']['voting']}: not as it was trained")
    for run_id in missing:
        _audit_missing(Folder(Path(path) / run_id), run_id, report)
    for run in runs:
        _audit_run(run, report)
    return report


def _audit_missing(folder: Folder, run_id: str, report: AuditReport) -> None:
    """A run without prompts or configuration has not begun; or its files were taken away."""
    status = folder.read_status()
    if status.state == "done" or status.checkpoint or part_files(folder.rollouts_path):
        message = f"{status.state}, but its config.json or prompts.parquet is gone"
        report.breaches.append(Breach(run_id, "structure", "run", message))
    else:
        report.notes.append(f"{run_id}: {status.state}, nothing to audit")


def _audit_run(run: LoggedRun, report: AuditReport) -> None:
    run_id, status = run.spec.run_id, run.folder.read_status()
    if status.state != "done":
        report.notes.append(f"{run_id}: {status.state} at step {status.step}, audited as far as it")
    if run.spec.trains_on_eval_prompts:
        report.notes.append(f"{run_id}: trains on its evaluation prompts, as its variant does")
    try:
        train, evaluated = run.columns("train"), run.columns("eval")
        kept = max(train["step"], default=0) + GenerationShape.of(run.spec).every - 1
        if kept < status.checkpoint_step:
            message = f"rollouts end at step {kept}, before the checkpoint {status.checkpoint_step}"
            report.breaches.append(Breach(run_id, "step", "train", message))
        if status.state == "done" and not run.folder.metrics_path.is_file():
            message = "gone: lengths, truncation and token statistics have no second record"
            report.breaches.append(Breach(run_id, "structure", "metrics.parquet", message))
        for found in _found(run, train, evaluated, done=status.state == "done", report=report):
            report.breaches.append(Breach(run_id, *found))
        report.health += _health(run, train) + _health(run, evaluated)
    except (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError) as error:
        message = f"cannot be derived again: {type(error).__name__}: {error}"
        report.breaches.append(Breach(run_id, "structure", "run", message))


def _found(
    run: LoggedRun, train: Any, evaluated: Any, *, done: bool, report: AuditReport
) -> Iterator[tuple[str, str, str]]:
    yield from check_prompts(run)
    yield from check_labels(run, report.notes)
    yield from check_train(run, train, report.checked, report.notes, done=done)
    yield from check_eval(run, evaluated, report.checked, done=done)
    yield from check_metrics(run, train, report.checked)


def _health(run: LoggedRun, columns: Any) -> list[Health]:
    found: dict[tuple[str, int], Counter[str]] = {}
    names = ("phase", "step", "verifier_status", "truncated")
    for phase, step, status, truncated in zip(*(columns[name] for name in names), strict=True):
        counts = found.setdefault((phase, step), Counter())
        counts.update([status, "rollouts"])
        counts["truncated"] += bool(truncated)
    numbers = ("rollouts", "ok", "unparsable", "timeout", "error", "truncated")
    return [
        Health(run.spec.dataset_label, phase, step, *(counts[name] for name in numbers))
        for (phase, step), counts in sorted(found.items())
    ]


def report_dict(report: AuditReport) -> dict[str, Any]:
    """The whole report as JSON values: every breach, and verifier health of every step."""
    return {
        "sweep": report.sweep,
        "ok": report.ok,
        "runs": report.runs,
        "checked": dict(report.checked),
        "notes": report.notes,
        "breaches": [asdict(breach) for breach in report.breaches],
        "health": [asdict(row) for row in report.health],
    }


def report_text(report: AuditReport) -> str:
    """The report as plain text."""
    lines = [f"audit of {report.sweep}: {report.runs} runs"]
    values = ", ".join(f"{count:,} {name}" for name, count in sorted(report.checked.items()))
    lines.append(f"derived again: {values or 'nothing'}")
    lines += ["", "verifier health (share of rollouts)", *_health_lines(report.health)]
    if report.notes:
        lines += ["", "notes", *(f"  {note}" for note in dict.fromkeys(report.notes))]
    kinds = Counter((breach.run_id, breach.column) for breach in report.breaches)
    lines.append("")
    for (run_id, column), count in kinds.items():
        lines.append(f"BREACH {run_id}: {column}, {count} times")
        same = [b for b in report.breaches if (b.run_id, b.column) == (run_id, column)]
        lines += [f"  {breach.where}: {breach.message}" for breach in same[:SHOWN]]
    lines.append("clean" if report.ok else f"{len(report.breaches)} breaches")
    return "\n".join(lines)


def _health_lines(health: list[Health]) -> Iterator[str]:
    """One line per dataset and phase, with the step at which the verifier failed most."""
    for dataset, phase in sorted({(row.dataset, row.phase) for row in health}):
        rows = [row for row in health if (row.dataset, row.phase) == (dataset, phase)]
        total = sum(row.rollouts for row in rows)
        shares = ", ".join(
            f"{name} {sum(getattr(row, name) for row in rows) / total:.2%}"
            for name in ("ok", "unparsable", "timeout", "error", "truncated")
        )
        worst = max(rows, key=lambda row: (row.timeout + row.error) / row.rollouts)
        failed = worst.timeout + worst.error
        where = f"; most failures at step {worst.step}: {failed}" if failed else ""
        yield f"  {dataset} {phase}: {total:,} rollouts, {shares}{where}"
