"""`srtbench doctor`: what it finds on machines that lack something, and its proof."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from srtbench.doctor.machine import GIB, Gpu, Machine, Torch, machine_findings
from srtbench.doctor.packages import package_findings
from srtbench.doctor.sweeps import outlooks
from tests.micro import write_sweep

H100 = Gpu("H100", (9, 0), 80 * GIB)
OFFLINE = {"HF_HUB_OFFLINE": "1"}


def machine(*gpus: Gpu, memory: float = 16 * GIB, architectures: tuple[str, ...] = ()) -> Machine:
    torch = Torch("2.13.0", "13.0" if gpus else None, 2, architectures, gpus)
    return Machine(4, int(memory), torch)


def doctor(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "srtbench.cli", "doctor", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | environment
    )


def found(*arguments: object, **environment: str) -> dict[str, tuple[str, str]]:
    """name -> (state, text) of what the command says."""
    said = json.loads(doctor(*arguments, "--json", **environment).stdout)
    return {one["name"]: (one["state"], one["text"]) for one in said["findings"]}


@pytest.mark.slow
def test_a_machine_that_runs_the_tests_is_well(tmp_path: Path) -> None:
    write_sweep(tmp_path / "sweeps")
    root = tmp_path / "runs"
    done = doctor("--root", root, "--sweeps", tmp_path / "sweeps", **OFFLINE)
    assert done.returncode == 0, done.stdout
    assert "three steps trained, logged and audited" in done.stdout
    assert "all well" in done.stdout
    assert f"srtbench sweep {tmp_path / 'sweeps' / 'micro.yaml'} --workers" in done.stdout
    assert not root.exists(), "it leaves nothing behind"


def test_a_torch_that_cannot_be_imported_fails_and_so_does_the_proof(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('libcudart.so.13: cannot open')")
    arguments = ("--root", tmp_path / "runs", "--sweeps", tmp_path / "none")
    done = doctor(*arguments, PYTHONPATH=str(tmp_path), **OFFLINE)
    assert done.returncode == 1
    assert "FAIL  torch: cannot be imported: ImportError: libcudart.so.13" in done.stdout
    assert "FAIL  proof: `srtbench sweep` ended with exit code 1" in done.stdout
    assert "Traceback" not in done.stderr


def test_a_place_for_results_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    for root in (tmp_path / "runs", tmp_path / "runs" / "deeper"):
        findings = {one.name: one for one in machine_findings(machine(), root)}
        assert findings["results"].state == "fail"


@pytest.mark.parametrize(
    ("environment", "word"),
    [
        (OFFLINE, "only what is in the cache"),
        ({"HF_ENDPOINT": "http://127.0.0.1:9"}, "http://127.0.0.1:9 cannot be asked"),
    ],
)
def test_a_hub_that_does_not_answer_is_no_failure(
    tmp_path: Path, environment: dict[str, str], word: str
) -> None:
    state, text = found("--no-proof", "--root", tmp_path, "--sweeps", tmp_path, **environment)[
        "hub"
    ]
    assert state == "note"
    assert word in text


@pytest.mark.parametrize(
    ("architectures", "capability", "state"),
    [
        (("sm_80", "sm_90"), (9, 0), "ok"),
        (("sm_80", "sm_86"), (8, 9), "ok"),  # code of a lower minor runs
        (("sm_80", "sm_90"), (12, 0), "fail"),
        (("sm_90a",), (9, 0), "ok"),
        (("sm_70", "sm_120"), (7, 5), "note"),  # no bfloat16
        (("gfx942",), (9, 4), "ok"),
    ],
)
def test_a_gpu_needs_a_torch_with_code_for_it(
    tmp_path: Path, architectures: tuple[str, ...], capability: tuple[int, int], state: str
) -> None:
    one = machine(Gpu("some GPU", capability, 80 * GIB), architectures=architectures)
    findings = {finding.name: finding for finding in machine_findings(one, tmp_path)}
    assert findings["GPU 0"].state == state


def package(folder: Path, name: str, version: str, *requirements: str) -> None:
    """An installed package, as far as its metadata go."""
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    lines = [f"Requires-Dist: {one}\n" for one in requirements]
    text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{''.join(lines)}"
    (info / "METADATA").write_text(text)


def test_packages_that_do_not_fit_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package(tmp_path, "peft", "0.1", "torch<2", "left-pad>=1", "ray>=99; extra == 'vllm'")
    package(tmp_path, "vllm", "0.1", "transformers>=4", "torch ==1.0; sys_platform == 'win32'")
    monkeypatch.syspath_prepend(str(tmp_path))
    wrong = [one for one in package_findings() if one.state != "ok"]
    (of_peft,) = (one for one in wrong if one.name == "peft")  # neither left-pad nor the extra
    assert of_peft.state == "fail"
    assert of_peft.text.startswith("wants torch <2")
    assert not any(one.name == "vllm" for one in wrong)
    of_trl = [(one.state, one.text.split(" ")[1]) for one in wrong if one.name == "trl"]
    assert ("note", "vllm") in of_trl, "what an extra needs must fit if it is here"


def outlook(folder: Path, one: Machine, *, hub_answers: bool = True, **changes: Any) -> Any:
    write_sweep(folder, **changes)
    (only,) = outlooks(folder, one, hub_answers)
    return only


def test_runs_at_once_are_bounded_by_cores_and_by_memory(tmp_path: Path) -> None:
    assert outlook(tmp_path / "a", machine()).workers == 4
    assert outlook(tmp_path / "b", machine(memory=2.5 * GIB)).workers == 2
    none = outlook(tmp_path / "c", machine(memory=0.5 * GIB))
    assert none.workers == 0
    assert none.missing


def test_models_that_are_not_here_and_gpus_that_are_too_small(tmp_path: Path) -> None:
    hub = {"models": ["Qwen/Qwen2.5-7B"]}
    far = outlook(tmp_path / "a", machine(), hub_answers=False, **hub)
    assert any("the hub, for Qwen/Qwen2.5-7B" in one for one in far.missing)
    assert any("1 GPU with ~" in one for one in far.missing)
    small = {"models": ["HuggingFaceTB/SmolLM2-135M"]}
    two = outlook(tmp_path / "b", machine(H100, H100), **small)
    assert not two.missing
    assert two.workers == 2
    big = outlook(tmp_path / "d", machine(H100), **hub)
    assert any("1 GPU with" in one for one in big.missing)
    local = {"models": [{"type": "local", "path": "nowhere/SmolLM2-135M"}]}
    absent = outlook(tmp_path / "c", machine(), **local)
    assert any("nowhere" in one for one in absent.missing)


def test_a_file_that_cannot_be_planned_is_named_and_the_others_go_on(tmp_path: Path) -> None:
    write_sweep(tmp_path / "good")
    (tmp_path / "bad.yaml").write_text("name: [")
    bad, good = outlooks(tmp_path, machine(), hub_answers=True)
    assert bad.runs == 0
    assert "bad.yaml" in bad.missing[0]
    assert good.workers == 4
