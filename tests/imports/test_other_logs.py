"""Logs of other people by a map: what stands in their cells, how their files are packed and cut."""

import bz2
import csv
import gzip
import json
import lzma
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import srtbench
from srtbench.replay.audit import audit_sweep
from srtbench.rollouts.importers import ImporterError, LogMap, Row, find_log
from srtbench.rollouts.importers import files as log_files
from tests.imports.logs import Record, write_lines

PLAIN = {"prompt": "p", "completion": "c"}


def read(log: Path, content: dict[str, Any]) -> tuple[list[Row], list[str]]:
    """Rollouts that a map finds, and what was left out."""
    found = find_log(log, log_map=LogMap.model_validate(content))
    rows = [row for file in found.files for row in found.importer.rows(file)]
    return rows, [one for file in found.files for one in file.damage.named]


def column(folder: Path, name: str, values: list[Any], field: str) -> tuple[list[Any], list[str]]:
    """What a column of a map makes of values, one a record; LOST where the record is left out."""
    log = write_lines(folder / "a.jsonl",
                      ({"p": str(n), "c": "x", "k": v} for n, v in enumerate(values)))  # fmt: skip
    rows, damage = read(log, {"columns": PLAIN | {name: "k"}})
    found = {row.prompt: getattr(row, field) for row in rows}
    return [found.get(str(n), "LOST") for n in range(len(values))], damage


@pytest.mark.parametrize(
    ("name", "field", "told"),
    [
        ("their_correct", "correct",
         {"true": True, "0.0": False, "wrong": False, "pass": True, "C": True, "I": False,
          "": None, "nan": None, "partial": "LOST"}),
        ("truncated", "truncated",
         {"length": True, "max_tokens": True, "stop": False, "eos": False, "True": True,
          "odd": "LOST"}),
        ("step", "step",
         {"10": 10, "10.0": 10, "global_step_20": 20, "step 7": 7, "-1": "LOST", "1.5": "LOST",
          "123456789": "LOST", "": "LOST"}),
        ("phase", "phase",
         {"val": "eval", "Test ": "eval", "dev": "eval", "training": "train",
          "val/aime": "eval", "eval_rollout": "eval", "": "train", "train_eval": "LOST"}),
        ("completion_tokens", "completion_tokens", {"4": 4, "[1, 2, 3]": 3, "-3": "LOST"}),
        ("mean_logprob", "mean_logprob", {"-0.5": -0.5, "[-1.0, -3.0]": -2.0, "": None}),
    ],
)  # fmt: skip
def test_cells_of_text(name: str, field: str, told: dict[str, Any], tmp_path: Path) -> None:
    found, damage = column(tmp_path, name, [*told], field)
    assert dict(zip(told, found, strict=True)) == told
    assert len(damage) == found.count("LOST")
    assert all(f" {name}: " in one for one in damage)


@pytest.mark.parametrize(
    ("name", "field", "values", "wanted"),
    [
        ("gold", "gold", [2, 2.0, 0.5, ["7"], ["5", "five"], None, "", [1, 2]],
         ["2", "2", "0.5", "7", "5", None, None, "[1, 2]"]),
        ("their_correct", "correct", [True, 0, 1, 0.7, [1.0], None, -1],
         [True, False, True, True, True, None, False]),
        ("train_reward", "reward", [1, "0.5", True, [0, 0, 1], None, {"a": 1}],
         [1.0, 0.5, 1.0, 1.0, None, "LOST"]),
        ("step", "step", [10.0, 0, 2**40, None], [10, 0, "LOST", "LOST"]),
        ("mean_logprob", "mean_logprob",
         [[-1, -2], [{"token": "a", "logprob": -1.0}, {"logprob": -2.0}], [None, -1.0], []],
         [-1.5, -1.5, -1.0, None]),
    ],
)  # fmt: skip
def test_cells_of_json(
    name: str, field: str, values: list[Any], wanted: list[Any], tmp_path: Path
) -> None:
    assert column(tmp_path, name, values, field)[0] == wanted


@pytest.mark.parametrize(
    ("name", "values", "phases"),
    [
        ("is_eval", [True, False], ["eval", "train"]),
        ("validate", [0, 1], ["train", "eval"]),
        ("meta.is_train", ["true", "False"], ["train", "eval"]),
    ],
)
def test_a_phase_of_true_and_false_is_told_by_the_name_of_its_column(
    name: str, values: list[Any], phases: list[str], tmp_path: Path
) -> None:
    log = write_lines(tmp_path / "a.jsonl", ({"p": "q", "c": "x", name: one} for one in values))
    rows, damage = read(log, {"columns": PLAIN | {"phase": name}})
    assert [row.phase for row in rows] == phases, damage
    log = write_lines(tmp_path / "b.jsonl", [{"p": "q", "c": "x", "flag": True}])
    assert "'flag' does not say which" in read(log, {"columns": PLAIN | {"phase": "flag"}})[1][0]


@pytest.mark.parametrize(
    ("record", "columns", "wanted"),
    [
        ({"x": {"reward.model": {"gt": 3}}}, {"gold": "x.reward.model.gt"}, "3"),
        ({"x": [{"gt": 3}]}, {"gold": "x.0.gt"}, "3"),
        ({"x": [{"gt": 1}, {"gt": 3}]}, {"gold": "x[-1].gt"}, "3"),
        ({"x": '{"y": "{\\"gt\\": 3}"}'}, {"gold": "x.y.gt"}, "3"),
        ({"x": "{'gt': [3]}"}, {"gold": "x.gt[0]"}, "3"),
        ({"x.gt": 3, "x": {"gt": 4}}, {"gold": "x.gt"}, "3"),
        ({"x": "no json {"}, {"gold": "x.gt"}, None),
        ({}, {"gold": {"value": 3.0}}, "3"),
        ({}, {"gold": {"from_path": r"gold-(\d+)"}}, "3"),
    ],
)
def test_paths_of_a_map(
    record: Record, columns: dict[str, Any], wanted: str | None, tmp_path: Path
) -> None:
    write_lines(tmp_path / "gold-3" / "a.jsonl", [{"p": "q", "c": "x"} | record])
    rows, damage = read(tmp_path, {"columns": PLAIN | columns})
    assert [row.gold for row in rows] == [wanted], damage


CHAT = [{"role": "system", "content": "s"}, {"role": "user", "content": [{"text": "it's"}]}]
SAID = [{"role": "assistant", "content": r"\boxed{1}"}]


@pytest.mark.parametrize("written", [lambda one: one, json.dumps, str])
def test_chat_messages_as_they_are_and_in_texts(written: Any, tmp_path: Path) -> None:
    log = write_lines(tmp_path / "a.jsonl", [{"p": written(CHAT), "c": written(SAID)}])
    rows, damage = read(log, {"columns": PLAIN})
    assert [(row.prompt, row.completion) for row in rows] == [
        ("system: s\nuser: it's", r"\boxed{1}")
    ], damage


@pytest.mark.parametrize("written", [lambda one: one, json.dumps, str])
def test_lists_that_are_exploded_as_they_are_and_in_texts(written: Any, tmp_path: Path) -> None:
    good = {"p": "q", "c": written(["a", "it's"]), "r": written([1.0, 0.0])}
    damaged = [good | {"r": written([1.0])}, good | {"c": None, "r": None}, {"p": "q"}]
    log = write_lines(tmp_path / "a.jsonl", [good, *damaged, good | {"r": None}, good | {"c": []}])
    rows, damage = read(
        log, {"explode": ["c", "r"], "columns": PLAIN | {"train_reward": "r", "sample": "nope"}}
    )
    assert [row.completion for row in rows] == ["a", "it's"] * 2
    assert [row.reward for row in rows] == [1.0, 0.0, None, None]
    assert [row.sample for row in rows] == [0, 1, 0, 1]
    assert len({row.group for row in rows}) == 2
    assert len(damage) == 4
    assert "explode: c has 2, r has 1" in damage[0]
    assert "explode: c is no list, r is no list" in damage[1]


def test_a_list_or_an_object_is_no_completion(tmp_path: Path) -> None:
    log = write_lines(tmp_path / "a.jsonl", [
        {"p": "q", "c": ["x", "y"]}, {"p": "q", "c": {"text": "x"}}, {"p": "q"},
        {"p": "q", "c": ["x"]},
    ])  # fmt: skip
    rows, damage = read(log, {"columns": PLAIN})
    assert [row.completion for row in rows] == ["x"]
    assert [one.partition(": completion: ")[2] for one in damage] == [
        "is a list of 2; one text is wanted",
        "is an object of text; name what is in it",
        "is missing: nothing at c; the record has p",
    ]


CSV_FILES = {
    "BOM": b"\xef\xbb\xbfp,c\nq,x\n",
    "semicolons": b"p;c\nq;x\n",
    "tabs": b"p\tc\nq\tx\n",
    "spaces": b"p, c\nq, x\n",
    "UTF-16": "p,c\nq,x\n".encode("utf-16"),
    "an index": b",p,c\n0,q,x\n",
    "a short and a long row": b"p,c\nq,x\nq\nq,x,y\n",
    "not UTF-8": b"p,c\nq,x\ncaf\xe9,x\n",
    "an open quote": b'p,c\nbad,"oops\nq,x\n',
    "an open quote before another": b'p,c\nbad,"oops\nq,"x"\n',
    "CRLF": b"p,c\r\nq,x\r\n",
}


@pytest.mark.parametrize("kind", CSV_FILES)
def test_csv_files(kind: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(CSV_FILES[kind])
    rows, damage = read(tmp_path, {"columns": PLAIN})
    assert [(row.prompt, row.completion) for row in rows] == [("q", "x")], damage
    wanted = {"a short and a long row": 2, "not UTF-8": 1}
    assert len(damage) == wanted.get(kind, int("quote" in kind)), damage


def test_an_empty_cell_of_csv_is_an_empty_completion_and_nothing_elsewhere(tmp_path: Path) -> None:
    with (tmp_path / "a.tsv").open("w", newline="", encoding="utf-8") as sink:
        csv.writer(sink, delimiter="\t").writerows([["p", "c", "k"], ["a\nb", "", ""]])
    names = ["group", "sample", "phase", "eval_set", "gold", "truncated", "train_reward",
             "their_correct", "policy_step", "mean_logprob"]  # fmt: skip
    columns = dict.fromkeys(names, "k")
    (row,), damage = read(tmp_path, {"columns": PLAIN | columns})
    assert (row.prompt, row.completion, row.phase) == ("a\nb", "", "train"), damage
    silent = (row.group, row.sample, row.gold, row.truncated, row.reward, row.correct)
    assert silent == (None,) * 6


def test_numbers_of_parquet_are_read_as_they_were_written(tmp_path: Path) -> None:
    pq.write_table(pa.table({
        "p": ["a", "b", "b"], "c": ["x", "y", None], "f": pa.array([0.8, 1.1, None], pa.float32()),
        "d": [Decimal("0.80"), Decimal("7.00"), None], "g": [1.0, float("nan"), 2.0],
        "m": pa.array([[("gold", 5)], [], []], pa.map_(pa.string(), pa.int64())),
    }), tmp_path / "a.parquet")  # fmt: skip
    pq.write_table(pa.table({"c": ["z"], "p": ["d"]}), tmp_path / "b.parquet")
    for path, golds in (("f", ["0.8", "1.1", None]), ("d", ["0.80", "7.00", None]),
                        ("m.gold", ["5", None, None])):  # fmt: skip
        rows, damage = read(tmp_path, {"columns": PLAIN | {"gold": path, "group": "g"}})
        assert [row.gold for row in rows] == golds
        assert [row.group for row in rows] == ["1", None, None]
        assert len(damage) == 1, "no completion"


LINES = b'{"p": "1", "c": "x"}\n{"p": "2", "c": "y"}\n'


def packed_twice(name: str) -> bytes:
    halves = LINES.splitlines(keepends=True)
    if name == "gz":
        return b"".join(map(gzip.compress, halves))
    found = b""
    for half in halves:
        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, "zstd") as stream:
            stream.write(half)
        found += sink.getvalue().to_pybytes()
    return found


LISTED = b"[" + LINES.strip().replace(b"\n", b",") + b"]"
FILES = {
    "a.jsonl": LINES,
    "a.log": LINES,
    "stream0001": LINES,
    "a.json": LINES,
    "b.json": LISTED,
    "b.jsonl": b"[\n" + LINES.strip().replace(b"\n", b",\n") + b"\n]",
    "crlf.jsonl": LINES.replace(b"\n", b"\r\n"),
    "bom.jsonl": b"\xef\xbb\xbf" + LINES,
    "no_end.jsonl": LINES.rstrip(),
    "a.jsonl.gz": packed_twice("gz"),
    "stream0002": packed_twice("zst"),
    "a.zst": packed_twice("zst"),
    "misnamed.jsonl": packed_twice("gz"),
    "misnamed.jsonl.gz": LINES,
    "a.jsonl.bz2": bz2.compress(LINES),
    "a.jsonl.xz": lzma.compress(LINES),
    "a.csv.gz": gzip.compress(b"p,c\n1,x\n2,y\n"),
} | {
    f"{encoding}.{name}": text.decode().encode(encoding)
    for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be")
    for name, text in (("jsonl", LINES), ("json", LISTED))
} | {
    "utf-16.csv": "p;c\r\n1;x\r\n2;y\r\n".encode("utf-16"),
    "utf-16.tsv": "\ufeffp\tc\n1\tx\n2\ty\n".encode("utf-16-be"),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_known_by_its_first_bytes(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(FILES[name])
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "copy.jsonl").write_bytes(LINES)
    (tmp_path / "notes.txt").write_text("[2026-01-01] no log\n", encoding="utf-8")
    rows, damage = read(tmp_path, {"columns": PLAIN})
    assert [(row.prompt, row.completion) for row in rows] == [("1", "x"), ("2", "y")], damage
    assert damage == []


def test_text_of_utf_16_stays_as_it_is_and_a_sign_that_is_cut_off_is_named(tmp_path: Path) -> None:
    text = '{"p": "\u6570\u5b66 \U0001f600", "c": "\u2028"}\n'
    (tmp_path / "a.jsonl").write_bytes((text * 2).encode("utf-16")[:-7])
    ((row,), damage) = read(tmp_path, {"columns": PLAIN})
    assert (row.prompt, row.completion) == ("\u6570\u5b66 \U0001f600", "\u2028")
    assert damage == ["a.jsonl line 2: cut off; it is read again when it is whole"]


@pytest.mark.parametrize(
    ("gold", "found"),
    [
        (["5", "6"], "5"), ('["5", "6"]', "5"), ("['', '7']", "7"), ([], None),
        ("[1, 2)", "[1, 2)"), ("[1, 2]", "[1, 2]"), ([5], "5"), (["x"] * 2, "x"),
        ({"answer": "5"}, "LOST"),
    ],
)  # fmt: skip
def test_golds_of_lists_and_objects(gold: Any, found: Any, tmp_path: Path) -> None:
    """An interval is an answer; a list of texts is several, an object none."""
    values, damage = column(tmp_path, "gold", [gold], "gold")
    assert values == [found]
    if found == "LOST":
        assert damage == ["a.jsonl line 1: gold: is an object; name one of its keys: k.answer"]


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("meta.step", "nothing at meta.step; the record has p, c"),
        ({"from_path": r"step_(\d+)"}, r"the path has no step_(\d+)"),
    ],
)
def test_a_step_that_is_nowhere_is_said_with_what_is_there(
    step: Any, said: str, tmp_path: Path
) -> None:
    log = write_lines(tmp_path / "a.jsonl", [{"p": "q", "c": "x"}])
    assert read(log, {"columns": PLAIN | {"step": step}}) == (
        [], [f"a.jsonl line 1: step: is missing: {said}"],
    )  # fmt: skip


@pytest.mark.parametrize("name", ["gz", "zst"])
def test_a_packed_file_that_is_cut_off_is_read_as_far_as_it_goes(name: str, tmp_path: Path) -> None:
    lines = b"".join(b'{"p": "%d", "c": "%x"}\n' % (n, hash(str(n))) for n in range(20_000))
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, {"gz": "gzip", "zst": "zstd"}[name]) as stream:
        stream.write(lines)
    (tmp_path / f"a.jsonl.{name}").write_bytes(sink.getvalue().to_pybytes()[:-1000])
    rows, damage = read(tmp_path, {"columns": PLAIN})
    assert 1000 < len(rows) < 20_000
    assert "cannot be unpacked to its end" in damage[-1]


def test_a_line_without_end_is_left_out_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_files, "MAX_LINE", 1000)
    log = write_lines(tmp_path / "a.jsonl", [{"p": "1", "c": "x"}, {"p": "x" * 5000, "c": "x"},
                                             {"p": "2", "c": "x"}])  # fmt: skip
    found = find_log(log, log_map=LogMap.model_validate({"columns": PLAIN}))
    rows = [row.prompt for row in found.importer.rows(found.files[0])]
    assert rows == ["1", "2"]
    assert found.files[0].damage.named == ["a.jsonl line 2: is longer than 1,000 bytes"]
    assert found.files[0].stop == log.stat().st_size


@pytest.mark.parametrize("pattern", ["/etc/*", "../*", ""])
def test_a_glob_stays_below_the_folder(pattern: str, tmp_path: Path) -> None:
    write_lines(tmp_path / "a.jsonl", [{"p": "q", "c": "x"}])
    content = {"columns": PLAIN, "files": pattern}
    with pytest.raises(ImporterError, match=r"^map\.files: '.*' is no glob below PATH"):
        srtbench.import_rollouts(tmp_path, out=tmp_path / "out", map=content)


def test_names_of_evaluation_sets_become_names_of_folders(tmp_path: Path) -> None:
    sets = ["openai/gsm8k", "aime_24", "Math 500!", ".hidden", None]
    write_lines(tmp_path / "log.jsonl", ({"p": "q", "c": r"\boxed{1}", "d": one} for one in sets))
    content = {"columns": PLAIN | {"eval_set": "d", "gold": {"value": 1}}, "phase": "eval"}
    srtbench.import_rollouts(tmp_path / "log.jsonl", out=tmp_path / "out", map=content)
    sweep = srtbench.open_sweep(tmp_path / "out")
    found = sweep.sql("SELECT eval_set, avg_at_k FROM eval_curves ORDER BY eval_set").fetchall()
    assert found == [
        (one, 1.0) for one in ("Math 500!", "aime_24", "hidden", "openai-gsm8k", "own")
    ]


def test_equal_names_of_groups_are_several_groups_if_the_prompts_differ(
    tmp_path: Path,
) -> None:
    """Processes of a trainer number the groups of their own files."""
    for rank in range(2):
        rows = [{"p": f"q{rank}", "c": f"\\boxed{{{rank}}}", "g": 0}] * 3
        write_lines(tmp_path / "log" / f"{rank}.jsonl", [*rows, {"p": "same", "c": "x", "g": 1}])
    result = srtbench.import_rollouts(
        tmp_path / "log",
        out=tmp_path / "out",
        map={"columns": PLAIN | {"group": "g", "gold": "nowhere"}},
        labels={"variant": "srt"},
    )
    sql = "SELECT pseudo_label, count(*) FROM rollouts GROUP BY group_id, pseudo_label ORDER BY 1"
    groups = srtbench.open_sweep(tmp_path / "out").sql(sql).fetchall()
    assert groups == [("0", 3), ("1", 3), (None, 2)]
    assert audit_sweep(tmp_path / "out").ok
    assert any("each prompt is a group" in one for one in result.caveats)
    assert any("anything at the map's 'nowhere' (gold)" in one for one in result.caveats)


def test_a_file_of_no_format_is_refused_by_what_it_has_and_what_was_tried(tmp_path: Path) -> None:
    write_lines(tmp_path / "a.jsonl", [{"question": "q", "reply": "x"}])
    with pytest.raises(ImporterError, match=r"a\.jsonl has question, reply\); tried: verl, trl, "):
        find_log(tmp_path)
