"""Evaluation of a run's policy, on all processes: at its start, and when the plan asks for it."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
from accelerate.utils import gather_object

from srtbench.config.eval_sets import OWN
from srtbench.engines.base import EngineMaker, PromptFormat
from srtbench.plan import EvalSetSpec
from srtbench.rollouts import RolloutWriter, of_set, read_rollouts, with_columns
from srtbench.train.context import RunContext
from srtbench.train.evaluate import evaluation_table, sample_groups
from srtbench.train.prompts import grader_of, read_prompts
from srtbench.train.sharded import put_aside
from srtbench.train.start import BestPolicies

logger = logging.getLogger(__name__)

Evaluations = dict[str, pa.Table]
"""Label of an evaluation set -> rollouts on its prompts, in the order of the run's sets."""


class Evaluator:
    """Samples and grades the prompts of one run's evaluation sets.

    Its calls are collective: each process samples its share of the prompts.

    Args:
        policy: gives the policy as it is now, with all its weights; collective too.
        engines: what samples it.
    """

    def __init__(self, context: RunContext, policy: Callable[[], Any], engines: EngineMaker):
        self._context, self._engines = context, engines
        self._policy = policy
        self._now: Any = None
        self._prompts = {
            one.label: read_prompts(context.store.stage(one.needs.prompts).prompts_path)
            for one in context.spec.eval_sets
        }
        self._best = BestPolicies(context.folder, context.spec.keep_best, self.save)

    def start(self) -> Evaluations:
        """Log the start model's evaluations; a run that starts from another one samples them."""
        found = self.after(0)
        if self._context.process.is_main_process:
            writer = RolloutWriter(self._context.folder.rollouts_path)
            for table in found.values():
                writer.add("eval", 0, table)
            writer.flush()
        return found

    def own(self, step: int, policy: Any) -> pa.Table:
        """Rollouts of another policy on own prompts, sampled as this step's evaluation would be."""
        self._now = policy
        found = self._sampled(self._context.spec.own, step, self._context.spec.run_id)
        self._now = None
        return found

    def after(self, step: int, ended: bool = False, own: pa.Table | None = None) -> Evaluations:
        """Evaluate on the sets that are due after a step; the best policy on own prompts is kept.

        The same on every process.

        Args:
            ended: the run ends early with this step, of which the sets that were due have been
                evaluated: evaluate on those that are due at the end.
            own: rollouts of this very policy on own prompts, if it was evaluated on them already.
        """
        spec, is_main = self._context.spec, self._context.process.is_main_process
        found = {}
        due = [one for one in spec.eval_sets if (step in one.steps(spec.train.steps)) is not ended]
        if due:
            self._now = self._policy()
        for one in due:
            known = own if one.label == OWN else None
            found[one.label] = table = self._evaluated(one, step) if known is None else known
            accuracy = float(table["gold_reward"].to_numpy().mean())
            logger.info("step %d: accuracy %.3f on %s", step, accuracy, one.label)
        if due:
            put_aside(self._now)
        if is_main and OWN in found:
            self._best.offer(step, found[OWN])
        return found

    def _evaluated(self, one: EvalSetSpec, step: int) -> pa.Table:
        """Rollouts after a step, in the order of the prompts; a shared stage has those of 0."""
        run_id = self._context.spec.run_id
        if step or one.needs.start is None:
            return self._sampled(one, step, run_id)
        stage = self._context.store.stage(one.needs.start)
        table = of_set(read_rollouts(stage.rollouts_path, "eval"), one.label)
        return with_columns(table, run_id=[run_id] * len(table))

    def _sampled(self, one: EvalSetSpec, step: int, run_id: str) -> pa.Table:
        context, process, sampling = self._context, self._context.process, one.sampling
        prompts = self._prompts[one.label]
        share = prompts[process.process_index :: process.num_processes]
        seed = (sampling.seed * 100_003 + step) * process.num_processes + process.process_index
        engine = self._engines(self._now, sampling.batch_size)
        asked = PromptFormat(context.format.chat, one.dataset.system_prompt)
        groups = sample_groups(engine, context.tokenizer, share, asked, sampling, seed)
        pairs = gather_object(list(zip(share, groups, strict=True)))
        order = {prompt.prompt_id: position for position, prompt in enumerate(prompts)}
        pairs.sort(key=lambda pair: order[pair[0].prompt_id])
        return evaluation_table(
            run_id,
            step,
            [prompt for prompt, _ in pairs],
            [group for _, group in pairs],
            grader_of(one.dataset),
            one.label,
        )

    def let_go(self) -> None:
        """Hold the policy of the last evaluation no longer; until the next one `save` has none."""
        self._now = None

    def save(self, path: Path) -> None:
        """Write the policy of the last evaluation into a new folder."""
        self._now.save_pretrained(path)
        self._context.tokenizer.save_pretrained(path)
