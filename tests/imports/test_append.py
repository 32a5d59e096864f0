"""Logs that grow, break off and are replaced while they are imported."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest

import srtbench
from srtbench.analysis.health import run_health
from srtbench.imports import ImportResult
from srtbench.replay.audit import audit_sweep
from srtbench.rollouts import SELECTION
from srtbench.store import read_json
from tests.imports.logs import smoke_rows, write_lines
from tests.micro import srtbench as command

MAP = {"columns": {"prompt": "p", "completion": "c", "step": "s"}}


def line(step: int, answer: int) -> str:
    return json.dumps({"p": "q", "c": f"\\boxed{{{answer}}}", "s": step}) + "\n"


def again(folder: Path) -> tuple[ImportResult, list[tuple[int, str]]]:
    result = srtbench.import_rollouts(
        folder / "log", out=folder / "out", map=MAP, labels={"variant": "srt"}
    )
    sql = "SELECT step, answer_key FROM rollouts ORDER BY step, group_id, sample_index"
    return result, srtbench.open_sweep(folder / "out").sql(sql).fetchall()


def test_a_line_that_is_half_written_is_read_when_it_is_whole(tmp_path: Path) -> None:
    log = tmp_path / "log" / "a.jsonl"
    log.parent.mkdir()
    whole = line(1, 5) + line(1, 6) + line(2, 7)
    log.write_text(whole[:-9], encoding="utf-8")
    result, rows = again(tmp_path)
    assert rows == [(1, "5"), (1, "6")]
    assert (result.skipped, len(result.damaged)) == (1, 1)
    assert "a.jsonl line 3: cut off" in result.damaged[0]
    log.write_text(whole + line(2, 8), encoding="utf-8")
    result, rows = again(tmp_path)
    assert rows == [(1, "5"), (1, "6"), (2, "7"), (2, "8")]
    assert (result.rows, result.total, result.skipped, result.damaged) == (2, 4, 0, [])
    assert not any("Damaged" in one for one in result.caveats)
    assert again(tmp_path)[0].rows == 0, "nothing is new"


def test_a_parquet_file_without_its_end_is_read_when_it_has_one(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    folder.mkdir()
    (folder / "1.jsonl").write_text(line(1, 5), encoding="utf-8")
    pl.DataFrame({"p": ["q"], "c": [r"\boxed{7}"], "s": [2]}).write_parquet(folder / "2.parquet")
    whole = (folder / "2.parquet").read_bytes()
    (folder / "2.parquet").write_bytes(whole[:-20])
    result, rows = again(tmp_path)
    assert rows == [(1, "5")]
    assert result.damaged[0].startswith("2.parquet: not a whole Parquet file")
    (folder / "2.parquet").write_bytes(whole)
    result, rows = again(tmp_path)
    assert rows == [(1, "5"), (2, "7")]
    assert (result.skipped, result.damaged) == (0, [])


def test_the_rows_of_a_file_that_was_replaced_go(tmp_path: Path) -> None:
    log = tmp_path / "log" / "a.jsonl"
    log.parent.mkdir()
    (log.parent / "b.jsonl").write_text(line(1, 9), encoding="utf-8")
    log.write_text(line(1, 5) + "{damaged\n" + line(2, 6), encoding="utf-8")
    assert again(tmp_path)[0].skipped == 1
    log.write_text(line(3, 7) + line(3, 8), encoding="utf-8")
    result, rows = again(tmp_path)
    assert rows == [(1, "9"), (3, "7"), (3, "8")]
    assert (result.total, result.skipped, result.damaged) == (3, 0, [])


def test_an_import_of_an_older_version_is_audited_and_goes_on(tmp_path: Path) -> None:
    """Parts of schema version 2 have no columns of what a round selects."""
    log = tmp_path / "log" / "a.jsonl"
    log.parent.mkdir()
    log.write_text(line(1, 5) + line(2, 6), encoding="utf-8")
    again(tmp_path)
    (part,) = tmp_path.glob("out/*/rollouts/*.parquet")
    old = pq.read_table(part).drop_columns([*SELECTION])
    pq.write_table(old.replace_schema_metadata({"srtbench_schema_version": "2"}), part)
    assert audit_sweep(tmp_path / "out").ok, audit_sweep(tmp_path / "out").breaches
    log.write_text(log.read_text(encoding="utf-8") + line(2, 7), encoding="utf-8")
    assert again(tmp_path)[1] == [(1, "5"), (2, "6"), (2, "7")]
    assert audit_sweep(tmp_path / "out").ok


@pytest.mark.parametrize("eval_set", ["own", "openai/gsm8k"])
def test_a_collapse_that_comes_while_the_log_grows_is_rung(eval_set: str, tmp_path: Path) -> None:
    """By `srtbench check`, also where the log calls its held-out prompts by a name."""
    rows = smoke_rows("tiny-spell-backward-6-srt-high-lr-s0-16076d2f")
    content: dict[str, Any] = {
        "columns": {
            "prompt": "prompt", "completion": "completion", "gold": "gold_answer", "step": "step",
            "phase": "phase", "train_reward": "train_reward", "group": "group_id",
            "eval_set": {"value": eval_set},
        },
        "answer": {"kind": "text"},
    }  # fmt: skip
    columns = [one for one in content["columns"].values() if isinstance(one, str)]
    said = []
    for last in (1, 10**6):
        part = rows.filter(pl.col("step") <= last).select(columns)
        write_lines(tmp_path / "log.jsonl", part.iter_rows(named=True))
        result = srtbench.import_rollouts(
            tmp_path / "log.jsonl", out=tmp_path / "out", map=content, labels={"variant": "srt"}
        )
        (health,) = run_health(tmp_path / "out")
        said.append(health.outcome)
    assert said == ["undecided", "collapsed"]
    assert result.total == len(rows)
    assert health.eval_set == eval_set.replace("/", "-")
    assert ("judged on the evaluation set" in health.why) == (eval_set != "own")
    if eval_set != "own":
        rung = command("check", tmp_path / "out")
        assert rung.returncode == 1, rung.stderr
        assert "judged on the evaluation set openai-gsm8k" in rung.stdout
        assert any("openai-gsm8k" in one and "judged there" in one for one in result.caveats)
    table = pq.read_table(next((tmp_path / "out").glob("*/prompts.parquet")))
    assert table["gold_key"].null_count == 0
    (sources,) = (tmp_path / "out").glob("*/sources.json")
    assert read_json(sources)["rows"] == len(rows)
