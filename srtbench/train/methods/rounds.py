"""Rounds: sample with the policy, judge the groups, select, fit; then again with what was fitted.

A round is a step of the log. What it sampled and selected, and its evaluation, are on disk before
status.json names its checkpoint; a run that is interrupted goes on from the round before, whose
policy is read from its checkpoint in any case, so that it samples and fits the same.
"""

import logging
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from srtbench.config.eval_sets import OWN
from srtbench.engines.make import make_engines
from srtbench.models.load import load_policy
from srtbench.models.lora import merged, with_adapters, with_adapters_of
from srtbench.rollouts import RolloutWriter
from srtbench.store import read_json, write_json
from srtbench.store.checkpoints import checkpoint_name, list_files, steps_kept
from srtbench.store.metric_log import MetricLog
from srtbench.train.best_epoch import BestEpoch
from srtbench.train.context import RunContext
from srtbench.train.evaluate import Prompt
from srtbench.train.evaluator import Evaluator
from srtbench.train.fit import fit_examples, fit_pairs
from srtbench.train.recorder import mean_of
from srtbench.train.round_samples import Round, RoundSampler, seed_of
from srtbench.train.start import start_policy
from srtbench.variants import RoundsVariant

logger = logging.getLogger(__name__)

_STATE = "trainer_state.json"
_FITS, _ORDERS = 0, 1
"""What random numbers are for: the order of a fit's rows, the order of prompts."""


class Rounds:
    """The method ``rounds``: each round samples groups, selects of them and fits on those."""

    def run(self, context: RunContext) -> None:
        """See `Method`."""
        if not isinstance(context.variant, RoundsVariant):
            raise TypeError(f"{type(context.variant).__name__} is no variant of rounds")
        _Run(context, context.variant).train()


class _Run:
    """One run under way; ``policy`` is that of the last round done."""

    def __init__(self, context: RunContext, variant: RoundsVariant):
        self._context, self._variant = context, variant
        self._spec, self._folder = context.spec, context.folder
        self._done = context.resumed_step
        state = read_json(self._checkpoint(self._done) / _STATE) if self._done else {}
        self._updates = int(state.get("updates", 0))
        self._metrics = MetricLog(self._folder.metrics_path, self._spec.run_id, self._updates)
        status = self._folder.read_status()
        self._seconds_before = status.wall_seconds if self._done else 0.0
        self._progress = dict(status.progress) if self._done else {}
        self._started = time.monotonic()
        self.policy = self._load(self._checkpoint(self._done)) if self._done else self._start()

    def train(self) -> None:
        """All rounds that are left."""
        engines = make_engines(self._spec.generation, self._context.tokenizer, self._spec.seed)
        evaluator = Evaluator(self._context, lambda: self.policy, engines)
        if not self._done:
            evaluator.start()
        sampler = RoundSampler(self._context, self._variant, engines)
        rounds = self._spec.train.steps
        for number in range(self._done + 1, rounds + 1):
            self._folder.update_status(step=number - 1, progress=self._progress)
            found = sampler.sample(number, self._asked(number), self.policy)
            writer = RolloutWriter(self._folder.rollouts_path)
            writer.add("train", number, found.table)
            self._log_further(number, found)
            writer.flush()
            selected = sum(found.table["selected"].to_pylist())
            logger.info("round %d of %d: %d completions selected", number, rounds, selected)
            own = self._fit(number, found, evaluator)
            self._save(number)
            self.policy = self._load(self._checkpoint(number))
            self._progress["train_reward"] = mean_of(found.table["train_reward"])
            self._progress["gold_reward"] = mean_of(found.table["gold_reward"])
            evaluated = evaluator.after(number, own=own)
            evaluator.let_go()
            for table in evaluated.values():
                writer.add("eval", number, table)
            writer.flush()
            if OWN in evaluated:
                self._progress["eval_accuracy"] = mean_of(evaluated[OWN]["gold_reward"])
            self._finish(number)

    def _asked(self, number: int) -> list[Prompt]:
        """Prompts of a round: those that come next, or always the first ones.

        They are shuffled by the run's seed; when all were asked, they are shuffled anew.
        """
        rounds, count = self._spec.train.rounds, self._spec.train.prompts_per_step
        assert rounds is not None
        prompts, asked = self._context.prompts, []
        first = (number - 1) * count if rounds.fresh_prompts else 0
        orders: dict[int, Any] = {}
        for place in range(first, first + count):
            epoch, position = divmod(place, len(prompts))
            if epoch not in orders:
                rng = np.random.default_rng([self._spec.seed, _ORDERS, epoch])
                orders[epoch] = rng.permutation(len(prompts))
            asked.append(prompts[int(orders[epoch][position])])
        return asked

    def _log_further(self, number: int, found: Round) -> None:
        if found.further is not None:
            writer = RolloutWriter(self._folder.further_path)
            writer.add("train", number, found.further)
            writer.flush()

    def _fit(self, number: int, found: Round, evaluator: Evaluator) -> pa.Table | None:
        """Fit on what was selected; without any, the policy is what the fit would start from.

        Returns:
            Rollouts on own prompts of the policy, if they say which epoch it is of.
        """
        rounds, spec = self._spec.train.rounds, self._spec
        assert rounds is not None
        tokenizer = self._context.tokenizer
        if rounds.init_from == "start" and number > 1:
            self.policy = None  # what sampled the round makes room
            self.policy = self._start()
        start = self.policy
        place = self._folder.checkpoint_path / ".fit.tmp"
        seed = seed_of(spec.seed, number, _FITS)
        before = self._updates

        def note(step: int, logs: dict[str, Any]) -> None:
            self._updates = before + step
            self._metrics.add(self._updates, {"round": float(number)} | logs)

        best = self._best_epoch(number, place, evaluator)
        on_epoch = None if best is None else best.ended
        shutil.rmtree(place, ignore_errors=True)
        try:
            if not len(found.examples) + len(found.pairs):
                logger.warning("round %d selects nothing: there is no fit", number)
                return None
            if self._variant.objective == "sft":
                fit_examples(start, tokenizer, found.examples, spec, seed, place, note, on_epoch)
            else:
                against, pairs = self._reference(number), found.pairs
                fit_pairs(start, against, tokenizer, pairs, spec, seed, place, note, on_epoch)
            if best is None:
                return None
            kept = best.kept()
            self.policy = self._load(kept.place)
            return kept.own
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def _best_epoch(self, number: int, place: Path, evaluator: Evaluator) -> BestEpoch | None:
        """Who chooses among the epochs of a round's fit, in a folder; None: the last one counts."""
        rule = self._spec.keep
        if rule is None:
            return None

        def save(fresh: Path) -> None:
            self.policy.save_pretrained(fresh)
            self._context.tokenizer.save_pretrained(fresh)

        return BestEpoch(
            rule,
            place,
            save=save,
            load=self._load,
            evaluate=lambda policy: evaluator.own(number, policy),
            log=lambda found: self._metrics.add(self._updates, found),
        )

    def _reference(self, number: int) -> Any:
        """What pairs are fitted against, as a model of its own."""
        rounds = self._spec.train.rounds
        assert rounds is not None
        first = number == 1 or rounds.fit.reference == "start"
        if first:
            return _on_device(self._start_model())
        place = self._checkpoint(number - 1)
        if self._spec.train.lora is None:
            return self._load(place)
        return _on_device(merged(self._start_model(), place))

    def _save(self, number: int) -> None:
        path = self._checkpoint(number)
        fresh = path.with_name(f".{path.name}.tmp")
        shutil.rmtree(fresh, ignore_errors=True)
        self.policy.save_pretrained(fresh)
        self._context.tokenizer.save_pretrained(fresh)
        write_json(fresh / _STATE, {"global_step": number, "updates": self._updates})
        list_files(fresh)
        shutil.rmtree(path, ignore_errors=True)
        fresh.rename(path)

    def _finish(self, number: int) -> None:
        """From now on a resume starts after this round."""
        self._metrics.write()
        self._folder.update_status(
            step=number,
            checkpoint=checkpoint_name(number),
            checkpoint_step=number,
            progress=self._progress,
            wall_seconds=self._seconds_before + time.monotonic() - self._started,
        )
        for old in steps_kept(self._folder)[:-2]:
            shutil.rmtree(self._checkpoint(old))
        self._done = number

    def _checkpoint(self, number: int) -> Path:
        return self._folder.checkpoint_path / checkpoint_name(number)

    def _start_model(self) -> Any:
        policy, _ = start_policy(self._spec, self._context.store)
        return policy

    def _start(self) -> Any:
        """The policy before the first round, with the adapters that are trained if there are."""
        policy, lora = self._start_model(), self._spec.train.lora
        return _on_device(policy if lora is None else with_adapters(policy, lora, self._spec.seed))

    def _load(self, place: Path) -> Any:
        """The policy of a checkpoint."""
        if self._spec.train.lora is not None:
            return _on_device(with_adapters_of(self._start_model(), place))
        policy, _ = load_policy(self._spec.model, place)
        return _on_device(policy)


def _on_device(policy: Any) -> Any:
    return policy.to("cuda" if torch.cuda.is_available() else "cpu")
