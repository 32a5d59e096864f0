"""On which evaluation set a run is judged: one rule, for views, report and check."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

import srtbench
from srtbench.analysis.diagnosis import diagnosis_table
from srtbench.analysis.frames import frame, query
from srtbench.analysis.health import run_health
from srtbench.analysis.report import write_report
from srtbench.analysis.report.facts import facts
from tests.imports.logs import smoke_rows, write_lines

RUN = "tiny-spell-backward-6-srt-high-lr-s0-16076d2f"
"""It collapses."""
MAP: dict[str, Any] = {
    "columns": {
        "prompt": "prompt", "completion": "completion", "gold": "gold_answer", "step": "step",
        "phase": "phase", "train_reward": "train_reward", "group": "group_id", "eval_set": "name",
    },
    "answer": {"kind": "text"},
}  # fmt: skip


@pytest.fixture(scope="module")
def rows() -> pl.DataFrame:
    return smoke_rows(RUN)


def imported(rows: pl.DataFrame, out: Path, sets: list[str], **labels: Any) -> Path:
    """The run as the log of a trainer with these sets: on all but the last it never changes."""
    first = rows.filter(phase="eval", step=0)
    steps = rows.filter(phase="eval").select("step").unique()
    still = first.drop("step").join(steps, how="cross").select(rows.columns)
    parts = [rows.filter(phase="train")]
    parts += [still.with_columns(group_id=name + pl.col("group_id")) for name in sets[:-1]]
    parts += [rows.filter(phase="eval")]
    names = ["train", *sets]
    log = pl.concat(
        [part.with_columns(name=pl.lit(name)) for part, name in zip(parts, names, strict=True)]
    )
    columns = [*MAP["columns"].values()]
    path = write_lines(out.parent / f"{out.name}.jsonl", log.select(columns).iter_rows(named=True))
    srtbench.import_rollouts(path, out=out, map=MAP, labels={"variant": "srt"} | labels)
    return out


def judged(folder: Path) -> dict[str, Any]:
    connection = srtbench.open_sweep(folder)
    (row,) = query(connection, "SELECT * FROM run_summary").iter_rows(named=True)
    return row


def test_a_run_without_held_out_prompts_of_its_own_is_judged_on_the_set_that_shows_a_collapse(
    rows: pl.DataFrame, tmp_path: Path
) -> None:
    own = judged(imported(rows, tmp_path / "own", ["own"]))
    folder = imported(rows, tmp_path / "named", ["aime", "math"])
    named = judged(folder)
    assert (own["eval_set"], named["eval_set"]) == ("own", "math")
    same = [name for name in own if name not in ("sweep", "run_id", "eval_set", "dataset")]
    assert {name: named[name] for name in same} == {name: own[name] for name in same}
    assert named["collapse_step"] is not None

    connection = srtbench.open_sweep(folder)
    assert diagnosis_table(connection)["eval_set"].to_list() == ["math"]
    assert diagnosis_table(connection, "aime")["collapsed"].to_list() == [False]
    assert set(frame(connection, "eval_curve")["eval_set"]) == {"math"}
    (fact,) = facts(connection)
    assert fact.verdict == "collapsed"
    assert "Judged on math." in fact.sentence
    (health,) = run_health(folder)
    assert (health.outcome, health.eval_set) == ("collapsed", "math")


def test_the_report_shows_the_set_first_and_the_others_once(
    rows: pl.DataFrame, tmp_path: Path
) -> None:
    folder = imported(rows, tmp_path / "named", ["aime", "math"])
    page = (write_report(folder) / "report.md").read_text(encoding="utf-8")
    assert "Collapsed: srt" in page
    assert "Prompts of the evaluation set math: mean accuracy" in page
    assert "Prompts of the evaluation set aime: mean accuracy" in page
    figures = {path.stem for path in (folder / "report" / "figures").glob("*.png")}
    assert {"accuracy", "accuracy-aime", "collapse_panel"} <= figures
    assert "accuracy-math" not in figures


def test_own_prompts_come_first_whatever_the_others_show(
    rows: pl.DataFrame, tmp_path: Path
) -> None:
    row = judged(imported(rows, tmp_path / "both", ["own", "math"]))
    assert (row["eval_set"], row["collapse_step"]) == ("own", None)


def test_seeds_without_a_collapse_are_judged_where_the_others_collapsed(
    rows: pl.DataFrame, tmp_path: Path
) -> None:
    """So that a mean over seeds is one of the same prompts."""
    folder = imported(rows, tmp_path / "out", ["aime", "math"], seed=0)
    early = rows.filter(pl.col("step") <= 4)
    imported(early, folder, ["aime", "math"], seed=1)
    connection = srtbench.open_sweep(folder)
    sets = query(connection, "SELECT seed, eval_set FROM run_summary ORDER BY seed").rows()
    assert sets == [(0, "math"), (1, "math")]
    assert query(connection, "SELECT eval_set, collapsed FROM variant_summary").row(0) == (
        "math",
        1,
    )
