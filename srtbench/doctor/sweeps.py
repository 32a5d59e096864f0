"""What a machine can run of the sweep files of a folder, and with how many runs at once."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from srtbench.config import SweepConfig, load_sweep
from srtbench.config.errors import ConfigError
from srtbench.config.models import LocalModel, TinyModel
from srtbench.config.sweep import SweepOfParts
from srtbench.doctor.machine import GIB, Machine
from srtbench.execute.engines_here import engines_here
from srtbench.plan import Plan, RunSpec, cost, plan_sweep
from srtbench.plan.hub import Repository, repositories_of

TINY_BYTES = 1.0 * GIB
"""Memory of a run of a tiny model, with room to spare: torch, transformers, TRL and the rest."""

CPU_FLOPS = 2e10
"""Operations per second that a core reaches in training, to the order of magnitude."""

LONG_HOURS = 100
"""Core-hours from which a sweep is said to want a GPU."""


@dataclass(frozen=True)
class Outlook:
    """Of one sweep file.

    Attributes:
        runs: 0: the file cannot be planned.
        missing: what keeps it from running here.
        workers: runs at once; 0: none.
        advice: how to start it, or what it would take.
    """

    path: Path
    runs: int
    missing: tuple[str, ...]
    workers: int
    advice: str


def outlooks(folder: Path, machine: Machine, hub_answers: bool) -> Iterator[Outlook]:
    """Of every sweep file in a folder and the folders below, by name."""
    for path in sorted(folder.rglob("*.yaml")):
        try:
            config = load_sweep(path)
            plan = plan_sweep(config)
        except ConfigError as error:
            first = str(error).splitlines()[0]
            yield Outlook(path, 0, (first,), 0, f"srtbench plan {path}")
            continue
        yield _outlook(path, config, plan, machine, hub_answers)


def _outlook(
    path: Path, config: SweepConfig | SweepOfParts, plan: Plan, machine: Machine, hub_answers: bool
) -> Outlook:
    missing = [*_packages(config, plan), *_files(plan)]
    if not hub_answers:
        missing += _not_cached(plan)
    needed = max(map(_bytes_of, plan.runs))
    runs = [run for run in plan.runs if not isinstance(run.model, TinyModel)]
    gpus = machine.torch.gpus if machine.torch else ()
    processes = max(run.train.num_processes for run in plan.runs)
    gpus_needed = f"{processes} GPU{'s' * (processes > 1)} with ~{needed / GIB:.0f} GiB each"
    if runs and gpus:
        usable = cost.USABLE_MEMORY * min(gpu.memory for gpu in gpus)
        if processes > len(gpus) or needed > usable:
            missing.append(gpus_needed)
        workers = len(gpus) // processes
    else:
        workers = min(machine.cores, int(cost.USABLE_MEMORY * machine.memory / needed))
        hours = _core_hours(runs)
        if not workers:
            missing.append(gpus_needed)
        elif hours > LONG_HOURS:
            missing.append(f"a GPU (on CPUs ~{hours:,.0f} core-hours)")
    if missing:
        return Outlook(path, len(plan.runs), tuple(missing), 0, "")
    advice = f"srtbench sweep {path} --workers {min(workers, len(plan.runs))}"
    return Outlook(path, len(plan.runs), (), workers, advice)


def _packages(config: SweepConfig | SweepOfParts, plan: Plan) -> Iterator[str]:
    wanted = {
        "gguf": any(isinstance(run.model, LocalModel) and run.model.gguf_file for run in plan.runs),
        "ray": config.execution.backend == "ray",
        "submitit": config.execution.backend == "slurm",
    }
    for name, is_wanted in wanted.items():
        if is_wanted and find_spec(name) is None:
            extra = {"submitit": "slurm"}.get(name, name)
            yield f"the package {name}: pip install 'srtbench[{extra}]'"
    yield from engines_here(plan.runs)


def _files(plan: Plan) -> Iterator[str]:
    """Folders of models that are not there."""
    models = {run.model.path for run in plan.runs if isinstance(run.model, LocalModel)}
    for path in sorted(models):
        if not Path(path).exists():
            yield f"the model in {path}"


def _not_cached(plan: Plan) -> Iterator[str]:
    from huggingface_hub import CacheNotFound, scan_cache_dir

    try:
        cached = {(one.repo_type, one.repo_id) for one in scan_cache_dir().repos}
    except CacheNotFound:
        cached = set()
    wanted: set[Repository] = {one for run in plan.runs for one in repositories_of(run)}
    absent = sorted({one.id for one in wanted if (one.kind, one.id) not in cached})
    if absent:
        more = f" and {len(absent) - 3} more" if len(absent) > 3 else ""
        yield f"the hub, for {', '.join(absent[:3])}{more}"


def _bytes_of(run: RunSpec) -> float:
    """Memory of a run, or of each of its GPUs; of a model of unknown size as of a tiny one."""
    found = None if isinstance(run.model, TinyModel) else cost.cost(run, cost.Assumptions())
    return TINY_BYTES if found is None else TINY_BYTES + found.gigabytes * 1e9


def _core_hours(runs: list[RunSpec]) -> float:
    found = (cost.cost(run, cost.Assumptions()) for run in runs)
    return sum(one.flop for one in found if one is not None) / CPU_FLOPS / 3600
