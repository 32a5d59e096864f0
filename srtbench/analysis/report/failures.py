"""What failed in the reported sweeps: stage or run, its own error, its log, and who needs it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl

from srtbench.analysis.frames import view
from srtbench.store import Folder, SweepStore, read_plan
from srtbench.store.failures import log_tail
from srtbench.store.plan_file import stage_users

SHOWN = 20
"""Failures with their errors on a page; the rest are counted."""


@dataclass(frozen=True)
class Failure:
    """One stage or run that failed by itself.

    Attributes:
        what: what it is, in words. reason: last line of its error. error: all that was kept of it.
        log: its log, below the folder that holds the sweep; None: there is none.
        tail: the end of the log; None: it ends as the error does.
        stopped: runs that failed, or stand still, because of it.
    """

    sweep: str
    what: str
    name: str
    reason: str
    error: str
    log: str | None
    tail: str | None
    stopped: list[str]


@dataclass(frozen=True)
class Failures:
    """All failures of a report.

    Attributes:
        first: those that are shown. more: how many are not. runs, planned: failed runs, of all.
    """

    first: list[Failure]
    more: int
    runs: int
    planned: int


def failures(connection: duckdb.DuckDBPyConnection, paths: Sequence[Path]) -> Failures | None:
    """What failed, stages first; None: nothing did.

    Args:
        paths: folders of the opened sweeps, in their order.
    """
    runs = view(connection, "runs")
    failed = runs.filter(pl.col("state") == "failed")
    stages = view(connection, "stages").filter(pl.col("state") == "failed")
    if not failed.height and not stages.height:
        return None
    found: list[Failure] = []
    more = 0
    for sweep, path in zip(view(connection, "sweeps")["sweep"].to_list(), paths, strict=True):
        plan = read_plan(path)
        store, users = SweepStore.of(path, plan), stage_users(plan)
        states = dict(failed.filter(pl.col("sweep") == sweep).select("run_id", "error").iter_rows())
        of_stages = stages.filter(pl.col("sweep") == sweep)
        known = set(of_stages["stage_id"])
        roots = [
            row for row in of_stages.iter_rows(named=True) if not _because(row["error"], known)
        ]
        ahead = {row["stage_id"]: row["requires"] for row in plan["stages"] if row.get("requires")}
        blamed: set[str] = set()
        for row in roots:
            stage_id = row["stage_id"]
            chain = _after(stage_id, ahead)
            stopped = [one["run_id"] for name in chain for one in users.get(name, [])]
            stopped = [run_id for run_id in dict.fromkeys(stopped) if run_id in states]
            blamed |= set(stopped)
            kind = f"shared stage, {row['kind'].replace('_', ' ')}"
            found.append(
                _failure(sweep, kind, stage_id, row["error"], store.stage(stage_id), stopped)
            )
        for run_id, error in states.items():
            if run_id in blamed and _because(error, known):
                continue
            if len(found) >= SHOWN:
                more += 1
                continue
            found.append(_failure(sweep, "run", run_id, error, store.run(run_id), []))
    more += max(0, len(found) - SHOWN)
    return Failures(found[:SHOWN], more, failed.height, runs.height)


def _failure(
    sweep: str, what: str, name: str, error: str | None, folder: Folder, stopped: list[str]
) -> Failure:
    error = (error or "").strip()
    reason = error.splitlines()[-1] if error else "no error was kept"
    tail = log_tail(folder)
    log = None if tail is None else "/".join(folder.log_path.parts[-3:])
    if tail is not None and error.endswith("\n".join(tail.splitlines()[-3:])):
        tail = None  # the log says the same
    return Failure(sweep, what, name, reason, error, log, tail, stopped)


def _because(error: str | None, stages: set[str]) -> bool:
    """Whether it failed because a stage did, as the sweep notes in the last line of the error."""
    last = (error or "").strip().splitlines()[-1:]
    return bool(last) and any(last[0] == f"shared stage {name} failed" for name in stages)


def _after(stage_id: str, requires: dict[str, list[str]]) -> list[str]:
    """A stage and all that are computed from it."""
    found = [stage_id]
    for name in found:
        found += [one for one, needs in requires.items() if name in needs and one not in found]
    return found
