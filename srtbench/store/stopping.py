"""What `train.stop` sees of a run, and what it decides: for training, and again for the audit.

At every evaluation on own prompts a run looks at one signal; the start is the first look. Signals
of held-out prompts are those of `run_signals`. train_reward is the mean of the steps since the look
before; kl that of the steps from the look before to the one before this, since a step's metrics are
logged after its evaluation.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from srtbench.config.stop import StopConfig
from srtbench.stats import (
    ALARM_RULES,
    EarlyStop,
    answer_entropy,
    modal_answer_share,
    stop_at_alarm,
    stop_without_progress,
    unanimous_share,
    vote_share,
)
from srtbench.store.choices import group_starts
from srtbench.store.files import checked, read_json, write_json

LENGTH_TOLERANCE = 0.02
"""Relative change of mean length up to which ``label_free`` may keep a policy."""
KL_METRICS = ("kl", "on_policy/kl_to_start")
"""Metrics of a step that say the KL to the start model; the first that was logged counts."""

Look = dict[str, float | None]
"""What was seen at one evaluation: name -> value; None: not known."""

_NOTE = "stop.json"
"""File of a checkpoint."""


@dataclass
class Seen:
    """All that a run has seen so far.

    Attributes:
        steps, looks: of the evaluations on own prompts, the start's first.
        since: values of ``train_reward`` and ``kl`` since the last look.
    """

    steps: list[int]
    looks: list[Look]
    since: dict[str, list[float]]

    def write(self, checkpoint: Path) -> None:
        """Note it in a checkpoint folder."""
        write_json(checkpoint / _NOTE, asdict(self))

    @classmethod
    def read(cls, checkpoint: Path) -> "Seen":
        """What a checkpoint folder says.

        Raises:
            FileNotFoundError: it says nothing. StoreError: the file is damaged.
        """
        path = checkpoint / _NOTE
        return checked(cls, read_json(path), path)


def look_at(stop: StopConfig, own: pa.Table, training: Mapping[str, float | None]) -> Look:
    """What a rule needs of one evaluation.

    Args:
        own: rollouts on own prompts, those of a prompt together, in the order of the prompts.
        training: ``train_reward`` and ``kl`` since the look before; None: not known.
    """
    if stop.labelled_prompts is not None:
        starts = [*group_starts(own), len(own)]
        labelled = own.slice(0, starts[stop.labelled_prompts])
        return {"accuracy": float(np.mean(labelled["gold_reward"].to_numpy()))}
    if stop.signal in ("train_reward", "kl"):
        return {stop.signal: training.get(stop.signal)}
    if stop.signal == "label_free":
        return {"vote_share": mean_vote_share(own), "mean_length": _mean_length(own)}
    assert stop.signal is not None
    return {stop.signal: _MEASURES[stop.signal](own)}


def decided(stop: StopConfig, looks: Sequence[Look]) -> EarlyStop:
    """What the rule has decided after these looks, the start's being the first."""
    values = {
        name: np.array([math.nan if look[name] is None else look[name] for look in looks])
        for name in looks[0]
    }
    if stop.labelled_prompts is not None:
        return stop_without_progress(values["accuracy"], stop.patience)
    if stop.signal == "label_free":
        length = values["mean_length"]
        steady = np.abs(length - length[0]) <= LENGTH_TOLERANCE * length[0]
        scores = np.where(steady, values["vote_share"], math.nan)
        return stop_without_progress(scores, stop.patience)
    assert stop.signal is not None
    rule = ALARM_RULES[stop.signal]
    if stop.bound is not None:
        rule = replace(rule, bound=stop.bound)
    return stop_at_alarm(values[stop.signal], rule, stop.patience)


def outcome(stop: StopConfig, seen: Seen, planned: int) -> tuple[str | None, int]:
    """Why a run of so many planned steps ended before them, and the step of the kept policy.

    The reason is a sentence without its full stop; None: it did not end before.
    """
    found = decided(stop, seen.looks)
    kept = seen.steps[found.kept]
    if found.stopped is None or seen.steps[found.stopped] >= planned:
        return None, kept
    step = seen.steps[found.stopped]
    times = f"{stop.patience} evaluations in a row" if stop.patience > 1 else "an evaluation"
    if stop.labelled_prompts is not None:
        why = f"{times} no better on {stop.labelled_prompts} labelled prompts"
    elif stop.signal == "label_free":
        why = f"{times} without more agreement at the start's length"
    else:
        why = f"{times} with the alarm of {stop.signal}"
    return (
        f"stopped early at step {step} of {planned}: {why}; kept is the policy of step {kept}",
        kept,
    )


def _keys(own: pa.Table) -> np.ndarray:
    """Rollouts of an evaluation -> (prompts, samples) integer keys, -1 unparsable."""
    codes: dict[str | None, int] = {None: -1}
    for key in own["answer_key"].to_pylist():
        codes.setdefault(key, len(codes) - 1)
    numbers = np.array([codes[key] for key in own["answer_key"].to_pylist()])
    return numbers.reshape(len(group_starts(own)), -1)


def mean_vote_share(own: pa.Table) -> float:
    """Mean over prompts of the share of the winning answer, in [0, 1]; unparsable ones count."""
    return float(vote_share(_keys(own)).mean())


def _mean_length(own: pa.Table) -> float:
    return float(np.mean(own["completion_tokens"].to_numpy()))


_MEASURES: dict[str, Callable[[pa.Table], float]] = {
    "vote_share": mean_vote_share,
    "unanimous_share": lambda own: float(unanimous_share(_keys(own))),
    "modal_share": lambda own: float(modal_answer_share(_keys(own))),
    "answer_entropy": lambda own: float(answer_entropy(_keys(own)).mean()),
    "mean_length": _mean_length,
}
