"""What is said of runs that owe something to gold answers or to their evaluation prompts."""

import json
from pathlib import Path
from typing import Any

import polars as pl

from srtbench import open_sweep
from srtbench.analysis.export import export_sweep
from srtbench.analysis.frames import view
from srtbench.analysis.report import write_report
from srtbench.analysis.warehouse.caveats import (
    CHOSEN_BEFORE,
    ON_EVAL_PROMPTS,
    SAME_PROMPTS,
    TRAINED_BEFORE,
)
from srtbench.cli.plan_text import plan_text
from srtbench.store import SweepStore
from tests.chains import plan_of, write_grid

TTRL = {"type": "ttrl", "votes": 8}
CHOSEN = (
    "It started from the policy with the best maj@k of the stage before, chosen by gold answers"
)


def written(folder: Path, stages: list[dict[str, Any]], *others: Any) -> Path:
    """A sweep of which nothing has begun: its plan alone."""
    climb = {"type": "curriculum", "name": "climb", "stages": stages}
    plan = plan_of(write_grid(folder, "c", [climb, *others]))
    store = SweepStore(folder / "runs", plan.name)
    store.write_plan(plan)
    return store.path


def caveats(sweep: Path) -> list[str | None]:
    return view(open_sweep(sweep), "runs")["caveat"].to_list()


def stage(level: int, variant: Any = "srt", **more: Any) -> dict[str, Any]:
    return {"level": level, "variant": variant} | more


def test_a_plan_and_the_view_say_how_a_run_starts(tmp_path: Path) -> None:
    path = written(tmp_path, [stage(3), stage(4), stage(5, start_from="best_avg_at_k")], "gold")
    wanted = [None, "last", "best_avg_at_k", None]
    content = json.loads((path / "plan.json").read_text())
    assert [row["start_rule"] for row in content["runs"]] == wanted
    assert view(open_sweep(path), "runs")["start_rule"].to_list() == wanted
    for row in content["runs"]:  # a plan of an older version; then what has begun still says it
        del row["start_rule"]
    (path / "plan.json").write_text(json.dumps(content))
    run_id = content["runs"][2]["run_id"]
    train = {"algorithm": "grpo", "learning_rate": 1e-4, "beta": 0.0}
    train |= {"prompts_per_step": 4, "num_generations": 4}
    start = {"run_id": "some", "rule": "best_avg_at_k"}
    config = {"spec": {"train": train, "starts_from": start}}
    (path / run_id).mkdir()
    (path / run_id / "config.json").write_text(json.dumps(config))
    assert view(open_sweep(path), "runs")["start_rule"].to_list() == [
        None, None, "best_avg_at_k", None,
    ]  # fmt: skip


def test_a_start_that_gold_answers_chose_is_said_of_all_that_comes_after(tmp_path: Path) -> None:
    stages = [stage(3), stage(4, start_from="best_maj_at_k"), stage(5), stage(6)]
    first, second, third, fourth = caveats(written(tmp_path, stages))
    assert first is None
    assert second is not None
    assert second.startswith(CHOSEN)
    assert SAME_PROMPTS not in second, "it was chosen at another level"
    assert (third, fourth) == (CHOSEN_BEFORE, CHOSEN_BEFORE)
    same = caveats(written(tmp_path / "same", [stage(3), stage(3, start_from="best_maj_at_k")]))[1]
    assert same is not None
    assert same.startswith(CHOSEN)
    assert same.endswith(SAME_PROMPTS)


def test_a_stage_after_ttrl_is_marked_where_it_has_the_same_prompts(tmp_path: Path) -> None:
    stages = [stage(3), stage(4, TTRL), stage(3), stage(4), stage(4, TTRL), stage(5)]
    path = written(tmp_path, stages, TTRL, "srt")
    wanted = [None, ON_EVAL_PROMPTS, None, TRAINED_BEFORE, ON_EVAL_PROMPTS, None]
    assert caveats(path) == [*wanted, ON_EVAL_PROMPTS, None]


def test_a_plan_warns_of_prompts_that_were_trained_on(tmp_path: Path) -> None:
    climb = {"type": "curriculum", "name": "climb", "stages": [stage(3, TTRL), stage(4), stage(3)]}
    plan = plan_of(write_grid(tmp_path, "c", [climb, "srt"]))
    first, _, last = plan.runs[:3]
    warning = f"evaluated on prompts that a stage before it trained on ({first.run_id}): "
    text = plan_text(plan)
    assert f"{warning}{last.run_id}\n" in text
    assert text.count("evaluated on prompts that") == 1
    assert "evaluated on prompts that" not in plan_text(plan_of(write_grid(tmp_path, "d", ["srt"])))


def test_reports_and_tables_have_the_sentence(tmp_path: Path) -> None:
    stages = [stage(3, TTRL), stage(3, start_from="best_maj_at_k")]
    path = written(tmp_path, stages, "gold")
    run_id = json.loads((path / "plan.json").read_text())["runs"][1]["run_id"]
    report = write_report(path)
    page = (report / "report.html").read_text(encoding="utf-8")
    for sentence in (ON_EVAL_PROMPTS, f"{TRAINED_BEFORE} {CHOSEN}", SAME_PROMPTS):
        assert page.count(sentence) >= 2, "at the cell, and with the table of runs"
    assert page.count('">*</abbr>') == 2, "gold has no star"
    text = (report / "report.md").read_text(encoding="utf-8")
    assert f"| {run_id} (*) | climb.2 |" in text
    assert "(*) climb.2, tiny, spell" in text
    assert text.count(SAME_PROMPTS) == 2
    files = {file.name: file for file in export_sweep(path, formats=["csv", "latex"])}
    for table in (files["runs.csv"], report / "tables" / "runs.csv"):
        said = pl.read_csv(table)["caveat"].to_list()
        assert said[0] == ON_EVAL_PROMPTS
        assert said[1].endswith(SAME_PROMPTS)
        assert said[2] is None
    assert (
        "% tiny / spell_backward-3 / climb.2: A stage before it" in files["summary.tex"].read_text()
    )
    assert "eval_sets.tex" not in files
    assert "set_summary.csv" in files
