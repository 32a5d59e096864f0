"""How far each alarm can be believed: how often it warns, beside how often it cries wolf."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from srtbench.stats.collapse import CollapseReport
from srtbench.stats.intervals import Interval
from srtbench.stats.rates import rate_interval


@dataclass(frozen=True)
class AlarmRecord:
    """What one signal's alarm did over many runs."""

    signal: str
    false_alarm_rate: Interval | None
    """Share of healthy runs in which it rang, exact, over runs; None without healthy runs."""
    warned_rate: Interval | None
    """Share of collapsed runs in which it rang no later than the onset's lower bound; None without
    collapsed runs."""
    leads: tuple[int, ...]
    """Lead steps of the collapsed runs in which it rang, early or late, in the order given."""

    def __str__(self) -> str:
        return (
            f"{self.signal}: warned in {_count(self.warned_rate)} collapsed runs, "
            f"rang in {_count(self.false_alarm_rate)} healthy ones"
        )


def alarm_records(
    reports: Iterable[CollapseReport], level: float = 0.95
) -> tuple[AlarmRecord, ...]:
    """The record of every signal that some run logged, in the order of first appearance.

    A healthy run is one whose gold accuracy did not fall for good, judged on enough evaluations. A
    run whose accuracy fell along with train_reward is neither healthy nor collapsed and is left
    out. A signal counts only in the runs that logged it.

    Args:
        reports: of :func:`srtbench.stats.diagnose_collapse`, one per run, all with the same rules.
        level: nominal coverage of the intervals.
    """
    judged = [report for report in reports if report.judged]
    names = dict.fromkeys(name for report in judged for name in report.alarm_steps)
    return tuple(_record(name, judged, level) for name in names)


def _record(name: str, reports: list[CollapseReport], level: float) -> AlarmRecord:
    logged = [report for report in reports if name in report.alarm_steps]
    healthy = [report for report in logged if not report.accuracy_fell]
    collapsed = [report for report in logged if report.collapsed]
    rang = sum(report.alarm_steps[name] is not None for report in healthy)
    given = (report.lead_steps.get(name) for report in collapsed)
    leads = tuple(lead for lead in given if lead is not None)
    return AlarmRecord(
        signal=name,
        false_alarm_rate=_rate(rang, len(healthy), level),
        warned_rate=_rate(sum(lead >= 0 for lead in leads), len(collapsed), level),
        leads=leads,
    )


def _rate(count: int, total: int, level: float) -> Interval | None:
    return rate_interval(count, total, level, "runs") if total else None


def _count(rate: Interval | None) -> str:
    if rate is None:
        return "0 of 0"
    (total,) = rate.num_units
    return f"{round(rate.estimate * total)} of {total}"
