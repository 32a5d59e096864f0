"""`trl_reward(log_to=...)`: the folder it writes, step by step, and after kills; no trainer yet."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import srtbench
from srtbench.replay.audit import audit_sweep
from srtbench.replay.revote import revote_sweep
from srtbench.rewards import rollout_log, trl_reward
from srtbench.rollouts import part_files
from srtbench.store import Folder, StoreError
from srtbench.votes import VotingPolicy

TEXTS = [r"\boxed{2}", r"\boxed{2}", r"\boxed{3}", r"\boxed{4}"]


class FakeTrainer:
    """What `trl_reward` reads of a trainer of TRL, and the events that such a trainer has."""

    def __init__(self, reward: Any, steps: int = 4, seed: int = 0, prompts: int = 2):
        self.reward = reward
        self.num_generations, self.num_generations_eval, self.num_iterations = 4, 2, 1
        self.args = SimpleNamespace(
            seed=seed, gradient_accumulation_steps=1, steps_per_generation=1,
            generation_batch_size=4, load_best_model_at_end=False, learning_rate=1e-5, beta=0.04,
        )  # fmt: skip
        self.model = SimpleNamespace(
            training=True, config=SimpleNamespace(_name_or_path="/models/tiny")
        )
        self.train_dataset = SimpleNamespace(info=SimpleNamespace(dataset_name="sums"))
        self.reward_weights = [1.0]
        self.accelerator = SimpleNamespace(num_processes=1, process_index=0, is_main_process=True)
        data = SimpleNamespace(dataset=[None] * prompts)
        self.callback_handler = SimpleNamespace(callbacks=[], eval_dataloader=data)
        self.eos_token_ids, self._tokenizer = [9], SimpleNamespace(pad_token_id=0)
        self.state = SimpleNamespace(global_step=0, max_steps=steps, best_global_step=None)
        self.is_in_train = False

    def add_callback(self, callback: Any) -> None:
        self.callback_handler.callbacks.append(callback)

    def log_extra(self, name: str, values: list[Any]) -> None: ...

    def tell(self, event: str, **given: Any) -> None:
        control = SimpleNamespace(should_save=given.pop("save", False))
        for callback in self.callback_handler.callbacks:
            getattr(callback, event)(self.args, self.state, control, **given)

    def ask(self, prompts: list[Any], texts: list[str], **columns: Any) -> list[float]:
        found: list[float] = self.reward(
            prompts=prompts, completions=texts, completion_ids=[[5, 9]] * len(texts),
            trainer_state=self.state, log_extra=self.log_extra, **columns,
        )  # fmt: skip
        return found

    def evaluate(self, name: str = "eval", prompts: tuple[str, ...] = ("1+1", "2+2")) -> None:
        self.model.training = False
        for prompt in prompts:  # one batch each
            self.ask([prompt] * 2, TEXTS[1:3], answer=["2"] * 2)
        self.tell(
            "on_evaluate", metrics={f"{name}_runtime": 1.0, f"{name}_samples_per_second": 1.0}
        )
        self.model.training = True

    def train(self, start: int = 0, until: int | None = None, save: int = 2) -> None:
        """Train; ``until``: the process is killed in that step, after its rows were judged."""
        self.state.global_step, self.is_in_train = start, True
        self.tell("on_train_begin")
        for step in range(start, self.state.max_steps):
            self.ask([f"{step}+1"] * 4, TEXTS, answer=["3"] * 4)
            if step + 1 == until:
                return
            self.state.global_step = step + 1
            saves = (step + 1) % save == 0
            self.tell("on_step_end", save=saves)
            self.tell("on_log", logs={"loss": step / 8, "kl": 0.5 * step, "epoch": 1.0})
            if saves:
                self.tell("on_log", logs={"eval_loss": 7.0})
                self.evaluate()
                self.tell("on_save")
        self.is_in_train = False
        self.tell("on_log", logs={"train_runtime": 1.0, "train_loss": 0.0})
        self.tell("on_train_end")


def reward_to(folder: Path, **options: Any) -> Any:
    return trl_reward("srt", gold_column="answer", log_to=folder, **options)


def rows(folder: Path, columns: str = "phase, step, eval_set, completion") -> list[Any]:
    sql = f"SELECT {columns} FROM rollouts ORDER BY run_id, phase, step, eval_set, group_id, "
    return srtbench.open_sweep(folder).sql(sql + "sample_index").fetchall()


def test_a_training_becomes_a_sweep_folder(tmp_path: Path) -> None:
    trainer = FakeTrainer(reward_to(tmp_path / "mine"))
    trainer.train()
    connection = srtbench.open_sweep(tmp_path / "mine")
    sql = "SELECT model, dataset, variant, seed, state, step, total_steps, num_generations, "
    (found,) = connection.sql(sql + "prompts_per_step, imported, caveat FROM runs").fetchall()
    assert found[:10] == ("tiny", "sums", "srt", 0, "done", 4, 4, 4, 1, "trl_reward")
    assert "no advantages and no token statistics" in found[10]
    trained = connection.sql(
        "SELECT step, policy_step, answer_key, pseudo_label, train_reward, gold_reward, "
        "completion_tokens, truncated FROM rollouts WHERE phase = 'train' "
        "ORDER BY step, sample_index LIMIT 4"
    )
    assert trained.fetchall() == [
        (1, 0, "2", "2", 1, 0, 2, False),
        (1, 0, "2", "2", 1, 0, 2, False),
        (1, 0, "3", "2", 0, 1, 2, False),
        (1, 0, "4", "2", 0, 0, 2, False),
    ]
    curve = connection.sql("SELECT step, eval_set, k, avg_at_k FROM eval_curves ORDER BY step")
    assert curve.fetchall() == [(2, "own", 2, 0.5), (4, "own", 2, 0.5)]
    (run,) = (tmp_path / "mine").glob("tiny-*")
    status = Folder(run).read_status()
    assert status.progress == {"train_reward": 0.5, "eval_accuracy": 0.5}
    report = audit_sweep(tmp_path / "mine")
    assert not report.breaches
    assert report.checked["train_reward"] == 16
    (_, (row,)) = revote_sweep(tmp_path / "mine", VotingPolicy(min_share=0.9), tmp_path / "again")
    assert (row.votes, row.no_label, row.train_reward_after) == (True, 1.0, 0.0)
    assert not audit_sweep(tmp_path / "again").breaches


METRICS = "SELECT step, metric, value FROM metrics ORDER BY step, metric"


def test_the_trainers_own_numbers_stand_beside_the_rollouts(tmp_path: Path) -> None:
    FakeTrainer(reward_to(tmp_path / "mine")).train()
    connection = srtbench.open_sweep(tmp_path / "mine")
    assert connection.sql(METRICS).fetchall() == [
        (step, name, value * (step - 1))
        for step in (1, 2, 3, 4)
        for name, value in (("kl", 0.5), ("loss", 0.125))
    ]
    sql = "SELECT algorithm, learning_rate, beta FROM runs"
    assert connection.sql(sql).fetchall() == [(None, 1e-5, 0.04)]
    kl = connection.sql("SELECT step, kl, grad_norm FROM step_metrics ORDER BY step")
    assert kl.fetchall() == [(1, 0.0, None), (2, 0.5, None), (3, 1.0, None), (4, 1.5, None)]


def test_an_evaluation_of_a_finished_run_keeps_them(tmp_path: Path) -> None:
    FakeTrainer(reward_to(tmp_path / "mine")).train()
    before = srtbench.open_sweep(tmp_path / "mine").sql(METRICS).fetchall()
    later = FakeTrainer(reward_to(tmp_path / "mine"))
    later.state.global_step = 4
    later.evaluate("eval_more")
    connection = srtbench.open_sweep(tmp_path / "mine")
    assert connection.sql(METRICS).fetchall() == before
    sets = connection.sql("SELECT DISTINCT eval_set FROM eval_curves WHERE step IS NOT NULL")
    assert set(sets.fetchall()) == {("own",), ("more",)}


def test_a_killed_training_resumed_from_a_checkpoint_has_every_row_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    FakeTrainer(reward_to(tmp_path / "straight"), steps=6).train()
    monkeypatch.setattr(rollout_log, "FLUSH_SECONDS", 0.0)  # so that more than needed is on disk
    FakeTrainer(reward_to(tmp_path / "killed"), steps=6).train(until=5)
    states = "SELECT state, step FROM runs"
    assert srtbench.open_sweep(tmp_path / "killed").sql(states).fetchall() == [("running", 4)]
    FakeTrainer(reward_to(tmp_path / "killed"), steps=6).train(start=2)
    assert rows(tmp_path / "killed") == rows(tmp_path / "straight")
    told = [
        srtbench.open_sweep(tmp_path / name).sql(METRICS).fetchall()
        for name in ("killed", "straight")
    ]
    assert told[0] == told[1]
    assert len(told[0]) == 12
    assert not audit_sweep(tmp_path / "killed").breaches
    assert srtbench.open_sweep(tmp_path / "killed").sql(states).fetchall() == [("done", 6)]


def test_a_part_that_spans_a_checkpoint_is_cut(tmp_path: Path) -> None:
    """As when a script saves by itself, without telling its trainer."""
    FakeTrainer(reward_to(tmp_path / "mine"), steps=6).train(until=6, save=4)
    (parts,) = (tmp_path / "mine").glob("*/rollouts")
    assert [path.name for path in part_files(parts, "train")] == ["train-00000001-00000004.parquet"]
    FakeTrainer(reward_to(tmp_path / "mine"), steps=6).train(start=3, save=4)
    steps = [step for phase, step, *_ in rows(tmp_path / "mine") if phase == "train"]
    assert steps == [step for step in range(1, 7) for _ in range(4)]
    assert not audit_sweep(tmp_path / "mine").breaches


def test_what_is_finished_is_not_overwritten(tmp_path: Path) -> None:
    FakeTrainer(reward_to(tmp_path / "mine")).train()
    before = rows(tmp_path / "mine")
    with pytest.raises(StoreError, match=r"finished training of 4 steps.*labels=\{'seed': 1\}"):
        FakeTrainer(reward_to(tmp_path / "mine")).train()
    assert rows(tmp_path / "mine") == before
    FakeTrainer(reward_to(tmp_path / "mine"), steps=6).train(start=4)  # it may go on
    assert len({step for _, step, *_ in rows(tmp_path / "mine")}) == 6

    FakeTrainer(reward_to(tmp_path / "other")).train(until=4)
    with pytest.warns(UserWarning, match="rollouts up to step 2; this one starts at step 0"):
        FakeTrainer(reward_to(tmp_path / "other")).train()
    assert not audit_sweep(tmp_path / "other").breaches


def test_several_scripts_are_one_sweep(tmp_path: Path) -> None:
    for seed in (1, 2):
        FakeTrainer(reward_to(tmp_path / "mine"), seed=seed).train()
    FakeTrainer(reward_to(tmp_path / "mine", labels={"variant": "srt-fast", "seed": 7})).train()
    found = srtbench.open_sweep(tmp_path / "mine").sql(
        "SELECT variant, variant_type, seed FROM runs ORDER BY seed"
    )
    assert found.fetchall() == [("srt", "srt", 1), ("srt", "srt", 2), ("srt-fast", "srt", 7)]
    with pytest.raises(StoreError, match="answer kind 'math', not 'text'"):
        FakeTrainer(reward_to(tmp_path / "mine", answer_kind="text"), seed=1).train()
    with pytest.raises(ValueError, match="labels: 'sed' is not known; did you mean 'seed'"):
        reward_to(tmp_path / "mine", labels={"sed": 1})
    with pytest.raises(ValueError, match="seed='1': a whole number is wanted"):
        reward_to(tmp_path / "mine", labels={"seed": "1"})
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "text.tex").touch()
    with pytest.raises(StoreError, match="something else than a sweep"):
        reward_to(tmp_path / "thesis")


def test_coin_flips_are_derived_again_under_the_label_of_the_seed(tmp_path: Path) -> None:
    reward = trl_reward("random", log_to=tmp_path / "mine", labels={"seed": 7})
    FakeTrainer(reward, seed=1).train()
    report = audit_sweep(tmp_path / "mine")
    assert not report.breaches


def test_evaluations_of_several_sets_and_of_the_same_policy_again(tmp_path: Path) -> None:
    trainer = FakeTrainer(reward_to(tmp_path / "mine"), prompts=3)
    trainer.evaluate("eval_hard", ("a", "b", "c", "a", "b"))  # the last two fill up a batch
    trainer.evaluate("eval_easy", ("a", "b", "c"))
    trainer.train()
    trainer.evaluate("eval_hard", ("d", "e", "f"))
    trainer.evaluate("eval_hard", ("g", "h", "i"))  # the same policy: the first counts
    connection = srtbench.open_sweep(tmp_path / "mine")
    sql = "SELECT eval_set, step, count(*), count(DISTINCT group_id) FROM rollouts "
    found = connection.sql(sql + "WHERE phase = 'eval' GROUP BY ALL ORDER BY ALL").fetchall()
    assert found == [
        ("easy", 0, 6, 3),
        ("hard", 0, 6, 3),
        ("hard", 4, 6, 3),
        ("own", 2, 4, 2),
        ("own", 4, 4, 2),
    ]
    assert connection.sql("SELECT state FROM runs").fetchall() == [("done",)]
    assert not audit_sweep(tmp_path / "mine").breaches


def test_one_text_with_two_golds_and_texts_that_no_file_can_hold(tmp_path: Path) -> None:
    """Half of a surrogate pair comes out of JSON files, and of tokenizers that cut a character."""
    trainer = FakeTrainer(reward_to(tmp_path / "mine"))
    trainer.is_in_train = True
    for step, gold in enumerate(["2", "3", "\ud83d", None]):
        trainer.state.global_step = step
        trainer.ask(["half \ud83d?"] * 4, ["\\boxed{\ud83d}", *TEXTS[1:]], answer=[gold] * 4)
    trainer.tell("on_train_end")
    prompts = srtbench.open_sweep(tmp_path / "mine").sql("SELECT prompt, gold_answer FROM prompts")
    assert {*prompts.fetchall()} == {
        (r"half \ud83d?", gold) for gold in ("2", "3", r"\ud83d", None)
    }
    assert not audit_sweep(tmp_path / "mine").breaches


def test_chat_prompts_are_logged_as_text(tmp_path: Path) -> None:
    trainer = FakeTrainer(reward_to(tmp_path / "mine"))
    trainer.is_in_train = True
    chat = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "1+1?"}]
    trainer.ask([chat] * 4, TEXTS, answer=["2"] * 4)
    trainer.tell("on_train_end")
    prompts = srtbench.open_sweep(tmp_path / "mine").sql("SELECT prompt FROM prompts").fetchall()
    assert prompts == [("system: Be brief.\nuser: 1+1?",)]
    said = srtbench.open_sweep(tmp_path / "mine").sql("SELECT state, stopped, caveat FROM runs")
    ((state, stopped, caveat),) = said.fetchall()
    assert (state, stopped) == ("done", "its trainer ended it at step 0 of 4")
    assert "It has no evaluations." in caveat


def test_what_the_rows_cannot_tell_is_said(tmp_path: Path) -> None:
    trainer = FakeTrainer(reward_to(tmp_path / "mine"))
    trainer.args.steps_per_generation, trainer.num_iterations = 2, 2
    trainer.reward_weights = [0.5, 1.0]
    trainer.train()
    ((caveat,),) = srtbench.open_sweep(tmp_path / "mine").sql("SELECT caveat FROM runs").fetchall()
    assert "trained on for 4 steps; its rollouts have the first" in caveat
    assert "a weighted sum of 2 (weights 0.5, 1)" in caveat
