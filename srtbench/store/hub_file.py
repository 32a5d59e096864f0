"""hub.json of a sweep: the commit of each repository of the hub, asked for once."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from srtbench.config.hub import COMMIT
from srtbench.plan.hub import Commits, Repository
from srtbench.store.files import checked, read_json, write_sealed

HUB_FILE = "hub.json"


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Repository(_Row):
    kind: Literal["model", "dataset"]
    id: str
    revision: str | None
    commit: str = Field(pattern=COMMIT)


class _File(_Row):
    repositories: list[_Repository]
    seal: str = ""


def read_commits(sweep_path: Path) -> dict[Repository, str]:
    """The commits that a sweep keeps to; none where it has not asked yet.

    Raises:
        StoreError: the file is damaged.
    """
    path = sweep_path / HUB_FILE
    try:
        content = checked(_File, read_json(path), path, strict=True)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    rows = content.repositories
    return {Repository(row.kind, row.id, row.revision or ""): row.commit for row in rows}


def write_commits(sweep_path: Path, commits: Commits) -> None:
    """Keep the commits beside the plan."""
    rows = [
        {"kind": name.kind, "id": name.id, "revision": name.revision or None, "commit": commit}
        for name, commit in sorted(commits.items())
    ]
    write_sealed(sweep_path / HUB_FILE, {"repositories": rows})
