"""Alarms, their record over many runs, and checkpoints chosen with and without labels."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtbench.stats import (
    ALARM_RULES,
    AlarmRule,
    CollapseReport,
    alarm_index,
    alarm_records,
    cross_fitted_stopping,
    diagnose_collapse,
    kept_checkpoints,
    label_free_checkpoint,
    rate_interval,
    stopping_rules,
)

STEPS = np.arange(0, 120, 10)


def run(collapses: bool, length_moves_at: int | None, evaluations: int = 12) -> CollapseReport:
    """A run that falls from evaluation 6 on, or not; its length moves by 30% from an evaluation."""
    place = np.arange(evaluations)
    accuracy = np.where((place >= 6) & collapses, 0.02, 0.8)
    moved = (place >= length_moves_at) if length_moves_at is not None else np.zeros(evaluations)
    length = np.where(moved, 13.0, 10.0)
    return diagnose_collapse(
        STEPS[:evaluations], accuracy, np.full(evaluations, 0.9), {"mean_length": length}
    )


def test_the_length_rule_rings_on_a_relative_change_of_a_tenth() -> None:
    rule = ALARM_RULES["mean_length"]
    assert alarm_index([10.0, 10.9, 9.1, 10.0], rule) is None
    assert alarm_index([10.0, 10.0, 11.1], rule) == 2
    assert alarm_index([math.nan, 200.0, 190.0, 178.0], rule) == 3


def test_relative_rules_to_one_side() -> None:
    values = [-2.0, -2.3, -1.5, -4.0]
    assert alarm_index(values, AlarmRule("outside", "relative", 0.2)) == 2
    assert alarm_index(values, AlarmRule("above", "relative", 0.2)) == 2
    assert alarm_index(values, AlarmRule("below", "relative", 0.2)) == 3
    with pytest.raises(ValueError, match="relative"):
        alarm_index(values, AlarmRule("outside", "level", 0.2))


def test_lead_counts_from_the_last_evaluation_that_had_not_begun_to_fall() -> None:
    """The fall lies between evaluations 5 and 6: an alarm at 6 comes late, one at 5 in time."""
    assert run(True, 6).onset is not None
    assert [run(True, at).lead_steps["mean_length"] for at in (3, 5, 6, 9)] == [20, 0, -10, -40]
    assert run(True, None).lead_steps["mean_length"] is None
    assert run(False, 3).lead_steps == {}
    assert run(False, 3).alarm_steps["mean_length"] == 30


def test_an_alarm_is_judged_by_warnings_and_by_false_alarms() -> None:
    reports = [
        *(run(True, at) for at in (3, 5, 8, None)),  # two in time, one late, one silent
        *(run(False, at) for at in (2, None, None)),  # one false alarm
        run(False, 1, evaluations=3),  # too short to be called healthy
    ]
    records = {record.signal: record for record in alarm_records(reports)}
    length = records["mean_length"]
    assert length.warned_rate == rate_interval(2, 4, unit="runs")
    assert length.false_alarm_rate == rate_interval(1, 3, unit="runs")
    assert length.leads == (20, 0, -30)
    assert str(length) == (
        "mean_length: warned in 2 of 4 collapsed runs, rang in 1 of 3 healthy ones"
    )
    assert records["train_reward"].leads == ()


def test_records_say_none_where_there_are_no_such_runs() -> None:
    (length,) = (r for r in alarm_records([run(True, 3)]) if r.signal == "mean_length")
    assert length.false_alarm_rate is None
    assert alarm_records([]) == ()


def test_runs_that_fell_with_their_reward_are_neither_healthy_nor_collapsed() -> None:
    accuracy = np.where(np.arange(12) >= 6, 0.02, 0.8)
    fell = diagnose_collapse(STEPS, accuracy, accuracy, {"mean_length": np.full(12, 10.0)})
    (length,) = (r for r in alarm_records([fell]) if r.signal == "mean_length")
    assert (length.false_alarm_rate, length.warned_rate) == (None, None)


def test_label_free_checkpoint_wants_agreement_at_the_starts_length() -> None:
    share = [0.5, 0.6, 0.7, 0.9, 1.0]
    length = [10.0, 10.1, 9.9, 9.5, 4.0]
    assert label_free_checkpoint(share, length) == 2  # later ones agree more, but in other lengths
    assert label_free_checkpoint(share, length, tolerance=0.05) == 3
    assert label_free_checkpoint(share, length, tolerance=1.0) == 4
    assert label_free_checkpoint([0.5, 0.7, 0.7], [10, 10, 10]) == 1  # the earliest of equals
    assert label_free_checkpoint([0.5, 0.4], [10, 3]) == 0  # the start always qualifies
    assert label_free_checkpoint([math.nan, 0.4, 0.6], [10, 20, 20.2]) == 2


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(1, 100)), min_size=1, max_size=12),
    st.floats(0, 1),
)
def test_label_free_checkpoint_is_its_definition(
    curve: list[tuple[float, float]], tolerance: float
) -> None:
    start = curve[0][1]
    steady = [i for i, (_, n) in enumerate(curve) if abs(n - start) <= tolerance * start]
    best = max(steady, key=lambda i: (curve[i][0], -i))
    shares, lengths = zip(*curve, strict=True)
    assert label_free_checkpoint(shares, lengths, tolerance) == best


def test_kept_checkpoints_are_those_before_the_alarm() -> None:
    kept = kept_checkpoints(
        {
            "vote_share": [0.5, 0.7, 0.9, 0.99],
            "mean_length": [10.0, 10.0, 9.0, 5.0],
            "kl": [2.0, 2.0, 2.0, 2.0],
            "repetition": None,
        },
        4,
    )
    assert kept == {"vote_share": 2, "mean_length": 2, "kl": 0, "label_free": 1}


def test_stopping_rules_score_the_label_free_choice() -> None:
    accuracy = [0.5, 0.7, 0.3, 0.0]
    signals = {"vote_share": [0.5, 0.7, 0.9, 0.97], "mean_length": [10.0, 10.0, 9.0, 5.0]}
    outcomes = {o.rule: o for o in stopping_rules([0, 10, 20, 30], accuracy, signals)}
    assert (outcomes["label_free"].step, outcomes["label_free"].regret) == (10, 0.0)
    assert outcomes["label_free"].alarmed
    assert outcomes["vote_share"].regret == pytest.approx(0.7)
    unlogged = stopping_rules([0, 10], [0.5, 0.6], {"vote_share": [0.5, math.nan],
                                                     "mean_length": [math.nan, 9.0]})  # fmt: skip
    assert "label_free" not in {o.rule for o in unlogged}


def every_split(cube: np.ndarray, num_labelled: int, kept: int) -> dict[str, tuple[float, float]]:
    """Accuracy and regret of each rule over all halves of the samples and all labelled sets."""
    _, prompts, samples = cube.shape
    found: dict[str, list[tuple[float, float]]] = {"best": [], "labelled_split": [], "kept": []}
    for half in combinations(range(samples), samples // 2):
        rest = [s for s in range(samples) if s not in half]
        for chooser, scorer in ((list(half), rest), (rest, list(half))):
            choice, score = cube[:, :, chooser].mean(axis=2), cube[:, :, scorer].mean(axis=2)
            best = choice.mean(axis=1).argmax()
            top = score.mean(axis=1)[best]
            found["best"].append((top, 0.0))
            found["kept"].append((score.mean(axis=1)[kept], top - score.mean(axis=1)[kept]))
            for labelled in combinations(range(prompts), num_labelled):
                others = [p for p in range(prompts) if p not in labelled]
                chosen = choice[:, list(labelled)].mean(axis=1).argmax()
                best_there = choice[:, others].mean(axis=1).argmax()
                scores = score[:, others].mean(axis=1)
                found["labelled_split"].append(
                    (scores[chosen], scores[best_there] - scores[chosen])
                )
    return {rule: tuple(np.mean(values, axis=0)) for rule, values in found.items()}


def test_cross_fitting_is_the_mean_over_every_split() -> None:
    rng = np.random.default_rng(0)
    cube = rng.binomial(1, np.array([0.4, 0.7, 0.6])[:, None, None], size=(3, 4, 4)).astype(float)
    outcomes = cross_fitted_stopping(
        [0, 10, 20], cube, rng, num_labelled=2, kept={"kept": 1}, num_splits=4000
    )
    assert [o.rule for o in outcomes] == ["best", "last", "labelled_split", "kept"]
    for rule, (accuracy, regret) in every_split(cube, 2, 1).items():
        (found,) = (o for o in outcomes if o.rule == rule)
        assert found.gold_accuracy == pytest.approx(accuracy, abs=0.01)
        assert found.regret == pytest.approx(regret, abs=0.01)


def test_a_flat_run_has_no_regret_once_choice_and_score_are_apart() -> None:
    """Twenty evaluations of one policy: the best of them is luck, and cross-fitting sees it."""
    naive, fitted = [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        cube = rng.binomial(1, 0.6, size=(20, 30, 8)).astype(float)
        naive.append(float(cube.mean(axis=(1, 2)).max() - cube[-1].mean()))
        outcomes = cross_fitted_stopping(STEPS_20, cube, rng, num_splits=20)
        fitted.append(next(o.regret for o in outcomes if o.rule == "last"))
    assert np.mean(naive) > 0.04
    assert abs(np.mean(fitted)) < 0.015


STEPS_20 = range(0, 200, 10)


def test_cross_fitting_finds_the_peak_of_a_collapse() -> None:
    rng = np.random.default_rng(1)
    curve = np.array([0.5, 0.7, 0.85, 0.4, 0.0])
    cube = rng.binomial(1, curve[:, None, None], size=(5, 64, 16)).astype(float)
    outcomes = {o.rule: o for o in cross_fitted_stopping(range(5), cube, rng, num_labelled=16)}
    assert outcomes["best"].step == outcomes["labelled_split"].step == 2
    assert outcomes["last"].regret == pytest.approx(0.85, abs=0.03)
    assert abs(outcomes["labelled_split"].regret) < 0.01
    whole = cross_fitted_stopping(range(5), cube, rng, num_labelled=64)  # no prompt left to score
    assert next(o for o in whole if o.rule == "labelled_split").step == 2


CUBE = np.zeros((2, 3, 4))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda rng: cross_fitted_stopping([0], CUBE, rng), "differ"),
        (lambda rng: cross_fitted_stopping([1, 0], CUBE, rng), "increase"),
        (lambda rng: cross_fitted_stopping([0, 1], CUBE + 2, rng), "between 0 and 1"),
        (lambda rng: cross_fitted_stopping([0, 1], CUBE[:, :, :1], rng), "two samples"),
        (lambda rng: cross_fitted_stopping([0, 1], CUBE, rng, num_labelled=4), "1 to 3"),
        (lambda rng: cross_fitted_stopping([0, 1], CUBE, rng, num_splits=0), "num_splits"),
        (lambda rng: cross_fitted_stopping([0, 1], CUBE, rng, kept={"x": 2}), "index 2"),
        (lambda rng: label_free_checkpoint([0.5], [1.0, 2.0]), "must be equal"),
        (lambda rng: label_free_checkpoint([math.nan], [1.0]), "need an evaluation"),
        (lambda rng: label_free_checkpoint([0.5], [0.0]), "positive"),
        (lambda rng: label_free_checkpoint([0.5], [1.0], -0.1), "negative"),
    ],
)
def test_errors_name_what_is_wrong(
    call: Callable[[np.random.Generator], object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        call(np.random.default_rng(0))
