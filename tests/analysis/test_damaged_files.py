"""Only parts that keep to the schema count: anything else is named and changes no number."""

import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from polars.testing import assert_frame_equal

from srtbench.analysis import open_sweep
from srtbench.analysis.frames import view
from srtbench.analysis.warehouse.open import CorruptFileWarning
from srtbench.rollouts import SCHEMA_VERSION, part_files
from tests.fake_sweep import Shape, write_fake_sweep

TINY = Shape(steps=10, every=5, prompts_per_step=2, generations=4, eval_prompts=6, eval_samples=4)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_fake_sweep(tmp_path_factory.mktemp("clean"), TINY, variants=["srt"], seeds=[0])


@pytest.fixture
def sweep(clean: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    shutil.copytree(clean.parent, tmp_path / "runs")
    return tmp_path / "runs" / clean.name


def rollouts(sweep: Path) -> Path:
    return next(sweep.glob("*-srt-s0-*")) / "rollouts"


def better(part: Path, to: Path) -> None:
    """A part whose completions are all right, under another name."""
    table = pq.read_table(part)
    place = table.schema.get_field_index("gold_reward")
    ones = pa.array([1.0] * table.num_rows, pa.float32())
    pq.write_table(table.set_column(place, table.schema.field(place), ones), to)


@pytest.mark.parametrize(
    "name", ["extra.parquet", "eval-00000010-00000010 (1).parquet", "eval-1-2.parquet", "notes.txt"]
)
def test_a_foreign_file_is_named_and_changes_no_number(sweep: Path, clean: Path, name: str) -> None:
    folder = rollouts(sweep)
    better(part_files(folder, "eval")[-1], folder / name)
    with pytest.warns(CorruptFileWarning, match="not a part of the log") as caught:
        connection = open_sweep(sweep)
    assert name in str(caught[0].message)
    damaged = view(connection, "damaged_files").row(0, named=True)
    assert damaged["file"] == f"{sweep.name}/{folder.parent.name}/rollouts/{name}"
    for table in ("eval_curves", "step_metrics", "run_summary"):
        assert_frame_equal(view(connection, table), view(open_sweep(clean), table))


def test_a_foreign_file_beside_the_shared_start(sweep: Path, clean: Path) -> None:
    folder = next((sweep.parent / "_stages").glob("base_eval-*")) / "rollouts"
    better(part_files(folder)[0], folder / "extra.parquet")
    with pytest.warns(CorruptFileWarning, match=r"extra\.parquet"):
        connection = open_sweep(sweep)
    curves = view(connection, "eval_curves")
    assert_frame_equal(curves, view(open_sweep(clean), "eval_curves"))


def newer(table: pa.Table) -> pa.Table:
    version = str(SCHEMA_VERSION + 1)
    return table.replace_schema_metadata({"srtbench_schema_version": version})


def retyped(table: pa.Table) -> pa.Table:
    place = table.schema.get_field_index("step")
    return table.set_column(place, "step", table["step"].cast(pa.string()))


BREACHES: dict[str, tuple[Callable[[pa.Table], pa.Table], str]] = {
    "newer": (newer, f"its schema has version {SCHEMA_VERSION + 1}"),
    "other names": (
        lambda t: t.rename_columns([f"x_{n}" for n in t.column_names]),
        "has no column",
    ),
    "no key": (lambda t: t.drop_columns(["answer_key"]), "has no column answer_key"),
    "another type": (retyped, "column step has type BYTE_ARRAY, not INT32"),
    "bytes": (
        lambda t: t.set_column(10, "answer_key", t["answer_key"].cast(pa.binary())),
        "column answer_key has type bytes",
    ),
}


@pytest.mark.parametrize("kind", BREACHES)
def test_a_part_of_another_schema_is_left_out(sweep: Path, kind: str) -> None:
    change, reason = BREACHES[kind]
    part = part_files(rollouts(sweep), "train")[0]
    table = pq.read_table(part)
    if kind == "bytes":
        assert table.column_names[10] == "answer_key"
    pq.write_table(change(table), part)
    with pytest.warns(CorruptFileWarning, match=part.name):
        connection = open_sweep(sweep)
    assert view(connection, "damaged_files")["reason"][0].startswith(reason)
    steps = view(connection, "step_metrics")
    assert steps["step"].min() == 6
    assert steps["gold_reward"].null_count() == 0


def test_prompts_of_another_schema_are_left_out(sweep: Path) -> None:
    file = next((sweep.parent / "_stages").glob("eval_prompts-*")) / "prompts.parquet"
    pl.DataFrame({"prompt_id": ["a"]}).write_parquet(file)
    with pytest.warns(CorruptFileWarning, match=r"prompts\.parquet"):
        connection = open_sweep(sweep)
    assert view(connection, "damaged_files")["reason"][0].startswith("has no column dataset")
    assert "own" not in set(view(connection, "prompts")["eval_set"])


def test_version_2_has_all_sets_in_one_folder(sweep: Path) -> None:
    """Rollouts of a set among the own ones, told apart by the column ``eval_set``."""
    run = next(sweep.glob("*-srt-s0-*"))
    plan = (sweep / "plan.json").read_text(encoding="utf-8")
    (sweep / "plan.json").write_text(plan.replace('"eval_sets": []', '"eval_sets": ["math"]'))
    before = view(open_sweep(sweep), "eval_curves").filter(pl.col("eval_set") == "own")
    for part in part_files(run / "rollouts"):
        rows = pl.read_parquet(part)
        own = pl.when(pl.col("phase") == "eval").then(pl.lit("own")).alias("eval_set")
        rows = rows.drop("eval_set", strict=False).with_columns(own)
        if part.name.startswith("eval"):
            further = rows.with_columns(
                gold_reward=pl.lit(1.0, pl.Float32), eval_set=pl.lit("math")
            )
            rows = pl.concat([rows, further])
        rows.write_parquet(part)
    connection = open_sweep(sweep)
    curves = view(connection, "eval_curves")
    assert_frame_equal(curves.filter(pl.col("eval_set") == "own"), before)
    math = curves.filter(pl.col("eval_set") == "math")
    assert math["step"].to_list() == [5, 10]
    assert set(math["avg_at_k"]) == {1.0}
