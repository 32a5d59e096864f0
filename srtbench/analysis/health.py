"""What became of every planned run, in one word and one sentence: for `srtbench check`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import duckdb

from srtbench.analysis.diagnosis import diagnose_runs
from srtbench.analysis.estimates import paired_change
from srtbench.analysis.frames import Run, frame, view
from srtbench.analysis.stops import ends
from srtbench.analysis.warehouse.open import open_sweep
from srtbench.config.eval_sets import OWN
from srtbench.stats import CollapseReport, Interval, verdict

Outcome = Literal["collapsed", "rose", "fell", "undecided"]


@dataclass(frozen=True)
class Health:
    """What became of one run.

    Attributes:
        outcome: ``collapsed``: gold accuracy fell for good while train_reward held, finished or
            not. ``rose`` and ``fell``: a finished run whose change of avg@k, last minus first, has
            a 95% interval over prompts that excludes 0. ``undecided``: any other.
        why: a sentence.
        kind: of a collapse, e.g. ``constant_answer``.
        onset_after, onset_by: evaluations between which the collapse began, in training steps.
        change: last minus first avg@k, a share.
        stopped: why `train.stop` ended it before its last step, in a sentence; None: it did not.
        kept_step: step of the policy that `train.stop` keeps.
        damaged_files: files of the run that were left out.
        eval_set: on which it was judged, see the view ``run_summary``.
    """

    sweep: str
    run_id: str
    state: str
    step: int
    total_steps: int
    outcome: Outcome
    why: str
    kind: str | None = None
    onset_after: int | None = None
    onset_by: int | None = None
    best_accuracy: float | None = None
    last_accuracy: float | None = None
    change: Interval | None = None
    stopped: str | None = None
    kept_step: int | None = None
    damaged_files: tuple[str, ...] = ()
    eval_set: str = OWN


def run_health(path: Path) -> list[Health]:
    """What became of the runs of a sweep folder, or of the one run whose folder is given.

    Damaged files of the sweep are warned of by name, as wherever one is opened.

    Raises:
        FileNotFoundError: no sweep there, nor a run that the plan of the folder above names.
        ValueError: a plan.json is damaged.
    """
    sweep, chosen = path, None
    if not (path / "plan.json").is_file() and (path.parent / "plan.json").is_file():
        sweep, chosen = path.parent, path.resolve().name
    found = [one for one in _healths(open_sweep(sweep)) if chosen in (None, one.run_id)]
    if chosen is not None and not found:
        raise FileNotFoundError(f"{path}: no run that {sweep / 'plan.json'} names")
    return found


def _healths(connection: duckdb.DuckDBPyConnection) -> Iterator[Health]:
    reports = {(row["sweep"], row["run_id"]): report for row, report in diagnose_runs(connection)}
    judged = {
        (row["sweep"], row["run_id"]): row["eval_set"]
        for row in view(connection, "run_summary").iter_rows(named=True)
    }
    changes = _changes(connection)
    ended = ends(connection)
    damaged: dict[Run, list[str]] = {}
    for row in view(connection, "damaged_files").iter_rows(named=True):
        damaged.setdefault((row["sweep"], row["run_id"]), []).append(row["file"])
    for run in view(connection, "runs").iter_rows(named=True):
        key = (run["sweep"], run["run_id"])
        cell = (*(run[name] for name in ("sweep", "model", "dataset", "variant", "seed")),)
        label, report, change = judged[key], reports.get(key), changes.get(cell)
        outcome, why = _outcome(run, report, change)
        if label != OWN:
            why += f"; judged on the evaluation set {label}"
        if key in ended:
            why += f"; {ended[key]}"
        files = tuple(sorted(damaged.get(key, ())))
        if files:
            why += f"; left out as damaged: {', '.join(files)}"
        onset = report.onset if report is not None and report.collapsed else None
        yield Health(
            sweep=run["sweep"],
            run_id=run["run_id"],
            state=run["state"],
            step=run["step"] or 0,
            total_steps=run["total_steps"],
            outcome=outcome,
            why=why,
            kind=report.kind if onset is not None and report is not None else None,
            onset_after=onset.low if onset is not None else None,
            onset_by=onset.high if onset is not None else None,
            best_accuracy=report.best_accuracy if report is not None else None,
            last_accuracy=report.last_accuracy if report is not None else None,
            change=change,
            stopped=run["stopped"],
            kept_step=run["kept_step"],
            damaged_files=files,
            eval_set=label,
        )


def _outcome(
    run: Mapping[str, Any], report: CollapseReport | None, change: Interval | None
) -> tuple[Outcome, str]:
    """The word and the sentence; a collapse needs no end of the run."""
    if report is not None and report.collapsed and report.onset is not None:
        onset = report.onset
        return "collapsed", (
            f"{report.kind.replace('_', ' ')}, the fall began between steps "
            f"{onset.low} and {onset.high}; "
            f"gold accuracy {report.best_accuracy:.3f} at step {report.best_step}, "
            f"{report.last_accuracy:.3f} at step {report.last_step}: {report.reasons[0]}"
        )
    if run["state"] != "done":
        why = f"{run['state']} at step {run['step'] or 0} of {run['total_steps']}"
        error = (run["error"] or "").strip().splitlines()[-1:]
        return "undecided", ": ".join([why, *error])
    if report is None:
        return "undecided", "no two evaluations with gold answers, beside logged train steps"
    if not report.judged:
        return "undecided", report.reasons[0]
    if change is None:
        return "undecided", "its last evaluation cannot be compared with its first"
    said = verdict(change)
    return said.word, f"{said.numbers} from the first to the last evaluation, 95% over prompts"


def _changes(connection: duckdb.DuckDBPyConnection) -> dict[tuple[Any, ...], Interval]:
    """Last minus first avg@k of each run, over its prompts; key: cell and seed."""
    keys = ["sweep", "model", "dataset", "variant", "seed"]
    rows = frame(connection, "change").drop_nulls(["start_avg", "last_avg"])
    parts = rows.partition_by(keys, as_dict=True)
    changes = {key: paired_change(part) for key, part in parts.items()}
    return {key: change for key, change in changes.items() if change is not None}
