"""`--map`: lists within lists, records below a key, and Arrow's own files."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import srtbench
from srtbench.rollouts.importers.base import ImporterError
from srtbench.rollouts.importers.nesting import Nesting
from srtbench.rollouts.importers.row import RowError
from tests.imports.test_map import imported

STEP = {
    "step": 3,
    "groups": [
        {"prompt": "1+1?", "gold": "2", "outs": [{"text": r"\boxed{2}"}, {"text": r"\boxed{3}"}]},
        {"prompt": "1+2?", "gold": "3", "outs": [{"text": r"\boxed{3}"}]},
    ],
    "scores": [[1.0, 0.0], [1.0]],
    "three": [1, 2, 3],
}


def test_lists_within_lists_are_one_rollout_per_innermost_element(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps(STEP, indent=1), encoding="utf-8")
    rows = imported(
        tmp_path,
        tmp_path / "run.json",
        {
            "explode": ["groups", "groups.outs"],
            "columns": {
                "prompt": "groups.prompt",
                "completion": "groups.outs.text",
                "gold": "groups.gold",
                "step": "step",
            },
            "answer": {"style": "boxed", "kind": "math"},
        },
    )
    assert rows["prompt"].to_list() == ["1+1?", "1+1?", "1+2?"]
    assert rows["sample_index"].to_list() == [0, 1, 0]
    assert rows["group_id"].n_unique() == 2
    assert rows["gold_answer"].to_list() == ["2", "2", "3"]
    assert rows["step"].to_list() == [3, 3, 3]


@pytest.mark.parametrize(
    ("paths", "places"),
    [
        (["groups"], [(0,), (1,)]),
        (["groups", "groups.outs"], [(0, 0), (0, 1), (1, 0)]),
        (["groups.outs", "groups"], [(0, 0), (0, 1), (1, 0)]),  # in any order
        (["groups", "three"], None),
        (["scores"], [(0,), (1,)]),
        (["groups", "scores"], [(0,), (1,)]),
    ],
)
def test_places_of_lists(paths: list[str], places: list[tuple[int, ...]] | None) -> None:
    nesting = Nesting(paths)
    if places is None:
        with pytest.raises(RowError, match="explode: groups has 2, three has 3"):
            [*nesting.places(STEP)]
        return
    assert [trail for _, trail in nesting.places(STEP)] == places


def test_a_group_stays_one_where_the_prompt_stands_beside_its_list(tmp_path: Path) -> None:
    """Two groups of one prompt in one record are two groups."""
    (tmp_path / "log.jsonl").write_text(
        json.dumps({"all": [{"p": "x", "c": ["a", "b"]}, {"p": "x", "c": ["c", "d"]}]}) + "\n",
        encoding="utf-8",
    )
    log_map: dict[str, Any] = {
        "explode": ["all", "all.c"],
        "columns": {"prompt": "all.p", "completion": "all.c"},
    }
    rows = imported(tmp_path, tmp_path / "log.jsonl", log_map)
    assert rows.group_by("group_id").len()["len"].to_list() == [2, 2]


@pytest.mark.parametrize("stream", [True, False])
def test_arrow_files_and_streams(stream: bool, tmp_path: Path) -> None:
    table = pa.table({"p": ["x", "x"], "c": ["1", "2"], "r": pa.array([0.8, 0.1], pa.float32())})
    path = tmp_path / "data-00000-of-00001.arrow"
    new = pa.ipc.new_stream if stream else pa.ipc.new_file
    with new(path, table.schema) as sink:
        sink.write_table(table, max_chunksize=1)
    log_map = {"columns": {"prompt": "p", "completion": "c", "train_reward": "r"}}
    rows = imported(tmp_path, tmp_path, log_map)
    assert rows["completion"].to_list() == ["1", "2"]
    assert rows["their_reward"].to_list() == pytest.approx([0.8, 0.1])


@pytest.mark.parametrize("stream", [True, False])
def test_an_arrow_file_that_is_cut_off_is_named(stream: bool, tmp_path: Path) -> None:
    table = pa.table({"p": ["x", "x"], "c": ["1", "2"]})
    path = tmp_path / "log.arrow"
    with (pa.ipc.new_stream if stream else pa.ipc.new_file)(path, table.schema) as sink:
        sink.write_table(table)
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(ImporterError, match=r"log\.arrow: not a whole Arrow file"):
        srtbench.import_rollouts(
            path,
            out=tmp_path / "out",
            map={"columns": {"prompt": "p", "completion": "c"}},
            labels={"variant": "srt"},
        )
