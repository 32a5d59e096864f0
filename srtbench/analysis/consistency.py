"""Does training beat voting? Self-consistency of the start model, beside what runs became.

Source of self-consistency: arXiv 2203.11171. maj@k is exact over all draws of k of the logged
samples (:func:`srtbench.stats.maj_at_k`), so it ends where the samples of an evaluation do.
"""

from typing import Any

import duckdb
import numpy as np
import polars as pl

from srtbench.analysis.effects import SHARE, Effect, effect, over, table_of
from srtbench.analysis.estimates import paired, vote_matrix
from srtbench.analysis.frames import frame, of_set, query, view
from srtbench.stats import maj_at_k

_SETTING = ("sweep", "model", "dataset")

_STARTS = """
SELECT run.sweep, run.model, run.dataset, run.seed, run.run_id, held.eval_set, held.prompts,
    held.completion_tokens
FROM eval_curves AS held
JOIN planned_runs AS run ON run.sweep = held.sweep AND run.run_id = held.run_id
WHERE held.step = 0 AND held.eval_set = $eval_set AND held.avg_at_k IS NOT NULL
    AND run.starts_from IS NULL
QUALIFY row_number() OVER (
    PARTITION BY run.sweep, run.model, run.dataset,
        CASE WHEN run.has_own_start OR run.base_eval IS NULL THEN run.seed::VARCHAR
            ELSE run.base_eval END
    ORDER BY held.k DESC, run.run_order
) = 1
ORDER BY run.sweep, run.run_order
"""
"""One run per start model of a setting, by its evaluation with the most samples."""


def start_voting(
    connection: duckdb.DuckDBPyConnection, eval_set: str | None = None
) -> pl.DataFrame:
    """maj@k of the start model for every k that its logged samples allow, and what that takes.

    One row per setting and k. ``samples_drawn`` and ``tokens_drawn``: of k votes on each of the
    set's prompts; ``value``: maj@k with its 95% interval ``low`` to ``high`` over ``seeds`` start
    models and ``prompts``. Only prompts that have a gold answer, and as many samples as most.
    """
    rows: list[dict[str, Any]] = []
    starts = of_set(connection, _STARTS, eval_set)
    for models in starts.partition_by(*_SETTING, maintain_order=True):
        labels = models.select(_SETTING).row(0, named=True)
        number, length = models["prompts"].max(), models["completion_tokens"].mean()
        assert isinstance(number, int)
        for k, found in _by_k(connection, models):
            cost = {"k": k, "samples_drawn": float(k * number)}
            tokens = None if length is None else k * number * float(np.asarray(length))
            ends = {"value": found.value, "low": found.low, "high": found.high}
            units = {"seeds": found.seeds, "prompts": number}
            rows.append(labels | cost | {"tokens_drawn": tokens} | ends | units)
    schema: dict[str, Any] = dict.fromkeys(_SETTING, pl.String) | {"k": pl.Int64}
    schema |= dict.fromkeys(("samples_drawn", "tokens_drawn", "value", "low", "high"), pl.Float64)
    return pl.DataFrame(rows, schema=schema | {"seeds": pl.Int64, "prompts": pl.Int64})


def _by_k(connection: duckdb.DuckDBPyConnection, models: pl.DataFrame) -> list[tuple[int, Effect]]:
    """k -> maj@k over the start models of a setting, on the prompts that all of them have."""
    tables: list[pl.DataFrame] = []
    for place, (sweep, run_id, eval_set) in enumerate(
        models.select("sweep", "run_id", "eval_set").iter_rows()
    ):
        votes = query(
            connection,
            "SELECT prompt_id, answer_key, votes, is_gold FROM answers WHERE step = 0 AND "
            "sweep = $sweep AND run_id = $run_id AND eval_set = $eval_set AND is_gold IS NOT NULL "
            "ORDER BY prompt_id, votes DESC, first_seen",
            sweep=sweep, run_id=run_id, eval_set=eval_set,
        )  # fmt: skip
        keys, gold, prompts = vote_matrix(votes)
        found = maj_at_k(keys, gold, list(range(1, keys.shape[1] + 1)))  # (prompts, k)
        columns = {str(k): found[:, k - 1] for k in range(1, found.shape[1] + 1)}
        tables.append(pl.DataFrame({"seed": place, "prompt_id": prompts} | columns))
    shared = min(table.width for table in tables) - 2
    rows = pl.concat([table.select("seed", "prompt_id", *_names(shared)) for table in tables])
    pairs = [(int(k), effect(table_of(rows, k), SHARE)) for k in _names(shared)]
    return [(k, found) for k, found in pairs if found is not None]


def _names(most: int) -> list[str]:
    return [str(k) for k in range(1, most + 1)]


def self_consistency(
    connection: duckdb.DuckDBPyConnection, eval_set: str | None = None
) -> pl.DataFrame:
    """Voting with the start model, and avg@k and maj@k of the last policy of each cell beside it.

    One row per setting for the start model (``variant`` null), then one per cell that was evaluated
    after its start; two where some seeds collapsed and some ``did not`` (``side``, else null).
    ``gain`` is the last avg@k minus the maj@k of the policy that the run started from, on the same
    prompts and seeds: above 0, one sample after training is right more often than a vote of k
    before it. ``low`` and ``high`` are its 95% interval, ``over`` what that is over.
    """
    rows: list[dict[str, Any]] = []
    voting = start_voting(connection, eval_set).partition_by(*_SETTING, maintain_order=True)
    starts = {part.select(_SETTING).row(0): part for part in voting}
    scores = frame(connection, "held_out_scores", eval_set=eval_set).drop_nulls("avg_gold")
    at = pl.col("step")
    first, last = (end.over("sweep", "run_id") for end in (at.min(), at.max()))
    begun = scores.filter((at == first) & (at == 0)).select(
        "sweep", "run_id", "prompt_id", start_maj="majority_correct"
    )
    ends = scores.filter((at == last) & (at > 0)).join(
        begun, on=["sweep", "run_id", "prompt_id"], maintain_order="left"
    )
    ends = ends.join(_sides(connection), on=["sweep", "run_id"], how="left", maintain_order="left")
    for setting in scores.partition_by(*_SETTING, maintain_order=True):
        labels = setting.select(_SETTING).row(0, named=True)
        if (start := starts.get(tuple(labels.values()))) is not None:
            k, means = int(start["k"][-1]), start["value"]
            rows.append(labels | {"k": k, "avg_at_k": means[0], "maj_at_k": means[-1]})
        cells = ends.filter([pl.col(name) == value for name, value in labels.items()])
        for cell in cells.partition_by("variant", "side", maintain_order=True):
            rows.append(labels | _row(cell))
    schema: dict[str, Any] = dict.fromkeys((*_SETTING, "variant", "side"), pl.String)
    schema |= {"k": pl.Int64, "seeds": pl.Int64}
    schema |= dict.fromkeys(("avg_at_k", "maj_at_k", "gain", "low", "high"), pl.Float64)
    return pl.DataFrame(rows, schema=schema | {"over": pl.String})


def _sides(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """The runs of cells of which some seeds collapsed and some did not, by which they are."""
    summary = view(connection, "run_summary").filter(pl.col("last_step") > 0)
    fell = pl.col("collapse_step").is_not_null()
    split = summary.filter(
        fell.any().over(*_SETTING, "variant") & ~fell.all().over(*_SETTING, "variant")
    )
    side = pl.when(fell).then(pl.lit("collapsed")).otherwise(pl.lit("did not"))
    return split.select("sweep", "run_id", side=side)


def _row(cell: pl.DataFrame) -> dict[str, Any]:
    """A row of `self_consistency`, of the last scores of some seeds of a cell."""
    seeds = cell.partition_by("run_id")
    row: dict[str, Any] = cell.select("variant", "side").row(0, named=True)
    row |= {"k": int(cell["samples"].to_numpy().max()), "seeds": len(seeds)}
    for name, column in (("avg_at_k", "avg_gold"), ("maj_at_k", "majority_correct")):
        row[name] = float(np.mean([one[column].mean() for one in seeds]))
    if (gain := paired(cell, "avg_gold", "start_maj")) is not None:
        row |= {"gain": gain.estimate, "low": gain.low, "high": gain.high, "over": over(gain)}
    return row
