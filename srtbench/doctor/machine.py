"""Cores, memory, disk, write access and GPUs of this machine.

Torch is asked in a process of its own: a broken installation ends that process and no other.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from srtbench.doctor.finding import Finding
from srtbench.execute.cores import usable_cores

GIB = 2**30
TORCH_SECONDS = 120
_LEAST_FREE = 2 * GIB
_CGROUP = Path("/sys/fs/cgroup/memory.max")

_ASK_TORCH = """
import json, torch
cuda = torch.cuda.is_available()
devices = []
for index in range(torch.cuda.device_count() if cuda else 0):
    found = torch.cuda.get_device_properties(index)
    devices.append([found.name, found.major, found.minor, found.total_memory])
print(json.dumps({
    "version": torch.__version__,
    "cuda": torch.version.cuda or torch.version.hip,
    "threads": torch.get_num_threads(),
    "architectures": torch.cuda.get_arch_list() if cuda else [],
    "devices": devices,
}))
"""


@dataclass(frozen=True)
class Gpu:
    """A GPU that torch can use."""

    name: str
    capability: tuple[int, int]
    memory: int
    """Bytes."""


@dataclass(frozen=True)
class Torch:
    """What torch says of itself and of the machine."""

    version: str
    cuda: str | None
    """Version of CUDA or ROCm that it was built for; None: a build for CPUs."""
    threads: int
    architectures: tuple[str, ...]
    gpus: tuple[Gpu, ...]


@dataclass(frozen=True)
class Machine:
    """What runs can use.

    Attributes:
        memory: bytes that a process of this machine, or of this container, may have.
        torch: None: it cannot be imported; ``torch_error`` says why.
    """

    cores: int
    memory: int
    torch: Torch | None
    torch_error: str = ""


def examine() -> Machine:
    """Look at this machine; takes as long as torch needs to be imported."""
    memory = min(psutil.virtual_memory().total, _container_memory())
    try:
        done = subprocess.run(
            [sys.executable, "-c", _ASK_TORCH],
            capture_output=True,
            text=True,
            timeout=TORCH_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        late = f"no answer within {TORCH_SECONDS} s"
        return Machine(usable_cores(), memory, None, late)
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        why = lines[-1] if lines else f"the process ended with {done.returncode}"
        return Machine(usable_cores(), memory, None, why)
    said = json.loads(done.stdout.splitlines()[-1])
    gpus = tuple(Gpu(name, (major, minor), size) for name, major, minor, size in said["devices"])
    torch = Torch(
        said["version"], said["cuda"], said["threads"], tuple(said["architectures"]), gpus
    )
    return Machine(usable_cores(), memory, torch)


def _container_memory() -> int:
    """Limit of this process's control group, in bytes; without one, no limit."""
    try:
        text = _CGROUP.read_text().strip()
    except OSError:
        return sys.maxsize
    return int(text) if text.isdigit() else sys.maxsize


def machine_findings(machine: Machine, root: Path) -> Iterator[Finding]:
    """Findings of cores, memory, disk, write access, torch and GPUs.

    Args:
        root: folder of sweeps; need not exist, and is not made.
    """
    yield Finding("ok", "cores", f"{machine.cores} usable of {os.cpu_count()}")
    available = min(psutil.virtual_memory().available, machine.memory)
    yield Finding(
        "ok", "memory", f"{machine.memory / GIB:.1f} GiB, {available / GIB:.1f} GiB free now"
    )
    yield from _disk(root)
    yield from _torch(machine)


def _disk(root: Path) -> Iterator[Finding]:
    place = root.absolute()
    while not place.exists():
        place = place.parent
    if not place.is_dir():
        yield Finding("fail", "results", f"{place} is a file, and {root} is to be a folder")
        return
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        yield Finding("fail", "results", f"{place} cannot be written: {error.strerror}")
        return
    free = shutil.disk_usage(place).free
    text = f"{root} can be written, {free / GIB:.1f} GiB free on its disk"
    if free < _LEAST_FREE:
        yield Finding("note", "results", f"{text}: little for checkpoints")
    else:
        yield Finding("ok", "results", text)


def _torch(machine: Machine) -> Iterator[Finding]:
    torch = machine.torch
    if torch is None:
        yield Finding("fail", "torch", f"cannot be imported: {machine.torch_error}")
        return
    build = f"built for CUDA or ROCm {torch.cuda}" if torch.cuda else "a build for CPUs"
    yield Finding("ok", "torch", f"{torch.version}, {build}, {torch.threads} threads")
    for index, gpu in enumerate(torch.gpus):
        major, minor = gpu.capability
        text = f"{gpu.name}, {gpu.memory / GIB:.0f} GiB, compute capability {major}.{minor}"
        name = f"GPU {index}"
        if not _has_code(torch, gpu):
            yield Finding(
                "fail", name, f"{text}, for which this torch has no code: {torch.architectures}"
            )
        elif gpu.capability < (8, 0):
            yield Finding("note", name, f"{text}: no bfloat16, give `dtype: float32`")
        else:
            yield Finding("ok", name, text)
    if not torch.gpus:
        driver = _driver()
        if driver and not torch.cuda:
            yield Finding("note", "GPU", f"{driver}, which torch cannot use: a build for CPUs")
        elif driver or torch.cuda:
            why = f"{driver}, which torch cannot use" if driver else "none found by torch"
            yield Finding("note", "GPU", f"{why}: runs will be on the CPU")
        else:
            yield Finding("ok", "GPU", "none; runs will be on the CPU")


def _has_code(torch: Torch, gpu: Gpu) -> bool:
    """Whether a build has code for a GPU: of its own capability, or of a lower one of its major."""
    numbers = [one.rpartition("_")[2].rstrip("af") for one in torch.architectures]
    built = [(int(one[:-1]), int(one[-1])) for one in numbers if one.isdigit()]
    if not built:  # ROCm names its architectures in another way
        return True
    major, minor = gpu.capability
    return any(own[0] == major and own[1] <= minor for own in built)


def _driver() -> str | None:
    """What NVIDIA's driver calls its first GPU; None without a driver."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    command = [program, "--query-gpu=name", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = done.stdout.strip().splitlines()
    return lines[0] if done.returncode == 0 and lines else None
