"""`train.fit.keep`: which epoch of a fit is kept, what is logged, and who says that gold chose."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

import srtbench
from srtbench import load_sweep, plan_sweep
from srtbench.analysis.frames import view
from srtbench.analysis.report.build import write_report
from srtbench.config.errors import ConfigError
from srtbench.plan import estimate
from srtbench.replay.audit import audit_sweep
from srtbench.rollouts import METRIC_SCHEMA, read_rollouts, read_table, with_columns, write_parquet
from srtbench.store import Folder, SweepStore
from srtbench.store.plan_file import plan_rows
from srtbench.store.stopping import mean_vote_share
from srtbench.train import best_epoch
from tests import micro
from tests.micro import FinishedSweep, trained_once
from tests.rounds import FIT, write
from tests.train.test_rounds import again, run_of, same, weights

# Trained in this process, where nothing silences names that transformers has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")

EPOCHS, ROUNDS = 3, 2
CONSTANT = FIT | {"epochs": EPOCHS, "trl": {"lr_scheduler_type": "constant"}}
ADAPTERS = {"lora": {"r": 4, "alpha": 8}}


def entry(name: str, kind: str = "lmsi", fit: Any = None, **train: Any) -> dict[str, Any]:
    return {"type": kind, "name": name, "train": {"rounds": ROUNDS, "fit": fit or {}, **train}}


VARIANTS = [
    entry("last"),
    entry("two-epochs", fit={"epochs": 2}),
    entry("agreeing", fit={"keep": "vote_share"}),
    entry("by-gold", "scpo", {"keep": "gold", "learning_rate": 1e-2})
    | {"voting": {"min_share": 0.25, "denominator": "samples"}},
    entry("adapters", fit={"keep": "gold", "learning_rate": 3e-2}, **ADAPTERS),
]


def write_keep(folder: Path, variants: Any = VARIANTS, **changes: Any) -> Path:
    train = micro.CONTENT["train"] | {"steps": 2, "prompts_per_round": 12, "fit": CONSTANT}
    return write(folder, **({"name": "keep", "variants": variants, "train": train} | changes))


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> FinishedSweep:
    """Two rounds of three epochs by each rule, by SFT, by pairs and with adapters."""
    return trained_once(tmp_path_factory.getbasetemp(), "keep", write_keep)


def metrics(folder: Folder) -> list[dict[str, Any]]:
    """Metrics of each update, in order."""
    found: dict[int, dict[str, Any]] = {}
    for row in read_table(folder.metrics_path, METRIC_SCHEMA).to_pylist():
        found.setdefault(row["step"], {})[row["metric"]] = row["value"]
    return [found[step] for step in sorted(found)]


def own(folder: Folder, number: int) -> pa.Table:
    """Rollouts of a round's evaluation."""
    table = read_rollouts(folder.rollouts_path, "eval")
    return table.filter(pc.equal(table["step"], number))


@pytest.mark.parametrize("label", ["agreeing", "by-gold", "adapters"])
def test_the_first_of_the_best_epochs_is_kept_and_is_what_its_round_is_evaluated_on(
    kept: FinishedSweep, label: str
) -> None:
    run, folder = run_of(kept, label)
    for number in range(1, ROUNDS + 1):
        updates = [found for found in metrics(folder) if found["round"] == number]
        per_epoch = len(updates) // EPOCHS
        ends = [place for place, found in enumerate(updates) if "keep/score" in found]
        assert ends == [per_epoch * epoch - 1 for epoch in range(1, EPOCHS + 1)]
        scores = [updates[place]["keep/score"] for place in ends]
        assert [updates[place]["keep/epoch"] for place in ends] == [1, 2, 3]
        best = 1 + scores.index(max(scores))
        assert [found["keep/kept_epoch"] for found in updates if "keep/kept_epoch" in found] == [
            best
        ]
        rollouts = own(folder, number)
        accuracy = sum(rollouts["gold_reward"].to_pylist()) / len(rollouts)
        score = mean_vote_share(rollouts) if run.keep == "vote_share" else accuracy
        assert score == pytest.approx(scores[best - 1], abs=1e-12)
    assert len({found["keep/score"] for found in metrics(folder) if "keep/score" in found}) > 1
    assert not list(folder.checkpoint_path.glob(".*"))


def test_looking_changes_no_fit(kept: FinishedSweep) -> None:
    """The first round's updates are those of a run that keeps the last epoch."""
    plain, looking = (
        [found["loss"] for found in metrics(run_of(kept, label)[1]) if found["round"] == 1]
        for label in ("last", "agreeing")
    )
    assert len(plain) >= EPOCHS
    assert plain == looking


def test_the_kept_weights_are_those_after_the_kept_epoch(
    kept: FinishedSweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With scores of .1, .5, .5 that is a fit of two epochs: of equal ones the earlier is kept."""
    scores, there = iter([0.1, 0.5, 0.5] * ROUNDS), []
    monkeypatch.setattr(best_epoch, "keep_score", lambda rule, table: next(scores))
    original = best_epoch.BestEpoch.ended

    def listen(self: best_epoch.BestEpoch, epoch: int) -> None:
        original(self, epoch)
        there.append([path.name for path in self._place.glob("epoch-*")])

    monkeypatch.setattr(best_epoch.BestEpoch, "ended", listen)
    _, folder = again(kept, "agreeing", "told")
    assert there == [["epoch-1"], ["epoch-2"], ["epoch-2"]] * ROUNDS
    chosen = [found["keep/kept_epoch"] for found in metrics(folder) if "keep/kept_epoch" in found]
    assert chosen == [2] * ROUNDS
    assert same(weights(folder), weights(run_of(kept, "two-epochs")[1]))


def test_interrupted_between_epochs_a_run_ends_as_if_it_was_not(
    kept: FinishedSweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, calls = best_epoch.BestEpoch.ended, iter(range(1, 100))

    def stop(self: Any, epoch: int) -> None:
        original(self, epoch)
        if next(calls) == EPOCHS + 2:
            raise InterruptedError("stopped")

    with monkeypatch.context() as patched:
        patched.setattr(best_epoch.BestEpoch, "ended", stop)
        with pytest.raises(InterruptedError):
            again(kept, "by-gold", "stopped")
    _, folder = again(kept, "by-gold", "stopped")
    _, expected = run_of(kept, "by-gold")
    assert read_rollouts(folder.rollouts_path).equals(read_rollouts(expected.rollouts_path))
    chosen = [
        [(found.get("keep/score"), found.get("keep/kept_epoch")) for found in metrics(one)]
        for one in (folder, expected)
    ]
    assert chosen[0] == chosen[1]
    assert same(weights(folder), weights(expected))


@pytest.mark.slow
def test_killed_by_signal_9_between_epochs_it_keeps_the_same(
    kept: FinishedSweep, tmp_path: Path
) -> None:
    """In sampling, the fit, the choice and the evaluation: rollouts, scores, choice and weights."""
    script = Path(__file__).parents[2] / "scripts" / "kill_rounds.py"
    asked = [kept.store.path, "--run", "by-gold", "--kills", "6", "--out", tmp_path / "killed"]
    command = list(map(str, [sys.executable, script, *asked]))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for place in ("sampling", "fit", "choice", "evaluation"):
        assert f"{place}, event" in done.stdout
    assert done.stdout.count("exit code -9") == 6
    assert done.stdout.endswith("the same\n6 kills of 6, 1 runs\n")


def test_every_page_says_where_gold_chose(kept: FinishedSweep, tmp_path: Path) -> None:
    path = kept.store.path
    gold = {"last": False, "two-epochs": False, "agreeing": False, "by-gold": True}
    gold["adapters"] = True
    rows = plan_rows(kept.plan)["runs"]
    assert {row["variant"]: row["uses_gold"] for row in rows} == gold
    runs = view(srtbench.open_sweep(path), "runs")
    assert dict(zip(runs["variant"], runs["uses_gold"], strict=True)) == gold
    for row in runs.iter_rows(named=True):
        assert ("chose the epoch" in (row["caveat"] or "")) is gold[row["variant"]]
    plan = micro.srtbench("plan", kept.file).stdout
    status = micro.srtbench("status", path).stdout
    audit = micro.srtbench("audit", path).stdout
    for label, uses in gold.items():
        run_id = run_of(kept, label)[0].run_id
        (shown,) = (line for line in status.splitlines() if line.startswith(run_id))
        assert ("uses gold" in shown) is uses
        assert (f"answers of held-out prompts: {run_id}" in plan) is uses
        assert (f"{run_id}: uses gold: the answers" in audit) is uses
    agreeing = run_of(kept, "agreeing")[0].run_id
    assert f"with the highest vote share on held-out prompts: {agreeing}" in plan
    write_report(path, tmp_path)
    assert "Gold answers of its evaluation prompts chose the epoch" in (
        tmp_path / "report.md"
    ).read_text(encoding="utf-8")


def test_the_audit_chooses_again(kept: FinishedSweep, tmp_path: Path) -> None:
    assert audit_sweep(kept.store.path).breaches == []
    run, _ = run_of(kept, "agreeing")
    for name, change in (
        ("keep/kept_epoch", lambda value: value % EPOCHS + 1),
        ("keep/score", lambda value: value / 2),
        ("keep/epoch", lambda value: value + 1),
    ):
        copy = SweepStore(tmp_path / name.replace("/", "-"), "keep")
        shutil.copytree(kept.root, copy.root)
        place = copy.run(run.run_id).metrics_path
        table = read_table(place, METRIC_SCHEMA)
        values = [
            change(value) if metric == name else value
            for metric, value in zip(
                table["metric"].to_pylist(), table["value"].to_pylist(), strict=True
            )
        ]
        write_parquet(with_columns(table, value=values), place)
        found = {(one.run_id, one.column) for one in audit_sweep(copy.path).breaches}
        assert (run.run_id, "keep") in found, name
    copy = SweepStore(tmp_path / "plan", "keep")
    shutil.copytree(kept.root, copy.root)
    content = json.loads(copy.plan_path.read_text())
    for row in content["runs"]:
        row |= {"keep": None, "uses_gold": False}
    copy.plan_path.write_text(json.dumps(content))
    where = {one.where for one in audit_sweep(copy.path).breaches if one.run_id == run.run_id}
    assert where == {"plan.json"}


def test_the_plan_counts_the_evaluations_of_all_epochs(kept: FinishedSweep) -> None:
    by_label = {run.variant_label: estimate(run).rollouts for run in kept.plan.runs}
    evaluation = 8 * 4
    assert by_label["agreeing"] - by_label["last"] == ROUNDS * (EPOCHS - 1) * evaluation


@pytest.mark.parametrize(
    ("fit", "more", "message"),
    [
        ({"keep": "gold", "epochs": 1}, {}, "train.fit.keep = gold, but train.fit.epochs = 1"),
        ({"keep": "vote_share", "epochs": 1}, {}, "there is nothing to choose"),
        ({"keep": "best"}, {}, "Allowed: gold, last, vote_share"),
        ({"keep": "vote_share"}, {"eval": {"samples": 1}}, "one sample always agrees with itself"),
        ({"trl": {"load_best_model_at_end": True}}, {}, "fit.keep"),
        (
            {"keep": "gold"},
            {"generation": {"engine": "vllm"}},
            "samples between the epochs of a fit, where vLLM has never been run",
        ),
        ({"keep": "gold"}, {"eval": {"samples": 1}}, None),
        ({"keep": "last", "epochs": 1}, {}, None),
    ],
)
def test_mistakes_of_a_sweep_file(
    tmp_path: Path, fit: dict[str, Any], more: dict[str, Any], message: str | None
) -> None:
    file = write_keep(tmp_path, [entry("mine", fit=fit)], **more)
    if message is None:
        assert plan_sweep(load_sweep(file)).runs
        return
    with pytest.raises(ConfigError) as error:
        plan_sweep(load_sweep(file))
    assert message in str(error.value)


def test_the_default_is_in_no_id(tmp_path: Path) -> None:
    ids = [
        plan_sweep(load_sweep(write_keep(tmp_path / str(place), [entry("x", fit=fit)]))).runs[0]
        for place, fit in enumerate([{}, {"keep": "last"}, {"keep": "gold"}])
    ]
    assert ids[0].run_id == ids[1].run_id != ids[2].run_id
    assert ids[0].train == ids[1].train


def test_a_file_can_choose_for_all_and_an_entry_for_itself(tmp_path: Path) -> None:
    """ScPO as published keeps the epoch that is best by gold; its entry may say otherwise."""
    variants = [
        {"type": "scpo", "recipe": "published"},
        {"type": "scpo", "name": "b", "recipe": "published", "train": {"fit": {"keep": "last"}}},
        entry("c"),
        "srt",
    ]
    train = micro.CONTENT["train"] | {"fit": CONSTANT | {"keep": "vote_share"}}
    plan = plan_sweep(load_sweep(write_keep(tmp_path, variants, train=train)))
    assert [run.keep for run in plan.runs] == ["gold", None, "vote_share", None]
    assert [run.chosen_by_gold for run in plan.runs] == [True, False, False, False]
