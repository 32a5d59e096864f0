"""What would stop a sweep, found before any work is begun: the same for a plan and for a sweep."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from srtbench.checks import Checked, all_of, check_sweep
from srtbench.config.errors import ConfigError, Problem
from srtbench.config.misfit import misfit
from srtbench.config.sweep import SweepConfig, SweepOfParts
from srtbench.execute.engines_here import engines_here
from srtbench.execute.gpus_here import gpu_misfits
from srtbench.execute.ray import ray_misfits
from srtbench.execute.report_to import TOOLS_KEY, missing_tools
from srtbench.plan import Plan, RunSpec
from srtbench.plan.places import Places
from srtbench.plan.select import Selection
from srtbench.store import SweepStore


@dataclass(frozen=True)
class Ahead:
    """A sweep, looked at.

    Attributes:
        plan: of the cells whose sections fit together. runs: of the plan, those that are asked for.
        checked: what is wrong with the sweep file, its data and its variants.
        lacking: what this machine lacks to train the runs.
    """

    plan: Plan
    runs: list[RunSpec]
    checked: Checked
    lacking: list[Problem]

    @property
    def warnings(self) -> list[str]:
        """What trains and is probably not meant, and what could not be looked at."""
        unread = [f"not checked: {name}: {why}" for name, why in self.checked.unread.items()]
        return [*unread, *(f"warning: {one}" for one in self.checked.warnings)]

    def refuse(self) -> None:
        """Raise ConfigError with all problems at once, if there are any."""
        problems = [*self.checked.problems, *self.lacking]
        if problems:
            raise ConfigError(self.checked.source, problems)


def look_ahead(
    config: SweepConfig | SweepOfParts,
    only: Selection | None = None,
    *,
    due: Callable[[Iterable[RunSpec]], list[RunSpec]] = all_of,
    here: Callable[[Iterable[RunSpec]], list[RunSpec]] = all_of,
) -> Ahead:
    """Plan a sweep, try its data and variants, and ask this machine for what training needs.

    Args:
        only: labels of the runs that are asked for, as in `run_sweep`.
        due: of these runs, those whose data and variants are tried, and that are to have GPUs.
        here: of these runs, those that this machine is to train.

    Raises:
        ValueError: ``only`` names an unknown axis or label.
    """
    plan, runs, found = check_sweep(config, only, due)
    at_home = here(runs)
    places, lacking = Places(config), []
    told = [(run, misfit(text, TOOLS_KEY)) for text, run in missing_tools(at_home).items()]
    sampled = [run for run in at_home if run.generation is not None]
    if config.execution.backend == "local":
        told += [(sampled[0], misfit(text, "generation")) for text in engines_here(sampled)]
    if config.execution.backend == "ray":
        told += ray_misfits(config.execution, runs, here=bool(at_home))
    told += gpu_misfits(config.execution, due(at_home))
    for run, one in told:
        place = places.of_misfit(plan.origins[run.run_id], one, None)
        lacking.append(places.problem(place, one.text))
    return Ahead(plan, runs, found, lacking)


def to_do(runs: Iterable[RunSpec], store: SweepStore, *, retry_failed: bool) -> list[RunSpec]:
    """The runs that are not at their end, as a sweep sees it."""
    ended = {"done"} if retry_failed else {"done", "failed"}
    return [run for run in runs if store.folder(run).shown_status().state not in ended]
