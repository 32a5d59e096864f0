"""Spurious rewards (random, format, incorrect) beside self-reward and gold.

python -m analysis.spurious runs/smoke --out figures
"""

import dataclasses

import duckdb
import polars as pl

from analysis.common import MissingError, main
from srtbench.analysis.figures.panels import Sheet
from srtbench.analysis.figures.sheets import accuracy_sheet
from srtbench.analysis.frames import frame

SPURIOUS = ("random", "format", "incorrect")
BASELINES = ("srt", "gold")


def draw(connection: duckdb.DuckDBPyConnection) -> Sheet:
    """avg@k and maj@k over steps; of several self-reward variants the first."""
    curve = frame(connection, "eval_curve")
    spurious = curve.filter(pl.col("variant_type").is_in(SPURIOUS))
    if not spurious.height:
        raise MissingError(
            f"this sweep has no evaluated variant of type {', '.join(SPURIOUS[:-1])} "
            f"or {SPURIOUS[-1]}"
        )
    baselines = curve.filter(
        pl.col("variant_type").is_in(BASELINES) & (pl.col("variant_rank") == 0)
    )
    sheet = accuracy_sheet(pl.concat([spurious, baselines]))
    return dataclasses.replace(sheet, name="spurious", title="Spurious rewards")


if __name__ == "__main__":
    raise SystemExit(main(draw, __file__, __doc__))
