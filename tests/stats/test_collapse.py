"""Collapse detection, stopping rules and the vote-flip ledger on simulated runs."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtbench.stats import (
    ALARM_RULES,
    AlarmRule,
    alarm_index,
    diagnose_collapse,
    fall_point,
    labelled_split_choice,
    stopping_rules,
)


def run_curve(
    shape: str, length: int, onset: int, width: int = 1, top: float = 0.85, bottom: float = 0.02
) -> np.ndarray:
    """Expected gold accuracy: a saturating rise, then the fall of ``shape`` from ``onset`` on."""
    t = np.arange(length)
    curve = top - (top - 0.5) * np.exp(-t / 4)
    if shape == "sudden":
        curve[onset:] = bottom
    elif shape == "gradual":
        knee = onset - 1
        ramp = curve[knee] - (curve[knee] - bottom) * (t - knee) / width
        curve = np.where(t > knee, np.maximum(ramp, bottom), curve)
    elif shape == "recover":
        curve[onset : onset + 4] = bottom
    elif shape == "slow_decay":
        curve = curve - 0.05 * t / length
    return curve


def observe(curve: np.ndarray, num_prompts: int, rng: np.random.Generator) -> np.ndarray:
    return rng.binomial(num_prompts, curve) / num_prompts


@pytest.mark.parametrize("num_prompts", [32, 200])
@pytest.mark.parametrize(
    ("shape", "length"),
    [
        *product(["never", "slow_decay"], [4, 6, 10, 20, 60]),
        *product(["recover"], [10, 20, 60]),
    ],
)
def test_no_false_alarms(shape: str, length: int, num_prompts: int) -> None:
    rng = np.random.default_rng([length, num_prompts])
    alarms = 0
    for _ in range(100):
        onset = int(rng.integers(2, max(3, length - 7)))
        values = observe(run_curve(shape, length, onset), num_prompts, rng)
        alarms += fall_point(values) is not None
    assert alarms == 0


@pytest.mark.parametrize(
    ("shape", "width", "length", "num_prompts", "least_share"),
    [
        ("sudden", 1, 6, 32, 1.0),
        ("sudden", 1, 12, 32, 0.98),
        ("sudden", 1, 60, 200, 1.0),
        ("gradual", 4, 20, 100, 0.98),
        ("gradual", 4, 60, 200, 0.98),
        ("gradual", 10, 40, 200, 0.95),
        ("gradual", 25, 100, 400, 0.9),
    ],
)
def test_onset_lies_within_one_evaluation(
    shape: str, width: int, length: int, num_prompts: int, least_share: float
) -> None:
    rng = np.random.default_rng([width, length, num_prompts])
    close, covered, found = [], [], 0
    repeats = 100
    for _ in range(repeats):
        onset = int(rng.integers(2, length - max(2, width)))
        values = observe(run_curve(shape, length, onset, width), num_prompts, rng)
        fall = fall_point(values, noise=0.4 / math.sqrt(num_prompts) if length < 8 else None)
        if fall is None:
            continue
        found += 1
        close.append(abs(fall.index - onset) <= 1)
        covered.append(fall.low_index <= onset <= fall.high_index)
        assert fall.low_index < fall.index <= fall.high_index
    assert found >= 0.97 * repeats
    assert np.mean(close) >= least_share
    assert np.mean(covered) >= 0.9


def test_known_noise_protects_short_runs() -> None:
    rng = np.random.default_rng(6)
    noise = math.sqrt(0.3 * 0.7 / 32)
    runs = [rng.binomial(32, 0.3, size=6) / 32 for _ in range(500)]
    assert sum(fall_point(run, noise=noise) is not None for run in runs) == 0
    assert sum(fall_point(run) is not None for run in runs) <= 10  # without: rare, not never


def test_fall_point_after_a_recovery_is_the_last_fall() -> None:
    curve = np.array([0.8] * 6 + [0.1] * 3 + [0.75] * 6 + [0.05] * 6)
    fall = fall_point(curve)
    assert fall is not None
    assert fall.index == 15


def test_rise_and_fall_without_a_plateau() -> None:
    rise = np.linspace(0.505, 0.86, 5)
    fall = fall_point(np.concatenate([rise, np.linspace(0.86, 0.37, 29)[1:]]))
    assert fall is not None
    assert fall.index == 5
    assert fall.level_before == pytest.approx(0.86, abs=0.01)
    assert fall.level_after == pytest.approx(0.37, abs=0.02)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_fall_point_is_sane_on_any_curve(values: list[float]) -> None:
    fall = fall_point(values)
    if fall is not None:
        assert 0 <= fall.low_index < fall.index <= fall.high_index < len(values)
    assert fall_point(sorted(values)) is None  # a rising curve does not fall


STEPS = np.arange(0, 200, 10)
ACCURACY = run_curve("sudden", 20, 10)


def collapse_signals(**overrides: np.ndarray) -> dict[str, np.ndarray]:
    signals = {
        "modal_share": np.full(20, 0.03),
        "answer_entropy": np.linspace(1.5, 0.2, 20),
        "mean_length": np.full(20, 40.0),
        "repetition": np.full(20, 0.05),
        "kl": np.linspace(0.0, 0.5, 20),
    }
    return signals | overrides


def after_onset(before: float, after: float, index: int = 10) -> np.ndarray:
    return np.where(np.arange(20) >= index, after, before)


RISING = np.linspace(0.7, 1.0, 20)


@pytest.mark.parametrize(
    ("signals", "reward", "kind"),
    [
        (collapse_signals(modal_share=after_onset(0.03, 0.99)), RISING, "constant_answer"),
        (collapse_signals(repetition=after_onset(0.05, 0.8)), RISING, "repetition"),
        (collapse_signals(mean_length=after_onset(40.0, 8.0)), RISING, "length"),
        (collapse_signals(mean_length=after_onset(40.0, 120.0)), RISING, "length"),
        (collapse_signals(), RISING, "shortcut"),
        (collapse_signals(answer_entropy=np.full(20, 1.5)), np.full(20, 0.5), "noise"),
        ({}, RISING, "shortcut"),
    ],
)
def test_kind_of_collapse(signals: dict[str, np.ndarray], reward: np.ndarray, kind: str) -> None:
    report = diagnose_collapse(STEPS, ACCURACY, reward, signals)
    assert report.collapsed
    assert report.kind == kind
    assert report.reasons
    assert report.onset is not None
    assert (report.onset.low, report.onset.step, report.onset.high) == (90, 100, 100)
    assert report.gap_onset is not None
    assert report.gap_onset.step == 100
    assert (report.last_step, report.last_accuracy) == (190, 0.02)
    assert (report.best_step, report.best_accuracy) == (90, ACCURACY.max())


def test_constant_answer_like_the_published_collapse() -> None:
    """Accuracy 0 by step 50 and every prompt answered alike with reward 1."""
    report = diagnose_collapse(
        steps=[0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100],
        gold_accuracy=[0.61, 0.66, 0.55, 0.2, 0.04, 0, 0, 0, 0, 0, 0],
        train_reward=[math.nan, 0.72, 0.75, 0.7, 0.8, 0.9, 0.95, 1, 1, 1, 1],
        signals={
            "modal_share": [0.01, 0.01, 0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 1, 1, 1],
            "kl": None,
        },
        num_labelled=10,
    )
    assert report.collapsed
    assert report.kind == "constant_answer"
    assert report.onset is not None
    assert report.onset.step in (20, 30)
    assert report.onset.low <= 20
    assert report.lead_steps["modal_share"] == report.onset.low - 40
    assert report.alarm_steps["modal_share"] == 40
    assert {o.rule for o in report.stopping} == {
        "best", "last", "labelled_split", "train_reward", "modal_share"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("variant", "accuracy", "reward", "entropy", "length", "kind"),
    [
        (
            "gold",
            [0.48, 0.66, 0.73, 0.78, 0.80, 0.84],
            [0.57, 0.72, 0.71, 0.75, 0.81, 0.85],
            [1.27, 0.88, 0.70, 0.64, 0.59, 0.49],
            [9.0] * 6,
            "none",
        ),
        (
            "srt",
            [0.48, 0.58, 0.65, 0.70, 0.71, 0.73],
            [0.65, 0.71, 0.72, 0.76, 0.78, 0.81],
            [1.27, 0.92, 0.78, 0.68, 0.65, 0.60],
            [9.0] * 6,
            "none",
        ),
        (
            "srt, learning rate 1e-3",
            [0.48, 0.0, 0.0, 0.0, 0.0, 0.0],
            [0.64, 0.74, 0.87, 0.98, 0.99, 0.99],
            [1.27, 0.63, 0.44, 0.03, 0.04, 0.02],
            [9.0, 5.9, 5.0, 4.0, 4.1, 4.0],
            "length",
        ),
        (
            "random",
            [0.48, 0.29, 0.06, 0.02, 0.03, 0.03],
            [0.50, 0.50, 0.49, 0.48, 0.49, 0.50],
            [1.27, 1.64, 2.13, 2.37, 2.34, 2.36],
            [9.0, 9.3, 10.5, 11.0, 10.7, 10.8],
            "noise",
        ),
    ],
)
def test_tiny_model_runs_are_told_apart(
    variant: str,
    accuracy: list[float],
    reward: list[float],
    entropy: list[float],
    length: list[float],
    kind: str,
) -> None:
    """Curves of real 100-step runs of a tiny model that spells words backward."""
    report = diagnose_collapse(
        range(0, 101, 20), accuracy, reward, {"answer_entropy": entropy, "mean_length": length}
    )
    assert (report.kind, report.collapsed) == (kind, kind != "none"), variant
    if report.collapsed:
        assert report.onset is not None
        assert (report.onset.low, report.onset.step) == (0, 20)


def test_no_collapse_when_the_reward_falls_too() -> None:
    report = diagnose_collapse(STEPS, ACCURACY, ACCURACY)
    assert not report.collapsed
    assert report.kind == "none"
    assert report.accuracy_fell
    assert not report.reward_held
    assert report.onset is not None
    assert report.gap_onset is None


def test_healthy_gold_like_runs_never_alarm() -> None:
    rng = np.random.default_rng(5)
    for _ in range(200):
        accuracy = observe(run_curve("never", 20, 0), 64, rng)
        report = diagnose_collapse(STEPS, accuracy, observe(run_curve("never", 20, 0), 256, rng))
        assert not report.collapsed
        assert not report.accuracy_fell
        assert report.gap_onset is None
        assert (report.kind, report.onset, report.lead_steps) == ("none", None, {})


def test_short_runs_are_not_judged() -> None:
    report = diagnose_collapse([0, 10, 20], [0.8, 0.1, 0.0], [0.8, 0.9, 1.0])
    assert not report.collapsed
    assert report.reasons == ("3 evaluations are too few to judge, 4 are needed",)
    assert [o.rule for o in report.stopping[:2]] == ["best", "last"]


def test_stopping_rules_report_best_and_last_first() -> None:
    signals = {"modal_share": after_onset(0.03, 0.9, index=12), "repetition": np.full(20, 0.1)}
    outcomes = {o.rule: o for o in stopping_rules(STEPS, ACCURACY, signals, num_labelled=50)}
    assert list(outcomes) == ["best", "last", "labelled_split", "modal_share", "repetition"]
    assert outcomes["best"].regret == 0.0
    assert outcomes["last"].regret == pytest.approx(ACCURACY.max() - 0.02)
    assert (outcomes["modal_share"].step, outcomes["modal_share"].alarmed) == (110, True)
    assert (outcomes["repetition"].step, outcomes["repetition"].alarmed) == (190, False)
    assert 0.0 < outcomes["labelled_split"].regret < 0.1
    assert all(o.regret >= 0 for o in outcomes.values())


def test_labelled_split_choice_equals_enumeration() -> None:
    accuracy, m = [0.3, 0.9, 0.6, 1.0, 0.0], 3
    expected = np.zeros(5)
    for scores in product(range(m + 1), repeat=5):
        chance = math.prod(
            math.comb(m, x) * a**x * (1 - a) ** (m - x)
            for x, a in zip(scores, accuracy, strict=True)
        )
        expected[int(np.argmax(scores))] += chance
    np.testing.assert_allclose(labelled_split_choice(accuracy, m), expected, atol=1e-12)


def test_larger_labelled_splits_choose_better() -> None:
    accuracy = np.array([0.5, 0.7, 0.86, 0.8, 0.6, 0.37])
    regrets = [0.86 - float(labelled_split_choice(accuracy, m) @ accuracy) for m in (1, 5, 30, 500)]
    assert regrets == sorted(regrets, reverse=True)
    assert regrets[-1] < 0.01
    assert labelled_split_choice([0.5], 100_000).tolist() == [1.0]


def test_alarm_rules() -> None:
    values = [math.nan, 1.0, 1.0, 1.1, 2.5, 0.4]
    assert alarm_index(values, AlarmRule("above", "level", 2.0)) == 4
    assert alarm_index(values, AlarmRule("above", "shift", 0.05)) == 3
    assert alarm_index(values, AlarmRule("below", "ratio", 0.5)) == 5
    assert alarm_index(values, AlarmRule("outside", "ratio", 3.0)) is None
    assert alarm_index(values, AlarmRule("outside", "ratio", 2.0)) == 4
    assert alarm_index([math.nan], AlarmRule("above", "level", 0.0)) is None


def test_custom_rules_may_leave_the_reward_out() -> None:
    rules = {"kl": AlarmRule("above", "level", 0.2)}
    report = diagnose_collapse(STEPS, ACCURACY, RISING, {"kl": np.linspace(0, 1, 20)}, rules=rules)
    assert report.lead_steps == {"train_reward": -70, "kl": 50}  # the onset's lower bound is 90


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0, 10], [0.5], [0.5, 0.5]), "differ"),
        (([0, 10, 10], [0.5] * 3, [0.5] * 3), "steps must increase"),
        (([0, 10], [0.5, 1.5], [0.5, 0.5]), "between 0 and 1"),
        (([0, 10], [0.5, math.nan], [0.5, 0.5]), "NaN"),
        (([0, 10], [0.5, 0.5], [math.nan] * 2), "no finite"),
        (([0, 10], [0.5, 0.5], [0.5]), "train_reward must have shape"),
        (([0, 10], [0.5, 0.5], [0.5, 0.5], {"entropy": [1, 1]}), "no alarm rule for entropy"),
    ],
)
def test_diagnosis_names_what_is_wrong(arguments: tuple[object, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        diagnose_collapse(*arguments)  # type: ignore[arg-type]


def test_other_errors() -> None:
    with pytest.raises(ValueError, match="num_labelled"):
        labelled_split_choice([0.5], 0)
    with pytest.raises(ValueError, match="between 0 and 1"):
        labelled_split_choice([1.5], 3)
    with pytest.raises(ValueError, match="ratio"):
        alarm_index([1.0], AlarmRule("outside", "shift", 2.0))
    with pytest.raises(ValueError, match="one dimension"):
        alarm_index([[1.0]], ALARM_RULES["kl"])
    with pytest.raises(ValueError, match="negative"):
        fall_point([1.0] * 5, min_drop=-1)
