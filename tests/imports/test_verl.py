"""verl's dumps: the smoke sweep written as verl writes and read back is the same sweep."""

from pathlib import Path

import duckdb
import polars as pl
import pytest

import srtbench
from srtbench.analysis.diagnosis import diagnose_runs
from tests.imports.logs import SMOKE, smoke_rows, write_lines, write_verl

LABELS = {
    "tiny-spell-backward-6-srt-s0-64ddfd76": "srt",
    "tiny-spell-backward-6-gold-s0-df2e460f": "gold",
    "tiny-spell-backward-6-srt-high-lr-s0-16076d2f": "srt-high-lr",
}
CURVE = (
    "SELECT variant, eval_set, step, prompts, k, round(avg_at_k, 9) AS avg, "
    "round(maj_at_k, 9) AS maj, round(pass_at_k, 9) AS pass, round(modal_share, 9) AS modal, "
    "round(majority_ratio, 9) AS ratio, round(unparsable_share, 9) AS unparsable "
    "FROM eval_curves WHERE step IS NOT NULL ORDER BY variant, step"
)
COLLAPSE = "SELECT variant, fallen_step, collapse_step FROM run_summary ORDER BY variant"


@pytest.fixture(scope="module")
def original() -> duckdb.DuckDBPyConnection:
    return srtbench.open_sweep(SMOKE)


@pytest.fixture(scope="module", params=["v1", "legacy"])
def imported(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path]:
    folder = tmp_path_factory.mktemp(request.param)
    for run_id, variant in LABELS.items():
        log = write_verl(smoke_rows(run_id), folder / "logs" / variant, request.param)
        srtbench.import_rollouts(
            log,
            out=folder / "theirs",
            labels={"model": "tiny", "variant": variant, "seed": 0},
            answer_kind="text",
        )
    return request.param, folder / "theirs"


def kept(connection: duckdb.DuckDBPyConnection, sql: str) -> pl.DataFrame:
    return connection.sql(sql).pl().filter(pl.col("variant").is_in(list(LABELS.values())))


def test_the_curves_and_the_collapse_are_those_of_the_sweep(
    imported: tuple[str, Path], original: duckdb.DuckDBPyConnection
) -> None:
    found = srtbench.open_sweep(imported[1])
    assert kept(found, CURVE).equals(kept(original, CURVE))
    assert kept(found, COLLAPSE).equals(kept(original, COLLAPSE))


def test_the_kind_of_the_collapse_is_the_same_but_for_what_needs_token_counts(
    imported: tuple[str, Path], original: duckdb.DuckDBPyConnection
) -> None:
    def kinds(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
        return {run["variant"]: report.kind for run, report in diagnose_runs(connection)}

    theirs, ours = kinds(srtbench.open_sweep(imported[1])), kinds(original)
    assert ours["srt-high-lr"] == "length", "from 8.9 tokens to 4.0"
    assert theirs == {name: ours[name] for name in theirs} | {"srt-high-lr": "shortcut"}


def test_labels_are_those_of_training_where_the_log_keeps_the_order(
    imported: tuple[str, Path], original: duckdb.DuckDBPyConnection
) -> None:
    layout, folder = imported
    sql = (
        "SELECT variant, avg(label_accuracy) AS value, count(label_accuracy) AS steps "
        "FROM step_metrics GROUP BY variant ORDER BY variant"
    )
    theirs, ours = (kept(one, sql) for one in (srtbench.open_sweep(folder), original))
    values = dict(zip(theirs["variant"], theirs["value"], strict=True))
    truth = dict(zip(ours["variant"], ours["value"], strict=True))
    near = 1e-9 if layout == "v1" else 0.003
    assert values["srt"] == pytest.approx(truth["srt"], abs=near)
    assert values["gold"] is None, "a gold answer is no pseudo-label"


def test_what_the_log_cannot_tell_is_said_and_null(imported: tuple[str, Path]) -> None:
    layout, folder = imported
    connection = srtbench.open_sweep(folder)
    caveats = connection.sql("SELECT caveat FROM runs").fetchall()
    for (caveat,) in caveats:
        assert "token counts" in caveat
        assert "truncation" in caveat
        assert ("another order" in caveat) == (layout == "legacy")
    sql = "SELECT count(completion_tokens), count(truncated), count(policy_step) FROM rollouts"
    assert connection.sql(sql).fetchall() == [(0, 0, 0)]
    sql = "SELECT count(truncated_share), count(completion_tokens) FROM eval_curves"
    assert connection.sql(sql).fetchall() == [(0, 0)]


def test_samples_of_ten_and_more_stand_in_their_order(tmp_path: Path) -> None:
    """verl sorts uids as text, so sample 10 stands before sample 2."""
    records = [
        {"input": "p", "output": f"\\boxed{{{n}}}", "gts": "3", "score": 0.0, "step": 1,
         "uid": f"ab_{n}_0"}
        for n in range(12)
    ]  # fmt: skip
    log = write_lines(tmp_path / "1.jsonl", sorted(records, key=lambda one: str(one["uid"])))
    result = srtbench.import_rollouts(log, out=tmp_path / "out", labels={"variant": "srt"})
    assert result.rows == 12
    rows = srtbench.open_sweep(tmp_path / "out").sql(
        "SELECT answer_key, pseudo_label FROM rollouts ORDER BY sample_index"
    )
    assert rows.fetchall() == [(str(n), "0") for n in range(12)]
