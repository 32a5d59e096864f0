"""Collapse diagnosis of one run: did it, from which step, in which way, and what gave warning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from srtbench.stats._validate import FloatArray, IntArray
from srtbench.stats.alarms import ALARM_RULES, AlarmRule, alarm_index, signal_arrays
from srtbench.stats.change_point import MIN_EVALUATIONS, FallPoint, fall_point, running_median
from srtbench.stats.stopping import StopOutcome, curve_inputs, stopping_rules

CollapseKind = Literal["constant_answer", "noise", "repetition", "length", "shortcut", "none"]

REWARD_TOLERANCE = 0.1
"""Most that train_reward may lose, in 0..1, and still count as held (never over half the fall)."""


@dataclass(frozen=True)
class Onset:
    """Where a fall began, in training steps: after ``low`` and by ``high``, best guess ``step``."""

    step: int
    """First evaluation already on the way down."""
    low: int
    high: int


@dataclass(frozen=True)
class Change:
    """A signal's median before the onset and at the end, in the signal's unit.

    For train_reward: up to the last evaluation at three quarters of the height, and at the end.
    """

    before: float
    after: float


@dataclass(frozen=True)
class CollapseReport:
    """What :func:`diagnose_collapse` found. Steps are training steps, accuracies shares in 0..1."""

    collapsed: bool
    kind: CollapseKind
    accuracy_fell: bool
    """Gold accuracy fell for good, whether or not train_reward fell with it."""
    reward_held: bool
    onset: Onset | None
    """From gold accuracy; also given when accuracy fell without a collapse."""
    gap_onset: Onset | None
    """From the gap train_reward - gold_accuracy, which opens as a run collapses."""
    best_step: int
    best_accuracy: float
    last_step: int
    last_accuracy: float
    changes: Mapping[str, Change]
    """Per signal, with train_reward and gold_accuracy; empty where accuracy did not fall."""
    reasons: tuple[str, ...]
    """The evidence in sentences, the deciding one first."""
    lead_steps: Mapping[str, int | None]
    """``onset.low`` minus alarm step per signal, empty where accuracy did not fall: positive rang
    while accuracy had certainly not begun to fall, None never rang."""
    stopping: tuple[StopOutcome, ...]
    alarm_steps: Mapping[str, int | None]
    """Step at which each signal first rang, whether or not accuracy fell; None never rang."""
    judged: bool
    """Whether there were evaluations enough to say that accuracy did not fall."""
    num_labelled: int | None = None
    """Size of the labelled split among the stopping rules; None: there is none."""


def diagnose_collapse(
    steps: ArrayLike,
    gold_accuracy: ArrayLike,
    train_reward: ArrayLike,
    signals: Mapping[str, ArrayLike | None] | None = None,
    *,
    num_labelled: int | None = None,
    min_drop: float = 0.1,
    min_relative_drop: float = 0.2,
    noise: float | None = None,
    rules: Mapping[str, AlarmRule] = ALARM_RULES,
) -> CollapseReport:
    """Decide whether a run collapsed: gold accuracy falls for good while train_reward holds.

    The fall and its onset are :func:`fall_point` of gold accuracy, a second onset that of the gap
    gold_accuracy - train_reward. train_reward holds if its median over the last evaluations is
    within ``REWARD_TOLERANCE``, or half the fall in accuracy if that is less, of its median up to
    the last evaluation at three quarters of the height lost. Where both fall the run got worse
    without collapsing: kind "none".

    Kinds, the first that fits, each by medians before the onset and at the end:

    - constant_answer: modal_share ends at 0.5 or more and has at least doubled or gained 0.3.
    - noise: train_reward stayed within a band of 0.1 all along, below 0.9, and the answers did not
      concentrate (answer_entropy kept half its value): the reward carries no information, as
      random rewards do (Shao et al. 2025, arXiv 2506.10947). The policy learns nothing from it
      and forgets; by the definition above this is a collapse too.
    - repetition: ends at 0.3 or more, up by 0.2 or more.
    - length: mean_length has at least doubled or halved.
    - shortcut: none of these; answers still depend on the prompt, agree with each other and are
      wrong.

    Args:
        steps: (evaluations,) increasing integers.
        gold_accuracy: (evaluations,) mean gold_reward on evaluation prompts, 0..1.
        train_reward: (evaluations,) mean train_reward around each step; NaN where not logged.
        signals: as :func:`stopping_rules`; train_reward is added by itself.
        num_labelled: size of the labelled split among the stopping rules; None leaves it out.
        min_drop, min_relative_drop: least fall in accuracy, absolute and as a share of the peak.
        noise: standard deviation of one evaluation of gold_accuracy where known, as
            :func:`fall_point`; give it for short runs.
        rules: alarm per signal name.

    Raises:
        ValueError: shapes differ, steps do not increase, accuracies outside 0..1, no finite
            train_reward, or a signal without a rule.
    """
    step_array, accuracy = curve_inputs(steps, gold_accuracy)
    rules = {"train_reward": ALARM_RULES["train_reward"], **rules}
    given = {**(signals or {}), "train_reward": train_reward}
    arrays = signal_arrays(given, len(accuracy), rules)
    if "train_reward" not in arrays:
        raise ValueError("train_reward has no finite value")
    reward = arrays["train_reward"]
    fall = fall_point(accuracy, min_drop, min_relative_drop, noise=noise)
    gap_fall = _gap_fall(accuracy, reward, min_drop)
    changes: dict[str, Change] = {}
    held = True
    kind: CollapseKind = "none"
    reasons: tuple[str, ...] = ("gold accuracy did not fall for good",)
    if len(accuracy) < MIN_EVALUATIONS:
        reasons = (
            f"{len(accuracy)} evaluations are too few to judge, {MIN_EVALUATIONS} are needed",
        )
    if fall is not None:
        curves = {"gold_accuracy": accuracy, **arrays}
        changes = {name: _change(values, fall.index) for name, values in curves.items()}
        changes["train_reward"] = _change(reward, fall.last_high_index + 1)
        held = _holds(changes["train_reward"], fall)
        kind, reasons = _classify(changes, reward) if held else ("none", _not_held(changes))
    alarms = {name: alarm_index(values, rules[name]) for name, values in arrays.items()}
    alarm_steps = {name: None if at is None else int(step_array[at]) for name, at in alarms.items()}
    leads: dict[str, int | None] = {}
    if fall is not None:
        before = int(step_array[fall.low_index])
        leads = {name: None if at is None else before - at for name, at in alarm_steps.items()}
    best = int(accuracy.argmax())
    return CollapseReport(
        collapsed=fall is not None and held,
        kind=kind,
        accuracy_fell=fall is not None,
        reward_held=held,
        onset=_onset(fall, step_array),
        gap_onset=_onset(gap_fall, step_array),
        best_step=int(step_array[best]),
        best_accuracy=float(accuracy[best]),
        last_step=int(step_array[-1]),
        last_accuracy=float(accuracy[-1]),
        changes=changes,
        reasons=reasons,
        lead_steps=leads,
        stopping=stopping_rules(step_array, accuracy, arrays, num_labelled, rules),
        alarm_steps=alarm_steps,
        judged=len(accuracy) >= MIN_EVALUATIONS,
        num_labelled=num_labelled,
    )


def _gap_fall(accuracy: FloatArray, reward: FloatArray, min_drop: float) -> FallPoint | None:
    """Fall of gold_accuracy - train_reward by twice ``min_drop``, indices of all evaluations."""
    logged = np.flatnonzero(np.isfinite(reward))
    fall = fall_point((accuracy - reward)[logged], 2.0 * min_drop, min_relative_drop=0.0)
    if fall is None:
        return None
    places = (fall.index, fall.low_index, fall.high_index, fall.last_high_index)
    index, low, high, last_high = (int(logged[place]) for place in places)
    return replace(fall, index=index, low_index=low, high_index=high, last_high_index=last_high)


def _onset(fall: FallPoint | None, steps: IntArray) -> Onset | None:
    if fall is None:
        return None
    indices = (fall.index, fall.low_index, fall.high_index)
    step, low, high = (int(steps[i]) for i in indices)
    return Onset(step, low, high)


def _change(values: FloatArray, onset: int) -> Change:
    """Median of the last three logged values before the onset, and of the last three."""
    after = values[onset:][np.isfinite(values[onset:])][-3:]
    before = values[:onset][np.isfinite(values[:onset])][-3:]
    if not before.size:  # not logged before the onset: the earliest value there is
        before = values[np.isfinite(values)][:1]
    if not after.size:
        after = before
    return Change(float(np.median(before)), float(np.median(after)))


def _holds(reward: Change, fall: FallPoint) -> bool:
    tolerance = min(REWARD_TOLERANCE, 0.5 * fall.drop)
    return reward.after >= reward.before - tolerance


def _not_held(changes: Mapping[str, Change]) -> tuple[str, ...]:
    reward = changes["train_reward"]
    return (f"train_reward fell too, {reward.before:.2f} to {reward.after:.2f}: no collapse",)


def _classify(
    changes: Mapping[str, Change], reward: FloatArray
) -> tuple[CollapseKind, tuple[str, ...]]:
    """The kind of collapse and its evidence, the deciding sentence first."""
    logged = reward[np.isfinite(reward)]
    level = running_median(logged)
    ended = changes["train_reward"].after
    sentences: dict[CollapseKind, str] = {}
    modal, entropy = changes.get("modal_share"), changes.get("answer_entropy")
    if modal and modal.after >= 0.5 and modal.after >= min(2 * modal.before, modal.before + 0.3):
        sentences["constant_answer"] = (
            f"one answer is {modal.after:.0%} of the completions to all prompts, "
            f"{modal.before:.0%} before the onset"
        )
    spread_out = entropy is None or entropy.after >= 0.5 * entropy.before
    if float(np.ptp(level)) <= 0.1 and ended < 0.9 and spread_out:
        band = f"{level.min():.2f} to {level.max():.2f}"
        sentences["noise"] = f"train_reward never moved: {band} over the whole run"
    repetition = changes.get("repetition")
    if repetition and repetition.after >= max(0.3, repetition.before + 0.2):
        sentences["repetition"] = (
            f"repetition rose from {repetition.before:.2f} to {repetition.after:.2f}"
        )
    length = changes.get("mean_length")
    if length and not 0.5 < length.after / max(length.before, 1e-12) < 2.0:
        sentences["length"] = f"mean_length went from {length.before:.1f} to {length.after:.1f}"
    gold = changes["gold_accuracy"]
    before = changes["train_reward"].before
    shortcut = (
        f"train_reward went from {before:.2f} to {ended:.2f} "
        f"as gold accuracy went from {gold.before:.2f} to {gold.after:.2f}"
    )
    kind: CollapseKind = next(iter(sentences), "shortcut")
    return kind, (*sentences.values(), shortcut)
