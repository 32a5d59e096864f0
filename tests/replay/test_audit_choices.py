"""The audit holds pools and best policies against the completions that chose them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from srtbench.cli import main
from srtbench.replay.audit import audit_sweep
from srtbench.store import Folder, SweepStore
from tests.chains import run_of
from tests.damage import damages_of
from tests.micro import FinishedSweep


@pytest.fixture
def store(chains: FinishedSweep, tmp_path: Path) -> SweepStore:
    shutil.copytree(chains.root, tmp_path / "runs")
    return SweepStore(tmp_path / "runs", chains.plan.name)


def found(store: SweepStore, column: str) -> list[tuple[str, str, str]]:
    report = audit_sweep(store.path)
    return [(b.run_id, b.where, b.message) for b in report.breaches if b.column == column]


def edit(path: Path, column: str, value: Callable[[int, object], object]) -> None:
    table = pq.read_table(path)
    position = table.schema.get_field_index(column)
    values = [value(row, old) for row, old in enumerate(table[column].to_pylist())]
    field = table.schema.field(position)
    pq.write_table(table.set_column(position, field, pa.array(values, field.type)), path)


def pool_folder(chains: FinishedSweep, store: SweepStore) -> Folder:
    """Votes of the start model, which both runs that keep the easiest share."""
    stages = {run_of(chains.plan, name).needs.pool_votes for name in ("easy", "easy-gold")}
    (stage_id,) = stages
    return store.stage(stage_id)


def test_what_was_chosen_is_counted_and_clean(chains: FinishedSweep) -> None:
    report = audit_sweep(chains.store.path)
    assert report.breaches == []
    assert report.checked["pool"] == 2 * 8
    assert report.checked["best"] == 1


def test_a_prompt_that_is_not_among_the_easiest_is_a_breach(
    chains: FinishedSweep, store: SweepStore
) -> None:
    """Kept prompts and the others change places where the shares are logged, and in the texts."""
    folder = pool_folder(chains, store)
    easy, easy_gold = (run_of(chains.plan, name) for name in ("easy", "easy-gold"))
    (part,) = folder.rollouts_path.glob("*.parquet")
    trained = set(pq.read_table(store.run(easy.run_id).rollouts_path)["prompt_id"].to_pylist())
    ids = pq.read_table(part)["prompt_id"].to_pylist()
    edit(part, "answer_key", lambda row, old: f"{row}" if ids[row] in trained else "a")
    breaches = found(store, "pool")
    assert {run_id for run_id, _, _ in breaches} == {easy.run_id, easy_gold.run_id}
    told = {where for run_id, where, text in breaches if "not among the easiest" in text}
    kept = set(pq.read_table(store.run(easy.run_id).prompts_path)["prompt_id"].to_pylist())
    assert told >= {f"prompt {name}" for name in trained & kept & set(ids)}
    assert any("the text gives" in text for _, _, text in breaches)
    assert any("its votes give" in text for _, _, text in breaches)


def test_a_changed_label_or_grade_of_the_pool_is_a_breach(
    chains: FinishedSweep, store: SweepStore
) -> None:
    folder = pool_folder(chains, store)
    easy, easy_gold = (run_of(chains.plan, name).run_id for name in ("easy", "easy-gold"))
    labels = folder.path / "labels.parquet"
    edit(labels, "vote_share", lambda row, old: 0.125 if row == 0 else old)
    ((run_id, _, message),) = found(store, "pool")
    assert run_id == easy
    assert message.startswith("vote share is 0.125, its votes give")
    shutil.copy(chains.store.stage(folder.path.name).path / labels.name, labels)
    (part,) = folder.rollouts_path.glob("*.parquet")
    rights = pq.read_table(part)["gold_reward"].to_pylist()
    edit(part, "gold_reward", lambda row, old: 1 - rights[0] if row == 0 else old)
    breaches = found(store, "pool")
    assert {run_id for run_id, _, _ in breaches} == {easy_gold}
    assert "the key gives" in breaches[0][2]


def test_a_missing_file_of_a_pool_is_a_breach(chains: FinishedSweep, store: SweepStore) -> None:
    folder = pool_folder(chains, store)
    (folder.path / "labels.parquet").unlink()
    ((run_id, where, _),) = found(store, "pool")
    assert run_id == run_of(chains.plan, "easy").run_id, "a pass rate needs no labels"
    assert where == f"{folder.path.name}/labels.parquet"
    shutil.rmtree(folder.rollouts_path)
    assert len(found(store, "pool")) == 3


def test_the_best_policy_is_that_of_the_logged_evaluations(
    chains: FinishedSweep, store: SweepStore
) -> None:
    run = run_of(chains.plan, "climb", 4)
    folder = store.run(run.run_id)
    path = folder.best_path("best_avg_at_k") / "best.json"
    right = json.loads(path.read_text())
    path.write_text(json.dumps(right | {"score": right["score"] + 0.25}))
    ((run_id, where, message),) = found(store, "best")
    assert (run_id, where) == (run.run_id, "best/best_avg_at_k/best.json")
    assert f"its rollouts give {right['score']:g}" in message
    other = next(step for step in run.own.steps(run.train.steps) if step != right["step"])
    path.write_text(json.dumps(right | {"step": other}))
    assert f"the best is step {right['step']}" in found(store, "best")[-1][2]
    path.write_text("{")
    assert "cannot be read" in found(store, "best")[0][2]
    path.unlink()
    assert "gone" in found(store, "best")[0][2]
    folder.update_status(state="interrupted")
    assert found(store, "best") == [], "it begins anew"


def test_every_damage_of_the_note_on_the_best_policy_is_named(
    chains: FinishedSweep, store: SweepStore
) -> None:
    run = run_of(chains.plan, "climb", 4)
    path = store.run(run.run_id).best_path("best_avg_at_k") / "best.json"
    whole = path.read_bytes()
    for name, damage in damages_of(path).items():
        damage(path)
        result = CliRunner().invoke(main, ["audit", str(store.path)])
        assert result.exit_code == 1, name
        assert isinstance(result.exception, SystemExit), name
        assert "best.json" in result.output, name
        path.write_bytes(whole)
