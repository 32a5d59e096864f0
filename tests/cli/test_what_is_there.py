"""What finished is never forgotten, and what failed says why: sweep, status, audit and report."""

import json
import shutil
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from srtbench.cli import main
from srtbench.cli.status_text import _why, differences_text
from srtbench.config import load_sweep
from srtbench.plan import plan_sweep
from srtbench.store import Status, SweepStore, write_json
from srtbench.store.unplanned import forgotten
from tests.fake_sweep import Shape, write_fake_sweep
from tests.micro import write_sweep

TINY = Shape(steps=20, every=10, prompts_per_step=2, generations=4, eval_prompts=6, eval_samples=4)


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, list(map(str, arguments)))


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """Two variants, one of which uses gold; finished."""
    return write_fake_sweep(tmp_path / "runs", TINY, variants=["srt", "gold"], seeds=[0])


def copy_of_a_run(sweep: Path, name: str) -> None:
    """A finished run that no plan names."""
    plan = json.loads((sweep / "plan.json").read_text())
    shutil.copytree(sweep / plan["runs"][0]["run_id"], sweep / name)


def test_a_sentence_names_a_few_runs_and_counts_the_rest() -> None:
    assert forgotten([]) is None
    assert forgotten(["a"]) == "1 finished run here is not in this plan: a"
    many = forgotten([f"r{n}" for n in range(8)])
    assert many == "8 finished runs here are not in this plan: r0, r1, r2, r3, r4, r5 and 2 more"


@pytest.mark.parametrize("command", ["status", "audit", "report"])
def test_finished_runs_that_no_plan_names_are_named(sweep: Path, command: str) -> None:
    for name in ("old-a", "old-b"):
        copy_of_a_run(sweep, name)
    text = call(command, sweep).output
    if command == "report":
        for name in ("report.html", "report.md"):
            text = (sweep / "report" / name).read_text(encoding="utf-8")
            assert "2 finished runs here are not in this plan: old-a, old-b" in text
    else:
        assert "2 finished runs here are not in this plan: old-a, old-b" in text


def test_another_plan_under_a_name_says_what_stays_and_what_is_new(tmp_path: Path) -> None:
    """A sweep file was edited: nothing of the old plan goes without a word."""
    root = tmp_path / "runs"
    old = plan_sweep(load_sweep(write_sweep(tmp_path)))
    store = SweepStore(root, "micro")
    store.write_plan(old)
    for run in old.runs:
        store.run(run.run_id).update_status(state="done")
    file = write_sweep(tmp_path, variants=["srt", "gold", "ttrl"])
    result = call("sweep", file, "--root", root, "--dry-run")
    assert result.exit_code == 0, result.output
    first, second, third, *rest = result.output.splitlines()
    assert "another plan of this name: 2 runs of it stay as they are (2 done), 1 is new" in first
    assert "ttrl" in first
    assert second.startswith("2 runs of that plan are not in this one; their folders stay")
    assert third.startswith("2 finished runs here are not in this plan: ")
    assert "fixed-teacher" in third
    assert "random" in third
    assert [line.split()[0] for line in rest] == ["skip", "skip", "run"]


def test_the_same_plan_again_says_nothing_of_it(sweep: Path) -> None:
    store = SweepStore(sweep.parent, sweep.name)
    plan = json.loads((sweep / "plan.json").read_text())
    assert differences_text(store, [row["run_id"] for row in plan["runs"]]) == []


def test_a_damaged_plan_is_written_anew_and_says_so(tmp_path: Path) -> None:
    file = write_sweep(tmp_path)
    (tmp_path / "runs" / "micro").mkdir(parents=True)
    (tmp_path / "runs" / "micro" / "plan.json").write_text("{")
    result = call("sweep", file, "--root", tmp_path / "runs", "--dry-run")
    assert (result.exit_code, "plan.json: not valid JSON" in result.output) == (0, True)


def test_a_failed_stage_says_why_and_names_a_log_that_is_there(sweep: Path) -> None:
    plan = json.loads((sweep / "plan.json").read_text())
    stage_id = next(row["stage_id"] for row in plan["stages"] if row["kind"] == "train_prompts")
    stage = SweepStore(sweep.parent, sweep.name).stage(stage_id)
    stage.update_status(state="failed", error="Traceback\nDatasetError: mine.jsonl: row 7: no <b>")
    for row in plan["runs"]:
        shutil.rmtree(sweep / row["run_id"])
        run = SweepStore(sweep.parent, sweep.name).run(row["run_id"])
        run.update_status(state="failed", error=f"DatasetError: x\nshared stage {stage_id} failed")
    without = call("status", sweep)
    assert "log:" not in without.output
    stage.log_path.write_text("what happened")
    result = call("status", sweep)
    assert result.exit_code == 1
    lines = result.output.splitlines()
    (row,) = [line for line in lines if line.startswith(stage_id)]
    assert "failed" in row
    assert row.endswith("DatasetError: mine.jsonl: row 7: no <b>")
    assert [line for line in lines if line.startswith("log: ")] == [f"log: {stage.log_path}"]
    assert call("report", sweep).exit_code == 0
    page = (sweep / "report" / "report.html").read_text(encoding="utf-8")
    assert "mine.jsonl: row 7: no &lt;b&gt;" in page
    assert f"<code>{stage_id}</code>" in page
    assert "row 7: no &lt;b&gt;" in (sweep / "report" / "report.md").read_text(encoding="utf-8")


def test_a_run_that_uses_gold_says_so_everywhere(sweep: Path) -> None:
    rows = [line for line in call("status", sweep).output.splitlines() if "-s0-" in line]
    assert [("uses gold" in row, "label-free" in row) for row in rows] == [
        (False, True),
        (True, False),
    ]
    assert call("report", sweep).exit_code == 0
    page = (sweep / "report" / "report.html").read_text(encoding="utf-8")
    assert page.count(">uses gold</span>") == 3  # the head, its fact and its run
    assert "| gold (uses gold) |" in (sweep / "report" / "report.md").read_text(encoding="utf-8")
    summary = (sweep / "report" / "tables" / "variant_summary.csv").read_text().splitlines()
    place = summary[0].split(",").index("uses_gold")
    assert [line.split(",")[place] for line in summary[1:]] == ["false", "true"]


def test_rows_that_were_dropped_are_counted_everywhere(sweep: Path) -> None:
    plan = json.loads((sweep / "plan.json").read_text())
    stage_id = next(row["stage_id"] for row in plan["stages"] if row["kind"] == "train_prompts")
    stage = SweepStore(sweep.parent, sweep.name).stage(stage_id)
    dropped = {"rows_without_key": 12, "prompts_with_two_answers": 1, "named": ["row 7: <i>"]}
    write_json(stage.path / "result.json", {"prompts": 40, "dropped": dropped})
    said = "12 rows whose gold answer has no key and 1 prompt with two answers (row 7: <i>, ...)"
    assert said in call("status", sweep).output
    assert call("report", sweep).exit_code == 0
    page = (sweep / "report" / "report.html").read_text(encoding="utf-8")
    assert said.replace("<i>", "&lt;i&gt;") in page


def test_one_run_is_one_run(tmp_path: Path) -> None:
    """In a plan, a status of another plan, an audit and a report of one run that did not finish."""
    file = write_sweep(tmp_path, variants=["srt"])
    assert "sweep micro: 1 run\n" in call("plan", file).stdout
    root = tmp_path / "runs"
    store = SweepStore(root, "micro")
    store.write_plan(plan_sweep(load_sweep(file)))
    first, second, *_ = call(
        "sweep", write_sweep(tmp_path, variants=["gold"]), "--root", root, "--dry-run"
    ).stdout.splitlines()
    assert "0 runs of it stay as they are (0 done), 1 is new: " in first
    assert second.startswith("1 run of that plan is not in this one; its folder stays, and no")
    sweep = write_fake_sweep(tmp_path / "one", TINY, variants=["srt"], seeds=[0])
    (row,) = json.loads((sweep / "plan.json").read_text())["runs"]
    SweepStore(sweep.parent, sweep.name).run(row["run_id"]).update_status(state="interrupted")
    assert "\n1 breach; 1 planned run not audited, see notes" in call("audit", sweep).stdout
    assert call("check", sweep).stdout.startswith("1 run: ")
    assert call("report", sweep).exit_code == 0
    text = (sweep / "report" / "report.md").read_text(encoding="utf-8")
    assert "Of 1 run 1 did not finish; evaluations made before count." in text
    assert "1 runs" not in text


def test_a_run_of_another_trainer_that_stands_still_is_not_ours_to_go_on_with() -> None:
    dead = Status(state="running", pid=2**22 + 1, host=socket.gethostname())
    assert _why(dead, None).endswith("is gone; the same sweep goes on with it")
    assert _why(dead, "trl").endswith("is gone; only its own training script goes on with it")
