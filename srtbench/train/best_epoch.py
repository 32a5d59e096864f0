"""`train.fit.keep`: the policy after each epoch of a fit is evaluated, and the best one is kept."""

import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch

from srtbench.config.rounds import KeepRule
from srtbench.store.keeping import EPOCH, KEPT, SCORE, keep_score

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class KeptEpoch:
    """The best epoch so far: its number from 1, score, folder, and rollouts on own prompts."""

    epoch: int
    score: float
    place: Path
    own: pa.Table


class BestEpoch:
    """Compares the policies after the epochs of one fit; of equal ones the earlier is kept.

    Each is written to a folder, and read from there to be sampled, as the policy of a round is. The
    global random state stays as it is, so the fit goes on as it would without this.

    Args:
        place: folder for the policies; the worst one is deleted at once.
        save: writes the policy that is fitted into a new folder. load: reads one.
        evaluate: rollouts of a policy on own prompts.
        log: takes the numbers of an epoch.
    """

    def __init__(
        self,
        rule: KeepRule,
        place: Path,
        *,
        save: Callable[[Path], None],
        load: Callable[[Path], Any],
        evaluate: Callable[[Any], pa.Table],
        log: Callable[[dict[str, float]], None],
    ):
        self._rule, self._place = rule, place
        self._save, self._load, self._evaluate, self._log = save, load, evaluate, log
        self._kept: KeptEpoch | None = None

    def ended(self, epoch: int) -> None:
        """An epoch of the fit is over; the first is 1."""
        place = self._place / f"epoch-{epoch}"
        self._save(place)
        with torch.random.fork_rng(devices=[]):  # fresh adapters are drawn before they are read
            own = self._evaluate(self._load(place))
        found = KeptEpoch(epoch, keep_score(self._rule, own), place, own)
        self._log({EPOCH: float(epoch), SCORE: found.score})
        logger.info("epoch %d: %s %.3f on own prompts", epoch, self._rule, found.score)
        if self._kept is not None and found.score <= self._kept.score:
            shutil.rmtree(place)
            return
        if self._kept is not None:
            shutil.rmtree(self._kept.place)
        self._kept = found

    def kept(self) -> KeptEpoch:
        """The best one, after the last epoch."""
        assert self._kept is not None
        self._log({KEPT: float(self._kept.epoch)})
        logger.info("kept is the policy after epoch %d", self._kept.epoch)
        return self._kept
