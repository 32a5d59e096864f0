"""Runs that `train.stop` ends early: what they keep, say, and what the audit derives again."""

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

import srtbench
from srtbench.analysis.frames import view
from srtbench.analysis.report.build import write_report
from srtbench.config import load_sweep
from srtbench.config.errors import ConfigError
from srtbench.config.stop import StopConfig
from srtbench.plan import RunSpec, plan_sweep
from srtbench.replay.audit import audit_sweep
from srtbench.rollouts import METRIC_SCHEMA, read_rollouts, read_table
from srtbench.store import Folder, SweepStore
from srtbench.store.plan_file import plan_rows
from srtbench.store.stopping import decided
from tests import micro
from tests.execute.test_resume import assert_same_rollouts, start, wait_for_checkpoint
from tests.micro import CONTENT, FinishedSweep, write_sweep


def variant(name: str, stop: dict[str, Any] | None, **train: Any) -> dict[str, Any]:
    return {"type": "srt", "name": name, "train": {"stop": stop, **train}}


FURTHER = {
    "type": "file",
    "path": "swap.jsonl",
    "name": "further",
    "prompts": 5,
    "prompt_template": "{question}=",
    "answer_kind": "text",
    "on_overlap": "drop_from_train",
}
CHANGES: dict[str, Any] = {
    "variants": [
        variant("kl", {"signal": "kl", "bound": 0.001}),
        variant("labelled", {"labelled_prompts": 4, "patience": 2}),
        variant(
            "buffer",
            {"signal": "train_reward", "patience": 1, "bound": 0.01},
            updates_per_rollout=3,
        ),
        variant("to-the-end", {"signal": "modal_share", "bound": 2.0}),
    ],
    "train": CONTENT["train"] | {"steps": 10},
    "eval": {"every": 2, "prompts": 8, "samples": 4},
    "eval_sets": [FURTHER],
}


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> FinishedSweep:
    """Four ways to stop, ten steps. Tests must not change it: copy it first."""
    base = tmp_path_factory.getbasetemp()
    return micro.trained_once(
        base, "stopped", lambda folder: write_sweep(folder, name="stopped", **CHANGES)
    )


def run_of(sweep: FinishedSweep, name: str, root: Path | None = None) -> tuple[RunSpec, Folder]:
    run = next(run for run in sweep.plan.runs if run.variant_label == name)
    return run, SweepStore(root or sweep.root, "stopped").run(run.run_id)


def copy_of(sweep: FinishedSweep, folder: Path) -> Path:
    shutil.copytree(sweep.root, folder / "runs")
    return folder / "runs"


def test_a_run_ends_where_its_signal_rings(stopped: FinishedSweep) -> None:
    _, folder = run_of(stopped, "kl")
    status = folder.read_status()
    metrics = read_table(folder.metrics_path, METRIC_SCHEMA).to_pylist()
    kl = {row["step"]: row["value"] for row in metrics if row["metric"] == "on_policy/kl_to_start"}
    looks: list[float] = []  # a step's metrics are logged after its evaluation
    for step in range(2, 11, 2):
        values = [kl[at] for at in range(max(1, step - 2), step) if at in kl]
        looks.append(sum(values) / len(values))
        if len(looks) > 1 and min(looks[-2:]) > 0.001:
            break
    assert status.state == "done"
    assert status.step == status.checkpoint_step == step < status.total_steps == 10
    assert status.kept_step == step - 4
    assert status.stopped == (
        f"stopped early at step {step} of 10: 2 evaluations in a row with the alarm of kl; kept "
        f"is the policy of step {step - 4}"
    )
    rollouts = read_rollouts(folder.rollouts_path).to_pydict()
    assert max(rollouts["step"]) == step
    assert {path.name for path in (folder.path / "kept").iterdir()} == {f"step-{step - 4}"}
    assert (folder.kept_path(step - 4) / "config.json").is_file()


def test_the_best_policy_on_labelled_prompts_is_kept(stopped: FinishedSweep) -> None:
    run, folder = run_of(stopped, "labelled")
    rows = read_rollouts(folder.rollouts_path, "eval").to_pylist()
    own = [row for row in rows if row["eval_set"] == "own"]
    first = list(dict.fromkeys(row["prompt_id"] for row in own))[:4]
    scores: dict[int, list[float]] = {}
    for row in own:
        if row["prompt_id"] in first:
            scores.setdefault(row["step"], []).append(row["gold_reward"])
    means = {step: sum(values) / len(values) for step, values in scores.items()}
    best = max(means, key=lambda step: (means[step], -step))
    status = folder.read_status()
    assert status.kept_step == best
    assert status.step == min(10, best + 4)
    assert run.stops_by_gold
    rows = plan_rows(stopped.plan)["runs"]
    uses = {row["variant"]: (row["uses_gold"], row["stop"]) for row in rows}
    assert uses["labelled"] == (True, "4 labelled prompts")
    assert uses["kl"] == (False, "kl")


def test_the_end_is_evaluated_on_every_set(stopped: FinishedSweep) -> None:
    for name in ("kl", "buffer", "to-the-end"):
        _, folder = run_of(stopped, name)
        rows = read_rollouts(folder.rollouts_path, "eval").to_pylist()
        steps = {row["step"] for row in rows if row["eval_set"] == "further"}
        assert steps == {0, folder.read_status().step}


def test_a_run_that_nothing_stops_keeps_its_last_policy(stopped: FinishedSweep) -> None:
    status = run_of(stopped, "to-the-end")[1].read_status()
    assert (status.step, status.stopped, status.kept_step) == (10, None, 10)


def test_every_page_says_so(stopped: FinishedSweep, tmp_path: Path) -> None:
    path = stopped.store.path
    sentence = run_of(stopped, "kl")[1].read_status().stopped
    assert sentence is not None
    said = [micro.srtbench("status", path).stdout, micro.srtbench("audit", path).stdout]
    checked = json.loads(micro.srtbench("check", path, "--json").stdout)["runs"]
    said += [run["why"] for run in checked if run["stopped"] is not None]
    said.append((write_report(path, tmp_path) / "report.html").read_text())
    said.append((tmp_path / "report.md").read_text())
    assert all("stopped early at step" in text for text in said)
    assert [sentence in text for text in (said[0], said[1], said[-2])] == [True] * 3
    labelled = "Gold answers decided when it ended and which policy it keeps"
    assert labelled in said[-2]
    runs = view(srtbench.open_sweep(path), "runs")
    row = runs.filter(runs["variant"] == "kl").row(0, named=True)
    assert (row["stop"], row["stopped"]) == ("kl", sentence)
    assert row["step"] < row["total_steps"]
    plan = micro.srtbench("plan", stopped.file).stdout
    assert "may stop early, by 4 labelled prompts (patience 2), which uses gold: " in plan
    assert "in all: at most " in plan


def test_the_audit_decides_again(stopped: FinishedSweep, tmp_path: Path) -> None:
    assert audit_sweep(stopped.store.path).breaches == []
    root = copy_of(stopped, tmp_path)
    _, folder = run_of(stopped, "kl", root)
    kept = folder.read_status().kept_step
    assert kept is not None
    shutil.rmtree(folder.kept_path(kept))
    other = run_of(stopped, "labelled", root)[1]
    other.update_status(kept_step=(other.read_status().kept_step or 0) + 2)
    last = run_of(stopped, "to-the-end", root)[1]
    last.update_status(stopped="stopped early at step 10 of 10: it was tired")
    found = {(one.run_id, one.where) for one in audit_sweep(root / "stopped").breaches}
    assert {
        (folder.path.name, f"kept/step-{kept}"),
        (other.path.name, "status.json kept_step"),
        (last.path.name, "status.json stopped"),
    } <= found


def test_killed_and_repeated_it_ends_at_the_same_step(
    stopped: FinishedSweep, tmp_path: Path
) -> None:
    root = tmp_path / "runs"
    store = SweepStore(root, "stopped")
    process = start(stopped, root)
    wait_for_checkpoint(store, [run.run_id for run in stopped.plan.runs])
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert micro.srtbench("sweep", stopped.file, "--root", root).returncode == 0
    assert_same_rollouts(stopped, root)
    for run in stopped.plan.runs:
        one, other = (SweepStore(at, "stopped").run(run.run_id) for at in (stopped.root, root))
        for name in ("step", "stopped", "kept_step"):
            assert getattr(one.read_status(), name) == getattr(other.read_status(), name)
        kept = [{place.name for place in (at.path / "kept").iterdir()} for at in (one, other)]
        assert kept[0] == kept[1]


def test_a_run_killed_at_its_early_end_trains_no_further(
    stopped: FinishedSweep, tmp_path: Path
) -> None:
    root = copy_of(stopped, tmp_path)
    _, folder = run_of(stopped, "kl", root)
    before = folder.read_status()
    folder.update_status(state="interrupted")
    assert micro.srtbench("sweep", stopped.file, "--root", root).returncode == 0
    after = folder.read_status()
    assert (after.state, after.step, after.stopped) == ("done", before.step, before.stopped)
    assert_same_rollouts(stopped, root)


def test_without_the_section_ids_are_what_they_were(tmp_path: Path) -> None:
    plain = plan_sweep(load_sweep(write_sweep(tmp_path / "a", variants=["srt"])))
    null = plan_sweep(
        load_sweep(write_sweep(tmp_path / "b", variants=[{"type": "srt", "train": {"stop": None}}]))
    )
    other = plan_sweep(
        load_sweep(
            write_sweep(
                tmp_path / "c",
                variants=[{"type": "srt", "train": {"stop": {"labelled_prompts": 4}}}],
                eval={"every": 5, "prompts": 8, "samples": 4},
            )
        )
    )
    assert plain.runs[0].run_id == null.runs[0].run_id != other.runs[0].run_id


def test_a_variant_may_replace_or_refuse_what_the_sweep_says(tmp_path: Path) -> None:
    train = CONTENT["train"] | {"stop": {"signal": "mean_length", "patience": 1}}
    variants = [
        "srt",
        {"type": "gold", "train": {"stop": None}},
        {"type": "random", "train": {"stop": {"labelled_prompts": 4, "patience": 1}}},
    ]
    plan = plan_sweep(load_sweep(write_sweep(tmp_path, variants=variants, train=train)))
    assert [run.train.stop for run in plan.runs] == [
        StopConfig(signal="mean_length", patience=1),
        None,
        StopConfig(labelled_prompts=4, patience=1),
    ]


@pytest.mark.parametrize(
    ("stop", "message"),
    [
        ({"signal": "vibes"}, "train.stop.signal"),
        ({"signal": "kl", "labelled_prompts": 4}, "give `signal` or `labelled_prompts`"),
        ({}, "give `signal` or `labelled_prompts`"),
        ({"labelled_prompts": 4, "bound": 1.0}, "`bound` is that of a signal with an alarm"),
        ({"labelled_prompts": 99, "patience": 1}, "labelled_prompts = 99, but there are 8"),
        ({"signal": "kl", "patience": 2}, "nothing can stop before step 20"),
    ],
)
def test_what_could_never_work_is_a_problem_of_the_plan(
    tmp_path: Path, stop: dict[str, Any], message: str
) -> None:
    file = write_sweep(tmp_path, train=CONTENT["train"] | {"stop": stop})
    with pytest.raises(ConfigError, match=message):
        plan_sweep(load_sweep(file))


def test_label_free_keeps_agreement_at_the_length_of_the_start() -> None:
    shares, lengths = [0.5, 0.6, 0.9, 0.55], [10.0, 10.1, 11.0, 10.0]
    looks = [
        {"vote_share": share, "mean_length": length}
        for share, length in zip(shares, lengths, strict=True)
    ]
    found = decided(StopConfig(signal="label_free"), looks)
    assert (found.kept, found.stopped) == (1, 3)
