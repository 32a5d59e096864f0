"""GPUs that a sweep asks for and this machine lacks: refused by `plan` and `sweep` at once."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from srtbench.cli import main
from srtbench.config import load_sweep
from srtbench.execute import gpus_here
from srtbench.execute.gpus_here import gpu_misfits
from srtbench.plan import plan_sweep
from tests.micro import CONTENT, write_sweep

Machine = Callable[[int], None]
FULL = {"trl": {"fsdp": "full_shard"}, "num_processes": 2}
LARGE = {"type": "hub", "id": "a/b", "attn_implementation": "flash_attention_2"}


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    """A machine with so many GPUs, and no Ray cluster."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))

    def has(count: int) -> None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(count))))
        monkeypatch.setattr(gpus_here, "has_gpu", lambda: count > 0)

    return has


def found(folder: Path, train: dict[str, Any], execution: dict[str, Any], **more: Any) -> list[str]:
    content = {"train": CONTENT["train"] | train, "execution": execution, "variants": ["srt"]}
    config = load_sweep(write_sweep(folder, **content, **more))
    told = gpu_misfits(config.execution, plan_sweep(config).runs)
    return [f"{one.keys[0]}: {one.text}" for _, one in told]


@pytest.mark.parametrize(
    ("gpus", "train", "execution", "wanted"),
    [
        (0, {}, {}, ""),
        (0, {"num_processes": 2}, {}, ""),
        (0, {}, {"gpus_per_run": 1}, "execution.gpus_per_run: 1, but there is no GPU here"),
        (0, {}, {"gpus_per_run": 0.5}, "execution.gpus_per_run: 0.5, but there is no GPU here"),
        (0, FULL, {}, "train.trl.fsdp: fsdp shards over GPUs, and there is no GPU here"),
        (0, {"trl": {"fp16": True}}, {}, "train.trl.fp16: fp16 needs a GPU, and there is no GPU"),
        (1, {"num_processes": 2}, {}, "train.num_processes: 2, one GPU each, but only 1 GPU visi"),
        (4, {"num_processes": 2}, {"gpus_per_run": 2}, ""),
        (4, {}, {"gpus_per_run": 2}, "execution.gpus_per_run: 2, but `backend: local` gives a run"),
        (1, {"trl": {"fp16": True}}, {"gpus_per_run": 1}, ""),
        (
            0,
            {},
            {"backend": "ray", "gpus_per_run": 1},
            "execution.gpus_per_run: 1, but there is no GPU here, and no Ray cluster to join",
        ),
        (1, {}, {"backend": "ray", "gpus_per_run": 2}, "execution.gpus_per_run: 2, but only 1 GPU"),
        (0, {}, {"backend": "slurm", "gpus_per_run": 1, "slurm": {"minutes": 5}}, ""),
    ],
)
def test_what_is_asked_for_and_not_there(
    tmp_path: Path,
    machine: Machine,
    gpus: int,
    train: dict[str, Any],
    execution: dict[str, Any],
    wanted: str,
) -> None:
    machine(gpus)
    told = found(tmp_path, train, execution)
    assert len(told) == bool(wanted), told
    assert all(one.startswith(wanted) for one in told), told


def test_attention_that_needs_a_gpu(tmp_path: Path, machine: Machine) -> None:
    machine(0)
    (told,) = found(tmp_path, {}, {}, models=[LARGE])
    assert told.startswith("model.attn_implementation: flash_attention_2 needs a GPU")


@pytest.mark.parametrize("known", ["RAY_ADDRESS", "a cluster on this machine"])
def test_nothing_is_said_of_a_ray_cluster_that_there_is(
    tmp_path: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch, known: str
) -> None:
    machine(0)
    if known == "RAY_ADDRESS":
        monkeypatch.setenv(known, "10.0.0.1:6379")
    else:
        (tmp_path / "ray").mkdir()
        (tmp_path / "ray" / "ray_current_cluster").write_text("10.0.0.1:6379")
    assert found(tmp_path, {}, {"backend": "ray", "gpus_per_run": 1}) == []


def test_plan_and_sweep_refuse_before_anything_starts(tmp_path: Path, machine: Machine) -> None:
    """One line, with the line of the file that a sweep of parts says it in."""
    machine(0)
    write_sweep(tmp_path, variants=["srt"])
    whole = tmp_path / "whole.yaml"
    whole.write_text("name: whole\nparts: [micro.yaml]\nexecution:\n  gpus_per_run: 1\n")
    for command in ("plan", "sweep"):
        result = CliRunner().invoke(main, [command, str(whole), "--root", str(tmp_path / "runs")])
        assert result.exit_code == 2, result.output
        assert re.search(r"1 problem\n  line 4, execution\.gpus_per_run: 1, but", result.stderr)
    assert not (tmp_path / "runs").exists()
    given = CliRunner().invoke(main, ["plan", str(whole), "--gpu", "h100"])
    assert given.exit_code == 0, "it is planned for another machine"
