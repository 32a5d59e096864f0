"""Whether this machine has the GPUs that a sweep asks for: asked before any work is begun.

Nothing of CUDA is loaded, so a plan stays instant and workers can still be forked.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from srtbench.config.misfit import Misfit, misfit
from srtbench.config.models import TinyModel
from srtbench.config.train import ExecutionConfig
from srtbench.config.words import counted
from srtbench.execute.base import processes_of
from srtbench.plan import RunSpec

_DEVICES = ("nvidia[0-9]*", "kfd", "dxg")
"""Device files of NVIDIA, AMD, and of Windows below a Linux."""

_RAY_CLUSTER = "ray/ray_current_cluster"
"""Where Ray keeps the address of a cluster that runs on this machine, below its folder."""

_FUSED = ("flash_attention_2", "flash_attention_3")


def visible_gpus() -> list[str]:
    """Ids of the NVIDIA devices that this process may use, without loading CUDA."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [gpu.strip() for gpu in named.split(",") if gpu.strip() not in ("", "-1")]
    devices = Path("/dev").glob("nvidia[0-9]*")
    return sorted((path.name.removeprefix("nvidia") for path in devices), key=int)


def has_gpu() -> bool:
    """Whether there is any GPU, of any maker, that this process may use."""
    hidden = "CUDA_VISIBLE_DEVICES" in os.environ and not visible_gpus()
    return not hidden and any(any(Path("/dev").glob(pattern)) for pattern in _DEVICES)


def gpu_misfits(
    execution: ExecutionConfig, runs: Sequence[RunSpec]
) -> list[tuple[RunSpec, Misfit]]:
    """What the runs would need of this machine's GPUs and not get, each with a run that needs it.

    Nothing is said of Slurm, nor of a Ray cluster that there is to be joined.
    """
    if not runs or not _is_here(execution):
        return []
    widest = max(runs, key=processes_of)
    found = [(widest, one) for one in _shortage(execution, processes_of(widest))]
    if not has_gpu():
        found += [(run, one) for run in runs for one in _of_gpus_alone(run)]
    return list({one: (run, one) for run, one in reversed(found)}.values())[::-1]


def _is_here(execution: ExecutionConfig) -> bool:
    """Whether runs are executed on this machine."""
    if execution.backend == "ray":
        folder = Path(os.environ.get("RAY_TMPDIR", "/tmp"))
        return not os.environ.get("RAY_ADDRESS") and not (folder / _RAY_CLUSTER).exists()
    return execution.backend == "local"


def _shortage(execution: ExecutionConfig, processes: int) -> list[Misfit]:
    """GPUs that a run is to have, and how many there are."""
    wanted, there = execution.gpus_per_run, visible_gpus() if has_gpu() else []
    here = f"{counted(len(there), 'GPU')} visible" if there else "no GPU here"
    key = "execution.gpus_per_run"
    if execution.backend == "ray":
        here += ", and no Ray cluster to join (RAY_ADDRESS)"
    if wanted and not has_gpu():
        return [misfit(f"{wanted:g}, but there is {here}; leave it out to train on CPU", key)]
    if execution.backend == "ray":
        return [misfit(f"{wanted:g}, but only {here}", key)] if wanted > len(there) > 0 else []
    if there and processes > len(there):
        text = f"{processes}, one GPU each, but only {here}"
        return [misfit(text, "train.num_processes")]
    if wanted > processes:
        text = (
            f"{wanted:g}, but `backend: local` gives a run one GPU for each of its processes, "
            f"here {processes} (train.num_processes)"
        )
        return [misfit(text, key)]
    return []


def _of_gpus_alone(run: RunSpec) -> list[Misfit]:
    """Options that no CPU can follow."""
    found = []
    if run.train.trl.get("fsdp"):
        text = "fsdp shards over GPUs, and there is no GPU here"
        found.append(misfit(text, "train.trl.fsdp"))
    if run.train.trl.get("fp16") is True:
        text = "fp16 needs a GPU, and there is no GPU here; leave it out"
        found.append(misfit(text, "train.trl.fp16"))
    attention = None if isinstance(run.model, TinyModel) else run.model.attn_implementation
    if attention in _FUSED:
        text = f"{attention} needs a GPU, and there is no GPU here; leave it out"
        found.append(misfit(text, "model.attn_implementation"))
    return found
