"""A whole plan, checked: everything that is wrong at once, each with its line and key."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from srtbench.checks.data import DataChecks
from srtbench.checks.findings import Findings
from srtbench.checks.variants import look_at_variants
from srtbench.config.errors import ConfigError, Problem
from srtbench.config.sweep import SweepConfig, SweepOfParts
from srtbench.plan import Plan, RunSpec, plan_what_fits
from srtbench.plan.select import Selection, select


@dataclass(frozen=True)
class Checked:
    """What was found.

    Attributes:
        problems: what would stop a run. warnings: what trains, and is probably not meant.
        unread: what could not be read without the network -> why.
    """

    source: Path
    problems: list[Problem]
    warnings: list[Problem]
    unread: dict[str, str]


def check_plan(
    config: SweepConfig | SweepOfParts, plan: Plan, runs: Iterable[RunSpec] | None = None
) -> Checked:
    """Try the data and the variants of a plan, or of some of its runs."""
    findings = Findings(config)
    runs = plan.runs if runs is None else [*runs]
    data = DataChecks(plan, findings)
    data.look(runs)
    look_at_variants(findings, plan, runs)
    return Checked(config.source, findings.problems, findings.warnings, data.unread)


def all_of(runs: Iterable[RunSpec]) -> list[RunSpec]:
    """The runs, each of them."""
    return [*runs]


def check_sweep(
    config: SweepConfig | SweepOfParts,
    only: Selection | None = None,
    due: Callable[[Iterable[RunSpec]], list[RunSpec]] = all_of,
) -> tuple[Plan, list[RunSpec], Checked]:
    """The plan of a sweep, of the cells whose sections fit together; its runs; what is wrong.

    Args:
        only: labels of the runs that are asked for, as in `run_sweep`.
        due: of these runs, those whose data and variants are tried.

    Raises:
        ValueError: ``only`` names an unknown axis or label.
    """
    plan, problems = plan_what_fits(config)
    # Of a plan that lacks cells, their labels are unknown too.
    runs = [*plan.runs] if problems else select(plan, only or {})
    checked = check_plan(config, plan, due(runs))
    return plan, runs, replace(checked, problems=[*problems, *checked.problems])


def check_what_fits(error: ConfigError) -> ConfigError:
    """The error of a sweep file, and what its data and variants would have met beside it.

    Entries that the error speaks of are left out.
    """
    rest = error.rest
    if not isinstance(rest, SweepConfig | SweepOfParts):
        return error
    plan, problems = plan_what_fits(rest)
    more = check_plan(rest, plan).problems
    told = {(problem.file, problem.key_path) for problem in error.problems}
    found = [*error.problems, *(one for one in more if (one.file, one.key_path) not in told)]
    # Options of TRL that a cell does not know were named with their lines.
    found = sorted(found, key=lambda one: (str(one.file or ""), one.line or 0))
    exclude = rest.exclude if isinstance(rest, SweepConfig) else ()
    if plan.runs or exclude:  # else nothing is left to plan
        found += [one for one in problems if "train.trl." not in one.message]
    return ConfigError(error.path, found)
