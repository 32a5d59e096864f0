"""Accuracy and majority accuracy on held-out prompts over training, all variants.

python -m analysis.accuracy runs/smoke --out figures
"""

import duckdb

from analysis.common import MissingError, main
from srtbench.analysis.figures.panels import Sheet
from srtbench.analysis.figures.sheets import accuracy_sheet
from srtbench.analysis.frames import frame


def draw(connection: duckdb.DuckDBPyConnection) -> Sheet:
    """avg@k and maj@k over steps."""
    curve = frame(connection, "eval_curve")
    if not curve.height:
        raise MissingError("no run of this sweep has been evaluated yet")
    return accuracy_sheet(curve)


if __name__ == "__main__":
    raise SystemExit(main(draw, __file__, __doc__))
