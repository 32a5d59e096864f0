"""What more votes are worth: exact maj@k against k, start model and last policies.

python -m analysis.majority runs/smoke --out figures
"""

import dataclasses

import duckdb

from analysis.common import MissingError, main
from srtbench.analysis.estimates import majority_by_k
from srtbench.analysis.figures.more_sheets import majority_by_k_sheet
from srtbench.analysis.figures.panels import Sheet


def draw(connection: duckdb.DuckDBPyConnection) -> Sheet:
    """maj@k for every k that the logged samples allow."""
    sheet = majority_by_k_sheet(majority_by_k(connection))
    if sheet is None:
        raise MissingError("no run of this sweep has been evaluated yet")
    return dataclasses.replace(sheet, name="majority")


if __name__ == "__main__":
    raise SystemExit(main(draw, __file__, __doc__))
