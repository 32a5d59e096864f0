"""`--map`: any layout by saying which column is which."""

import csv
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import srtbench
from srtbench.config import ConfigError
from srtbench.rollouts.importers import read_map
from srtbench.rollouts.importers.paths import look_up, parse_path
from tests.imports.logs import write_lines


def imported(folder: Path, log: Path, content: dict[str, Any], **labels: Any) -> pl.DataFrame:
    """The rollouts that a map reads, in order."""
    srtbench.import_rollouts(log, out=folder / "out", map=content, labels=labels)
    return (
        srtbench.open_sweep(folder / "out")
        .sql(
            "SELECT one.*, p.prompt, p.gold_answer FROM rollouts AS one JOIN prompts AS p "
            "ON p.prompt_id = one.prompt_id AND p.eval_set IS NOT DISTINCT FROM one.eval_set "
            "ORDER BY phase, step, group_id, sample_index"
        )
        .pl()
    )


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("a", {"b": [{"c": "x"}, {"c": "y"}], "d.e": 1}),
        ("a.b[-1].c", "y"),
        ("a.b[0]", {"c": "x"}),
        ("a.b[2].c", None),
        ("a.b.c", None),
        ("a['d.e']", 1),
        ("text.inner[1]", 5),
        ("nothing", None),
    ],
)
def test_a_path_leads_through_keys_and_indices(path: str, found: Any) -> None:
    record = {"a": {"b": [{"c": "x"}, {"c": "y"}], "d.e": 1}, "text": '{"inner": [4, 5]}'}
    assert look_up(record, parse_path(path), path) == found


@pytest.mark.parametrize("path", ["", "a..b", "a[", "a[x]", ".a", "a."])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="no path"):
        parse_path(path)


def test_responses_of_an_api_with_steps_in_the_path(tmp_path: Path) -> None:
    for step in (2, 10):
        write_lines(
            tmp_path / "log" / f"step_{step}" / "out.jsonl",
            [
                {
                    "request": [{"role": "user", "content": "1+1?"}],
                    "response": {"output": [{"content": "hm"}, {"content": [{"text": text}]}]},
                    "verdict": {"reward": "1.0", "ok": ok},
                    "usage": {"out": 7},
                }
                for text, ok in ((r"\boxed{2}", "true"), (r"\boxed{3}", "false"))
            ],
        )
    rows = imported(
        tmp_path,
        tmp_path / "log",
        {
            "files": "*/out.jsonl",
            "columns": {
                "prompt": "request",
                "completion": "response.output[-1].content[0].text",
                "step": {"from_path": r"step_(\d+)"},
                "train_reward": "verdict.reward",
                "their_correct": "verdict.ok",
                "completion_tokens": "usage.out",
                "gold": {"value": 2},
                "policy_step": "nothing.here",
            },
        },
        variant="srt",
    )
    assert rows["step"].to_list() == [2, 2, 10, 10]
    assert rows["prompt"].unique().to_list() == ["1+1?"]
    assert rows["answer_key"].to_list() == ["2", "3"] * 2
    assert rows["their_correct"].to_list() == [True, False] * 2
    assert rows["gold_reward"].to_list() == [1.0, 0.0] * 2
    assert rows["completion_tokens"].to_list() == [7] * 4
    assert rows["pseudo_label"].to_list() == ["2"] * 4, "a tie goes to the first"
    assert rows["policy_step"].null_count() == 4


def test_a_parquet_row_that_holds_a_group(tmp_path: Path) -> None:
    pl.DataFrame(
        {
            "q": ["a", "b"],
            "outs": [
                [r"\boxed{1}", r"\boxed{1}", "no"],
                [r"\boxed{5}", r"\boxed{6}", r"\boxed{6}"],
            ],
            "scores": [[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]],
            "answer": ["#### 1", r"so \boxed{6}"],
            "n": [3, 3],
        }
    ).write_parquet(tmp_path / "groups.parquet")
    rows = imported(
        tmp_path,
        tmp_path / "groups.parquet",
        {
            "explode": ["outs", "scores"],
            "columns": {
                "prompt": "q",
                "completion": "outs",
                "their_correct": "scores",
                "train_reward": "scores",
                "gold": "answer",
                "eval_set": {"value": "aime"},
                "step": "n",
            },
            "phase": "eval",
        },
    )
    assert rows["eval_set"].unique().to_list() == ["aime"]
    assert rows["gold_answer"].to_list() == ["1"] * 3 + ["6"] * 3
    assert rows["pseudo_label"].to_list() == ["1"] * 3 + ["6"] * 3
    assert rows["train_reward"].null_count() == 6, "an evaluation trains nothing"
    assert rows["their_reward"].to_list() == [1.0, 1.0, 0.0, 0.0, 1.0, 1.0]
    curve = srtbench.open_sweep(tmp_path / "out").sql(
        "SELECT prompts, k, maj_at_k FROM eval_curves WHERE eval_set = 'aime'"
    )
    assert curve.fetchall() == [(2, 3, 1.0)]


def test_a_csv_with_a_phase_of_its_own_and_no_groups(tmp_path: Path) -> None:
    with (tmp_path / "log.csv").open("w", newline="", encoding="utf-8") as sink:
        writer = csv.writer(sink)
        writer.writerow(["s", "split", "p", "c", "r", "cut"])
        for step, split in ((1, "training"), (1, "val")):
            for prompt in ("x, y", 'say "z"'):
                for answer in ("4", "4", "5"):
                    text = f"line\n\\boxed{{{answer}}}"
                    writer.writerow([step, split, prompt, text, "", "False"])
    columns = {"step": "s", "phase": "split", "prompt": "p", "completion": "c",
               "train_reward": "r", "truncated": "cut"}  # fmt: skip
    rows = imported(tmp_path, tmp_path / "log.csv", {"columns": columns})
    assert rows["phase"].to_list() == ["eval"] * 6 + ["train"] * 6
    assert rows["group_id"].n_unique() == 4
    assert set(rows["prompt"]) == {"x, y", 'say "z"'}
    assert rows["truncated"].to_list() == [False] * 12
    assert rows["their_reward"].null_count() == rows["gold_reward"].null_count() == 12


def test_damaged_lines_are_named_skipped_and_counted(tmp_path: Path) -> None:
    good = [{"p": "q", "c": f"\\boxed{{{n}}}", "s": 1} for n in range(3)]
    log = tmp_path / "log.jsonl"
    lines = [json.dumps(one) for one in good]
    lines[1:1] = [
        '{"p": "q", "c": ',
        '["no object"]',
        '{"p": "q", "s": 1}',
        '{"p":"q","c":"x","s":"one"}',
    ]
    log.write_text(
        "\n".join(
            [*lines, "[" * 100_000, '{"p": "q", "c": "half'],
        ),
        encoding="utf-8",
    )
    content = {"columns": {"prompt": "p", "completion": "c", "step": "s"}}
    result = srtbench.import_rollouts(log, out=tmp_path / "out", map=content)
    assert (result.rows, result.skipped) == (3, 6)
    reasons = {
        2: "not valid JSON",
        3: "no JSON object",
        4: "completion: is missing",
        5: "step: 'one' is no number",
        8: "nested",
        9: "cut off",
    }
    for number, reason in reasons.items():
        assert any(f"line {number}: " in one and reason in one for one in result.damaged), number
    assert any("left out: 6" in one for one in result.caveats)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("columns: {prompt: p}", "key 'completion' is missing"),
        ("columns: {prompt: p, completion: c, rewrad: r}", "unknown key 'rewrad'"),
        (
            "columns: {prompt: p, completion: {valeu: 1}}",
            "a path, {value: X} or {from_path: REGEX}",
        ),
        ("columns: {prompt: p, completion: {from_path: 'a'}}", "has 0 groups"),
        ("columns: {completion: c}", "prompt is wanted"),
        ("columns: {prompt: p, completion: c}\nformat: xml", "Allowed: csv, jsonl, parquet"),
        ("columns: {prompt: p, completion: c}\nanswer: {style: bxed}", "did you mean 'boxed'?"),
        ("columns: {prompt: p, completion: 'c['}", "no path"),
        ("[a]", "a map is a mapping"),
    ],
)
def test_a_wrong_map_is_named(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "map.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"map\.yaml") as error:
        read_map(file)
    assert message in str(error.value)


def test_texts_that_no_file_can_hold_become_their_escapes(tmp_path: Path) -> None:
    """JSON can spell half of a surrogate pair, as cut-off characters do; UTF-8 cannot."""
    names = ("prompt", "completion", "group", "gold", "eval_set")
    half = {name: f"{name} \ud83d" for name in names}
    write_lines(tmp_path / "log.jsonl", [half | {"step": 1, "phase": "eval"}] * 2)
    columns = {name: name for name in (*names, "step", "phase")}
    found = imported(tmp_path, tmp_path / "log.jsonl", {"format": "jsonl", "columns": columns})
    kept = found.select("prompt", "completion", "their_group", "gold_answer", "eval_set").rows()
    assert kept == [tuple(f"{name} \\ud83d" for name in names)] * 2
