"""One rule of collapse: what the views say in SQL is what diagnose_collapse says in numpy."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pytest

from srtbench.analysis import open_sweep, query, view
from srtbench.analysis.diagnosis import diagnose_runs, diagnosis_table
from srtbench.analysis.warehouse.views import relation
from srtbench.stats import CollapseReport, diagnose_collapse
from srtbench.stats.change_point import noise_scale
from tests.fake_sweep import Shape, write_fake_sweep
from tests.stats.test_collapse import observe, run_curve

SMOKE = Path(__file__).parents[1] / "fixtures" / "smoke"


@dataclass(frozen=True)
class Curve:
    """One simulated run."""

    accuracy: np.ndarray
    reward: np.ndarray
    noise: float

    @property
    def steps(self) -> np.ndarray:
        return 10 * np.arange(len(self.accuracy))

    def diagnosis(self) -> CollapseReport:
        noise = max(self.noise, noise_scale(self.accuracy))
        return diagnose_collapse(self.steps, self.accuracy, self.reward, noise=noise)


def simulated(number: int) -> Iterator[Curve]:
    """Runs that rise, drift, dip, fall at once or slowly, or jump about; rewards of every kind."""
    rng = np.random.default_rng(11)
    shapes = ("never", "sudden", "gradual", "slow_decay", "recover")
    for place in range(number):
        length = int(rng.integers(2, 40))
        prompts = int(rng.choice([16, 64, 400]))
        kind = str(rng.choice([*shapes, "any"]))
        if kind == "any":
            accuracy = rng.integers(0, prompts + 1, length) / prompts
        else:
            onset = int(rng.integers(1, max(2, length - 2)))
            accuracy = observe(run_curve(kind, length, onset, 4), prompts, rng)
        rising = np.clip(np.linspace(0.6, 1, length) + rng.normal(0, 0.03, length), 0, 1)
        reward = [rising, accuracy, np.full(length, 0.5), 0.5 * (rising + accuracy)][place % 4]
        if place % 5 == 0:
            reward = np.where(rng.random(length) < 0.3, np.nan, reward)
        if np.isnan(reward).all():
            continue
        yield Curve(accuracy, reward, float(rng.choice([0.0, 0.02, 0.4 / np.sqrt(prompts)])))


def summary_of(curves: list[Curve]) -> pl.DataFrame:
    """The view ``run_summary`` over made-up evaluations; run_id is the place in the list."""
    connection = duckdb.connect()
    signals = pl.concat(
        pl.DataFrame(
            {
                "sweep": "s",
                "run_id": f"{place:05}",
                "eval_set": "own",
                "prompts": 16,
                "step": curve.steps,
                "gold_reward": curve.accuracy,
                "avg_at_k": curve.accuracy,
                "maj_at_k": curve.accuracy,
                "train_reward": pl.Series(curve.reward).fill_nan(None),
                "gold_noise": curve.noise,
                "k": 8,
                "modal_share": 0.1,
                "modal_answer": "7",
                "total_steps": 100,
            }
        )
        for place, curve in enumerate(curves)
    )
    labels = ("model", "dataset", "variant", "variant_type", "state")
    runs = signals.select("sweep", "run_id").unique().with_columns(
        *(pl.lit("x").alias(name) for name in labels),
        *(pl.lit(0).alias(name) for name in ("variant_rank", "variant_order", "seed", "run_order")),
    )  # fmt: skip
    for name, table in (
        ("runs", runs),
        ("eval_curves", signals),
        ("step_metrics", signals),
        ("run_signals", signals),
        ("planned_eval_sets", runs.with_columns(eval_set=pl.lit("own"), set_order=pl.lit(0))),
        ("planned_runs", runs.with_columns(uses_gold=pl.lit(False))),
    ):
        connection.register(f"{name}_arrow", table.to_arrow())
        connection.execute(f"CREATE TABLE {name} AS SELECT * FROM {name}_arrow")
    connection.execute(f"CREATE VIEW eval_summary AS {relation('eval_summary').query}")
    return query(connection, f"SELECT * FROM ({relation('run_summary').query}) ORDER BY run_id")


@pytest.fixture(scope="module")
def judged() -> list[tuple[Curve, CollapseReport, dict[str, int | None]]]:
    curves = list(simulated(800))
    rows = summary_of(curves).iter_rows(named=True)
    return [(c, c.diagnosis(), row) for c, row in zip(curves, rows, strict=True)]


def test_views_and_numpy_agree_on_every_simulated_run(
    judged: list[tuple[Curve, CollapseReport, dict[str, int | None]]],
) -> None:
    for curve, report, row in judged:
        assert (row["fallen_step"] is not None) == report.accuracy_fell, curve
        assert (row["collapse_step"] is not None) == report.collapsed, curve
    fell = sum(report.accuracy_fell for _, report, _ in judged)
    collapsed = sum(report.collapsed for _, report, _ in judged)
    assert len(judged) > 750
    assert 50 < collapsed < fell - 50 < 600, "the runs test both answers"


def test_the_steps_of_the_views_are_beside_the_fitted_onset(
    judged: list[tuple[Curve, CollapseReport, dict[str, int | None]]],
) -> None:
    """The views bracket the loss of the first quarter; the fit says where the way down began."""
    distances = []
    for _, report, row in judged:
        if report.collapsed and report.onset is not None:
            after, by = row["fallen_after"], row["fallen_step"]
            assert after is not None
            assert by == after + 10
            distances.append(abs(by - report.onset.step) // 10)
    assert np.mean(np.array(distances) <= 1) > 0.8
    assert np.median(distances) == 0


def test_they_agree_on_real_runs() -> None:
    sweep = open_sweep(SMOKE, snapshot=True)
    collapsed = {labels["run_id"]: report.collapsed for labels, report in diagnose_runs(sweep)}
    rows = view(sweep, "run_summary").iter_rows(named=True)
    assert {row["run_id"]: row["collapse_step"] is not None for row in rows} == collapsed
    assert sum(collapsed.values()) == 2


def test_they_agree_on_a_sweep_with_failed_and_unfinished_runs(tmp_path: Path) -> None:
    path = write_fake_sweep(
        tmp_path,
        Shape(every=10, prompts_per_step=2, generations=4),
        states={("srt-high-lr", 0): "failed", ("gold", 1): "waiting", ("random", 2): "running"},
    )
    sweep = open_sweep(path, snapshot=True)
    found = diagnosis_table(sweep).select("run_id", "collapsed")
    both = view(sweep, "run_summary").join(found, on="run_id", how="left")
    said = both.select(pl.col("collapse_step").is_not_null())["collapse_step"]
    assert said.to_list() == both["collapsed"].fill_null(False).to_list()
    assert said.sum() >= 2
