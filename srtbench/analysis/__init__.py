"""From the rollouts on disk to views, frames, figures and a report.

Start with :func:`open_sweep`; docs/columns.md describes every view and column.
"""

from srtbench.analysis.frames import frame, query, view
from srtbench.analysis.warehouse.open import CorruptFileWarning, open_sweep

__all__ = ["CorruptFileWarning", "frame", "open_sweep", "query", "view"]
