"""Self-reward against a fixed teacher: their paired difference in accuracy over training.

python -m analysis.teacher runs/smoke --out figures
"""

import duckdb

from analysis.common import MissingError, main
from srtbench.analysis.estimates import paired_curve
from srtbench.analysis.figures.more_sheets import teacher_sheet
from srtbench.analysis.figures.panels import Sheet
from srtbench.analysis.frames import query

FIRST = """
SELECT variant_type, arg_min(variant, (variant_order, variant)) AS variant
FROM runs
WHERE variant_type IN ('srt', 'fixed_teacher')
GROUP BY variant_type
"""


def draw(connection: duckdb.DuckDBPyConnection) -> Sheet:
    """The sweep's first variant of type srt minus its first fixed_teacher."""
    names = dict(query(connection, FIRST).rows())
    for kind in ("srt", "fixed_teacher"):
        if kind not in names:
            raise MissingError(f"this sweep has no variant of type {kind}")
    sheet = teacher_sheet(paired_curve(connection, names["srt"], names["fixed_teacher"]))
    if sheet is None:
        raise MissingError(
            f"{names['srt']} and {names['fixed_teacher']} have no evaluation in common yet"
        )
    return sheet


if __name__ == "__main__":
    raise SystemExit(main(draw, __file__, __doc__))
