"""Further evaluation sets: planned, shared, evaluated, resumed, read back."""

import itertools
import json
import os
import random
import re
import shutil
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

from srtbench.analysis import open_sweep
from srtbench.analysis.eval_sets import eval_set_rows
from srtbench.analysis.export import export_sweep
from srtbench.analysis.report import write_report
from srtbench.analysis.report.facts import percent
from srtbench.analysis.tables import view
from srtbench.audit import audit_sweep
from srtbench.config import ConfigError, SplitShares, load_sweep
from srtbench.config.eval_sets import FileEvalSet, GymEvalSet, HubEvalSet
from srtbench.datasets import DatasetError, load_eval_set, load_problems, split_of
from srtbench.datasets.problems import Split
from srtbench.plan import EvalSetSpec, Plan, RunSpec, estimate, plan_sweep
from srtbench.plan_text import plan_text
from srtbench.rollouts import read_rollouts, write_parquet
from srtbench.store import Folder, SweepStore
from srtbench.train.artifacts import OverlapError, prompt_table, write_run_prompts
from srtbench.train.stages import execute_stage
from tests import chains
from tests.conftest import FinishedSweep
from tests.micro import CONTENT, LETTERS, srtbench, write_sweep
from tests.test_answers_data import load as load_data
from tests.test_resume import start, wait_for_checkpoint

SWAP = {"answer_kind": "text", "prompt_template": "{question}="}
FURTHER: dict[str, Any] = {"type": "file", "path": "further.jsonl", **SWAP}
GREEDY: dict[str, Any] = FURTHER | {
    "name": "greedy",
    "temperature": 0,
    "samples": 1,
    "prompts": 5,
    "every": 5,
    "max_completion_length": 4,
}
SETS = [FURTHER, GREEDY]


def write(folder: Path, **changes: Any) -> Path:
    """The micro sweep, with a file of sixteen questions that nothing is trained on."""
    file = write_sweep(folder, **({"variants": ["srt", "random"], "eval_sets": SETS} | changes))
    pairs = [a + b for a, b in itertools.permutations(LETTERS, 2)]
    held_out = [pair for pair in pairs if split_of(f"{pair}=", SplitShares()) == "eval"]
    rows = [{"question": pair, "answer": pair[::-1]} for pair in held_out[:16]]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "further.jsonl").write_text(lines)
    return file


def plan_of(folder: Path, **changes: Any) -> Plan:
    return plan_sweep(load_sweep(write(folder, **changes)))


def run_of(plan: Plan, variant: str = "srt") -> RunSpec:
    return next(run for run in plan.runs if run.variant_label == variant)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> FinishedSweep:
    """Two variants, really trained and evaluated on two sets. Copy before changing it."""
    folder = tmp_path_factory.mktemp("sets")
    file = write(folder)
    result = srtbench("sweep", file, "--root", folder / "runs")
    assert result.returncode == 0, result.stdout + result.stderr
    return FinishedSweep(file, folder / "runs", result.stdout)


def rows_of(folder: Folder, label: str) -> pl.DataFrame:
    frame = pl.from_arrow(read_rollouts(folder.eval_set(label).rollouts_path))
    assert isinstance(frame, pl.DataFrame)
    return frame


def assert_same(one: pa.Table, other: pa.Table, but: tuple[str, ...] = ()) -> None:
    """Same rows; floats to 1e-5, everything else exactly."""
    assert len(one) == len(other)
    for field in one.schema:
        if field.name in but:
            continue
        left, right = one[field.name].to_pylist(), other[field.name].to_pylist()
        if pa.types.is_floating(field.type):
            assert left == pytest.approx(right, abs=1e-5, nan_ok=True), field.name
        else:
            assert left == right, field.name


# What is planned


def test_without_sets_ids_are_as_they_were(tmp_path: Path) -> None:
    """The ids that this sweep had before there were evaluation sets."""
    plan = plan_sweep(load_sweep(write_sweep(tmp_path)))
    assert [run.run_id for run in plan.runs] == KNOWN_RUNS
    assert sorted(stage.stage_id for stage in plan.stages) == KNOWN_STAGES


KNOWN_RUNS = [
    "tiny-swap-srt-s0-35115577",
    "tiny-swap-gold-s0-e431dfab",
    "tiny-swap-fixed-teacher-s0-f7ab4b62",
    "tiny-swap-random-s0-d01b0dbb",
]
KNOWN_STAGES = [
    "base_eval-550052dd",
    "eval_prompts-fdcda29c",
    "teacher_labels-5815437e",
    "train_prompts-f75b4420",
    "warm_start-666182b8",
]


@pytest.mark.parametrize(
    "change",
    [
        {"prompts": 4},
        {"samples": 2},
        {"temperature": 0.5},
        {"every": 10},
        {"name": "other"},
        {"max_completion_length": 3},
        {"prompt_template": "{question}>"},
        {"on_overlap": "drop_from_train"},
    ],
)
def test_every_value_of_a_set_changes_the_run_id(tmp_path: Path, change: dict[str, Any]) -> None:
    none = run_of(plan_of(tmp_path, eval_sets=[]))
    one = run_of(plan_of(tmp_path, eval_sets=[FURTHER]))
    other = run_of(plan_of(tmp_path, eval_sets=[FURTHER | change]))
    assert len({none.run_id, one.run_id, other.run_id}) == 3


def test_the_order_of_the_sets_is_no_result(tmp_path: Path) -> None:
    one, other = plan_of(tmp_path), plan_of(tmp_path, eval_sets=SETS[::-1])
    assert run_of(one).run_id == run_of(other).run_id


def test_what_a_set_leaves_out_is_as_in_the_runs_own_evaluation(tmp_path: Path) -> None:
    sets = [FURTHER, FURTHER | {"name": "own", "temperature": 0.5, "samples": 2, "batch_size": 3}]
    settings = CONTENT["eval"] | {"temperature": 0.8, "seed": 7}
    plain, own = run_of(plan_of(tmp_path, eval_sets=sets, eval=settings)).eval_sets
    assert plain.sampling.model_dump() == {
        "samples": 4,
        "temperature": 0.8,
        "max_completion_length": 6,
        "batch_size": 512,
        "seed": 7,
    }
    assert (own.sampling.samples, own.sampling.temperature, own.sampling.batch_size) == (2, 0.5, 3)


def test_runs_share_the_stages_of_a_set(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, seeds=[0, 1])
    kinds = Counter(stage.kind for stage in plan.stages)
    assert (kinds["eval_set_prompts"], kinds["eval_set_start"]) == (2, 2)
    assert len({one.needs["eval_set_start"] for run in plan.runs for one in run.eval_sets}) == 2
    renamed = plan_of(tmp_path, eval_sets=[FURTHER | {"name": "other", "every": 3}])
    stages = {stage.stage_id for stage in renamed.stages}
    assert stages <= {stage.stage_id for stage in plan.stages}, "a label makes no other start"


def test_estimates_count_sets_once(tmp_path: Path) -> None:
    plan, bare = plan_of(tmp_path), plan_of(tmp_path, eval_sets=[])
    run, own = run_of(plan), estimate(run_of(bare))
    assert [one.steps(20) for one in run.eval_sets] == [(0, 20), (0, 5, 10, 15, 20)]
    found = estimate(run)
    assert found.rollouts - own.rollouts == 1 * 16 * 4 + 4 * 5 * 1
    assert found.completion_tokens - own.completion_tokens == 64 * 6 + 20 * 4
    starts = [estimate(stage).rollouts for stage in plan.stages if stage.kind == "eval_set_start"]
    assert sorted(starts) == [5, 64]


def test_a_hub_set_of_unknown_size_is_said_not_to_be_counted(tmp_path: Path) -> None:
    sets = [{"type": "hub", "id": "some/aime"}, {"type": "hub", "id": "some/amc", "prompts": 40}]
    plan = plan_of(tmp_path, eval_sets=sets)
    assert estimate(run_of(plan)).rollouts - 384 == 40 * 4
    assert "not counted: evaluation set aime" in plan_text(plan)
    assert "evaluation set amc" not in plan_text(plan)


def test_a_generated_set_is_divided_as_the_runs_own_dataset(tmp_path: Path) -> None:
    shares = {"train": 0.5, "eval": 0.3, "warm_start": 0.2}
    task = {"type": "reasoning_gym", "task": "spell_backward", "level": 4, "prompts": 3}
    datasets = [CONTENT["datasets"][0] | {"split": shares}]
    (one,) = run_of(plan_of(tmp_path, eval_sets=[task], datasets=datasets)).eval_sets
    assert one.label == "spell_backward-4"
    assert one.dataset.split.model_dump() == shares
    assert {p.split for p in load_eval_set(one.dataset, one.prompts)} == {"eval"}


def test_a_later_stage_of_a_curriculum_evaluates_its_own_start(tmp_path: Path) -> None:
    sets = [{"type": "reasoning_gym", "task": "gcd", "level": 1, "prompts": 2}]
    file = chains.write_grid(tmp_path, "chain", [chains.CLIMB], eval_sets=sets)
    first, *later = chains.plan_of(file).runs
    assert set(first.eval_sets[0].needs) == {"eval_set_prompts", "eval_set_start"}
    for run in later:
        assert set(run.eval_sets[0].needs) == {"eval_set_prompts"}
        assert estimate(run).rollouts > estimate(run.model_copy(update={"eval_sets": ()})).rollouts


# Mistakes


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        ([FURTHER, FURTHER], r"two entries are called 'further'"),
        (["missing.jsonl"], r"file 'missing.jsonl' not found"),
        ([FURTHER | {"sample": 3}], r"unknown key 'sample'; did you mean 'samples'|'samples'"),
        ([FURTHER | {"train_prompts": 3}], r"unknown key 'train_prompts'"),
        ([{"type": "reasoning_gym", "task": "gcd"}], r"key 'prompts' is missing"),
        ([{"type": "reasoning_gym", "task": "gdc", "prompts": 2}], r"unknown Reasoning Gym task"),
        ([FURTHER | {"prompt_template": "{answer}"}], r"must not see the gold answer"),
        ([FURTHER | {"temperature": -1}], r"greater than or equal to 0"),
    ],
)
def test_a_mistake_in_a_set_is_named_with_its_line(
    tmp_path: Path, sets: list[Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        plan_of(tmp_path, eval_sets=sets)
    assert "eval_sets" in str(caught.value)
    assert all(problem.line for problem in caught.value.problems)


def test_greedy_evaluation_has_one_sample(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"eval set further: temperature 0 is greedy .* not 4"):
        plan_of(tmp_path, eval_sets=[FURTHER | {"temperature": 0}])
    with pytest.raises(ConfigError, match="tiny/swap/srt: eval: temperature 0 is greedy"):
        plan_of(tmp_path, eval=CONTENT["eval"] | {"temperature": 0})
    greedy = CONTENT["eval"] | {"temperature": 0, "samples": 1}
    assert run_of(plan_of(tmp_path, eval=greedy)).eval_sets[0].sampling.temperature == 0


def test_a_set_with_fewer_prompts_than_asked_for_is_refused(tmp_path: Path) -> None:
    run = run_of(plan_of(tmp_path, eval_sets=[FURTHER | {"prompts": 17}]))
    with pytest.raises(DatasetError, match="16 distinct problems, 17 asked for"):
        load_eval_set(run.eval_sets[0].dataset, 17)


def test_a_smaller_request_is_the_beginning_of_a_larger_one(tmp_path: Path) -> None:
    dataset = run_of(plan_of(tmp_path)).eval_sets[0].dataset
    every = load_eval_set(dataset)
    assert len(every) == 16
    assert load_eval_set(dataset, 5) == every[:5]
    assert [problem.prompt_id for problem in every] == sorted(p.prompt_id for p in every)


def test_a_hub_set_is_all_of_the_named_split(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through the `datasets` library itself, on a local folder."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    datasets.disable_progress_bars()
    (tmp_path / "repository").mkdir()
    for split, count in (("train", 3), ("test", 7)):
        rows = {"problem": [f"{split} {n}?" for n in range(count)], "solution": ["2"] * count}
        pl.DataFrame(rows).write_parquet(tmp_path / "repository" / f"{split}.parquet")
    entry = {"type": "hub", "id": str(tmp_path / "repository"), "name": "aime"}
    entry |= {"question_column": "problem", "answer_column": "solution"}
    for split, count in (("test", 7), ("train", 3)):
        sets = [entry | ({} if split == "test" else {"split": split})]
        problems = load_eval_set(run_of(plan_of(tmp_path, eval_sets=sets)).eval_sets[0].dataset)
        assert len(problems) == count
        assert all(p.prompt.startswith(split) and p.split == "eval" for p in problems)


# What a run does


def test_a_run_is_evaluated_at_the_start_and_at_the_end_or_as_often_as_asked(
    finished: FinishedSweep,
) -> None:
    for run in finished.plan.runs:
        folder = finished.store.run(run.run_id)
        plain, greedy = rows_of(folder, "further"), rows_of(folder, "greedy")
        assert Counter(plain["step"]) == dict.fromkeys((0, 20), 16 * 4)
        assert Counter(greedy["step"]) == dict.fromkeys((0, 5, 10, 15, 20), 5)
        assert greedy["completion_tokens"].max() <= 4
        for rows in (plain, greedy):
            assert set(rows["run_id"]) == {run.run_id}
            assert set(rows["phase"]) == {"eval"}


def test_the_start_is_sampled_once_for_all_runs(finished: FinishedSweep) -> None:
    assert finished.output.count("eval_set_start") == 2 * 2, "two sets: started and done"
    one, other = (finished.store.run(run.run_id) for run in finished.plan.runs)
    for label in ("further", "greedy"):
        starts = [
            rows_of(f, label).filter(pl.col("step") == 0).drop("run_id") for f in (one, other)
        ]
        assert starts[0].equals(starts[1])


def test_training_is_the_same_with_sets_and_without(
    finished: FinishedSweep, micro_sweep: FinishedSweep
) -> None:
    """Evaluating draws no random number that training would have drawn."""
    for variant in ("srt", "random"):
        one, other = (
            read_rollouts(sweep.store.run(run_of(sweep.plan, variant).run_id).rollouts_path)
            for sweep in (finished, micro_sweep)
        )
        assert_same(one, other, but=("run_id",))


def test_a_killed_run_ends_as_if_it_was_not(finished: FinishedSweep, tmp_path: Path) -> None:
    root = tmp_path / "runs"
    shutil.copytree(finished.root / "_stages", root / "_stages")
    store = type(finished.store)(root, finished.plan.name)
    ids = [run.run_id for run in finished.plan.runs]
    process = start(finished, root)
    wait_for_checkpoint(store, ids)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for run_id in ids:  # what was evaluated after the last checkpoint, and half a part
        folder = store.run(run_id).eval_set("greedy").rollouts_path
        if folder.is_dir():
            part = finished.store.run(run_id).eval_set("greedy").rollouts_path
            shutil.copy(part / "eval-00000020-00000020.parquet", folder)
            (folder / ".eval-00000020-00000020.parquet.1.tmp").write_bytes(b"half")
    result = srtbench("sweep", finished.file, "--root", root)
    assert result.returncode == 0, result.stdout + result.stderr
    for run_id in ids:
        for label in ("further", "greedy"):
            one, other = (s.run(run_id).eval_set(label) for s in (finished.store, store))
            assert_same(read_rollouts(one.rollouts_path), read_rollouts(other.rollouts_path))
            assert not list(other.rollouts_path.glob(".*"))


def test_a_curriculum_on_a_file(tmp_path: Path) -> None:
    """The second stage logs as its start what the first one ended with."""
    rows = [{"question": word, "answer": word[::-1]} for word in ("abc", "bcd", "cde", "def")]
    (tmp_path / "words.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = {"type": "file", "path": "words.jsonl", **SWAP, "temperature": 0, "samples": 1}
    words |= {"answer_style": "text", "prompt_template": "{question}->"}
    file = chains.write_grid(tmp_path, "chain", [chains.AGAIN], eval_sets=[words])
    result = srtbench("sweep", file, "--root", tmp_path / "runs")
    assert result.returncode == 0, result.stdout + result.stderr
    sweep = FinishedSweep(file, tmp_path / "runs", result.stdout)
    first, second = (rows_of(sweep.store.run(run.run_id), "words") for run in sweep.plan.runs)
    ended = first.filter(pl.col("step") == first["step"].max())
    began = second.filter(pl.col("step") == 0)
    assert began["completion"].to_list() == ended["completion"].to_list()
    assert set(began["run_id"]) == {sweep.plan.runs[1].run_id}


def write_asked(folder: Path, prompts: list[str]) -> dict[str, Any]:
    """A set of the questions of two prompts, in capitals, and another one."""
    words = [*(prompt.strip("=") for prompt in prompts[:2]), "zz"]
    rows = [{"question": word.upper(), "answer": word[::-1]} for word in words]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "seen.jsonl").write_text(lines)
    return FURTHER | {"name": None, "path": "seen.jsonl"}


@pytest.mark.parametrize(
    ("variant", "split", "message"),
    [
        ("srt", "train", "this run trains on.*; on_overlap: drop_from_train"),
        ("srt", "warm_start", "the warm start was trained on[^;]*$"),
        ({"type": "ttrl", "votes": 8}, "eval", "this run trains on[^;]*$"),
        ("srt", "eval", None),
    ],
)
@pytest.mark.parametrize("on_overlap", ["error", "drop_from_train"])
def test_what_a_run_learns_from_is_not_evaluated(
    tmp_path: Path, variant: Any, split: Split, message: str | None, on_overlap: str
) -> None:
    dataset = run_of(plan_of(tmp_path, variants=["srt"])).dataset
    prompts = [problem.prompt for problem in load_problems(dataset, split, 8)]
    entry = write_asked(tmp_path, prompts) | {"on_overlap": on_overlap}
    plan = plan_of(tmp_path, variants=[variant], eval_sets=[entry])
    store, (run,) = SweepStore(tmp_path / "runs", plan.name), plan.runs
    for stage in plan.stages:
        if stage.kind.endswith("prompts"):
            execute_stage(stage, store, store.stage(stage.stage_id))
    warm = prompt_table(dataset, load_problems(dataset, "warm_start", 50))
    write_parquet(warm, store.stage(run.needs["warm_start"]).prompts_path)
    folder = store.run(run.run_id)
    stops = message is not None and not (split == "train" and on_overlap == "drop_from_train")
    if stops:
        counted = "evaluation set seen: 2 of its 3 questions are among the prompts that "
        with pytest.raises(OverlapError, match=f"{counted}{message}"):
            write_run_prompts(run, store, folder)
        return
    write_run_prompts(run, store, folder)
    rows = pl.read_parquet(folder.prompts_path)
    assert rows.filter(pl.col("prompt").is_in(prompts[:2])).height == (2 if split == "eval" else 0)
    assert set(pl.read_parquet(folder.eval_set("seen").prompts_path)["dataset"]) == {"seen"}


def test_a_question_in_other_words_stops_a_run_or_is_dropped(tmp_path: Path) -> None:
    few = {"variants": ["srt"], "train": CONTENT["train"] | {"steps": 2}}
    dataset = run_of(plan_of(tmp_path, **few)).dataset
    seen = [problem.prompt for problem in load_problems(dataset, "train", 8)]
    entry = write_asked(tmp_path, seen) | {"prompt_template": "Now reverse {question}:"}
    file = write(tmp_path, eval_sets=[entry], **few)
    assert srtbench("sweep", file, "--root", tmp_path / "runs").returncode == 1
    sweep = FinishedSweep(file, tmp_path / "runs", "")
    error = sweep.store.run(sweep.plan.runs[0].run_id).read_status().error
    assert error is not None
    assert "evaluation set seen: 2 of its 3 questions are among the prompts that this" in error

    file = write(tmp_path, eval_sets=[entry | {"on_overlap": "drop_from_train"}], **few)
    result = srtbench("sweep", file, "--root", tmp_path / "runs")
    assert result.returncode == 0, result.stdout + result.stderr
    folder = sweep.store.run(sweep.plan.runs[0].run_id)
    own = pl.read_parquet(folder.prompts_path).filter(pl.col("split") == "train")
    assert own.height == 8 - 2
    assert set(own["prompt"]) == {*seen[2:]}
    trained = read_rollouts(folder.rollouts_path, "train")["prompt_id"].to_pylist()
    assert set(trained) <= set(own["prompt_id"])
    audit = srtbench("audit", sweep.store.path)
    assert audit.returncode == 0, audit.stdout


# What is read back


def test_the_curves_equal_a_brute_force_computation(finished: FinishedSweep) -> None:
    curves = view(open_sweep(finished.store.path), "eval_set_curves")
    assert curves.height == 2 * (2 + 5)
    assert curves["eval_set"].unique(maintain_order=True).to_list() == ["further", "greedy"]
    for row in curves.iter_rows(named=True):
        rows = rows_of(finished.store.run(row["run_id"]), row["eval_set"])
        expected = brute_force(rows.filter(pl.col("step") == row["step"]))
        assert {name: row[name] for name in expected} == pytest.approx(expected, abs=1e-9)
    assert curves["avg_at_k"].n_unique() > 2, "the policies differ"


def brute_force(rows: pl.DataFrame) -> dict[str, float]:
    """The measures of one evaluation, one group after the other."""
    averages, majorities, passes = [], [], []
    for group in rows.partition_by("group_id"):
        right = group["gold_reward"].to_list()
        keys = group["answer_key"].to_list()
        votes = Counter(key for key in keys if key is not None)
        most = [key for key in votes if votes[key] == max(votes.values())]
        good = {key for key, reward in zip(keys, right, strict=True) if reward}
        averages.append(sum(right) / len(right))
        majorities.append(len(good & {*most}) / len(most) if most else 0.0)
        passes.append(float(any(right)))
    mean = sum(averages) / len(averages)
    spread = sum((value - mean) ** 2 for value in averages) / (len(averages) - 1)
    return {
        "prompts": len(averages),
        "k": rows.height / len(averages),
        "avg_at_k": mean,
        "avg_se": (spread / len(averages)) ** 0.5,
        "maj_at_k": sum(majorities) / len(majorities),
        "pass_at_k": sum(passes) / len(passes),
        "truncated_share": rows["truncated"].sum() / rows.height,
        "unparsable_share": rows["answer_key"].null_count() / rows.height,
    }


def test_other_views_do_not_count_the_sets(
    finished: FinishedSweep, micro_sweep: FinishedSweep
) -> None:
    one, other = (
        view(open_sweep(sweep.store.path), "eval_curves")
        .filter(pl.col("variant") == "srt")
        .drop("sweep", "run_id")
        for sweep in (finished, micro_sweep)
    )
    assert_frame_equal(one, other)
    connection, micro = open_sweep(finished.store.path), open_sweep(micro_sweep.store.path)
    prompts = view(connection, "eval_set_prompts")
    assert Counter(prompts["eval_set"]) == {"further": 16, "greedy": 5}
    assert view(connection, "prompts").height == view(micro, "prompts").height
    assert view(micro, "eval_set_curves").height == 0


def test_a_set_that_is_not_evaluated_yet_has_a_row(finished: FinishedSweep, tmp_path: Path) -> None:
    shutil.copytree(finished.root, tmp_path / "runs")
    path = tmp_path / "runs" / finished.plan.name
    shutil.rmtree(path / finished.plan.runs[0].run_id / "eval_sets")
    curves = view(open_sweep(path), "eval_set_curves")
    empty = curves.filter(pl.col("run_id") == finished.plan.runs[0].run_id)
    assert empty["step"].to_list() == [None, None]


def test_a_report_has_a_table_of_the_sets(
    finished: FinishedSweep, micro_sweep: FinishedSweep, tmp_path: Path
) -> None:
    rows = eval_set_rows(open_sweep(finished.store.path))
    assert [(row.variant, row.eval_set, row.prompts, row.k, row.runs) for row in rows] == [
        ("srt", "further", 16, 4, (1, 1)),
        ("srt", "greedy", 5, 1, (1, 1)),
        ("random", "further", 16, 4, (1, 1)),
        ("random", "greedy", 5, 1, (1, 1)),
    ]
    for row in rows:
        assert row.change is not None
        assert row.start_avg is not None
        assert row.last_avg is not None
        assert row.change.estimate == pytest.approx(row.last_avg - row.start_avg)
        assert row.change.low <= row.change.estimate <= row.change.high
    report = write_report(finished.store.path, tmp_path / "report")
    without = write_report(micro_sweep.store.path, tmp_path / "without")
    for name in ("report.html", "report.md"):
        assert "Further evaluation sets" in (report / name).read_text(encoding="utf-8")
        assert "Further evaluation sets" not in (without / name).read_text(encoding="utf-8")
    line = f"| srt | further | 16 | 4 | 1 of 1 | {percent(rows[0].start_avg, 1)} |"
    assert line in (report / "report.md").read_text(encoding="utf-8")
    assert (report / "tables" / "eval_set_curves.csv").is_file()


def test_an_export_has_every_evaluation_of_the_sets(
    finished: FinishedSweep, tmp_path: Path
) -> None:
    curves = view(open_sweep(finished.store.path), "eval_set_curves")
    files = {file.name: file for file in export_sweep(finished.store.path, tmp_path)}
    assert_frame_equal(pl.read_parquet(files["eval_set_curves.parquet"]), curves)
    read = pl.read_csv(files["eval_set_curves.csv"])
    assert read["avg_at_k"].to_list() == pytest.approx(curves["avg_at_k"].to_list())
    table = files["eval_sets.tex"].read_text(encoding="utf-8")
    assert table.count(r" \\") == 1 + 2 * 2
    row = eval_set_rows(open_sweep(finished.store.path))[1]
    assert row.start_avg is not None
    assert row.last_avg is not None
    shares = f"{100 * row.start_avg:.1f} & {100 * row.last_avg:.1f}"
    assert f"srt & greedy & 5 & 1 & {shares} & $" in table


def test_an_audit_derives_the_grades_of_the_sets(finished: FinishedSweep, tmp_path: Path) -> None:
    clean = audit_sweep(finished.store.path)
    assert clean.ok, clean.breaches[:3]
    own = 2 * (20 * 16 + 3 * 8 * 4)
    assert clean.checked["gold_reward"] == own + 2 * (2 * 16 * 4 + 5 * 5)

    shutil.copytree(finished.root, tmp_path / "runs")
    path = tmp_path / "runs" / finished.plan.name
    rollouts = path / finished.plan.runs[0].run_id / "eval_sets" / "further" / "rollouts"
    part = rollouts / "eval-00000020-00000020.parquet"
    rows = pl.read_parquet(part)
    rows.with_columns((1 - pl.col("gold_reward")).alias("gold_reward")).write_parquet(part)
    (rollouts / "eval-00000000-00000000.parquet").unlink()
    found = audit_sweep(path)
    assert Counter(breach.column for breach in found.breaches) == {"gold_reward": 64, "step": 1}
    assert all(breach.where.startswith("eval set further: ") for breach in found.breaches)


def test_a_revote_leaves_the_sets_out(finished: FinishedSweep, tmp_path: Path) -> None:
    result = srtbench(
        "revote", finished.store.path, "--tie", "abstain", "--out", tmp_path / "revote"
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert view(open_sweep(tmp_path / "revote"), "eval_set_curves").height == 0
    assert audit_sweep(tmp_path / "revote").ok


# Greedy decoding


def test_greedy_decoding_takes_the_most_likely_token(finished: FinishedSweep) -> None:
    """Each logged completion is the argmax of the start model, token by token."""
    import torch

    from srtbench.models.load import load_policy
    from srtbench.models.sampling import sample_completions
    from srtbench.train.start import start_model_path

    run = run_of(finished.plan)
    model, tokenizer = load_policy(run.model, start_model_path(run, finished.store))
    model.eval()
    rows = rows_of(finished.store.run(run.run_id), "greedy").filter(pl.col("step") == 0)
    prompts = view(open_sweep(finished.store.path), "eval_set_prompts").filter(
        pl.col("eval_set") == "greedy"
    )
    texts = dict(zip(prompts["prompt_id"], prompts["prompt"], strict=True))
    for row in rows.iter_rows(named=True):
        ids = list(tokenizer(texts[row["prompt_id"]])["input_ids"])
        written: list[int] = []
        while len(written) < 4 and (not written or written[-1] != tokenizer.eos_token_id):
            with torch.no_grad():
                logits = model(torch.tensor([ids + written])).logits[0, -1]
            written.append(int(logits.argmax()))
        assert tokenizer.decode(written, skip_special_tokens=True) == row["completion"]
        assert row["completion_tokens"] == len(written)
    model.generation_config.temperature, model.generation_config.top_k = 0.3, 2
    tokens = [list(tokenizer(text)["input_ids"]) for text in texts.values()]
    found = [
        [group[0].text for group in sample_completions(
            model, tokenizer, tokens, samples=1, max_completion_length=4,
            temperature=0, batch_size=size, seed=seed,
        )]
        for size, seed in ((8, 0), (2, random.randrange(99)))
    ]  # fmt: skip
    assert found[0] == found[1], "neither seed nor batch matters"
    assert dict(zip(texts, found[0], strict=True)) == dict(
        zip(rows["prompt_id"], rows["completion"], strict=True)
    )


# Real files


@pytest.mark.parametrize(("name", "count"), [("gsm8k_test.jsonl", 1319), ("math500.jsonl", 500)])
def test_real_files_are_sets_as_they_are(tmp_path: Path, name: str, count: int) -> None:
    rows = load_data(name)
    (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    one: EvalSetSpec = run_of(plan_of(tmp_path, eval_sets=[name])).eval_sets[0]
    assert len(load_eval_set(one.dataset)) == count
    assert estimate(run_of(plan_of(tmp_path, eval_sets=[name]))).rollouts - 384 == count * 4


def test_a_model_that_reverses_words_is_asked_real_questions(tmp_path: Path) -> None:
    """Characters that it has no token for are unknown to it; it answers all the same."""
    rows = load_data("gsm8k_test.jsonl")[:50]
    (tmp_path / "gsm8k.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    gsm8k = {"type": "file", "path": "gsm8k.jsonl", "prompts": 8, "samples": 2, "batch_size": 4}
    file = chains.write_grid(
        tmp_path, "words", ["random"], eval_sets=[gsm8k | {"max_completion_length": 12}]
    )
    result = srtbench("sweep", file, "--root", tmp_path / "runs")
    assert result.returncode == 0, result.stdout + result.stderr
    curves = view(open_sweep(tmp_path / "runs" / "words"), "eval_set_curves")
    assert curves.select("eval_set", "dataset", "step", "prompts", "k").rows() == [
        ("gsm8k", "spell_backward-3", step, 8, 2) for step in (0, 4)
    ]
    assert srtbench("audit", tmp_path / "runs" / "words").returncode == 0


# The page about it

PAGE = (Path(__file__).parent.parent / "docs" / "evaluation.md").read_text(encoding="utf-8")


def test_the_example_of_the_page_plans(tmp_path: Path) -> None:
    (block,) = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    (tmp_path / "words.yaml").write_text(block)
    for name in ("gsm8k_test.jsonl", "math500.jsonl"):
        (tmp_path / name).write_text('{"question": "1 + 1?", "answer": "2"}\n' * 3)
    run = run_of(plan_sweep(load_sweep(tmp_path / "words.yaml")))
    assert [(one.label, one.prompts, one.every) for one in run.eval_sets] == [
        ("gsm8k-test", None, None),
        ("math500", 200, 40),
        ("math500-greedy", None, None),
        ("spell_backward-8", 64, None),
    ]


def test_every_key_of_a_set_is_explained() -> None:
    for entry in (GymEvalSet, HubEvalSet, FileEvalSet):
        for key in entry.model_fields.keys() - {"type"}:
            assert f"`{key}`" in PAGE, key
