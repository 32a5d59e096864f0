"""Runs evaluated on further sets: what is sampled, greedy decoding, resumed, real files."""

import json
import os
import random
import shutil
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from srtbench.analysis import open_sweep
from srtbench.analysis.frames import view
from srtbench.datasets import load_eval_set, load_problems
from srtbench.datasets.problems import Split
from srtbench.plan import EvalSetSpec, estimate
from srtbench.rollouts import read_rollouts, write_parquet
from srtbench.store import Folder, SweepStore
from srtbench.train.prompts import OverlapError, prompt_table, write_run_prompts
from srtbench.train.stages import execute_stage
from tests import chains
from tests.answers.test_data import load as load_data
from tests.execute.test_resume import start, wait_for_checkpoint
from tests.micro import CONTENT, FinishedSweep, srtbench
from tests.sets import (
    FURTHER,
    SWAP,
    assert_same,
    plan_of,
    rows_of,
    run_of,
    write,
)


def test_a_run_is_evaluated_at_the_start_and_at_the_end_or_as_often_as_asked(
    sets: FinishedSweep,
) -> None:
    for run in sets.plan.runs:
        folder = sets.store.run(run.run_id)
        plain, greedy = rows_of(folder, "further"), rows_of(folder, "greedy")
        assert Counter(plain["step"]) == dict.fromkeys((0, 20), 16 * 4)
        assert Counter(greedy["step"]) == dict.fromkeys((0, 5, 10, 15, 20), 5)
        assert greedy["completion_tokens"].max() <= 4
        for rows in (plain, greedy):
            assert set(rows["run_id"]) == {run.run_id}
            assert set(rows["phase"]) == {"eval"}


def test_the_start_is_sampled_once_for_all_runs(sets: FinishedSweep) -> None:
    assert sets.output.count("base_eval") == 3 * 2, "three sets: started and done"
    one, other = (sets.store.run(run.run_id) for run in sets.plan.runs)
    for label in ("further", "greedy"):
        starts = [
            rows_of(f, label).filter(pl.col("step") == 0).drop("run_id") for f in (one, other)
        ]
        assert starts[0].equals(starts[1])


def without_sets(folder: Folder) -> pa.Table:
    """Everything logged but the rows of further sets."""
    table = read_rollouts(folder.rollouts_path)
    return table.filter(pc.is_in(table["eval_set"], pa.array([None, "own"], pa.string())))


def test_training_is_the_same_with_sets_and_without(
    sets: FinishedSweep, micro_sweep: FinishedSweep
) -> None:
    """Evaluating draws no random number that training would have drawn."""
    for variant in ("srt", "random"):
        one, other = (
            without_sets(sweep.store.run(run_of(sweep.plan, variant).run_id))
            for sweep in (sets, micro_sweep)
        )
        assert_same(one, other, but=("run_id",))


def test_a_killed_run_ends_as_if_it_was_not(sets: FinishedSweep, tmp_path: Path) -> None:
    root = tmp_path / "runs"
    shutil.copytree(sets.root / "_stages", root / "_stages")
    store = type(sets.store)(root, sets.plan.name)
    ids = [run.run_id for run in sets.plan.runs]
    process = start(sets, root)
    wait_for_checkpoint(store, ids)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for run_id in ids:  # what was evaluated after the last checkpoint, and half a part
        folder = store.run(run_id).rollouts_path
        if folder.is_dir():
            part = sets.store.run(run_id).rollouts_path
            shutil.copy(part / "eval-00000020-00000020.parquet", folder)
            (folder / ".eval-00000020-00000020.parquet.1.tmp").write_bytes(b"half")
    result = srtbench("sweep", sets.file, "--root", root)
    assert result.returncode == 0, result.stdout + result.stderr
    for run_id in ids:
        one, other = (s.run(run_id) for s in (sets.store, store))
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
    write_parquet(warm, store.stage(run.needs.start_model).prompts_path)
    folder = store.run(run.run_id)
    stops = message is not None and not (split == "train" and on_overlap == "drop_from_train")
    if stops:
        counted = "evaluation set seen: 2 of its 3 questions are among the prompts that "
        with pytest.raises(OverlapError, match=f"{counted}{message}"):
            write_run_prompts(run, store, folder)
        return
    write_run_prompts(run, store, folder)
    rows = pl.read_parquet(folder.prompts_path)
    own, seen = (rows.filter(pl.col("eval_set") == label) for label in ("own", "seen"))
    assert own.filter(pl.col("prompt").is_in(prompts[:2])).height == (2 if split == "eval" else 0)
    learnt = rows.filter(pl.col("eval_set").is_null())
    assert not learnt["prompt"].is_in(prompts[:2]).any()
    assert (seen.height, set(seen["dataset"])) == (3, {"seen"})


def test_a_question_in_other_words_stops_a_sweep_or_is_dropped(tmp_path: Path) -> None:
    few = {"variants": ["srt"], "train": CONTENT["train"] | {"steps": 2}}
    dataset = run_of(plan_of(tmp_path, **few)).dataset
    seen = [problem.prompt for problem in load_problems(dataset, "train", 8)]
    entry = write_asked(tmp_path, seen) | {"prompt_template": "Now reverse {question}:"}
    file = write(tmp_path, eval_sets=[entry], **few)
    refused = srtbench("sweep", file, "--root", tmp_path / "runs")
    assert refused.returncode == 2
    assert "2 of its 3 questions are among the prompts that this run trains on" in refused.stderr
    assert not (tmp_path / "runs").exists(), "nothing was begun"
    sweep = FinishedSweep(file, tmp_path / "runs", "")

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


# Greedy decoding


def test_greedy_decoding_takes_the_most_likely_token(sets: FinishedSweep) -> None:
    """Each logged completion is the argmax of the start model, token by token."""
    import torch

    from srtbench.engines.transformers import TransformersEngine
    from srtbench.models.load import load_policy
    from srtbench.train.start import start_model_path

    run = run_of(sets.plan)
    model, tokenizer = load_policy(run.model, start_model_path(run, sets.store))
    model.eval()
    rows = rows_of(sets.store.run(run.run_id), "greedy").filter(pl.col("step") == 0)
    prompts = view(open_sweep(sets.store.path), "prompts").filter(pl.col("eval_set") == "greedy")
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
        [group[0].text for group in TransformersEngine(model, tokenizer, size).sample(
            tokens, samples=1, temperature=0, max_completion_length=4, seed=seed,
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
    one: EvalSetSpec = run_of(plan_of(tmp_path, eval_sets=[name])).further[0]
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
    curves = view(open_sweep(tmp_path / "runs" / "words"), "eval_curves").filter(
        pl.col("eval_set") != "own"
    )
    assert curves.select("eval_set", "dataset", "step", "prompts", "k").rows() == [
        ("gsm8k", "spell_backward-3", step, 8, 2) for step in (0, 4)
    ]
    assert srtbench("audit", tmp_path / "runs" / "words").returncode == 0
