"""metrics.parquet of a run while it trains: what its trainer says of each step."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from srtbench.rollouts import METRIC_SCHEMA, read_table, write_parquet


class MetricLog:
    """Per-step metrics in one Parquet file, in long form."""

    def __init__(self, path: Path, run_id: str, upto_step: int):
        self._path = path
        self._run_id = run_id
        self._rows: list[dict[str, Any]] = []
        if upto_step and path.is_file():
            kept = read_table(path, METRIC_SCHEMA).to_pylist()
            self._rows = [row for row in kept if row["step"] <= upto_step]

    def add(self, step: int, logs: Mapping[str, Any]) -> None:
        """Keep the numbers of one step."""
        for metric, value in logs.items():
            if isinstance(value, int | float) and metric != "epoch":
                number = None if math.isnan(value) else float(value)
                self._rows.append(
                    {"run_id": self._run_id, "step": step, "metric": metric, "value": number}
                )

    def write(self) -> None:
        """Replace the file; without a number there is none: a file of no rows is damaged."""
        if not self._rows:
            self._path.unlink(missing_ok=True)
            return
        write_parquet(pa.Table.from_pylist(self._rows, METRIC_SCHEMA), self._path)
