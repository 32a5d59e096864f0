"""Reinforcement learning on fresh samples: GRPO and RLOO through TRL."""

import dataclasses
from typing import Any

import datasets
from accelerate.utils import gather_object
from transformers import PrinterCallback, ProgressCallback

from srtbench.config.eval_sets import OWN
from srtbench.engines.base import EngineMaker
from srtbench.engines.transformers import transformers_engines
from srtbench.models.lora import peft_config
from srtbench.plan.refill import RefillRule
from srtbench.store.checkpoints import checkpoint_name
from srtbench.train.arguments import trainer_arguments
from srtbench.train.colocated import colocated_engines, corrected
from srtbench.train.context import RunContext
from srtbench.train.evaluator import Evaluator
from srtbench.train.prompts import grader_of
from srtbench.train.recorder import Recorder
from srtbench.train.reports import prepare_reports, take_tools
from srtbench.train.reward import RewardAdapter
from srtbench.train.stopper import Stopper
from srtbench.train.trainer import TRAINERS, RolloutMixin
from srtbench.train.voters import make_voter


class Online:
    """The method ``online``: each step samples groups with the policy and learns from them."""

    def run(self, context: RunContext) -> None:
        """See `Method`."""
        spec, folder, process = context.spec, context.folder, context.process
        if process.is_main_process:
            prepare_reports(spec, folder, context.resumed_step)
        trainer, engines = _trainer(context)
        evaluator = Evaluator(context, trainer.whole_policy, engines)
        stopper = _stopper(context, evaluator)
        trainer.keep_in_checkpoints(stopper)
        recorder = Recorder(
            spec,
            folder,
            trainer.take_batch,
            evaluator.after,
            is_main=process.is_main_process,
            resumed_step=context.resumed_step,
            checkpoint_every=context.execution.checkpoint_every,
            flush_every=context.execution.flush_every,
            stopper=stopper,
        )
        _only_our_callbacks(trainer, recorder)
        checkpoint = folder.checkpoint_path / checkpoint_name(context.resumed_step)
        if not context.resumed_step:
            found = evaluator.start()
            if stopper is not None:
                stopper.look(0, found[OWN])
        elif stopper is not None:
            stopper.load(checkpoint)
        if stopper is not None and stopper.stopped:
            if process.is_main_process:
                folder.update_status(**stopper.status())
        elif context.resumed_step < spec.train.steps:
            trainer.train(str(checkpoint) if context.resumed_step else None)


def _stopper(context: RunContext, evaluator: Evaluator) -> Stopper | None:
    """Who ends the run early, if its `train:` section wants that."""
    stop, is_main = context.spec.train.stop, context.process.is_main_process
    if stop is None:
        return None
    return Stopper(stop, context.spec, context.folder, evaluator.save, is_main=is_main)


def _trainer(context: RunContext) -> tuple[RolloutMixin, EngineMaker]:
    """TRL's trainer of the run, with the variant as its only reward, and the engines beside it."""
    spec, tokenizer = context.spec, context.tokenizer
    adapter = RewardAdapter(
        context.variant,
        grader_of(spec.dataset),
        context.gold_keys,
        num_generations=spec.train.num_generations,
        seed=spec.seed,
        gather=gather_object,
        process_index=lambda: context.process.process_index,
        end_tokens=_end_tokens(context.policy, tokenizer),
    )
    rows = [
        {"prompt": context.format.messages(prompt.prompt), "prompt_id": prompt.prompt_id}
        for prompt in context.prompts
    ]
    lora = spec.train.lora
    with corrected(spec, context.policy):
        trainer = TRAINERS[spec.train.algorithm](
            model=context.policy,
            reward_funcs=adapter,
            args=trainer_arguments(spec, context.folder.checkpoint_path),
            train_dataset=datasets.Dataset.from_list(rows),
            processing_class=tokenizer,
            peft_config=peft_config(context.policy, lora) if lora is not None else None,
        )
    if spec.generation is None:
        engines = transformers_engines(tokenizer)
    else:
        engines = colocated_engines(trainer, tokenizer)
    context = dataclasses.replace(context, policy=trainer.unwrapped_policy())  # with its adapters
    voter = make_voter(context, trainer.sample_once_more, engines)
    trainer.listen(adapter, voter, RefillRule.of(spec))
    return trainer, engines


def _end_tokens(policy: Any, tokenizer: Any) -> frozenset[int]:
    configured = policy.generation_config.eos_token_id
    tokens = configured if isinstance(configured, list) else [configured]
    return frozenset({*tokens, tokenizer.eos_token_id, tokenizer.pad_token_id} - {None})


def _only_our_callbacks(trainer: RolloutMixin, recorder: Recorder) -> None:
    """Add the recorder, then the tools of `report_to`; drop the printer, which nobody reads."""
    trainer.remove_callback(PrinterCallback)
    trainer.remove_callback(ProgressCallback)
    reporter = take_tools(trainer, recorder.numbers)
    trainer.add_callback(recorder)
    if reporter is not None:
        trainer.add_callback(reporter)
