"""Remedies for the collapse: accuracy over training, and what each stopping rule costs.

python -m analysis.mitigation runs/paper_cpu_full --out figures
"""

import duckdb

from analysis.claims.data import Study
from analysis.claims.stopping import PART, base_cell, mitigation_sheet, stopping
from analysis.common import MissingError, main
from srtbench.analysis.figures.panels import Sheet


def draw(connection: duckdb.DuckDBPyConnection) -> Sheet:
    """Curves of the variants, and the regret of the rules."""
    study = Study(connection)
    cells = study.part(PART)
    if not cells:
        raise MissingError(f"this sweep has no part '{PART}'")
    if not any(cell.seeds for cell in cells):
        raise MissingError(f"no run of the part '{PART}' is finished yet")
    base = base_cell(study, cells)
    shown = [*cells, *([base] if base is not None and base not in cells else [])]
    return mitigation_sheet(study, shown, stopping(study, base))


if __name__ == "__main__":
    raise SystemExit(main(draw, __file__, __doc__))
