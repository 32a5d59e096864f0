"""The views: complete, described, right, and able to cope with what is on a disk."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from polars.testing import assert_frame_equal

from srtbench.analysis import open_sweep
from srtbench.analysis.columns import columns_markdown
from srtbench.analysis.frames import FRAMES, frame, query, view
from srtbench.analysis.report import write_report
from srtbench.analysis.warehouse.open import CorruptFileWarning
from srtbench.analysis.warehouse.views import VIEWS, relation
from srtbench.rollouts import METRIC_SCHEMA, read_rollouts, write_parquet
from srtbench.stats import maj_at_k, modal_answer_share
from tests.fake_sweep import ERROR, Shape, write_fake_sweep

SMOKE = Path(__file__).parents[1] / "fixtures" / "smoke"
TINY = Shape(steps=20, every=10, prompts_per_step=2, generations=4, eval_prompts=6, eval_samples=4)


@pytest.fixture(scope="module")
def smoke() -> duckdb.DuckDBPyConnection:
    """Real rollouts."""
    return open_sweep(SMOKE)


@pytest.fixture(scope="module")
def fake_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three variants, two seeds; one run failed, one waits, one is running."""
    root = tmp_path_factory.mktemp("fake")
    write_fake_sweep(
        root,
        TINY,
        variants=["srt", "gold", "random"],
        seeds=[0, 1],
        states={("gold", 1): "waiting", ("random", 0): "failed", ("random", 1): "running"},
    )
    return root


@pytest.fixture
def fake(fake_root: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    shutil.copytree(fake_root, tmp_path / "runs")
    return tmp_path / "runs" / "fake"


@pytest.mark.parametrize("name", VIEWS)
def test_every_column_of_every_view_is_described(
    name: str, smoke: duckdb.DuckDBPyConnection
) -> None:
    connection = smoke
    assert view(connection, name).columns == list(relation(name).columns)


@pytest.mark.parametrize("name", FRAMES)
def test_every_column_of_every_frame_is_described(
    name: str, smoke: duckdb.DuckDBPyConnection
) -> None:
    connection = smoke
    assert frame(connection, name).columns == list(relation(name, "sql/frames").columns)


def test_descriptions_are_inside_duckdb(smoke: duckdb.DuckDBPyConnection) -> None:
    connection = smoke
    missing = connection.execute(
        "SELECT table_name, column_name FROM duckdb_columns() WHERE comment IS NULL "
        "AND table_name IN (SELECT view_name FROM duckdb_views() WHERE comment IS NOT NULL)"
    ).fetchall()
    assert missing == []


def test_the_page_of_columns_is_current() -> None:
    page = Path(__file__).parents[2] / "docs" / "columns.md"
    assert page.read_text(encoding="utf-8") == columns_markdown()


@pytest.mark.parametrize(
    "name", ["runs", "run_summary", "variant_summary", "step_metrics", "eval_curves"]
)
def test_every_planned_cell_is_in_every_table(fake: Path, name: str) -> None:
    cells = {(r["variant"]) for r in view(open_sweep(fake), name).iter_rows(named=True)}
    assert cells == {"srt", "gold", "random"}


def test_states_and_errors(fake: Path) -> None:
    runs = view(open_sweep(fake), "runs")
    states = {(r["variant"], r["seed"]): r["state"] for r in runs.iter_rows(named=True)}
    assert states[("gold", 1)] == "waiting"
    assert states[("random", 0)] == "failed"
    assert runs["error"].drop_nulls().to_list() == [ERROR]
    assert runs["learning_rate"].null_count() == 1  # of the run that has no config.json yet


def test_the_shared_start_is_step_0_of_each_begun_run(fake: Path) -> None:
    curves = view(open_sweep(fake), "eval_curves")
    starts = curves.filter(curves["step"] == 0)
    assert starts.height == 5
    assert starts["avg_at_k"].n_unique() == 1


def test_measures_equal_the_estimators(smoke: duckdb.DuckDBPyConnection) -> None:
    """The SQL against srtbench.stats on the same rollouts."""
    connection = smoke
    for run_id, step in (("%-srt-s0-%", 100), ("%-srt-high-lr-%", 100), ("%-random-%", 40)):
        rows = query(
            connection,
            """SELECT prompt_id, group_id, answer_key, gold_key, gold_reward, sample_index
               FROM rollouts JOIN prompts USING (sweep, prompt_id)
               WHERE phase = 'eval' AND step = $step AND run_id LIKE $run_id
               ORDER BY prompt_id, sample_index""",
            step=step,
            run_id=run_id,
        )
        names = {key: n for n, key in enumerate(rows["answer_key"].drop_nulls().unique())}
        size = rows["sample_index"].max() + 1
        keys = [-1 if key is None else names[key] for key in rows["answer_key"]]
        grid = [keys[i : i + size] for i in range(0, len(keys), size)]
        gold = [names.get(rows["gold_key"][i], -2) for i in range(0, len(keys), size)]
        found = query(
            connection,
            "SELECT * FROM eval_curves WHERE step = $step AND run_id LIKE $run_id",
            step=step,
            run_id=run_id,
        ).row(0, named=True)
        assert found["avg_at_k"] == pytest.approx(rows["gold_reward"].mean())
        assert found["maj_at_k"] == pytest.approx(maj_at_k(grid, gold, size).mean(), abs=1e-12)
        assert found["modal_share"] == pytest.approx(modal_answer_share(grid))


def test_figures_recomputed_from_parquet_by_plain_sql() -> None:
    """train_reward, gold accuracy and label accuracy of a step without any view of ours."""
    shown = frame(open_sweep(SMOKE), "train_curve")
    folder = next(SMOKE.glob("*-srt-s0-*")) / "rollouts"
    plain = duckdb.connect()
    rows = plain.execute(
        f"""SELECT step, avg(train_reward), avg(gold_reward),
                avg(CASE WHEN sample_index = 0 THEN (pseudo_label = gold_key)::INT END)
            FROM read_parquet('{folder}/train-*.parquet')
            JOIN read_parquet('{folder.parent}/prompts.parquet') USING (prompt_id)
            GROUP BY step ORDER BY step"""
    ).fetchall()
    for place, measure in enumerate(("train_reward", "gold_reward", "label_accuracy"), start=1):
        mine = shown.filter((shown["variant"] == "srt") & (shown["measure"] == measure))
        assert mine.sort("step")["raw"].to_list() == pytest.approx([row[place] for row in rows])


def test_materialized_views_hold_the_same(fake: Path) -> None:
    connection = open_sweep(fake)
    before = {name: view(connection, name) for name in ("run_summary", "variant_summary")}
    connection = open_sweep(fake, snapshot=True)
    for name, rows in before.items():
        assert_frame_equal(view(connection, name), rows)


@pytest.mark.parametrize("damage", ["empty", "half", "garbage", "page"])
def test_a_corrupt_file_is_named_and_skipped(fake: Path, damage: str) -> None:
    part = sorted(fake.glob("*-srt-s0-*/rollouts/train-*.parquet"))[0]
    content = bytearray(part.read_bytes())
    if damage == "page":
        content[4:400] = b"\x00" * 396
    part.write_bytes(
        {"empty": b"", "half": content[: len(content) // 2], "garbage": b"PAR1" * 50}.get(
            damage, bytes(content)
        )
    )
    with pytest.warns(CorruptFileWarning, match=part.name):
        connection = open_sweep(fake, check="data")
    damaged = view(connection, "damaged_files")
    assert damaged.height == 1
    assert damaged["file"][0].endswith(part.name)
    assert str(fake) not in damaged["reason"][0]
    steps = query(
        connection, "SELECT min(step) AS first FROM step_metrics WHERE run_id LIKE '%-srt-s0-%'"
    )
    assert steps["first"][0] == 6


def test_a_broken_status_is_a_damaged_file_not_a_crash(fake: Path) -> None:
    status = next(fake.glob("*-srt-s0-*/status.json"))
    status.write_text("{", encoding="utf-8")
    with pytest.warns(CorruptFileWarning, match=r"status\.json"):
        connection = open_sweep(fake)
    assert view(connection, "runs").height == 6


@pytest.mark.parametrize("state", ["finished", None, ["done"]])
def test_an_unknown_state_is_a_damaged_file_not_a_crash(fake: Path, state: object) -> None:
    status = next(fake.glob("*-srt-s0-*/status.json"))
    status.write_text(json.dumps({"state": state}), encoding="utf-8")
    with pytest.warns(CorruptFileWarning, match=r"status\.json is left out: state"):
        connection = open_sweep(fake)
    assert view(connection, "damaged_files")["file"].to_list() == [
        f"{status.parent.name}/status.json"
    ]
    assert set(view(connection, "runs")["state"]) <= {"done", "waiting", "running", "failed"}


@pytest.mark.parametrize("text", ["{}", "[]", "{", '{"sweep": "fake", "runs": []}'])
def test_a_damaged_plan_is_named(fake: Path, text: str) -> None:
    (fake / "plan.json").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"plan\.json"):
        open_sweep(fake)
    with pytest.raises(ValueError, match=r"plan\.json"):
        open_sweep(fake.as_uri())


def test_files_being_written_are_ignored(fake: Path) -> None:
    assert list(fake.glob("*/rollouts/.*.tmp"))
    assert view(open_sweep(fake), "damaged_files").height == 0


def test_other_schema_versions(fake: Path) -> None:
    """A file without token statistics gives nulls, one with an unknown column is damaged."""
    part = sorted(fake.glob("*-srt-s0-*/rollouts/train-*.parquet"))[0]
    table = pq.read_table(part).drop_columns(["entropy_nats"])
    pq.write_table(table, part)
    rows = query(open_sweep(fake), "SELECT * FROM step_metrics WHERE run_id LIKE '%-srt-s0-%'")
    assert rows["entropy_nats"].null_count() == 5
    assert rows["train_reward"].null_count() == 0
    pq.write_table(table.append_column("later", pa.array([1] * table.num_rows)), part)
    with pytest.warns(CorruptFileWarning, match="column later is not known"):
        assert view(open_sweep(fake), "damaged_files").height == 1


def test_two_sweeps_with_the_same_runs_stay_apart(tmp_path: Path) -> None:
    first = write_fake_sweep(tmp_path / "a", TINY, variants=["srt"], seeds=[0])
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    both = open_sweep(first, tmp_path / "b" / first.name)
    one = view(open_sweep(first), "eval_curves")
    found = view(both, "eval_curves")
    assert set(found["sweep"]) == {"fake", "fake (2)"}
    assert_frame_equal(found.filter(found["sweep"] == "fake"), one)


def test_a_plan_alone_is_enough(tmp_path: Path) -> None:
    path = write_fake_sweep(
        tmp_path, TINY, variants=["srt"], seeds=[0], states={("srt", 0): "waiting"}
    )
    shutil.rmtree(tmp_path / "_stages")
    connection = open_sweep(path)
    assert view(connection, "step_metrics")["step"].to_list() == [None]
    assert view(connection, "variant_summary")["unfinished"].to_list() == [1]


def test_folders_with_marks_that_patterns_use(fake_root: Path, tmp_path: Path) -> None:
    place = tmp_path / "we[ir]d *?"
    shutil.copytree(fake_root, place)
    odd, plain = open_sweep(place / "fake"), open_sweep(fake_root / "fake")
    assert_frame_equal(view(odd, "eval_curves"), view(plain, "eval_curves"))


def test_a_folder_without_a_plan(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no plan\.json"):
        open_sweep(tmp_path)
    with pytest.raises(ValueError, match="at least one"):
        open_sweep()


def test_ties_are_shared_evenly(tmp_path: Path) -> None:
    """Two answers with two votes each, one right: half a prompt; the first seen is the majority."""
    path = write_fake_sweep(tmp_path, TINY, variants=["srt"], seeds=[0])
    part = sorted(path.glob("*/rollouts/eval-*.parquet"))[0]
    table = pq.read_table(part).slice(0, 4)
    for name, values in (
        ("answer_key", ["b", "a", "b", "a"]),
        ("gold_reward", [0.0, 1.0, 0.0, 1.0]),
    ):
        place = table.schema.get_field_index(name)
        table = table.set_column(
            place, table.schema.field(name), pa.array(values, table.schema.field(name).type)
        )
    pq.write_table(table, part)
    row = query(open_sweep(path), "SELECT * FROM groups WHERE phase = 'eval' AND step = 10").row(
        0, named=True
    )
    assert row["majority_correct"] == 0.5
    assert row["majority_key"] == "b"
    assert not row["majority_key_correct"]


def test_collapse_is_found_and_only_there(tmp_path: Path) -> None:
    path = write_fake_sweep(tmp_path, Shape(eval_prompts=32))
    summary = {
        r["variant"]: r for r in view(open_sweep(path), "variant_summary").iter_rows(named=True)
    }
    assert summary["srt-high-lr"]["collapsed"] == 3
    assert (summary["srt-high-lr"]["collapse_after"], summary["srt-high-lr"]["collapse_step"]) == (
        20,
        40,
    )
    assert summary["srt"]["collapsed"] == summary["gold"]["collapsed"] == 0


def test_metrics_do_not_scan_text(smoke: duckdb.DuckDBPyConnection) -> None:
    connection = smoke
    light = ("step_metrics", "eval_curves", "run_signals", "variant_summary", "prompt_outcomes")
    for name in light:
        plan = connection.execute(f"EXPLAIN (FORMAT JSON) SELECT * FROM {name}").fetchall()
        for node in _scans(json.loads(plan[0][1])):
            columns = node["extra_info"].get("Projections", [])
            assert not {"completion", "prompt", "gold_answer"} & set(columns), name


def _scans(nodes: list[dict]) -> list[dict]:  # type: ignore[type-arg]
    found = []
    for node in nodes:
        if "PARQUET" in node["name"]:
            found.append(node)
        found += _scans(node.get("children", []))
    return found


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys, srtbench.analysis.report, srtbench.analysis.export;"
        "print([m for m in ('torch', 'trl', 'transformers', 'srtbench.train') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_labels_that_no_completion_gave_are_judged_by_the_prompt(tmp_path: Path) -> None:
    path = write_fake_sweep(tmp_path, TINY, variants=["gold"], seeds=[0])
    assert set(
        query(open_sweep(path), "SELECT label_accuracy FROM step_metrics")["label_accuracy"]
    ) == {1.0}


def test_a_variant_without_labels_has_no_label_accuracy(fake: Path) -> None:
    rows = query(
        open_sweep(fake), "SELECT label_accuracy FROM step_metrics WHERE variant = 'random'"
    )
    assert rows["label_accuracy"].null_count() == rows.height


def test_rollouts_match_the_reader(fake: Path) -> None:
    run = next(fake.glob("*-srt-s0-*"))
    direct = read_rollouts(run / "rollouts", "train", ["train_reward"])
    counted = query(
        open_sweep(fake),
        "SELECT count(*) AS n FROM rollouts WHERE phase = 'train' AND run_id = $run_id",
        run_id=run.name,
    )
    assert counted["n"][0] == direct.num_rows


def test_a_finished_run_that_the_plan_does_not_name_is_listed(fake: Path) -> None:
    forgotten = next(fake.glob("*-srt-s0-*"))
    shutil.copytree(forgotten, fake / "old-run")
    connection = open_sweep(fake)
    assert view(connection, "unplanned_runs").rows() == [("fake", "old-run", "done", 20)]
    assert "old-run" not in view(connection, "runs")["run_id"]
    page = (write_report(fake, fake / "report") / "report.md").read_text(encoding="utf-8")
    assert "1 finished run here is not in this plan: old-run." in page


def test_the_kl_is_the_exact_one_where_the_loss_has_none(fake: Path) -> None:
    run = next(fake.glob("*-srt-s0-*"))
    named = [("kl", 1), ("on_policy/kl_to_start", 1), ("on_policy/kl_to_start", 2)]
    rows = [
        {"run_id": run.name, "step": step, "metric": name, "value": 0.1 * step + len(name)}
        for name, step in named
    ]
    write_parquet(pa.Table.from_pylist(rows, schema=METRIC_SCHEMA), run / "metrics.parquet")
    steps = view(open_sweep(fake), "step_metrics").filter(pl.col("run_id") == run.name)
    found = dict(steps.select("step", "kl").drop_nulls().rows())
    assert found == {1: pytest.approx(2.1), 2: pytest.approx(21.2)}
