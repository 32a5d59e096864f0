"""Which files of a log an append opens: those that changed, however little tells that they did."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

import srtbench
from srtbench.rollouts.importers import kinds, log_files
from srtbench.store import read_json

COLUMNS = {"prompt": "p", "completion": "c", "step": "s", "gold": "g"}


def lines(step: int, *answers: int) -> str:
    rows = [{"p": f"q{step}", "c": f"\\boxed{{{one}}}", "s": step, "g": "5"} for one in answers]
    return "".join(json.dumps(row) + "\n" for row in rows)


def table(step: int, *answers: int) -> pl.DataFrame:
    return pl.DataFrame([json.loads(one) for one in lines(step, *answers).splitlines()])


def append(folder: Path) -> tuple[int, list[tuple[int, str]]]:
    """New rollouts, and step and answer of all."""
    result = srtbench.import_rollouts(
        folder / "log", out=folder / "out", map={"columns": COLUMNS}, labels={"variant": "srt"}
    )
    sql = "SELECT step, answer_key FROM rollouts ORDER BY step, group_id, sample_index"
    return result.rows, srtbench.open_sweep(folder / "out").sql(sql).fetchall()


def keep_times(path: Path, change: Callable[[], object]) -> None:
    """Change a file as ``rsync --times`` or ``mv`` do: its mtime stays."""
    before = path.stat()
    change()
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files whose bytes are looked at, in order."""
    found: list[str] = []
    packing_of = kinds.packing_of

    def noting(path: Path) -> str | None:
        found.append(path.name)
        return packing_of(path)

    for module in ("kinds", "files"):
        monkeypatch.setattr(f"srtbench.rollouts.importers.{module}.packing_of", noting)
    return found


def test_only_what_is_new_is_opened(tmp_path: Path, opened: list[str]) -> None:
    log = tmp_path / "log"
    log.mkdir()
    for step in (1, 2, 3):
        (log / f"{step}.jsonl").write_text(lines(step, 5, 6), encoding="utf-8")
    assert append(tmp_path)[0] == 6
    assert {*opened} == {"1.jsonl", "2.jsonl", "3.jsonl"}
    opened.clear()
    (log / "4.jsonl").write_text(lines(4, 7), encoding="utf-8")
    assert append(tmp_path)[0] == 1
    assert {*opened} == {"4.jsonl"}
    opened.clear()
    with (log / "2.jsonl").open("a", encoding="utf-8") as sink:
        sink.write(lines(2, 8))
    assert append(tmp_path) == (1, [(1, "5"), (1, "6"), (2, "5"), (2, "6"), (2, "8"), (3, "5"),
                                    (3, "6"), (4, "7")])  # fmt: skip
    assert {*opened} == {"2.jsonl"}
    assert append(tmp_path)[0] == 0


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_a_file_of_equal_size_and_time_is_read_anew_if_it_is_another(
    suffix: str, tmp_path: Path
) -> None:
    path = tmp_path / "log" / f"a.{suffix}"
    path.parent.mkdir()

    def write(*answers: int) -> None:
        if suffix == "jsonl":
            path.write_text(lines(1, *answers), encoding="utf-8")
        else:
            table(1, *answers).write_parquet(path, compression="uncompressed")

    write(5, 6)
    size = path.stat().st_size
    assert append(tmp_path)[1] == [(1, "5"), (1, "6")]
    keep_times(path, lambda: write(7, 8))
    assert path.stat().st_size == size
    assert append(tmp_path) == (2, [(1, "7"), (1, "8")])
    write(9, 6)
    assert append(tmp_path)[1] == [(1, "9"), (1, "6")]
    path.touch()
    assert append(tmp_path)[1] == [(1, "9"), (1, "6")]
    path.chmod(0o600)
    assert append(tmp_path) == (0, [(1, "9"), (1, "6")])


def test_a_line_amid_a_file_that_is_changed_in_place_is_seen(tmp_path: Path) -> None:
    """Also where neither edge nor size tells; a file that was only touched is left as it is."""
    path = tmp_path / "log" / "a.jsonl"
    path.parent.mkdir()
    many = [lines(step, 5, 6) for step in range(1, 201)]
    path.write_text("".join(many), encoding="utf-8")
    append(tmp_path)
    with path.open("a", encoding="utf-8") as sink:
        sink.write(lines(201, 7))
    assert append(tmp_path)[0] == 1
    path.touch()
    assert append(tmp_path)[0] == 0
    many[99] = lines(100, 5, 8)
    path.write_text("".join(many) + lines(201, 7), encoding="utf-8")
    new, rows = append(tmp_path)
    assert (new, len(rows)) == (401, 401)
    assert (100, "8") in rows


def test_a_file_that_was_cut_short_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "log" / "a.jsonl"
    path.parent.mkdir()
    path.write_text(lines(1, 5, 6) + lines(2, 7), encoding="utf-8")
    append(tmp_path)
    keep_times(path, lambda: path.write_text(lines(1, 5), encoding="utf-8"))
    assert append(tmp_path)[1] == [(1, "5")]


def test_a_log_that_is_rotated_loses_no_row_whenever_it_is_looked_at(tmp_path: Path) -> None:
    """Also between the move and the new file, where two files held the same."""
    log = tmp_path / "log"
    log.mkdir()
    (log / "a.jsonl").write_text(lines(1, 5, 6) + lines(2, 7), encoding="utf-8")
    first = append(tmp_path)[1]
    (log / "a.jsonl").rename(log / "a.jsonl.1")
    assert append(tmp_path) == (0, first)
    (log / "a.jsonl").write_text(lines(3, 8), encoding="utf-8")
    assert append(tmp_path)[1] == [*first, (3, "8")]
    (log / "a.jsonl.1").rename(log / "a.jsonl.2")
    (log / "a.jsonl").rename(log / "a.jsonl.1")
    (log / "a.jsonl").write_text(lines(4, 9), encoding="utf-8")
    assert append(tmp_path)[1] == [*first, (3, "8"), (4, "9")]
    assert append(tmp_path)[0] == 0


def test_a_file_that_becomes_one_of_another_kind_is_read_as_that(tmp_path: Path) -> None:
    path = tmp_path / "log" / "a.jsonl"
    path.parent.mkdir()
    path.write_text(lines(1, 5), encoding="utf-8")
    append(tmp_path)
    keep_times(path, lambda: table(2, 6).write_parquet(path))
    assert append(tmp_path)[1] == [(2, "6")]


def test_an_import_of_an_older_version_goes_on(tmp_path: Path) -> None:
    """Its sources.json says neither the kind of a file nor when its state changed."""
    path = tmp_path / "log" / "1.jsonl"
    path.parent.mkdir()
    path.write_text(lines(1, 5), encoding="utf-8")
    append(tmp_path)
    (kept,) = (tmp_path / "out").glob("*/sources.json")
    content = read_json(kept)
    for source in content["files"].values():
        del source["kind"], source["changed_ns"]
    kept.write_text(json.dumps(content), encoding="utf-8")
    assert [file.kind for file in log_files(path)] == ["jsonl"]
    (path.parent / "2.jsonl").write_text(lines(2, 6), encoding="utf-8")
    assert append(tmp_path) == (1, [(1, "5"), (2, "6")])


def test_a_prompt_gets_its_gold_answer_from_a_later_file(tmp_path: Path) -> None:
    """The prompts of the first import stay as they are, and new ones come behind them."""
    log = tmp_path / "log"
    log.mkdir()
    first = lines(1, 5) + lines(2, 6)
    (log / "1.jsonl").write_text(first.replace('"g": "5"', '"g": null'), encoding="utf-8")
    append(tmp_path)
    (log / "2.jsonl").write_text(lines(2, 5).replace('"s": 2', '"s": 3') + lines(4, 5))
    append(tmp_path)
    sql = "SELECT prompt, gold_answer, gold_key FROM prompts ORDER BY prompt"
    assert srtbench.open_sweep(tmp_path / "out").sql(sql).fetchall() == [
        ("q1", None, None), ("q2", "5", "5"), ("q4", "5", "5"),
    ]  # fmt: skip
