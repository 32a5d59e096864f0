"""Where the study's numbers come from: folders of sweeps, or what was published of them."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq

import srtbench
from analysis.claims.data import Study
from analysis.claims.hypotheses import CLAIMS
from analysis.claims.registration import Registration, read, register
from srtbench.analysis.warehouse.condensed import is_condensed, open_condensed

DATA = Path(__file__).parents[1] / "data"
"""What is published of the study: a folder for each sitting of each sweep."""


def published() -> list[Path]:
    """Every folder of published data, by name.

    Raises:
        FileNotFoundError: there is none.
    """
    folders = sorted(path.parent for path in DATA.glob("*/condensed.json"))
    if not folders:
        raise FileNotFoundError(f"{DATA}: nothing is published; name folders of sweeps")
    return folders


def open_study(folders: Sequence[Path]) -> Study:
    """The study of these folders, all of them sweeps or all of them published.

    Raises:
        FileNotFoundError: one holds neither. ValueError: they are mixed, or one is damaged.
    """
    kinds = {is_condensed(folder) for folder in folders}
    # One thread: sums of floats come in one order, so the page is the same every time.
    if kinds == {True}:
        connection = open_condensed(*folders, threads=1)
        return Study(connection, [_registered(folder) for folder in folders])
    if kinds == {False}:
        connection = srtbench.open_sweep(*folders, snapshot=True, threads=1)
        began = {sweep: list(runs.values()) for sweep, runs in Study(connection).begun.items()}
        return Study(connection, [register(began)])
    raise ValueError("name folders of sweeps or of published data, not both")


def _registered(folder: Path) -> dict[str, Registration | None]:
    """Claims of the sweeps in a folder -> their registrations."""
    found = read(folder)
    sweeps = pq.read_table(folder / "planned_runs.parquet", columns=["sweep"])["sweep"]
    names = set(pc.unique(sweeps).to_pylist())
    return {claim.key: found.get(claim.key) for claim in CLAIMS if claim.sweep in names}
