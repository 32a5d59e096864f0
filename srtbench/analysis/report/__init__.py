"""The report of a sweep: figures, the tables behind them, one HTML page and one Markdown page."""

from srtbench.analysis.report.build import write_report

__all__ = ["write_report"]
