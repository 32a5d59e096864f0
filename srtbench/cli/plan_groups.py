"""Runs and stages of a large plan, by groups that fit on a page."""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

from srtbench.config.words import counted
from srtbench.plan import Estimate, RunSpec, StageSpec

PAGE = 40
"""Lines of a table, unless all of them are asked for."""

_T = TypeVar("_T")

_AXES: Mapping[str, Callable[[RunSpec], Hashable]] = {
    "part": lambda run: run.part or "",
    "model": lambda run: run.model_label,
    "dataset": lambda run: run.dataset_label,
    "variant": lambda run: run.variant_label,
}

_BY: tuple[tuple[str, ...], ...] = (
    ("part", "model", "dataset", "variant"),
    ("part", "dataset", "variant"),
    ("part", "model", "variant"),
    ("part", "variant"),
    ("part", "dataset"),
    ("part", "model"),
    ("part",),
)
"""What runs are grouped by: the first of these that gives a page, else what gives fewest groups."""


def run_groups(
    runs: Sequence[RunSpec], work: Sequence[Estimate]
) -> tuple[list[str], list[list[str]]]:
    """Header and rows: a row for runs that have the same labels on some axes."""
    counts = {by: len({_key(run, by) for run in runs}) for by in _BY}
    by = next((by for by in _BY if counts[by] <= PAGE), min(_BY, key=lambda by: counts[by]))
    found: dict[tuple[Hashable, ...], list[int]] = defaultdict(list)
    for place, run in enumerate(runs):
        found[_key(run, by)].append(place)
    shown = [axis for axis in by if axis != "part" or any(run.part for run in runs)]
    further = [axis for axis in _AXES if axis not in by]
    rows = []
    for key, places in found.items():
        here = [runs[place] for place in places]
        named = dict(zip(by, map(str, key), strict=True))
        total = sum((work[place] for place in places), Estimate(0, 0))
        rows.append(
            [
                *(named[axis] for axis in shown),
                f"{len(here):,}",
                *(_values([_AXES[axis](run) for run in here]) for axis in further),
                _values([run.seed for run in here]),
                _values([run.train.algorithm for run in here]),
                _values([run.train.steps for run in here]),
                _values([_group_shape(run) for run in here]),
                _values([f"{run.train.learning_rate:g}" for run in here]),
                f"{total.rollouts:,}",
                f"{total.completion_tokens:,}",
            ]
        )
    header = [*shown, "runs", *(f"{axis}s" for axis in further), "seeds", *WORK]
    return header, rows


WORK = ("algorithm", "steps", "group x n", "lr", "rollouts", "tokens <=")
"""Header of what a run does."""


def stage_groups(
    stages: Sequence[StageSpec], work: Sequence[Estimate], users: Mapping[str, int]
) -> tuple[list[str], list[list[str]]]:
    """Header and rows: a row for each kind of stage."""
    found: dict[str, Estimate] = defaultdict(lambda: Estimate(0, 0))
    for stage, one in zip(stages, work, strict=True):
        found[stage.kind] += one
    count = Counter(stage.kind for stage in stages)
    uses: Counter[str] = Counter()
    for stage in stages:
        uses[stage.kind] += users[stage.stage_id]
    rows = [
        [
            kind,
            f"{count[kind]:,}",
            f"{uses[kind]:,}",
            f"{total.rollouts:,}",
            f"{total.completion_tokens:,}",
        ]
        for kind, total in found.items()
    ]
    return ["kind of stage", "stages", "used by runs", "rollouts", "tokens <="], rows


def page(rows: Sequence[_T], every: bool) -> tuple[Sequence[_T], str]:
    """The rows of a page, and a line on those that are left, empty if none is."""
    if every or len(rows) <= PAGE:
        return rows, ""
    return rows[:PAGE], f"... and {len(rows) - PAGE:,} more (--all lists them)"


def sentences(text: str, run_ids: Sequence[str], every: bool) -> list[str]:
    """A sentence on runs: one for each, or one for all where they are many."""
    if every or len(run_ids) <= PAGE // 4:
        return [f"{text}: {run_id}" for run_id in run_ids]
    return [f"{text}: {counted(len(run_ids), 'run')}, the first {run_ids[0]} (--all lists them)"]


def _group_shape(run: RunSpec) -> str:
    return f"{run.train.prompts_per_step} x {run.train.num_generations}"


def _key(run: RunSpec, by: Iterable[str]) -> tuple[Hashable, ...]:
    return tuple([_AXES[axis](run) for axis in by])


def _values(values: Iterable[Hashable]) -> str:
    """One value or two as they are, of more how many."""
    found = list(dict.fromkeys(values))
    return ", ".join(map(str, found)) if len(found) <= 2 else f"{len(found):,} values"
