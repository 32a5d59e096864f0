"""The whole folder of a run of prime-rl: sealed and open streams beside what is no log."""

import json
from pathlib import Path

import pyarrow as pa

import srtbench
from tests.imports.logs import write_lines
from tests.imports.test_formats import prime_rl


def test_streams_are_read_and_the_rest_is_named(tmp_path: Path) -> None:
    """One chunk is sealed, in zstd and without a suffix; another is being written."""
    prime_rl(tmp_path / "made")
    made = tmp_path / "made" / "step_7" / "train" / "all" / "traces.jsonl"
    lines = made.read_bytes().splitlines(keepends=True)
    assert len(lines) == 8
    run = tmp_path / "run"
    traces = run / "monitors" / "file" / "traces"
    notes = traces / "annotations" / "trainer"
    notes.mkdir(parents=True)
    with pa.output_stream(str(traces / "stream-000000"), compression="zstd") as sealed:
        sealed.write(b"".join(lines[:3]))
    growing = traces / "stream-000001.jsonl"
    growing.write_bytes(b"".join(lines[3:5]) + lines[5][:40])
    write_lines(traces / "index.jsonl", [{"id": "a", "offset": 0}])
    write_lines(notes / "stream-000000.jsonl", [{"trace": "x", "entropy": [0.1]}])
    (run / "rl.json").write_text(json.dumps({"lr": 1e-6}), encoding="utf-8")

    first = srtbench.import_rollouts(run, out=tmp_path / "out")
    assert (first.format, first.total, first.skipped) == ("prime-rl", 5, 1)
    assert {Path(one).name for one in first.others} == {
        "index.jsonl", "stream-000000.jsonl", "rl.json",
    }  # fmt: skip
    growing.write_bytes(b"".join(lines[3:]))
    second = srtbench.import_rollouts(run, out=tmp_path / "out")
    assert (second.rows, second.total, second.skipped) == (3, 8, 0)
    groups = "SELECT prompt_id, count(*) FROM rollouts GROUP BY prompt_id"
    found = srtbench.open_sweep(tmp_path / "out").sql(groups).fetchall()
    assert [size for _, size in found] == [4, 4]
