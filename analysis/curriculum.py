"""Curriculum ladder: accuracy at the start and at the end on every level of difficulty.

python -m analysis.curriculum runs/levels --out figures
"""

import dataclasses

import duckdb

from analysis.common import MissingError, main
from srtbench.analysis.figures.more_sheets import ladder_sheet
from srtbench.analysis.figures.panels import Sheet
from srtbench.analysis.frames import query

SUMMARY = """
SELECT summary.*, level
FROM variant_summary AS summary
JOIN (SELECT DISTINCT sweep, dataset, level FROM runs) USING (sweep, dataset)
"""


def draw(connection: duckdb.DuckDBPyConnection) -> Sheet:
    """An arrow per variant and level."""
    sheet = ladder_sheet(query(connection, SUMMARY))
    if sheet is None:
        raise MissingError("a ladder needs finished evaluations on two levels or more of a dataset")
    return dataclasses.replace(sheet, name="curriculum")


if __name__ == "__main__":
    raise SystemExit(main(draw, __file__, __doc__))
