"""From the rollouts on disk to views, frames, figures and a report.

Start with :func:`open_sweep`; docs/columns.md describes every view and column.
"""

from srtbench.analysis.warehouse import open_sweep

__all__ = ["open_sweep"]
