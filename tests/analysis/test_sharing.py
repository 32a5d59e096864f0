"""A sweep as a folder that a hub of data sets takes as it is."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
import yaml
from huggingface_hub import constants

import srtbench
from srtbench.analysis.pushing import push_hub_folder
from srtbench.analysis.sharing import SharingError, write_hub_folder
from tests.hub import MAY_READ, MAY_WRITE, Hub, environment

SMOKE = Path(__file__).parent.parent / "fixtures" / "smoke"


def test_splits_and_a_card_that_names_them_and_leaves_the_licence(tmp_path: Path) -> None:
    write_hub_folder(SMOKE, tmp_path / "hub")
    (card, *_) = write_hub_folder(SMOKE, tmp_path / "hub")
    front = yaml.safe_load(card.read_text(encoding="utf-8").split("---")[1])
    assert "license" not in front
    configs = {one["config_name"]: one["data_files"] for one in front["configs"]}
    counted = srtbench.open_sweep(SMOKE).sql("SELECT phase, count(*) FROM rollouts GROUP BY phase")
    for phase, rows in counted.fetchall():
        (split,) = (one for one in configs["rollouts"] if one["split"] == phase)
        table = pl.read_parquet(tmp_path / "hub" / split["path"])
        assert table.height == rows
        assert "source_file" not in table.columns
    for name in ("runs", "prompts", "eval_curves"):
        assert pl.read_parquet(tmp_path / "hub" / configs[name]).height
    assert "| `answer_key` | " in card.read_text(encoding="utf-8")


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(SharingError, match="something else"):
        write_hub_folder(SMOKE, tmp_path)


@pytest.fixture(name="hub")
def hub_fixture(tmp_path: Path) -> Iterator[Hub]:
    hub = Hub(tmp_path / "hub")
    yield hub
    hub.close()


@pytest.fixture(name="exported", scope="module")
def exported_fixture(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path]]:
    folder = tmp_path_factory.mktemp("export") / "out"
    return folder, write_hub_folder(SMOKE, folder)


def test_a_push_is_a_private_data_set_of_the_same_files(tmp_path: Path, hub: Hub) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-m", "srtbench.cli", "export", str(SMOKE)]
    command += ["--hub-folder", str(out), "--push", "lab/smoke"]
    variables = {"HF_HUB_DISABLE_XET": "1", "HF_TOKEN": MAY_WRITE}
    place = hub.folder / "dataset" / "lab" / "smoke"
    for further in ((), ("--public",)):  # who may read it stays as it was made
        done = subprocess.run(
            [*command, *further],
            env=environment(hub.endpoint, tmp_path / "cache", **variables),
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-1] == f"{hub.endpoint}/datasets/lab/smoke"
        assert (place / "visibility").read_text() == "private"
        sent = place / json.loads((place / "refs.json").read_text())["main"]
        files = {str(one.relative_to(sent)): one.read_bytes() for one in sent.rglob("*.*")}
        theirs = {"LICENSE.txt": b"CC0"} if further else {}
        mine = {str(one.relative_to(out)): one.read_bytes() for one in out.rglob("*.*")}
        assert files == mine | theirs
        (sent / "LICENSE.txt").write_bytes(b"CC0")  # stays, what an earlier export had does not
        (sent / "rollouts" / "test.parquet").write_bytes(b"PAR1")


def test_a_push_that_cannot_be_says_why_in_one_line(
    tmp_path: Path, hub: Hub, exported: tuple[Path, list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "README.md").write_text("# Theirs")
    hub.add("dataset", "lab/theirs", "a" * 40, tmp_path / "theirs", "main")
    gone = Hub(tmp_path / "gone")
    gone.close()
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    for endpoint, name, token, said in (
        (hub.endpoint, "lab/smoke", "", "lab/smoke: cannot be sent without a token"),
        (hub.endpoint, "lab/smoke", MAY_READ, "lab/smoke: the hub refuses (403)"),
        (hub.endpoint, "lab/smoke", "hf_old", "lab/smoke: the hub refuses (401)"),
        (hub.endpoint, "lab/theirs", MAY_WRITE, "lab/theirs: holds something else"),
        (gone.endpoint, "lab/smoke", MAY_WRITE, f"{gone.endpoint} cannot be reached"),
    ):
        files = f"{endpoint}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "ENDPOINT", endpoint)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", files)
        monkeypatch.setenv("HF_TOKEN", token)
        with pytest.raises(SharingError, match=re.escape(said)) as refused:
            push_hub_folder(*exported, name)
        assert "\n" not in str(refused.value)
    assert not (hub.folder / "dataset" / "lab" / "smoke").exists()
    for options, said in (
        (["--push", "lab/smoke"], "--push sends a hub folder; give --hub-folder OUT too"),
        (["--hub-folder", "out", "--public"], "--public belongs to --push"),
        (["--hub-folder", "out", "--push", "smoke"], "--push smoke: write ORG/NAME"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "srtbench.cli", "export", str(SMOKE), *options],
            capture_output=True,
            text=True,
        )
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
        assert said in done.stderr
