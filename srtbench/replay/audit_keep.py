"""Audit of `train.fit.keep`: each fit kept its best epoch, whose score is that of the log."""

import math
from collections.abc import Iterator

import pyarrow.compute as pc

from srtbench.replay.audit_values import Found
from srtbench.rollouts import METRIC_SCHEMA, read_table
from srtbench.store.keeping import EPOCH, KEPT, SCORE, best_epoch, keep_score
from srtbench.store.runs import LoggedRun, LoggedSet


def check_keep(run: LoggedRun, own: LoggedSet) -> Found:
    """A score after each epoch of each fit, the best one kept, evaluated as its round is."""
    if run.spec.train.rounds is None or not run.folder.metrics_path.is_file():
        return
    table = read_table(run.folder.metrics_path, METRIC_SCHEMA).to_pydict()
    by_step: dict[int, dict[str, float]] = {}
    for step, name, value in zip(table["step"], table["metric"], table["value"], strict=True):
        by_step.setdefault(step, {})[name] = math.nan if value is None else value
    rule, epochs = run.spec.keep, run.spec.train.rounds.fit.epochs
    if rule is None:
        if any({EPOCH, SCORE, KEPT} & found.keys() for found in by_step.values()):
            yield "keep", "metrics.parquet", "epochs were compared, but train.fit.keep is last"
        return
    rounds: dict[float, list[dict[str, float]]] = {}
    for found in by_step.values():
        rounds.setdefault(found.get("round", math.nan), []).append(found)
    for number, updates in rounds.items():
        where = f"round {number:g}"
        size = len(updates) // epochs
        ends = [updates[place] for place in range(size - 1, size * epochs, size)] if size else []
        scores = [found.get(SCORE, math.nan) for found in ends]
        compared = sum(bool({EPOCH, SCORE} & found.keys()) for found in updates)
        numbered = [found.get(EPOCH) for found in ends] == [*range(1, epochs + 1)]
        if compared != epochs or not numbered or not all(map(math.isfinite, scores)):
            yield "keep", where, f"not one score after each of {epochs} epochs"
            continue
        kept = best_epoch(scores)
        logged = [found[KEPT] for found in updates if KEPT in found]
        if logged != [kept] or KEPT not in updates[-1]:
            said = ", ".join(f"{one:g}" for one in logged) or "none"
            yield "keep", where, f"kept epoch {said}, its scores give {kept}"
        if run.revoted is not None:
            continue  # other votes chose no epoch
        rollouts = own.rollouts.filter(pc.equal(own.rollouts["step"], int(number)))
        if len(rollouts):
            again = keep_score(rule, rollouts)
            if not math.isclose(again, scores[kept - 1], abs_tol=1e-9):
                message = f"epoch {kept} has score {scores[kept - 1]:.6f}, its rollouts {again:.6f}"
                yield "keep", where, message


def keep_notes(run: LoggedRun) -> Iterator[str]:
    """That gold answers chose, where they did."""
    if run.spec.keep == "gold":
        yield (
            f"{run.spec.run_id}: uses gold: the answers of its evaluation prompts decide which "
            "epoch of each fit it keeps"
        )
