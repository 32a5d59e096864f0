"""The method rounds: what it logs and fits, interrupted anywhere, and the loss of pairs."""

import gc
import shutil
import subprocess
import sys
import weakref
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pytest
import torch
from safetensors.torch import load_file

from srtbench import load_sweep, open_sweep, plan_sweep
from srtbench.config.errors import ConfigError
from srtbench.config.train import ExecutionConfig
from srtbench.models.load import load_policy
from srtbench.plan import RunSpec, estimate
from srtbench.replay.audit import audit_sweep
from srtbench.rollouts import read_rollouts, with_columns, write_parquet
from srtbench.store import Folder, SweepStore
from srtbench.train import fit
from srtbench.train.methods import rounds as method
from srtbench.train.run import execute_run
from srtbench.train.start import start_model_path
from srtbench.train.weighted_dpo import WeightedDPOTrainer
from tests.micro import FinishedSweep, srtbench, trained_once
from tests.rounds import HINT, write

# Trained in this process, where nothing silences names that transformers has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> FinishedSweep:
    return trained_once(tmp_path_factory.getbasetemp(), "rounds", write)


def run_of(finished: FinishedSweep, label: str) -> tuple[RunSpec, Folder]:
    run = next(run for run in finished.plan.runs if run.variant_label == label)
    return run, finished.store.run(run.run_id)


def again(finished: FinishedSweep, label: str, name: str) -> tuple[RunSpec, Folder]:
    """Train a run once more, in this process, into a sweep folder of another name."""
    run, _ = run_of(finished, label)
    store = SweepStore(finished.store.root, name)
    folder = store.run(run.run_id)
    folder.path.mkdir(parents=True, exist_ok=True)
    execute_run(run, ExecutionConfig(), store, folder)
    return run, folder


def weights(folder: Folder) -> dict[str, torch.Tensor]:
    place = folder.checkpoint_path / (folder.read_status().checkpoint or "")
    return load_file(place / "model.safetensors")


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.allclose(one[name], other[name], rtol=0, atol=1e-6) for name in one)


def test_rounds_stand_beside_online_runs_and_the_audit_derives_them_again(
    finished: FinishedSweep,
) -> None:
    for run in finished.plan.runs:
        table = read_rollouts(finished.store.run(run.run_id).rollouts_path)
        train = table.filter(pc.equal(table["phase"], "train"))
        evaluated = set(table.filter(pc.equal(table["phase"], "eval"))["step"].to_pylist())
        assert evaluated == (
            {0, 2} if run.variant_label == "srt" else {*range(run.train.steps + 1)}
        )
        if run.train.rounds is None:
            assert set(train["selected"].to_pylist()) == {None}
        else:
            numbers = range(1, run.train.steps + 1)
            assert Counter(train["step"].to_pylist()) == dict.fromkeys(numbers, 12 * 4)
            assert any(train["selected"].to_pylist())
    report = audit_sweep(finished.store.path, run_code=True)
    assert report.ok, report.breaches[:3]
    assert report.checked["selected"] > 0
    assert report.checked["updates"] > 0


@pytest.mark.parametrize(
    ("label", "column", "change"),
    [
        ("lmsi", "selected", lambda values: [not values[0], *values[1:]]),
        ("scpo", "weight", lambda values: [value and value / 2 for value in values]),
        ("scpo", "role", lambda values: [role and "chosen" for role in values]),
        ("mine", "role", lambda values: [None] * len(values)),
    ],
)
def test_a_changed_selection_is_a_breach(
    finished: FinishedSweep, tmp_path: Path, label: str, column: str, change: Any
) -> None:
    run, _ = run_of(finished, label)
    copy = SweepStore(tmp_path, finished.store.path.name)
    shutil.copytree(finished.store.path, copy.path)
    shutil.copytree(finished.store.root / "_stages", tmp_path / "_stages")
    path = next(copy.run(run.run_id).rollouts_path.glob("train-*"))
    table = read_rollouts(path.parent, "train")
    table = table.filter(pc.equal(table["step"], 1))
    write_parquet(with_columns(table, **{column: change(table[column].to_pylist())}), path)
    found = audit_sweep(copy.path, run_code=label != "mine").breaches
    assert {"selected", "role", "weight"} & {one.column for one in found}
    assert {one.run_id for one in found} == {run.run_id}


def test_the_plan_knows_how_much_is_sampled(finished: FinishedSweep) -> None:
    for label, beside in (("lmsi", 0), ("scpo", 4), ("star", 8)):
        run, folder = run_of(finished, label)
        most = run.train.steps * 12 * (4 + beside)
        evaluated = run.train.steps * 8 * 4
        assert estimate(run).rollouts == most + evaluated
        drawn = sum(
            read_rollouts(place, "train").num_rows
            for place in (folder.rollouts_path, folder.further_path)
        )
        assert drawn <= most
        assert drawn == most or label == "star"


def test_star_fits_the_start_weights_each_round_and_stores_no_hint(
    finished: FinishedSweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts, prompts = [], []

    def listen(policy: Any, tokenizer: Any, examples: Any, *rest: Any) -> None:
        starts.append({name: value.clone() for name, value in policy.state_dict().items()})
        prompts.append({tokenizer.decode(one.prompt_ids) for one in examples})
        fit.fit_examples(policy, tokenizer, examples, *rest)

    monkeypatch.setattr(method, "fit_examples", listen)
    run, folder = again(finished, "star", "listened")
    start, _ = load_policy(run.model, start_model_path(run, finished.store))
    assert len(starts) == 2
    assert all(same(start.state_dict(), one) for one in starts)
    hinted = read_rollouts(folder.further_path, "train")
    assert any(hinted["selected"].to_pylist()), "a second chance is taken"
    asked = set().union(*prompts)
    assert asked
    assert all(len(text) == 3 and text.endswith("=") for text in asked), HINT

    starts.clear()
    again(finished, "lmsi", "listened")
    assert same(start.state_dict(), starts[0])
    assert not same(start.state_dict(), starts[1]), "lmsi goes on from the round before"


def test_a_fit_from_the_start_model_does_not_hold_the_policy_of_the_round_before(
    finished: FinishedSweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `plan` counts it: one policy with its optimiser, whatever the fit starts from."""
    sampled, there = [], []
    original = method.RoundSampler.sample

    def remember(self: Any, number: int, prompts: Any, policy: Any) -> Any:
        sampled.append(weakref.ref(policy))
        return original(self, number, prompts, policy)

    def look(policy: Any, *rest: Any) -> None:
        gc.collect()
        there.append([one() is not None and one() is not policy for one in sampled])
        fit.fit_examples(policy, *rest)

    monkeypatch.setattr(method.RoundSampler, "sample", remember)
    monkeypatch.setattr(method, "fit_examples", look)
    again(finished, "star", "freed")
    assert there == [[False], [False, False]]


@pytest.mark.parametrize(
    ("label", "place"),
    [
        ("scpo", "sample"),
        ("scpo", "_fit"),
        ("scpo", "_save"),
        ("scpo", "_finish"),
        ("star", "_fit"),
    ],
)
def test_interrupted_anywhere_a_run_ends_as_if_it_was_not(
    finished: FinishedSweep, monkeypatch: pytest.MonkeyPatch, label: str, place: str
) -> None:
    """Stopped in the second round; tests of the sweep end the process for good."""
    owner: Any = method.RoundSampler if place == "sample" else method._Run
    original, name = getattr(owner, place), f"stopped-{label}-{place}"

    def stop(self: Any, number: int, *rest: Any) -> Any:
        found = original(self, number, *rest)
        if number == 2:
            raise InterruptedError("stopped")
        return found

    with monkeypatch.context() as patched:
        patched.setattr(owner, place, stop)
        with pytest.raises(InterruptedError):
            again(finished, label, name)
    run, folder = again(finished, label, name)
    _, expected = run_of(finished, label)
    for one, other in (
        (folder.rollouts_path, expected.rollouts_path),
        (folder.further_path, expected.further_path),
    ):
        assert read_rollouts(one).equals(read_rollouts(other))
    assert same(weights(folder), weights(expected))
    assert folder.read_status().step == run.train.steps


def test_rounds_that_select_nothing_are_whole(finished: FinishedSweep, tmp_path: Path) -> None:
    """They make no update, so they have no metrics; a run that made some must have them."""
    nobody = {"min_share": 1.0, "denominator": "samples"}
    entry = {"type": "lmsi", "voting": nobody, "train": {"rounds": 2}}
    file = write(tmp_path, name="nothing", variants=[entry])
    shutil.copytree(finished.store.root / "_stages", tmp_path / "runs" / "_stages")
    done = srtbench("sweep", file, "--root", tmp_path / "runs")
    assert done.returncode == 0, done.stdout + done.stderr
    path = tmp_path / "runs" / "nothing"
    assert not list(path.glob("*/metrics.parquet"))
    assert audit_sweep(path).breaches == []
    spent = open_sweep(path).execute("SELECT samples_drawn, updates FROM eval_curves ORDER BY step")
    assert spent.fetchall() == [(0, 0), (48, 0), (96, 0)]

    copy = tmp_path / "gone"
    shutil.copytree(finished.store.root, copy)
    (metrics,) = (copy / finished.store.path.name).glob("*-lmsi-*/metrics.parquet")
    metrics.unlink()
    (breach,) = audit_sweep(copy / finished.store.path.name, run_code=True).breaches
    assert (breach.run_id, breach.where) == (metrics.parent.name, "metrics.parquet")


@pytest.mark.slow
def test_runs_that_are_killed_end_as_if_they_were_not(
    finished: FinishedSweep, tmp_path: Path
) -> None:
    """Two of the kills of scripts/kill_rounds.py, in sampling and in selection."""
    script = Path(__file__).parents[2] / "scripts" / "kill_rounds.py"
    command = [sys.executable, script, finished.store.path, "--kills", "2", "--out", tmp_path / "k"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("exit code -9") == done.stdout.count("the same") == 2
    assert done.stdout.endswith("2 kills of 2, 2 runs\n")


PAIRS = [
    fit.Pair([3, 4, 5], [6, 7, 1], [8, 1], 0.75),
    fit.Pair([4, 5], [9, 1], [10, 11, 12, 1], 0.25),
]


@pytest.mark.parametrize("alpha", [0.0, 1.0])
@pytest.mark.parametrize("weighted", [True, False])
def test_the_loss_of_pairs_is_that_of_the_formula(
    finished: FinishedSweep, tmp_path: Path, weighted: bool, alpha: float
) -> None:
    """ScPO's loss by hand, from the plain logits of both models."""
    run, folder = run_of(finished, "scpo")
    policy, tokenizer = load_policy(run.model, folder.checkpoint_path / "checkpoint-2")
    reference, _ = load_policy(run.model, start_model_path(run, finished.store))
    pairs = [pair if weighted else fit.Pair(*list(vars(pair).values())[:3], 1.0) for pair in PAIRS]

    def logprob(model: Any, prompt: list[int], completion: list[int]) -> float:
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([prompt + completion])).logits[0].double()
        at = range(len(prompt) - 1, len(prompt) + len(completion) - 1)
        chances = torch.log_softmax(logits, dim=-1)
        return float(sum(chances[p, t] for p, t in zip(at, completion, strict=True)))

    beta, expected = run.train.beta, 0.0
    for pair in pairs:
        chosen, rejected = (
            [logprob(model, pair.prompt_ids, ids) for model in (policy, reference)]
            for ids in (pair.chosen_ids, pair.rejected_ids)
        )
        margin = beta * ((chosen[0] - chosen[1]) - (rejected[0] - rejected[1]))
        loss = -torch.log(torch.sigmoid(torch.tensor(margin, dtype=torch.float64)))
        nll = -chosen[0] / len(pair.chosen_ids)
        expected += pair.weight * (float(loss) + alpha * nll) / len(pairs)

    trainer = WeightedDPOTrainer(
        model=policy,
        ref_model=reference,
        args=fit._arguments(fit.DPOConfig, run, 0, tmp_path, {"max_length": None, "beta": beta}),
        train_dataset=fit.datasets.Dataset.from_list([vars(pair) for pair in pairs]),
        processing_class=tokenizer,
    )
    trainer.nll_weight = alpha
    policy.eval()
    batch = trainer._prepare_inputs(trainer.data_collator([vars(pair) for pair in pairs]))
    assert trainer.compute_loss(policy, batch).item() == pytest.approx(expected, abs=1e-6)


def test_the_reference_is_the_policy_at_the_start_of_the_round(
    finished: FinishedSweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def listen(policy: Any, reference: Any, *rest: Any) -> None:
        assert reference is not policy
        seen.append(same(policy.state_dict(), reference.state_dict()))
        before = {name: value.clone() for name, value in reference.state_dict().items()}
        fit.fit_pairs(policy, reference, *rest)
        assert same(before, reference.state_dict()), "a reference does not change"
        assert not same(before, policy.state_dict())

    monkeypatch.setattr(method, "fit_pairs", listen)
    again(finished, "scpo", "referenced")
    assert seen == [True, True]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"type": "lmsi", "train": {"steps": 3}}, "use train.rounds"),
        ({"type": "lmsi", "train": {"fit": {"beta": 0.1}}}, "fit.beta is of preference pairs"),
        ({"type": "lmsi", "train": {"fit": {"trl": {"batch": 3}}}}, "'batch' is no option"),
        ({"type": "lmsi", "train": {"fit": {"trl": {"loss_type": "nll"}}}}, "is set by srtbench"),
        ({"type": "lmsi", "train": {"fit": {"trl": {"ddp_timeout": 3}}}}, None),
        ({"type": "scpo", "train": {"num_processes": 2}}, "rounds are fitted by one process"),
        ({"type": "srt", "train": {"rounds": 3}}, "train.rounds is of variants that train by"),
        (
            {"type": "scpo", "train": {"fit": {"batch_size": 16, "micro_batch_size": 3}}},
            "does not divide by micro_batch_size = 3",
        ),
        ({"type": "lmsi", "train": {"prompts_per_round": 0}}, "greater than or equal to 1"),
        ({"type": "lmsi", "train": {"init_from": "last"}}, "Allowed: previous, start"),
    ],
)
def test_mistakes_of_a_sweep_file(tmp_path: Path, entry: Any, message: str | None) -> None:
    file = write(tmp_path, variants=[entry])
    if message is None:
        assert plan_sweep(load_sweep(file)).runs
        return
    with pytest.raises(ConfigError) as error:
        plan_sweep(load_sweep(file))
    assert message in str(error.value)


def test_online_runs_have_the_ids_they_had(tmp_path: Path) -> None:
    """What rounds read may stand in `train:` of a sweep with online variants alone."""
    plain = plan_sweep(load_sweep(write(tmp_path / "a", variants=["srt"], train={})))
    more = {"rounds": 9, "prompts_per_round": 3, "fit": {"epochs": 3}}
    mixed = plan_sweep(load_sweep(write(tmp_path / "b", variants=["srt"], train=more)))
    assert [run.run_id for run in plain.runs] == [run.run_id for run in mixed.runs]
