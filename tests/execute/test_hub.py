"""Models and datasets of the hub: one commit for a sweep, whichever way its branch moves."""

import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
import yaml

from srtbench.config import TinyModel, load_sweep
from srtbench.config.errors import ConfigError
from srtbench.execute.hub import pinned
from srtbench.models.tiny import build_tiny
from srtbench.plan import plan_sweep
from srtbench.replay.audit import audit_sweep
from srtbench.store import SweepStore
from srtbench.store.configs import read_config
from srtbench.store.files import write_sealed
from srtbench.store.hub_file import read_commits
from tests.hub import Hub, commit_of, environment
from tests.micro import LETTERS, MODEL

ONE, TWO = commit_of("one"), commit_of("two")
PAIRS = [a + b for a, b in itertools.permutations(LETTERS, 2)]
README = (
    "---\nconfigs:\n- data_files: [{split: train, path: data/*}]\n  config_name: default\n---\n"
)


def filled(folder: Path) -> Hub:
    """A hub whose model and dataset have two commits; `main` and `v1` are the first."""
    hub = Hub(folder / "hub")
    architecture = {key: value for key, value in MODEL.items() if key != "warm_start"}
    for seed, commit in enumerate((ONE, TWO)):
        branches = ("main", "v1") if commit == ONE else ()
        torch.manual_seed(seed)
        model, tokenizer = build_tiny(TinyModel(**architecture))
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.3 * seed)
        made = folder / f"model-{seed}"
        model.save_pretrained(made)
        tokenizer.save_pretrained(made)
        hub.add("model", "org/swapper", commit, made, *branches)
        data = folder / f"data-{seed}"
        (data / "data").mkdir(parents=True)
        (data / "README.md").write_text(README)
        questions = PAIRS[:160] if commit == ONE else PAIRS[80:]
        frame = pl.DataFrame({"question": questions, "answer": [q[::-1] for q in questions]})
        frame.write_parquet(data / "data" / "train-00000-of-00001.parquet")
        hub.add("dataset", "org/swaps", commit, data, *branches)
    for kind in ("model", "dataset"):
        hub.add(
            kind, "org/gated", ONE, folder / f"{'model' if kind == 'model' else 'data'}-0", "main"
        )
        (hub.folder / kind / "org/gated" / "gated").touch()
    return hub


def write(folder: Path, **changes: Any) -> Path:
    """A sweep of one step on both, by id."""
    content: dict[str, Any] = {
        "name": "byid",
        "models": [{"type": "hub", "id": "org/swapper"}],
        "datasets": [
            {
                "type": "hub",
                "id": "org/swaps",
                "prompt_template": "{question}=",
                "answer_style": "text",
                "answer_kind": "text",
            }
        ],
        "variants": ["srt"],
        "train": {
            "preset": "tiny",
            "steps": 1,
            "prompts_per_step": 4,
            "num_generations": 4,
            "max_completion_length": 4,
        },
        "eval": {"every": 1, "prompts": 8, "samples": 2, "batch_size": 16},
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "byid.yaml"
    path.write_text(yaml.safe_dump(content | changes, sort_keys=False))
    return path


@dataclass
class Swept:
    """A sweep by id that ran, and then again with one more variant, after the branches moved."""

    hub: Hub
    folder: Path
    outputs: list[str]

    @property
    def store(self) -> SweepStore:
        return SweepStore(self.folder / "runs", "byid")

    def again(self, file: Path, **more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "srtbench.cli", "sweep", str(file)]
        return subprocess.run(
            [*command, "--root", str(self.folder / "runs")],
            capture_output=True,
            text=True,
            timeout=300,
            env=environment(self.hub.endpoint, self.folder / "cache", **more),
        )


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swept]:
    folder = tmp_path_factory.mktemp("byid")
    found = Swept(filled(folder), folder, [])
    anchored = {"type": "gold", "name": "anchored", "train": {"beta": 0.05, "learning_rate": 1e-3}}
    for variants in (["srt"], ["srt", anchored]):
        result = found.again(write(folder, variants=variants))
        assert result.returncode == 0, result.stdout + result.stderr
        found.outputs.append(result.stdout)
        found.hub.move("model", "org/swapper", main=TWO)
        found.hub.move("dataset", "org/swaps", main=TWO)
    yield found
    found.hub.close()


def the_configs(store: SweepStore) -> list[dict[str, Any]]:
    return [read_config(store.run(path.parent.name)) for path in store.path.glob("*/config.json")]


@pytest.mark.slow
def test_one_sweep_stays_on_one_commit_when_its_branches_move(swept: Swept) -> None:
    specs = [config["spec"] for config in the_configs(swept.store)]
    assert len(specs) == 2
    for spec in specs:
        assert spec["model"]["commit"] == spec["dataset"]["commit"] == ONE
    assert {*read_commits(swept.store.path).values()} == {ONE}
    assert "has moved" not in swept.outputs[0]
    for kind in ("model org/swapper", "dataset org/swaps"):
        assert f"{kind}: at commit {ONE}" in swept.outputs[0]
        assert f"{kind}: has moved to commit {TWO}; this sweep stays at {ONE}" in swept.outputs[1]
    prompts = pl.read_parquet(
        next((swept.folder / "runs/_stages").glob("train_prompts-*/*.parquet"))
    )
    assert {*prompts["gold_answer"]} <= {pair[::-1] for pair in PAIRS[:160]}


@pytest.mark.slow
def test_the_commit_is_part_of_the_ids_and_audited(swept: Swept) -> None:
    offline = plan_sweep(load_sweep(swept.folder / "byid.yaml"))
    ran = {path.parent.name for path in swept.store.path.glob("*/config.json")}
    assert not ran & {run.run_id for run in offline.runs}
    assert audit_sweep(swept.store.path).breaches == []
    path = swept.store.path / "hub.json"
    before = path.read_text()
    content = json.loads(before.replace(ONE, TWO))
    content.pop("seal")
    write_sealed(path, content)
    try:
        found = {breach.where for breach in audit_sweep(swept.store.path).breaches}
    finally:
        path.write_text(before)
    assert found == {"hub.json"}


@pytest.mark.slow
def test_nobody_is_told_that_a_run_is_run(swept: Swept) -> None:
    assert swept.hub.asked, "the hub heard what it was asked for"
    assert not [path for path in swept.hub.asked if "telemetry" in path]


@pytest.mark.slow
def test_a_pinned_model_is_its_own_reference(swept: Swept) -> None:
    """TRL loads the reference by the policy's name: with the id, it was another commit's."""
    (run,) = (path.parent for path in swept.store.path.glob("*anchored*/config.json"))
    metrics = pl.read_parquet(run / "metrics.parquet")
    first = metrics.filter((pl.col("step") == 1) & (pl.col("metric") == "kl"))
    assert first.height == 1
    assert abs(first["value"][0]) < 1e-6


@pytest.mark.slow
def test_a_warm_cache_is_enough_without_a_network(swept: Swept) -> None:
    swept.hub.close()
    result = swept.again(write(swept.folder / "off", name="off"), HF_HUB_OFFLINE="1")
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"model org/swapper: at commit {ONE}, as in the cache: HF_HUB_OFFLINE" in result.stdout
    store = SweepStore(swept.folder / "runs", "off")
    assert the_configs(store)[0]["spec"]["dataset"]["commit"] == ONE


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub for this process, with an empty cache."""
    from huggingface_hub import constants

    found = Hub(tmp_path / "hub")
    for name in ("swapper", "gated"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
        for kind in ("model", "dataset"):
            found.add(kind, f"org/{name}", ONE, tmp_path / name, "main", "v1")
            if name == "gated":
                (found.folder / kind / "org/gated/gated").touch()
    found.add("dataset", "org/swaps", ONE, tmp_path / "swapper", "main")
    monkeypatch.setattr(constants, "ENDPOINT", found.endpoint)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    yield found
    found.close()


def refused(tmp_path: Path, **changes: Any) -> str:
    with pytest.raises(ConfigError) as error:
        pinned(load_sweep(write(tmp_path, **changes)), SweepStore(tmp_path / "runs", "byid"))
    assert not (tmp_path / "runs/byid/hub.json").exists()
    return str(error.value)


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"id": "org/gated"}, "model org/gated: access is restricted"),
        ({"id": "org/nothing"}, "model org/nothing: is not on the hub"),
        (
            {"id": "org/swapper", "revision": "v9"},
            "model org/swapper (revision v9): has no such revision",
        ),
        ({"id": "not an id/x"}, "model not an id/x: is no id of a repository"),
    ],
)
def test_what_cannot_be_had_is_refused_with_the_reason(
    tmp_path: Path, hub: Hub, entry: dict[str, str], reason: str
) -> None:
    assert reason in refused(tmp_path, models=[{"type": "hub"} | entry])


def test_every_problem_is_named_at_once(tmp_path: Path, hub: Hub) -> None:
    sets = [{"type": "hub", "id": "org/gated", "name": "far"}]
    text = refused(tmp_path, models=["org/nothing"], eval_sets=sets)
    assert "2 problems" in text
    assert "dataset org/gated: access is restricted" in text


def test_a_pinned_commit_asks_nobody(tmp_path: Path, hub: Hub) -> None:
    file = write(tmp_path, models=[{"type": "hub", "id": "org/swapper", "revision": TWO}])
    store = SweepStore(tmp_path / "runs", "byid")
    run = plan_sweep(pinned(load_sweep(file), store)).runs[0]
    assert run.model.commit == TWO
    assert run.dataset.commit == ONE
    assert not any("swapper" in path for path in hub.asked)


def test_only_what_is_wanted_is_asked_for(tmp_path: Path, hub: Hub) -> None:
    file = write(tmp_path, models=["org/swapper", {"type": "hub", "id": "org/gated", "name": "g"}])
    store = SweepStore(tmp_path / "runs", "byid")
    config = pinned(load_sweep(file), store, {"model": ["swapper"]})
    commits = {run.model_label: run.model.commit for run in plan_sweep(config).runs}
    assert commits == {"swapper": ONE, "g": None}


def test_a_closed_network_and_a_cold_cache_are_named(tmp_path: Path, hub: Hub) -> None:
    hub.close()
    text = refused(tmp_path)
    assert "model org/swapper: is not in the cache of this machine" in text
    assert "cannot be asked" in text


def test_a_sweep_without_a_hub_asks_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.micro import write_sweep

    config = load_sweep(write_sweep(tmp_path))
    assert pinned(config, SweepStore(tmp_path / "runs", "micro")) is config
    assert not (tmp_path / "runs").exists()
