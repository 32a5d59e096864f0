"""Evaluation of a run's policy, on all processes: at its start, and when the plan asks for it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from accelerate.utils import gather_object

from srtbench.config.datasets import DatasetConfig
from srtbench.engines.base import PromptFormat
from srtbench.engines.transformers import TransformersEngine
from srtbench.plan import EvalSetSpec
from srtbench.plan.specs import Sampling
from srtbench.rollouts import RolloutWriter
from srtbench.train.context import RunContext
from srtbench.train.eval_sets import EvalSets, start_rows
from srtbench.train.evaluate import Prompt, evaluation_table, sample_groups
from srtbench.train.prompts import grader_of, read_prompts
from srtbench.train.start import BestPolicies


@dataclass(frozen=True)
class _Source:
    """Where prompts to evaluate on are from, and how completions of them are sampled."""

    dataset: DatasetConfig
    sampling: Sampling


class Evaluator:
    """Samples and grades the held-out prompts and the further sets of one run.

    Its calls are collective: each process samples its share of the prompts.

    Args:
        policy: the policy as it is now, unwrapped.
    """

    def __init__(self, context: RunContext, policy: Callable[[], Any]):
        self._context = context
        self._policy = policy
        spec, store = context.spec, context.store
        self._prompts = read_prompts(store.stage(spec.needs.eval_prompts).prompts_path)
        self._best = BestPolicies(context.folder, spec.keep_best, self._save)
        is_main = context.process.is_main_process
        self._sets = EvalSets(spec, context.folder, store, self._one_set, is_main=is_main)

    def start(self) -> None:
        """Log the start model's evaluation; a run that starts from another one samples it."""
        spec, is_main = self._context.spec, self._context.process.is_main_process
        if spec.needs.base_eval is None:
            table = self.held_out(0)
        else:
            base = self._context.store.stage(spec.needs.base_eval)
            table = start_rows(base, spec.run_id)
            if is_main:
                self._best.offer(0, table)
        if is_main:
            writer = RolloutWriter(self._context.folder.rollouts_path)
            writer.add("eval", 0, table)
            writer.flush()
        self._sets.start()

    def held_out(self, step: int) -> pa.Table:
        """Rollouts on the held-out prompts after a step; the best policy so far is kept."""
        spec = self._context.spec
        sampling = Sampling.of(spec.eval, spec.train.max_completion_length)
        source = _Source(spec.dataset, sampling)
        table = self._evaluate(source, self._prompts, step)
        if self._context.process.is_main_process:
            self._best.offer(step, table)
        return table

    def sets(self, step: int) -> None:
        """Evaluate on the further sets that are due after a step; their rollouts are written."""
        self._sets.after(step)

    def _one_set(self, one: EvalSetSpec, prompts: list[Prompt], step: int) -> pa.Table:
        return self._evaluate(_Source(one.dataset, one.sampling), prompts, step)

    def _evaluate(self, source: _Source, prompts: list[Prompt], step: int) -> pa.Table:
        """Rows of all processes, in the order of the prompts."""
        context, process = self._context, self._context.process
        share = prompts[process.process_index :: process.num_processes]
        seed = (
            source.sampling.seed * 100_003 + step
        ) * process.num_processes + process.process_index
        engine = TransformersEngine(self._policy(), context.tokenizer, source.sampling.batch_size)
        asked = PromptFormat(context.format.chat, source.dataset.system_prompt)
        groups = sample_groups(engine, context.tokenizer, share, asked, source.sampling, seed)
        pairs = gather_object(list(zip(share, groups, strict=True)))
        order = {prompt.prompt_id: position for position, prompt in enumerate(prompts)}
        pairs.sort(key=lambda pair: order[pair[0].prompt_id])
        return evaluation_table(
            context.spec.run_id,
            step,
            [prompt for prompt, _ in pairs],
            [group for _, group in pairs],
            grader_of(source.dataset),
        )

    def _save(self, path: Path) -> None:
        self._policy().save_pretrained(path)
        self._context.tokenizer.save_pretrained(path)
