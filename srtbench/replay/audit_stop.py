"""Audit of `train.stop`: when a run ended and which policy it keeps, decided again from its log."""

from collections.abc import Iterator

import pyarrow.compute as pc

from srtbench.plan.generation import GenerationShape
from srtbench.rollouts import METRIC_SCHEMA, read_table
from srtbench.rollouts.judge import Columns, runs_of
from srtbench.store import Status
from srtbench.store.runs import LoggedRun, LoggedSet
from srtbench.store.stopping import KL_METRICS, Seen, look_at, outcome

Found = Iterator[tuple[str, str, str]]


def check_stop(run: LoggedRun, train: Columns, own: LoggedSet, status: Status) -> Found:
    """The run ended where its rule says, and keeps the policy that its rule chooses.

    A run that is not done is held against what its rollouts up to the checkpoint give.
    """
    stop = run.spec.train.stop
    if stop is None:
        for name in ("stopped", "kept_step"):
            if getattr(status, name) is not None:
                yield "stop", f"status.json {name}", "but the run has no train.stop"
        return
    if run.revoted is not None or not status.checkpoint_step:
        return  # the votes of a revote ended no run
    seen = _seen(run, train, own, status.checkpoint_step)
    if not seen.steps or seen.steps[0] != 0:
        yield "stop", "eval step 0", "there is no evaluation of the start"
        return
    stopped, kept = outcome(stop, seen, run.spec.train.steps)
    for name, found in (("stopped", stopped), ("kept_step", kept)):
        if (logged := getattr(status, name)) != found:
            yield "stop", f"status.json {name}", f"{logged!r}, the log gives {found!r}"
    if not run.folder.kept_path(kept).is_dir():
        yield "stop", f"kept/step-{kept}", "gone: the policy that the run keeps"


def stop_notes(run: LoggedRun, status: Status) -> Iterator[str]:
    """What one should know of how a run ended."""
    stop = run.spec.train.stop
    if stop is not None and stop.labelled_prompts is not None:
        yield (
            f"{run.spec.run_id}: uses gold: the answers of {stop.labelled_prompts} of its "
            "evaluation prompts decide when it ends and which policy it keeps"
        )
    if status.stopped is not None:
        yield f"{run.spec.run_id}: {status.stopped}"


def _seen(run: LoggedRun, train: Columns, own: LoggedSet, last: int) -> Seen:
    """What the run saw up to a step."""
    stop, every = run.spec.train.stop, GenerationShape.of(run.spec).every
    assert stop is not None
    rewards: dict[int, float] = {}
    for start, end in runs_of(train["step"]):
        values = [one for one in train["train_reward"][start:end] if one is not None]
        if values:  # a generation counts when its last step is done
            rewards[train["step"][start] + every - 1] = sum(values) / len(values)
    kls = _kls(run) if stop.signal == "kl" else {}
    table = own.rollouts
    seen = Seen([], [], {})
    for step in sorted(set(table["step"].to_pylist())):
        if step > last:
            break
        before = seen.steps[-1] if seen.steps else -1
        training = {
            "train_reward": _mean([v for at, v in rewards.items() if before < at <= step]),
            "kl": _mean([v for at, v in kls.items() if before <= at < step]),
        }
        seen.looks.append(look_at(stop, table.filter(pc.equal(table["step"], step)), training))
        seen.steps.append(step)
    return seen


def _kls(run: LoggedRun) -> dict[int, float]:
    """KL to the start model of each step that logged it."""
    found: dict[int, float] = {}
    if run.folder.metrics_path.is_file():
        table = read_table(run.folder.metrics_path, METRIC_SCHEMA)
        for name in reversed(KL_METRICS):
            rows = table.filter(pc.equal(table["metric"], name)).drop_null().to_pydict()
            found |= dict(zip(rows["step"], rows["value"], strict=True))
    return found


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None
