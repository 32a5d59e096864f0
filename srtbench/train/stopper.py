"""Ends a run early where `train.stop` says so, and keeps the policy that the rule chooses."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
from accelerate.utils import broadcast_object_list

from srtbench.config.stop import StopConfig
from srtbench.plan import RunSpec
from srtbench.store import Folder
from srtbench.store.stopping import KL_METRICS, Seen, look_at, outcome


class Stopper:
    """Looks at each evaluation on own prompts; its looks are part of every checkpoint.

    The main process decides, and tells the others.

    Args:
        save: writes the policy, as it is now, into a new folder.
    """

    def __init__(
        self,
        stop: StopConfig,
        spec: RunSpec,
        folder: Folder,
        save: Callable[[Path], None],
        *,
        is_main: bool,
    ):
        self._stop, self._planned, self._folder = stop, spec.train.steps, folder
        self._save, self._is_main = save, is_main
        self._seen = Seen([], [], {"train_reward": [], "kl": []})
        self.stopped = False

    def trained(self, rollouts: pa.Table) -> None:
        """Rollouts of a generation were trained on."""
        rewards = rollouts["train_reward"].drop_null().to_pylist()
        if rewards:
            self._seen.since["train_reward"].append(sum(rewards) / len(rewards))

    def logged(self, logs: dict[str, Any]) -> None:
        """The trainer has logged a step."""
        found = [logs[name] for name in KL_METRICS if logs.get(name) is not None]
        if found:
            self._seen.since["kl"].append(float(found[0]))

    def look(self, step: int, own: pa.Table) -> bool:
        """Look at an evaluation; whether training ends with this step. Collective."""
        if self._is_main:
            seen = self._seen
            training = {
                name: sum(values) / len(values) if values else None
                for name, values in seen.since.items()
            }
            seen.since = {name: [] for name in seen.since}
            seen.steps.append(step)
            seen.looks.append(look_at(self._stop, own, training))
            if self.status()["kept_step"] == step:
                self._keep(step)
        told: list[bool] = broadcast_object_list([self._is_main and self._has_stopped()])
        self.stopped = told[0]
        return self.stopped

    def status(self) -> dict[str, Any]:
        """What status.json says of it."""
        stopped, kept = outcome(self._stop, self._seen, self._planned)
        return {"stopped": stopped, "kept_step": kept}

    def _has_stopped(self) -> bool:
        return self.status()["stopped"] is not None

    def named(self) -> None:
        """A checkpoint with these looks is named: no other policy than the kept one is needed."""
        kept = self._folder.kept_path(self.status()["kept_step"])
        for place in kept.parent.iterdir():
            if place != kept:
                shutil.rmtree(place)

    def _keep(self, step: int) -> None:
        place = self._folder.kept_path(step)
        fresh = place.with_name(f".{place.name}.tmp")
        for old in (fresh, place):
            shutil.rmtree(old, ignore_errors=True)
        self._save(fresh)
        fresh.rename(place)

    def save(self, checkpoint: Path) -> None:
        """Note what was seen in a checkpoint folder."""
        self._seen.write(checkpoint)

    def load(self, checkpoint: Path) -> None:
        """Go on from a checkpoint folder; on every process."""
        self._seen = Seen.read(checkpoint)
        self.stopped = self._has_stopped()
