"""Anatomy of a collapse: reward, accuracy, modal answer and KL of the variants that collapsed.

python -m analysis.collapse runs/smoke --out figures
"""

import dataclasses

import duckdb

from analysis.common import MissingError, main
from srtbench.analysis.figures.more_sheets import collapse_panel_sheet
from srtbench.analysis.figures.panels import Sheet
from srtbench.analysis.frames import frame, query

COLLAPSED = """
SELECT sweep, model, dataset, variant, collapse_after, collapse_step
FROM variant_summary
WHERE collapse_step IS NOT NULL
"""


def draw(connection: duckdb.DuckDBPyConnection) -> Sheet:
    """One column per collapsed variant, its onset marked."""
    onsets = {row[:4]: row[4:] for row in query(connection, COLLAPSED).rows()}
    training, held_out = frame(connection, "train_curve"), frame(connection, "eval_curve")
    sheet = collapse_panel_sheet(training, held_out, onsets)
    if sheet is None:
        raise MissingError("no variant of this sweep collapsed; analysis.accuracy shows them all")
    return dataclasses.replace(sheet, name="collapse")


if __name__ == "__main__":
    raise SystemExit(main(draw, __file__, __doc__))
