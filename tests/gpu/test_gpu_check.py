"""The one command that proves a GPU: what it refuses, and a rehearsal of all its steps on a CPU."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from srtbench import load_sweep, plan_sweep

REPOSITORY = Path(__file__).resolve().parents[2]


def gpu_check(*arguments: object, folder: Path) -> subprocess.CompletedProcess[str]:
    """The script, with the Python of the tests as the one on PATH."""
    python = Path(sys.executable).parent
    return subprocess.run(
        ["bash", str(REPOSITORY / "scripts" / "gpu_check.sh"), *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=folder,
        env=os.environ | {"PATH": f"{python}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"},
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "give the folder of wheels, or --installed"),
        (("--cpu", "--instaled"), "unknown option --instaled; allowed: --out, --venv, --installed"),
        (("a", "b"), "one folder of wheels, and not also b"),
        (("a", "--installed"), "give the folder of wheels or --installed, not both"),
        ((".", "--cpu"), ". holds no wheel of srtbench"),
        (("--installed", "--out"), "--out needs a file"),
    ],
)
def test_a_wrong_call_is_one_line(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    done = gpu_check(*arguments, folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"gpu_check: {said}")
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(any(Path("/dev").glob("nvidia[0-9]*")), reason="there is a GPU here")
def test_a_machine_without_a_gpu_is_one_line(tmp_path: Path) -> None:
    done = gpu_check("--installed", folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("gpu_check: no NVIDIA GPU here")


def test_the_sweep_for_a_gpu_has_every_variant_of_the_smoke_sweep_twice(tmp_path: Path) -> None:
    found = importlib.util.spec_from_file_location("check", REPOSITORY / "scripts" / "gpu_check.py")
    assert found is not None
    assert found.loader is not None
    script = sys.modules[found.name] = importlib.util.module_from_spec(found)
    found.loader.exec_module(script)
    smoke = plan_sweep(load_sweep(REPOSITORY / "sweeps" / "smoke.yaml")).runs
    planned = plan_sweep(load_sweep(script.smoke("cuda", tmp_path))).runs
    precisions: dict[str, list[bool]] = {}
    for run in planned:
        label, _, _ = run.variant_label.rpartition("-")
        options = run.train.trl if run.train.rounds is None else run.train.rounds.fit.trl
        precisions.setdefault(label, []).append(options["bf16"])
    assert precisions == {run.variant_label: [False, True] for run in smoke}


@pytest.mark.slow
def test_a_rehearsal_does_every_step_and_says_that_it_was_one(tmp_path: Path) -> None:
    done = gpu_check("--installed", "--cpu", "--out", tmp_path / "page.md", folder=tmp_path)
    page = (tmp_path / "page.md").read_text()
    assert done.returncode == 0, page
    assert "**cpu, a rehearsal: nothing below was run on a GPU**" in page
    for step in (
        "tests marked gpu",
        "smoke sweep, float32 and bfloat16",
        "its audit",
        "memory and time against the plan",
    ):
        assert f"| {step} | ok |" in page
    assert "5 passed" in page, "the tests are run, not skipped"
    for run in ("srt-fp32", "srt-bf16"):
        assert f"| {run} | done |" in page
    assert "peak memory, GB" in page
