"""Phase diagram: what self-reward does from each start accuracy at each learning rate.

python -m analysis.phase runs/paper_cpu_full --out figures
"""

import duckdb

from analysis.claims.data import Study
from analysis.claims.phase import PART, phase_frame, phase_sheet
from analysis.common import MissingError, main
from srtbench.analysis.figures.panels import Sheet


def draw(connection: duckdb.DuckDBPyConnection) -> Sheet:
    """A tile per cell: its change in avg@k."""
    study = Study(connection)
    cells = study.part(PART)
    if not cells:
        raise MissingError(f"this sweep has no part '{PART}'")
    frame = phase_frame(study, cells)
    if not frame.height:
        raise MissingError(f"no run of the part '{PART}' is finished yet")
    return phase_sheet(frame)


if __name__ == "__main__":
    raise SystemExit(main(draw, __file__, __doc__))
