"""Checkpoints of a run: which files make one whole, and the newest that can be trusted.

A disk that was full, or power that failed, leaves a checkpoint that status.json names and no
trainer can load. It is found before anything newer than the checkpoint is dropped, and the one
before it is taken instead. Loads no torch.
"""

import json
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from srtbench.store.files import StoreError, read_json, write_json
from srtbench.store.folders import Folder

_LISTING = "files.json"
"""Written into a checkpoint when it is whole: name -> size in bytes."""

ADAPTER_CONFIG = "adapter_config.json"
"""Stands in a folder of adapters in the place of config.json."""

_NAME = re.compile(r"checkpoint-(\d+)")
_STATE = "trainer_state.json"
_ZIPPED = {".pt", ".pth", ".bin"}
"""Endings of what torch saves, as ZIP archives."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that is whole.

    Attributes:
        step: 0 if there is none, so that the run begins anew.
        passed_over: newer ones that are not, each with the reason, in one line.
    """

    step: int
    passed_over: tuple[str, ...] = ()


def checkpoint_name(step: int) -> str:
    """Name of the folder of a checkpoint, as the trainer chooses it."""
    return f"checkpoint-{step}"


def list_files(path: Path) -> None:
    """Note the files of a checkpoint that is whole, so that a missing or cut one is seen later.

    Not those of the random state: other processes may still be writing theirs.
    """
    files = [file for file in path.rglob("*") if file.is_file()]
    listing = {
        file.relative_to(path).as_posix(): file.stat().st_size
        for file in sorted(files)
        if not file.name.startswith("rng_state") and file.name != _LISTING
    }
    write_json(path / _LISTING, listing)


def last_whole(folder: Folder) -> Checkpoint:
    """The newest whole checkpoint that is no newer than what status.json names."""
    status = folder.read_status()
    if status.checkpoint is None:
        return Checkpoint(0)
    steps = {status.checkpoint_step, *steps_kept(folder)}
    passed_over: list[str] = []
    for step in sorted((step for step in steps if step <= status.checkpoint_step), reverse=True):
        try:
            _check(folder.checkpoint_path / checkpoint_name(step), step)
        except StoreError as error:
            passed_over.append(str(error))
        else:
            return Checkpoint(step, tuple(passed_over))
    return Checkpoint(0, tuple(passed_over))


def steps_kept(folder: Folder) -> list[int]:
    """Steps of the checkpoints in a run's folder, whole or not."""
    found = (_NAME.fullmatch(path.name) for path in folder.checkpoint_path.glob("checkpoint-*"))
    return sorted(int(match[1]) for match in found if match)


def check_model(path: Path) -> None:
    """A folder of weights, or of adapters, as `save_pretrained` writes it.

    Raises:
        StoreError: a file is missing or cut; it is named.
    """
    is_adapter = (path / ADAPTER_CONFIG).exists()
    read_whole_json(path / (ADAPTER_CONFIG if is_adapter else "config.json"))
    weights = [*path.glob("*.safetensors"), *path.glob("pytorch_model*.bin")]
    if not weights:
        raise StoreError(f"{path}: holds no weights")
    index = path / "model.safetensors.index.json"
    if index.is_file():
        shards = read_json(index).get("weight_map")
        names = set(shards.values()) if isinstance(shards, dict) else set()
        for name in sorted(names - {file.name for file in weights}):
            raise StoreError(f"{path / name}: is missing")
    for file in weights:
        _check_file(file)


def read_whole_json(path: Path) -> object:
    """As `read_json`; a missing file is damage too."""
    try:
        return read_json(path)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror or error}") from None


def _check(path: Path, step: int) -> None:
    """Whether a trainer can go on from the checkpoint in ``path``.

    Raises:
        StoreError: it cannot; the file is named.
    """
    if not path.is_dir():
        raise StoreError(f"{path}: is missing")
    state = read_whole_json(path / _STATE)
    found = state.get("global_step") if isinstance(state, dict) else None
    if found != step:
        raise StoreError(f"{path / _STATE}: global_step is {found!r}, not {step}")
    for name, size in _listed(path / _LISTING):
        file = path / name
        if not file.is_file():
            raise StoreError(f"{file}: is missing")
        if file.stat().st_size != size:
            raise StoreError(f"{file}: has {file.stat().st_size} bytes of {size}")
    check_model(path)
    for file in sorted(path.rglob("*")):
        _check_file(file)


def _listed(path: Path) -> Iterator[tuple[str, int]]:
    """What a listing says; nothing if there is none, as in checkpoints of older versions."""
    if path.is_file():
        for name, size in read_json(path).items():
            if not isinstance(size, int):
                raise StoreError(f"{path}: {name}: {size!r} is no size")
            yield name, size


def _check_file(path: Path) -> None:
    """Tensors in a file end where it ends, and an archive's members have their checksums."""
    try:
        if path.suffix == ".safetensors":
            _check_tensors(path)
        elif path.suffix in _ZIPPED and path.is_file():
            with zipfile.ZipFile(path) as archive:
                if (broken := archive.testzip()) is not None:
                    raise StoreError(f"{path}: {broken} in it is damaged")
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise StoreError(f"{path}: not a whole file of torch ({error})") from None
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror or error}") from None


def _check_tensors(path: Path) -> None:
    """The header of a safetensors file: eight bytes of its length, then JSON with offsets."""
    size = path.stat().st_size
    with path.open("rb") as source:
        try:
            (length,) = struct.unpack("<Q", source.read(8))
            header = json.loads(source.read(min(length, size)))
            ends = [one["data_offsets"][1] for name, one in header.items() if name[:2] != "__"]
            end = 8 + length + max(ends, default=0)
        except (ValueError, struct.error, AttributeError, LookupError, TypeError):
            raise StoreError(f"{path}: not a file of tensors") from None
    if end != size:
        raise StoreError(f"{path}: has {size} bytes of {end}")
