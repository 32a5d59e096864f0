"""Repositories of the hub that a plan uses, and the commit at which each of them is used.

A branch moves. A sweep asks once where it points to, keeps that in its folder, and is planned with
the commits from then on: they are part of the ids of its runs and stages.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from srtbench.config.datasets import HubDataset
from srtbench.config.eval_sets import HubEvalSet
from srtbench.config.models import HubModel
from srtbench.config.sweep import SweepConfig, SweepOfParts
from srtbench.plan.specs import RunSpec

Kind = Literal["model", "dataset"]
_Config = TypeVar("_Config", SweepConfig, SweepOfParts, SweepConfig | SweepOfParts)


_AXES = ("models", "datasets", "eval_sets")
"""Sections of a sweep file whose entries may name a repository."""


@dataclass(frozen=True, order=True)
class Repository:
    """A repository of the hub; ``revision``: branch, tag or commit; empty: the default branch."""

    kind: Kind
    id: str
    revision: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.id}" + (f" (revision {self.revision})" if self.revision else "")


Commits = Mapping[Repository, str]


def repository_of(entry: Any) -> Repository | None:
    """The repository that an entry, or its specification, names.

    None: it names none. `id` may be a folder on this machine, as transformers and datasets have it.
    """
    if not isinstance(entry, HubModel | HubDataset | HubEvalSet) or Path(entry.id).is_dir():
        return None
    kind: Kind = "model" if isinstance(entry, HubModel) else "dataset"
    return Repository(kind, entry.id, entry.revision or "")


def repositories_of(run: RunSpec) -> dict[Repository, str | None]:
    """Every repository that a run uses -> its commit, None where that is not known."""
    entries = (run.model, run.dataset, *(one.dataset for one in run.eval_sets))
    named = [(repository_of(entry), entry) for entry in entries]
    return {name: getattr(entry, "commit", None) for name, entry in named if name is not None}


def names_the_hub(config: SweepConfig | SweepOfParts) -> bool:
    """Whether an entry names a repository whose commit it does not say."""
    grids = config.grids if isinstance(config, SweepOfParts) else (config,)
    entries = (entry for grid in grids for axis in _AXES for entry in getattr(grid, axis))
    return any(repository_of(one) is not None and one.commit is None for one in entries)


def unresolved(runs: Iterable[RunSpec]) -> list[Repository]:
    """Repositories of runs whose commit is not known, in order."""
    found = {name for run in runs for name, commit in repositories_of(run).items() if not commit}
    return sorted(found)


def with_commits(config: _Config, commits: Commits) -> _Config:
    """The sweep with the commits filled in that are known; what a file says itself stays."""
    if isinstance(config, SweepOfParts):
        copy = config.model_copy()
        copy._grids = tuple(with_commits(grid, commits) for grid in config.grids)
        return copy

    def pinned(entry: Any) -> Any:
        name = repository_of(entry)
        commit = commits.get(name) if name is not None else None
        if commit is None or entry.commit is not None:
            return entry
        return entry.model_copy(update={"commit": commit})

    return config.model_copy(
        update={axis: tuple(pinned(entry) for entry in getattr(config, axis)) for axis in _AXES}
    )
