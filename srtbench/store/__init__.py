"""Folders of a sweep on disk, and the files in them that srtbench reads and writes."""

from srtbench.store.folders import (
    STAGES_FOLDER,
    Folder,
    State,
    Status,
    StoreError,
    SweepStore,
    read_json,
    read_plan,
    write_json,
)

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
