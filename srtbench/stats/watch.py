"""Alarms as training goes on: the same rules as afterwards, on trailing means of what comes."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from srtbench.stats.alarms import ALARM_RULES, AlarmRule, alarm_index


@dataclass(frozen=True)
class Alarm:
    """A signal that crossed its bound. Values are trailing means, in the signal's unit."""

    signal: str
    step: int
    start: float
    value: float
    rule: AlarmRule

    def __str__(self) -> str:
        bound = {
            "level": f"{self.rule.bound:g}",
            "shift": f"its start by {self.rule.bound:g}",
            "ratio": f"{self.rule.bound:g} times its start",
            "relative": f"its start by {self.rule.bound:.0%}",
        }[self.rule.scale]
        where = "away from" if self.rule.side == "outside" else self.rule.side
        return (
            f"step {self.step}: {self.signal} is {self.value:.3g}, from {self.start:.3g} at the "
            f"start (alarm {where} {bound})"
        )


class AlarmWatch:
    """Rings each signal's alarm once, when the mean of its last ``window`` values crosses.

    The first mean of ``window`` values is the start that relative rules compare with; until then
    nothing rings. On those means it rings where `alarm_index` would, which a test holds.

    Args:
        rules: alarm per signal name. window: values that are averaged, at least 1.

    Attributes:
        alarms: those that rang, in the order in which they did.

    Raises:
        ValueError: a window below 1.
    """

    def __init__(self, rules: Mapping[str, AlarmRule] = ALARM_RULES, window: int = 1):
        if window < 1:
            raise ValueError(f"window must be at least 1, got {window}")
        self.rules = dict(rules)
        self.window = window
        self.alarms: list[Alarm] = []
        self._last: dict[str, deque[float]] = {}
        self._starts: dict[str, float] = {}

    def add(self, step: int, values: Mapping[str, float | None]) -> list[Alarm]:
        """Take the values of a step; None, NaN and signals without a rule are left out.

        Returns:
            The alarms that rang just now.
        """
        rang = {alarm.signal for alarm in self.alarms}
        new = []
        for name, rule in self.rules.items():
            value = values.get(name)
            if value is None or not math.isfinite(value):
                continue
            last = self._last.setdefault(name, deque(maxlen=self.window))
            last.append(float(value))
            if len(last) < self.window or name in rang:
                continue
            mean = math.fsum(last) / self.window
            start = self._starts.setdefault(name, mean)
            if alarm_index([start, mean], rule) is not None:
                new.append(Alarm(name, step, start, mean, rule))
        self.alarms += new
        return new
