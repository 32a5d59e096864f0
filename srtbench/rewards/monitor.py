"""A callback of TRL that warns by name when training collapses, without looking at gold."""

import warnings
from collections.abc import Collection, Mapping
from dataclasses import asdict
from typing import Any

from pydantic import TypeAdapter, ValidationError
from transformers import TrainerCallback
from transformers.trainer_callback import ExportableState

from srtbench.config.errors import allowed
from srtbench.rewards.batch import Batch, BatchListener
from srtbench.rollouts.signals import SIGNAL_COLUMNS, batch_signals
from srtbench.stats import ALARM_RULES, AlarmRule
from srtbench.stats.watch import Alarm, AlarmWatch

Row = dict[str, float | None]


class CollapseWarning(UserWarning):
    """A signal of a collapse crossed its bound."""


class CollapseMonitor(TrainerCallback, ExportableState, BatchListener):
    """Watches the label-free signals of every generation that a `trl_reward` judges.

    It needs no wiring: ``GRPOTrainer(..., callbacks=[CollapseMonitor()])`` and a `trl_reward`.
    The rules are those of `srtbench.stats.ALARM_RULES`, on means of the last ``window``
    generations; the mean of the first ``window`` is the start. Each signal warns once, with a
    `CollapseWarning` on the main process. ``kl`` is there if TRL logs it (beta above 0). All
    processes see the same rows, so they stop together.

    The state goes into TRL's checkpoints; ``restore_callback_states_from_checkpoint=True`` takes it
    up on a resume, else the start is set anew.

    Args:
        stop: True stops training when any alarm rings; names stop it when one of these does.
        rules: alarm per signal, an `AlarmRule` or its fields, in place of the default ones.
        window: generations that are averaged.
        reward: name of the reward to watch, of several; None: the first that judges.

    Attributes:
        history: a row per generation, its step and the signals; and rows of kl.
        alarms: what rang.

    Raises:
        ValueError: no such signal, or a window below 1. RuntimeError: while training, no
            `trl_reward` judged a step.
    """

    def __init__(
        self,
        *,
        stop: bool | Collection[str] = False,
        rules: Mapping[str, AlarmRule | Mapping[str, Any]] | None = None,
        window: int = 10,
        reward: str | None = None,
    ):
        self._rules: dict[str, AlarmRule] = {}
        for name, rule in (ALARM_RULES if rules is None else rules).items():
            if name not in SIGNAL_COLUMNS:
                raise ValueError(f"rules: no signal {name!r}; {allowed(name, SIGNAL_COLUMNS)}")
            self._rules[name] = rule if isinstance(rule, AlarmRule) else _rule(name, rule)
        names = [stop] if isinstance(stop, str) else stop if not isinstance(stop, bool) else []
        for name in names:
            if name not in self._rules:
                raise ValueError(f"stop: no signal {name!r}; {allowed(name, self._rules)}")
        self._stop: bool | list[str] = stop if isinstance(stop, bool) else [*names]
        self._window, self._reward = window, reward
        self._heard: str | None = None
        self._kl_step = -1
        self._is_main = True
        self.history = []

    @property
    def history(self) -> list[Row]:
        """See the class."""
        return self._history

    @history.setter
    def history(self, rows: list[Row]) -> None:
        self._history: list[Row] = []
        self._watch = AlarmWatch(self._rules, self._window)
        for row in rows:
            self._add(row)

    @property
    def alarms(self) -> list[Alarm]:
        """See the class."""
        return self._watch.alarms

    def hear(self, name: str, batch: Batch, is_main: bool) -> None:
        """A reward judged a batch; called by `trl_reward`."""
        self._is_main = is_main
        if self._reward is None and self._heard is None:
            self._heard = name
        if name != (self._reward or self._heard):
            return
        self._heard = name
        if batch.is_training:
            found = batch_signals(batch.columns | batch.judged.columns)
            row: Row = {"step": batch.steps_done + 1}
            row |= {
                signal: found[column]
                for signal, column in SIGNAL_COLUMNS.items()
                if signal in self._rules and column in found
            }
            self._warn(self._add(row))

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        """Stop, where an alarm rang that stops."""
        if self._heard is None or (self._reward is not None and self._heard != self._reward):
            wanted = f"trl_reward named {self._reward!r}" if self._reward else "trl_reward"
            raise RuntimeError(f"CollapseMonitor: no {wanted} among reward_funcs judged this step")
        rang = [alarm.signal for alarm in self.alarms]
        if rang and (self._stop is True or (self._stop and set(rang) & set(self._stop))):
            control.should_training_stop = True
        return control

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Take TRL's kl."""
        if logs and "kl" in logs and state.global_step > self._kl_step:
            self._kl_step = state.global_step
            self._warn(self._add({"step": state.global_step, "kl": float(logs["kl"])}))

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {
            "args": {
                "stop": self._stop,
                "rules": {name: asdict(rule) for name, rule in self._rules.items()},
                "window": self._window,
                "reward": self._reward,
            },
            "attributes": {"history": self.history},
        }

    def _add(self, row: Row) -> list[Alarm]:
        self._history.append(row)
        return self._watch.add(int(row["step"] or 0), row)

    def _warn(self, alarms: list[Alarm]) -> None:
        for alarm in alarms if self._is_main else ():
            warnings.warn(f"training may be collapsing: {alarm}", CollapseWarning, stacklevel=2)


def _rule(name: str, fields: Mapping[str, Any]) -> AlarmRule:
    try:
        return TypeAdapter(AlarmRule).validate_python(dict(fields))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        at = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"rules: {name}: {at}: {first['msg']}") from None
