"""Folders of a sweep on disk, and the files in them that srtbench reads and writes."""

from srtbench.store.files import StoreError, read_json, write_json
from srtbench.store.folders import STAGES_FOLDER, Folder, SweepStore
from srtbench.store.plan_file import read_plan
from srtbench.store.status import State, Status

__all__ = [
    "STAGES_FOLDER",
    "Folder",
    "State",
    "Status",
    "StoreError",
    "SweepStore",
    "read_json",
    "read_plan",
    "write_json",
]
