"""Each format of the list: found by its content, read with groups, rewards and what it knows."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import srtbench
from srtbench.rollouts.importers import Importer, ImporterError, Row, find_log
from srtbench.rollouts.importers.columns import pick_rewards
from srtbench.store import Folder
from tests.imports.logs import Record, write_lines
from tests.micro import srtbench as command

SHARED = Path(os.environ.get("SRTBENCH_DATA") or Path(__file__).resolve().parents[3] / "shared")
if SHARED.name == "data":
    SHARED = SHARED.parent

ASKED = {"2+3?": ("5", ["5", "5", "6", None]), "7*8?": ("56", ["54", "54", "56", "54"])}
"""Prompt -> gold answer and the answers of its four completions."""


def text(answer: str | None) -> str:
    return "no idea" if answer is None else f"So \\boxed{{{answer}}}"


def samples() -> Iterator[tuple[int, int, str, str, str, float]]:
    """(prompt number, sample, prompt, gold, completion, reward) of each rollout."""
    for number, (prompt, (gold, answers)) in enumerate(ASKED.items()):
        for index, answer in enumerate(answers):
            yield number, index, prompt, gold, text(answer), float(answer == answers[0])


def verl(folder: Path) -> None:
    write_lines(folder / "7.jsonl", (
        {"input": f"user\n{p}\n", "output": c, "gts": g, "score": r, "step": 7,
         "uid": f"u{n}_{i}_0"}
        for n, i, p, g, c, r in samples()
    ))  # fmt: skip


def trl(folder: Path, chat: bool = False) -> None:
    def said(role: str, content: str) -> Any:
        return [{"role": role, "content": content}] if chat else content

    folder.mkdir(parents=True)
    types = {"second": pl.Float64}
    pl.DataFrame([
        {"step": 7, "prompt": said("user", p), "completion": said("assistant", c), "majority": r,
         "second": None, "ground_truth": g, "advantage": (r - (0.5 if n == 0 else 0.75)) / 0.4}
        for n, _, p, g, c, r in samples()
    ], schema_overrides=types).write_parquet(folder / "completions_00007.parquet")  # fmt: skip


def trl_chat(folder: Path) -> None:
    trl(folder, chat=True)


def episode(n: int, i: int, p: str, g: str, c: str, r: float) -> Record:
    return {
        "id": f"e{n}{i}", "env": {"id": "math", "name": "math"}, "ok": True, "errors": [],
        "task": {"type": "T", "key": f"t{n}", "data": {"prompt": p, "answer": g}},
        "traces": [{
            "id": f"t{n}{i}", "agent": {"name": "a", "trainable": True},
            "nodes": [
                {"message": {"role": "user", "content": p}, "sampled": False, "mask": [False]},
                {"message": {"role": "assistant", "content": c}, "sampled": True,
                 "mask": [False, True, True], "logprobs": [-0.1, -0.3], "advantages": [0.5, 0.5]},
            ],
            "calls": [{"finish_reason": "length" if c == "no idea" else "stop", "usage": {}}],
            "rewards": {"a": {"score": r, "weight": 0.5}, "b": {"score": r, "weight": 0.5}},
        }],
    }  # fmt: skip


def prime_rl(folder: Path) -> None:
    work = {"type": "train", "step": 7, "policy": {"start": 5, "end": 6}}
    records = [episode(*one) | {"group": {"id": f"g{one[0]}"}, "run": {"work": work}}
               for one in samples()]  # fmt: skip
    write_lines(folder / "step_7" / "train" / "all" / "traces.jsonl", records)
    write_lines(folder / "step_7" / "train" / "effective" / "traces.jsonl", records[:4])


def verifiers_episodes(folder: Path) -> None:
    write_lines(folder / "traces.jsonl", (episode(*one) for one in samples()))


def verifiers(folder: Path) -> None:
    write_lines(folder / "results.jsonl", (
        {"example_id": n, "prompt": [{"role": "user", "content": p}], "answer": g, "reward": r,
         "completion": [{"role": "assistant", "content": c}], "is_truncated": c == "no idea",
         "metrics": {"correct": float(g in c)}, "token_usage": {"output_tokens": 2.0}}
        for n, _, p, g, c, r in samples()
    ))  # fmt: skip


def nemo_rl(folder: Path) -> None:
    write_lines(folder / "train_data_step7.jsonl", (
        {"content": [[p, c]], "rewards": [r], "token_ids": [[1, 2, 3, 0]], "idx": 4 * n + i,
         "token_loss_mask": [[0, 1, 1, 0]], "advantages": [[0.5, 0.5, 0.5, 0.5]],
         "generation_logprobs": [[0.0, -0.1, -0.3, 0.0]]}
        for n, i, p, _, c, r in samples()
    ))  # fmt: skip


def nemo_gym(folder: Path) -> None:
    write_lines(folder / "math_rollouts.jsonl", (
        {"responses_create_params": {"input": [{"role": "user", "content": p}]}, "reward": r,
         "response": {"status": "completed", "usage": {"output_tokens": 2}, "output": [
             {"type": "reasoning", "summary": []},
             {"type": "message", "role": "assistant",
              "content": [{"type": "output_text", "text": c}]}]},
         "expected_answer": g, "_ng_task_index": n, "_ng_rollout_index": i}
        for n, i, p, g, c, r in samples()
    ))  # fmt: skip


def skyrl(folder: Path) -> None:
    write_lines(folder / "global_step_7_evals" / "math.jsonl", (
        {"input_prompt": p, "output_response": c, "score": [0, 0, r], "env_class": "math",
         "stop_reason": "length" if c == "no idea" else "stop", "data_source": "math",
         "env_extras": {"reward_spec": {"ground_truth": g}}}
        for _, _, p, g, c, r in samples()
    ))  # fmt: skip


def areal(folder: Path) -> None:
    for n, i, p, _, c, r in samples():
        file = folder / "rollout" / "6" / f"{n}.jsonl"
        file.parent.mkdir(parents=True, exist_ok=True)
        record = {
            "task_id": n, "sample_idx": i, "seqlen": 5, "prompt_len": 3, "head_version": 5,
            "tail_version": 6, "reward": r, "prompt": p, "completion": f"{c}<|im_end|>",
        }  # fmt: skip
        with file.open("a", encoding="utf-8") as sink:
            sink.write(json.dumps(record) + "\n")


def ms_swift(folder: Path) -> None:
    rows = [*samples()]
    write_lines(folder / "completions.jsonl", [
        {"step": ["7"] * 8, "prompt": [one[2] for one in rows], "solution": [o[3] for o in rows],
         "completion": [one[4] for one in rows], "accuracy": [one[5] for one in rows],
         "advantages": [one[5] - (0.5 if one[0] == 0 else 0.75) for one in rows]}
    ])  # fmt: skip


def lm_eval(folder: Path) -> None:
    write_lines(folder / "samples_math_2026-01-01T00-00-00.jsonl", (
        {"doc_id": n, "doc": {"question": p}, "target": f"so #### {gold}", "filter": chosen,
         "arguments": {"gen_args_0": {"arg_0": p, "arg_1": {}}}, "exact_match": 1.0,
         "metrics": ["exact_match"], "resps": [[text(answer) for answer in answers]]}
        for chosen in ("maj@4", "strict-match")
        for n, (p, (gold, answers)) in enumerate(ASKED.items())
    ))  # fmt: skip


TRAIN = {"phase": "train", "step": 7, "reward": True, "gold": True}
EVAL = TRAIN | {"phase": "eval"}
KNOWN: dict[str, tuple[Callable[[Path], None], str, dict[str, Any]]] = {
    "verl": (verl, "verl", TRAIN),
    "trl": (trl, "trl", TRAIN | {"advantage": 1.25}),
    "trl-chat": (trl_chat, "trl", TRAIN),
    "prime-rl": (prime_rl, "prime-rl", TRAIN | {"tokens": 2, "cut": 1, "logprob": -0.2,
                                                "policy_step": 5, "advantage": 0.5}),
    "verifiers": (verifiers, "verifiers", EVAL | {"step": 0, "tokens": 2, "cut": 1, "right": 3}),
    "episodes": (verifiers_episodes, "verifiers",
                 EVAL | {"step": 0, "tokens": 2, "cut": 1, "set": "math"}),
    "nemo-rl": (nemo_rl, "nemo-rl", TRAIN | {"gold": False, "tokens": 2, "logprob": -0.2}),
    "nemo-gym": (nemo_gym, "nemo-gym", EVAL | {"step": 0, "tokens": 2, "cut": 0}),
    "skyrl": (skyrl, "skyrl", EVAL | {"cut": 1, "set": "math"}),
    "areal": (areal, "areal", TRAIN | {"gold": False, "tokens": 2, "policy_step": 5}),
    "ms-swift": (ms_swift, "ms-swift", TRAIN | {"advantage": 0.5}),
    "lm-eval": (lm_eval, "lm-eval", EVAL | {"step": 0, "reward": False, "set": "math"}),
}  # fmt: skip


@pytest.mark.parametrize("layout", KNOWN)
def test_a_format_is_found_by_content_and_read_whole(layout: str, tmp_path: Path) -> None:
    write, name, known = KNOWN[layout]
    write(tmp_path / "log")
    result = srtbench.import_rollouts(
        tmp_path / "log", out=tmp_path / "out", labels={"variant": "srt"}
    )
    assert (result.format, result.total, result.skipped) == (name, 8, 0), result.damaged
    connection = srtbench.open_sweep(tmp_path / "out")
    rows = connection.sql("SELECT * FROM rollouts ORDER BY group_id, sample_index").pl()
    assert set(rows["phase"]) == {known["phase"]}
    assert set(rows["step"]) == {known["step"]}
    assert rows["answer_key"].to_list() == ["5", "5", "6", None, "54", "54", "56", "54"]
    assert rows["pseudo_label"].to_list() == ["5"] * 4 + ["54"] * 4
    theirs = [float(one) if known["reward"] else None for one in (1, 1, 0, 0, 1, 1, 0, 1)]
    assert rows["their_reward"].to_list() == theirs
    graded = [float(one) if known["gold"] else None for one in (1, 1, 0, 0, 0, 0, 1, 0)]
    assert rows["gold_reward"].to_list() == graded
    assert rows["completion_tokens"].to_list() == [known.get("tokens")] * 8
    cut = known.get("cut")
    assert rows["truncated"].sum() == (cut or 0)
    assert rows["truncated"].null_count() == (8 if cut is None else 0)
    if "logprob" in known:
        assert rows["mean_logprob"].to_list() == pytest.approx([known["logprob"]] * 8)
    assert rows["policy_step"].to_list() == [known.get("policy_step")] * 8
    if "advantage" in known:
        assert rows["advantage"][0] == pytest.approx(known["advantage"])
    assert rows["their_correct"].sum() == known.get("right", 0)
    label = known.get("set", "own") if known["phase"] == "eval" else None
    assert set(rows["eval_set"]) == {label}
    prompts = connection.sql("SELECT prompt FROM prompts ORDER BY prompt").fetchall()
    assert [one.removeprefix("user\n").strip() for (one,) in prompts] == [*ASKED]


@pytest.mark.parametrize("layout", [name for name in KNOWN if not name.startswith("trl")])
def test_damaged_lines_of_a_format_are_named_and_left_out(layout: str, tmp_path: Path) -> None:
    write, name, _ = KNOWN[layout]
    write(tmp_path / "log")
    file = sorted((tmp_path / "log").rglob("*.jsonl"))[0]
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    file.write_text("".join([lines[0], '{"prompt": \n', '{"odd": 1}\n', *lines[1:]]))
    result = srtbench.import_rollouts(tmp_path / "log", out=tmp_path / "out")
    assert (result.format, result.total, result.skipped) == (name, 8, 2)
    shown = file.relative_to(tmp_path / "log")
    assert result.damaged[0].startswith(f"{shown} line 2: not valid JSON")
    assert result.damaged[1].startswith(f"{shown} line 3: ")


def test_tokens_become_text_by_a_tokenizer(tmp_path: Path) -> None:
    words = ["2+3?", "7*8?", "So", "no", r"\boxed{5}", r"\boxed{6}", r"\boxed{54}", r"\boxed{56}"]
    vocabulary = {word: number for number, word in enumerate(words)}
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    model = Tokenizer(models.WordLevel(vocabulary | {"idea": len(words)}, unk_token="no"))
    model.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    PreTrainedTokenizerFast(tokenizer_object=model).save_pretrained(tmp_path / "tokenizer")
    write_lines(tmp_path / "log" / "run_rollouts_000000.jsonl", (
        {"step": 7, "sample_idx": i, "prompt_idx": n, "prompt_tokens": model.encode(p).ids,
         "response_tokens": model.encode(c).ids, "reward": 10 * r, "advantage": 0.5,
         "finish_reason": "length" if c == "no idea" else "stop", "ground_truth": g,
         "logprobs": [-0.1, -0.3]}
        for n, i, p, g, c, r in samples()
    ))  # fmt: skip
    write_lines(tmp_path / "log" / "run_metadata.jsonl", [{"run_name": "run"}])
    with pytest.raises(ImporterError, match="--tokenizer"):
        srtbench.import_rollouts(tmp_path / "log", out=tmp_path / "none")
    result = srtbench.import_rollouts(
        tmp_path / "log",
        out=tmp_path / "out",
        labels={"variant": "srt"},
        tokenizer=str(tmp_path / "tokenizer"),
    )
    assert (result.format, result.total) == ("open-instruct", 8)
    rows = srtbench.open_sweep(tmp_path / "out").sql(
        "SELECT answer_key, truncated, completion_tokens, gold_reward FROM rollouts "
        "ORDER BY group_id, sample_index"
    )
    assert rows.fetchall()[2:5] == [("6", False, 2, 0.0), (None, True, 2, 0.0), ("54", False, 2, 0)]


def test_summaries_without_texts_are_refused_and_pickles_never_loaded(tmp_path: Path) -> None:
    write_lines(tmp_path / "tinker" / "train_rollout_summaries.jsonl",
                [{"group_idx": 0, "traj_idx": 0, "total_reward": 1.0, "steps": []}])  # fmt: skip
    with pytest.raises(ImporterError, match="hold no texts"):
        srtbench.import_rollouts(tmp_path / "tinker", out=tmp_path / "out")
    (tmp_path / "slime").mkdir()
    (tmp_path / "slime" / "rollout_0.pt").write_bytes(b"cos\nsystem\n(S'touch owned'\ntR.")
    with pytest.raises(ImporterError, match=r"pickle.*\(rollout_0\.pt\)"):
        srtbench.import_rollouts(tmp_path / "slime", out=tmp_path / "out")


def batch(folder: Path, step: int, prompts: list[str], salt: str) -> None:
    """A file of TRL: two completions of each prompt, the first of which is rewarded."""
    folder.mkdir(parents=True, exist_ok=True)
    pl.DataFrame([
        {"step": step, "prompt": p, "completion": f"{salt} \\boxed{{{i}}}", "r": float(i == 0),
         "advantage": 0.7 - 1.4 * i}
        for p in prompts for i in (0, 1)
    ]).write_parquet(folder / f"completions_{step:05d}.parquet")  # fmt: skip


def test_an_evaluation_over_a_training_file_of_trl_is_seen_also_when_it_comes_later(
    tmp_path: Path,
) -> None:
    log, out = tmp_path / "completions", tmp_path / "out"
    for step, prompts in ((1, ["a", "b"]), (2, ["x", "y"]), (3, ["c", "d"])):
        batch(log, step, prompts, f"s{step}")
    srtbench.import_rollouts(log, out=out)
    sql = "SELECT DISTINCT phase, step FROM rollouts ORDER BY step"
    assert [one for one, _ in srtbench.open_sweep(out).sql(sql).fetchall()] == ["train"] * 3
    batch(log, 4, ["x", "y"], "s4")
    result = srtbench.import_rollouts(log, out=out)
    phases = dict(map(reversed, srtbench.open_sweep(out).sql(sql).fetchall()))
    assert phases == {1: "train", 2: "eval", 3: "train", 4: "eval"}
    assert any("over the training files of 2 steps" in one for one in result.caveats)


def test_a_batch_that_trl_writes_again_is_one(tmp_path: Path) -> None:
    for step, salt in ((1, "s1"), (2, "s1"), (3, "s3"), (4, "s3")):
        batch(tmp_path / "log", step, ["a", "b"] if salt == "s1" else ["c", "d"], salt)
    result = srtbench.import_rollouts(tmp_path / "log", out=tmp_path / "out")
    assert (result.total, result.left_out) == (8, 8)
    assert any("2 steps (2, 4)" in one for one in result.caveats)


@pytest.mark.parametrize(
    ("columns", "advantages", "total", "said"),
    [
        ({"a": [1, 0, 0]}, [4, -2, -2], [1, 0, 0], ""),
        ({"a": [1, 0, 0], "b": [1, 1, 0]}, [2, 0, -2], [2, 1, 0], ""),
        ({"a": [1, 0, 0], "n": [7, 9, 3]}, [4, -2, -2], [1, 0, 0], "n is none"),
        ({"a": [1, 0, 0], "b": [1, 1, 0], "c": [0, 5, 0]}, [2, 0, -2], [2, 1, 0], "a + b"),
        ({"a": [1, 0, 0], "b": [1, 1, 0]}, [3.1, -1, -2.1], [2, 1, 0], "weights"),
    ],
)
def test_the_reward_is_what_explains_the_advantages(
    columns: dict[str, list[float]], advantages: list[float], total: list[float], said: str
) -> None:
    found, sentence = pick_rewards(columns, advantages, [0, 0, 0])
    assert found == total
    assert said in sentence
    assert bool(said) == bool(sentence)


class Odd(Importer):
    """What a package of somebody else may offer."""

    name = "odd"
    writer = "somebody"

    @classmethod
    def recognises(cls, record: Record) -> bool:
        return "odd" in record

    def of_record(self, record: Record, file: Any) -> Iterator[Row]:
        yield Row(prompt="?", completion=record["odd"], step=1)


def test_an_import_that_is_still_at_work_is_left_alone(tmp_path: Path) -> None:
    verl(tmp_path / "log")
    first = srtbench.import_rollouts(tmp_path / "log", out=tmp_path / "first")
    busy = Folder(tmp_path / "second" / first.run_id)
    busy.path.mkdir(parents=True)
    (busy.path / "prompts.parquet").touch()
    with busy.locked():
        second = command("import", tmp_path / "log", "--out", tmp_path / "second")
    assert second.returncode == 2, second.stderr
    assert "in use by another process" in second.stderr
    assert "Traceback" not in second.stderr
    assert (busy.path / "prompts.parquet").exists()


def test_an_import_that_was_killed_before_it_was_planned_goes_on(tmp_path: Path) -> None:
    verl(tmp_path / "log")
    srtbench.import_rollouts(tmp_path / "log", out=tmp_path / "out")
    (tmp_path / "out" / "plan.json").unlink()
    assert srtbench.import_rollouts(tmp_path / "log", out=tmp_path / "out").total == 8
    runs = srtbench.open_sweep(tmp_path / "out").sql("SELECT state, num_generations FROM runs")
    assert runs.fetchall() == [("done", 4)]


def test_an_importer_of_another_package_is_an_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "odd-1.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: odd\nVersion: 1\n")
    (package / "entry_points.txt").write_text(
        "[srtbench.importers]\nodd = tests.imports.test_formats:Odd\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    log = write_lines(tmp_path / "log.jsonl", [{"odd": r"\boxed{1}"}])
    assert find_log(log).importer.name == "odd"


FOUND = {
    "areal": ("areal", 4), "lm-eval": ("lm-eval", 8), "ms-swift": ("ms-swift", 8),
    "nemo-rl": ("nemo-rl", 8), "prime-rl": ("prime-rl", 8), "skyrl": ("skyrl", 8),
    "trl-conv": ("trl", 32), "trl-eval": ("trl", 32), "trl-gen2": ("trl", 32),
    "trl-plain": ("trl", 32), "verifiers-legacy": ("verifiers", 8), "verl-legacy": ("verl", 8),
    "verl-v1": ("verl", 16),
}  # fmt: skip
"""Sample beside the repository -> format and rollouts."""


@pytest.mark.skipif(not (SHARED / "formats").is_dir(), reason="no logs beside the checkout")
@pytest.mark.parametrize("sample", FOUND)
def test_a_sample_of_each_trainer_is_read_by_detection(sample: str, tmp_path: Path) -> None:
    result = srtbench.import_rollouts(SHARED / "formats" / sample, out=tmp_path / "out")
    assert (result.format, result.total, result.skipped) == (*FOUND[sample], 0), result.damaged


def test_files_of_nemo_rl_whose_names_tell_no_step_are_numbered(tmp_path: Path) -> None:
    nemo_rl(tmp_path / "log")
    (tmp_path / "log" / "train_data_step7.jsonl").rename(tmp_path / "log" / "renamed.dat")
    result = srtbench.import_rollouts(tmp_path / "log", out=tmp_path / "out")
    assert (result.format, result.total) == ("nemo-rl", 8), result.damaged
    assert any("1 files tell no step" in one for one in result.caveats)
