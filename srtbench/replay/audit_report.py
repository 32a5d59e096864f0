"""What an audit finds: breaches, notes, and the health of the verifier."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from srtbench.rollouts.judge import Columns


@dataclass(frozen=True)
class Breach:
    """One disagreement.

    Attributes:
        column: what is wrong, a column of the rollouts, or ``structure``, ``prompts``, ``labels``,
            ``pool``, ``best``, ``stop``.
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
        unaudited: planned runs of which there is nothing to audit.
        checked: values that were derived again, by column.
    """

    sweep: str
    runs: int = 0
    unaudited: int = 0
    breaches: list[Breach] = field(default_factory=list)
    health: list[Health] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    checked: Counter[str] = field(default_factory=Counter)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.breaches


def health(dataset: str, columns: Columns) -> list[Health]:
    """Verifier statuses and truncations of each phase and step."""
    found: dict[tuple[str, int], Counter[str]] = {}
    names = ("phase", "step", "verifier_status", "truncated")
    alike = Counter(zip(*(columns[name] for name in names), strict=True))
    for (phase, step, status, truncated), count in alike.items():
        counts = found.setdefault((phase, step), Counter())
        counts[status] += count
        counts["rollouts"] += count
        counts["truncated"] += bool(truncated) * count
    numbers = ("rollouts", "ok", "unparsable", "timeout", "error", "truncated")
    return [
        Health(dataset, phase, step, *(counts[name] for name in numbers))
        for (phase, step), counts in sorted(found.items())
    ]


def report_dict(report: AuditReport) -> dict[str, Any]:
    """The whole report as JSON values: every breach, and verifier health of every step."""
    return {
        "sweep": report.sweep,
        "ok": report.ok,
        "runs": report.runs,
        "unaudited": report.unaudited,
        "checked": dict(report.checked),
        "notes": report.notes,
        "breaches": [asdict(breach) for breach in report.breaches],
        "health": [asdict(row) for row in report.health],
    }
