"""Runs that `train.stop` watched: where they ended, and how good the policy is that they keep."""

import duckdb

from srtbench.analysis.frames import Cell, Run, cell_of, query

_KEPT = """
SELECT run.sweep, run.run_id, run.model, run.dataset, run.variant, run.seed, run.stopped,
    run.kept_step, kept.avg_at_k, kept.k
FROM runs AS run
LEFT JOIN eval_curves AS kept
    ON kept.sweep = run.sweep AND kept.run_id = run.run_id AND kept.eval_set = 'own'
    AND kept.step = run.kept_step
WHERE run.stop IS NOT NULL AND run.state = 'done'
ORDER BY run.sweep, run.run_order
"""


def ends(connection: duckdb.DuckDBPyConnection) -> dict[Run, str]:
    """How each finished run with a `train.stop` ended, in a sentence without its full stop."""
    found = {}
    for row in query(connection, _KEPT).iter_rows(named=True):
        if row["stopped"] is None:
            text = f"ran to its end; train.stop keeps the policy of step {row['kept_step']}"
        else:
            text = row["stopped"]
        if row["avg_at_k"] is not None:
            text += f" (avg@{row['k']} {100 * row['avg_at_k']:.1f}%)"
        found[(row["sweep"], row["run_id"])] = text
    return found


def cell_ends(connection: duckdb.DuckDBPyConnection) -> dict[Cell, str]:
    """The same of each cell: the ends of its seeds."""
    said = ends(connection)
    found: dict[Cell, list[tuple[int, str]]] = {}
    for row in query(connection, _KEPT).iter_rows(named=True):
        found.setdefault(cell_of(row), []).append((row["seed"], said[row["sweep"], row["run_id"]]))
    return {
        cell: " ".join(
            f"{'Seed ' + str(seed) if len(seeds) > 1 else 'It'} {text}." for seed, text in seeds
        )
        for cell, seeds in found.items()
    }
