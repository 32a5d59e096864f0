"""Revote of rounds: what another threshold would have selected, in its folder and on the screen."""

import csv
from pathlib import Path

import pytest

from srtbench.rollouts import read_rollouts
from srtbench.store import SweepStore
from tests.micro import FinishedSweep, srtbench, trained_once
from tests.rounds import write


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> FinishedSweep:
    return trained_once(tmp_path_factory.getbasetemp(), "rounds", write)


def selected(sweep: SweepStore, run_id: str) -> list[bool]:
    rollouts = read_rollouts(sweep.run(run_id).rollouts_path, "train")
    return [bool(one) for one in rollouts["selected"].to_pylist()]


def test_a_threshold_says_what_rounds_would_have_selected(
    finished: FinishedSweep, tmp_path: Path
) -> None:
    """Two thirds of the samples: of groups of four, at least three that agree."""
    out = SweepStore(tmp_path, "strict")
    rule = ("--min-share", "0.66", "--denominator", "samples", "--out", out.path)
    done = srtbench("revote", finished.store.path, *rule)
    assert done.returncode == 0, done.stdout + done.stderr
    shown = {line.split()[0]: line.split() for line in done.stdout.splitlines() if line.strip()}
    assert shown["run"][-1] == "selected"
    with (out.path / "summary.csv").open(newline="") as file:
        written = {row["run_id"]: row for row in csv.DictReader(file)}
    for run in finished.plan.runs:
        if run.train.rounds is None:
            assert shown[run.run_id][-1] == "-"
            assert written[run.run_id]["selected_after"] == ""
            continue
        before, after = selected(finished.store, run.run_id), selected(out, run.run_id)
        assert shown[run.run_id][-3:] == [str(sum(before)), "->", str(sum(after))]
        assert written[run.run_id]["selected_before"] == str(sum(before))
        assert written[run.run_id]["selected_after"] == str(sum(after))

    (lmsi,) = (run for run in finished.plan.runs if run.variant_label == "lmsi")
    rollouts = read_rollouts(finished.store.run(lmsi.run_id).rollouts_path, "train")
    votes: dict[tuple[str, str], int] = {}
    pairs = list(
        zip(rollouts["group_id"].to_pylist(), rollouts["answer_key"].to_pylist(), strict=True)
    )
    for pair in pairs:
        votes[pair] = votes.get(pair, 0) + 1
    by_hand = [key is not None and votes[group, key] >= 3 for group, key in pairs]
    assert selected(out, lmsi.run_id) == by_hand
    assert 0 < sum(by_hand) < sum(selected(finished.store, lmsi.run_id))
