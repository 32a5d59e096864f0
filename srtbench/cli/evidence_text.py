"""What an audit found and what another voting rule changed, as plain text."""

from collections import Counter
from collections.abc import Sequence

from srtbench.cli.render import table_text
from srtbench.config.words import counted
from srtbench.replay.audit_report import AuditReport, Health
from srtbench.replay.revote_row import RevoteRow

SHOWN = 3
"""Breaches of one kind that the text shows."""
MAX_LINE = 600
"""Characters of a breach that the text shows."""

_STATES = ("ok", "unparsable", "timeout", "error", "truncated")


def audit_text(report: AuditReport) -> str:
    """The whole report; of each kind of breach the first few."""
    lines = [f"audit of {report.sweep}: {counted(report.runs, 'run')}"]
    values = ", ".join(f"{count:,} {name}" for name, count in sorted(report.checked.items()))
    lines.append(f"derived again: {values or 'nothing'}")
    lines += ["", "verifier health (shares of the rollouts)", _health(report.health)]
    if report.notes:
        lines += ["", "notes", *(f"  {note}" for note in dict.fromkeys(report.notes))]
    kinds = Counter((breach.run_id, breach.column) for breach in report.breaches)
    lines.append("")
    for (run_id, column), count in kinds.items():
        lines.append(f"BREACH {run_id}: {column}, {counted(count, 'time')}")
        same = [b for b in report.breaches if (b.run_id, b.column) == (run_id, column)]
        lines += [_cut(f"  {breach.where}: {breach.message}") for breach in same[:SHOWN]]
    verdict = "clean" if report.ok else _breaches(len(report.breaches))
    left = counted(report.unaudited, "planned run")
    rest = f"; {left} not audited, see notes" if report.unaudited else ""
    lines.append(verdict + rest)
    return "\n".join(lines)


def _cut(line: str) -> str:
    """One line, whatever names and texts of a damaged file are in it, without a very long end."""
    line = line.replace("\n", " ")
    return line if len(line) <= MAX_LINE else f"{line[:MAX_LINE]}..."


def _breaches(count: int) -> str:
    return f"{count:,} breach{'es' * (count != 1)}"


def _health(health: Sequence[Health]) -> str:
    """One line per dataset and phase, with the step at which the verifier failed most."""
    lines = []
    for dataset, phase in sorted({(row.dataset, row.phase) for row in health}):
        rows = [row for row in health if (row.dataset, row.phase) == (dataset, phase)]
        total = sum(row.rollouts for row in rows)
        shares = [f"{sum(getattr(row, name) for row in rows) / total:.2%}" for name in _STATES]
        worst = max(rows, key=lambda row: (row.timeout + row.error) / row.rollouts)
        failed = worst.timeout + worst.error
        where = f"step {worst.step}: {failed}" if failed else ""
        lines.append((dataset, phase, f"{total:,}", *shares, where))
    header = ("dataset", "phase", "rollouts", *_STATES, "most failures")
    return table_text(header, lines)


def revote_text(rows: Sequence[RevoteRow]) -> str:
    """One line per run: before -> after; and one for each that is left out, saying why.

    Where a run trained by rounds, also how many completions its fits have, or would have.
    """
    lines, by_rounds = [], any(row.selected_before is not None for row in rows)
    for row in rows:
        if row.problem is not None:
            continue
        label = f"{row.label_accuracy_before:.3f} -> {row.label_accuracy_after:.3f}"
        reward = f"{row.train_reward_before:.3f} -> {row.train_reward_after:.3f}"
        stays = "not judged again" if row.note else "does not vote"
        changed = f"{row.changed_labels:.1%}" if row.votes else stays
        selected = f"{row.selected_before} -> {row.selected_after}"
        more = [selected if row.selected_before is not None else "-"] if by_rounds else []
        lines.append((row.run_id, changed, label if row.votes else "-", reward, *more))
    left_out = [f"left out: {row.run_id}: {row.problem}" for row in rows if row.problem]
    left_out += [f"note: {row.run_id}: {row.note}" for row in rows if row.note]
    header: tuple[str, ...] = ("run", "labels changed", "label accuracy", "train reward")
    header += ("selected",) if by_rounds else ()
    return "\n".join([table_text(header, lines), *left_out])
