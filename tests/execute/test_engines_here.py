"""Whether a machine can sample a sweep: refused by `plan` and `sweep` before any work is begun."""

import importlib.metadata
import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import pytest

from srtbench.config import load_sweep
from srtbench.config.generation import CPU_HEAD_SIZES
from srtbench.execute import engines_here as here
from srtbench.plan import plan_sweep
from tests.micro import MODEL, srtbench, write_sweep

VLLM = {"engine": "vllm", "kv_cache_gib": 0.25}
ONE_HEAD = MODEL | {"num_heads": 1}


def reasons(folder: Path, model: dict[str, Any], **generation: Any) -> list[str]:
    content = {"models": [model], "variants": ["srt"], "generation": VLLM | generation}
    return here.engines_here(plan_sweep(load_sweep(write_sweep(folder, **content))).runs)


@pytest.fixture
def cpu_build(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine where vLLM is installed, built for CPUs."""
    monkeypatch.setattr(here.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(here, "_is_cpu_build", lambda: True)


def test_transformers_is_always_here(tmp_path: Path) -> None:
    assert here.engines_here(plan_sweep(load_sweep(write_sweep(tmp_path))).runs) == []


@pytest.mark.usefixtures("cpu_build")
def test_a_head_that_no_attention_is_there_for_is_named_with_what_would_fit(tmp_path: Path) -> None:
    assert reasons(tmp_path, ONE_HEAD) == []
    (found,) = reasons(tmp_path, MODEL)
    assert "16 wide" in found
    assert all(str(size) in found for size in CPU_HEAD_SIZES)
    assert found.endswith("give it num_heads: 1")
    (default,) = reasons(tmp_path, {"type": "tiny"} | {"alphabet": MODEL["alphabet"]})
    assert default.endswith("give it num_heads: 2")
    (odd,) = reasons(tmp_path, MODEL | {"hidden_size": 36, "num_heads": 3})
    assert odd.endswith("give it another hidden_size")


@pytest.mark.usefixtures("cpu_build")
@pytest.mark.parametrize(
    ("content", "wide"),
    [
        ({"hidden_size": 576, "num_attention_heads": 9}, None),
        ({"hidden_size": 576, "num_attention_heads": 9, "head_dim": 24}, 24),
        ({"hidden_size": 80, "num_attention_heads": 10}, 8),
        ({"hidden_size": 80}, None),
        ([], None),
    ],
)
def test_a_model_on_disk_says_how_wide_its_heads_are(
    content: Any, wide: int | None, tmp_path: Path
) -> None:
    weights = tmp_path / "weights"
    weights.mkdir()
    (weights / "config.json").write_text(json.dumps(content))
    found = reasons(tmp_path, {"type": "local", "path": str(weights)})
    assert [f"{wide} wide" in one for one in found] == ([True] if wide else [])


@pytest.mark.usefixtures("cpu_build")
def test_there_is_no_sleep_mode_on_cpu(tmp_path: Path) -> None:
    (found,) = reasons(tmp_path, ONE_HEAD, enable_sleep_mode=True)
    assert "no sleep mode on CPU" in found


@pytest.mark.parametrize(
    ("versions", "is_cpu"),
    [({"vllm": "0.30.0"}, False), ({"vllm": "0.30.0+cpu"}, True), ({}, True)],
)
@pytest.mark.skipif("sys.platform == 'darwin'", reason="vLLM is for CPUs there in any case")
def test_a_build_is_told_as_vllm_tells_it(
    versions: dict[str, str], is_cpu: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def version(name: str) -> str:
        if name not in versions:
            raise importlib.metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(here.importlib.metadata, "version", version)
    assert here._is_cpu_build() is is_cpu


without = pytest.mark.skipif(
    importlib.util.find_spec("vllm") is not None, reason="vLLM is installed here"
)


@without
def test_a_plan_is_printed_and_refused_in_a_line_where_vllm_is_missing(tmp_path: Path) -> None:
    file = write_sweep(tmp_path, models=[ONE_HEAD], variants=["srt"], generation=VLLM)
    refused = srtbench("plan", file)
    assert refused.returncode == 2
    assert re.fullmatch(
        rf"error: {file}: 1 problem\n  line \d+, generation: vLLM is not installed.*make vllm.*\n",
        refused.stderr,
    )
    assert "1 run" in refused.stdout, "what it would do is printed all the same"
    elsewhere = srtbench("plan", file, "--gpu", "h200")
    assert elsewhere.returncode == 0, "planned for another machine"


@without
def test_a_sweep_is_refused_before_it_makes_anything(tmp_path: Path) -> None:
    file = write_sweep(tmp_path, models=[ONE_HEAD], variants=["srt"], generation=VLLM)
    refused = srtbench("sweep", file, "--root", tmp_path / "runs")
    assert refused.returncode == 2
    assert "vLLM is not installed" in refused.stderr
    assert not (tmp_path / "runs" / "micro" / "plan.json").exists()


@without
def test_runs_that_are_sharded_over_gpus_are_planned_for_another_machine(tmp_path: Path) -> None:
    model = {"type": "hub", "id": "a/Toy-7B"}
    train = {"trl": {"fsdp": "full_shard"}, "steps": 2, "micro_batch_size": 1}
    file = write_sweep(
        tmp_path, models=[model], variants=["srt"], generation={"engine": "vllm"}, train=train
    )
    assert srtbench("plan", file).returncode == 0
