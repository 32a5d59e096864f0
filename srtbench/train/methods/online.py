"""One training run, from its start model or its last checkpoint to the end."""

import logging
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import torch
from accelerate import PartialState
from accelerate.utils import gather_object

from srtbench.config.datasets import DatasetConfig
from srtbench.config.train import ExecutionConfig
from srtbench.config.variants import EmaTeacherConfig, flat_parts
from srtbench.engines.base import PromptFormat
from srtbench.engines.transformers import TransformersEngine
from srtbench.models.load import load_policy, uses_chat
from srtbench.plan import EvalSetSpec, RunSpec
from srtbench.plan.specs import Sampling
from srtbench.rollouts import RolloutWriter, discard_after
from srtbench.store import Folder, SweepStore
from srtbench.store.choices import pool_prompt_ids
from srtbench.store.labels import labels_path, read_labels
from srtbench.train.arguments import trainer_arguments
from srtbench.train.ema import EmaTeacher
from srtbench.train.eval_sets import EvalSets, discard_sets, start_rows
from srtbench.train.evaluate import Prompt, evaluation_table, sample_groups
from srtbench.train.prompts import grader_of, read_prompts, write_run_prompts
from srtbench.train.recorder import Recorder
from srtbench.train.reports import prepare_reports, take_tools
from srtbench.train.reward import RewardAdapter
from srtbench.train.start import BestPolicies, resume_step, start_model_path
from srtbench.train.trainer import TRAINERS
from srtbench.variants import Variant, VariantContext, build_variant

logger = logging.getLogger(__name__)


class NoPromptsError(ValueError):
    """A variant keeps no prompt to train on."""


def execute_run(
    spec: RunSpec, execution: ExecutionConfig, store: SweepStore, folder: Folder
) -> None:
    """Train ``spec`` into ``folder``; continues from the checkpoint that its status names."""
    process = PartialState(cpu=not torch.cuda.is_available())  # without it, CPU ranks stay alone
    status = folder.read_status()
    resumed_step = resume_step(spec, folder)
    if process.is_main_process:
        _prepare(spec, store, folder, resumed_step)
        prepare_reports(spec, folder, resumed_step)
    process.wait_for_everyone()

    start_path = start_model_path(spec, store)
    policy, tokenizer = load_policy(spec.model, start_path)
    format_ = PromptFormat(uses_chat(spec.model, tokenizer), spec.dataset.system_prompt)
    train_prompts = _train_prompts(spec, store, folder)
    eval_prompts = read_prompts(store.stage(spec.needs.eval_prompts).prompts_path)
    variant = _variant(spec, store)
    pool = pool_prompt_ids(spec, store)
    kept = [
        prompt
        for prompt in train_prompts
        if _keeps(variant, prompt) and (pool is None or prompt.prompt_id in pool)
    ]
    if len(kept) < spec.train.prompts_per_step:
        raise NoPromptsError(
            f"variant '{spec.variant_label}'{'' if pool is None else ', with train.pool.keep,'} "
            f"keeps {len(kept)} of {len(train_prompts)} prompts, "
            f"fewer than prompts_per_step = {spec.train.prompts_per_step}"
        )
    logger.info("training on %d of %d prompts", len(kept), len(train_prompts))

    adapter = RewardAdapter(
        variant,
        grader_of(spec.dataset),
        {prompt.prompt_id: prompt.gold_key for prompt in train_prompts},
        num_generations=spec.train.num_generations,
        seed=spec.seed,
        gather=gather_object,
        process_index=lambda: process.process_index,
        end_tokens=_end_tokens(policy, tokenizer),
    )
    trainer: Any = TRAINERS[spec.train.algorithm](
        model=policy,
        reward_funcs=adapter,
        args=trainer_arguments(spec, folder.checkpoint_path),
        train_dataset=datasets.Dataset.from_list(
            [
                {"prompt": format_.messages(prompt.prompt), "prompt_id": prompt.prompt_id}
                for prompt in kept
            ]
        ),
        processing_class=tokenizer,
    )
    trainer.listen(adapter, _ema_teacher(spec, policy, tokenizer, process.process_index))
    best = BestPolicies(folder, spec.keep_best, lambda path: _save_policy(trainer, tokenizer, path))

    def sample(source: _Source, prompts: list[Prompt], step: int) -> pa.Table:
        return _evaluate(spec.run_id, trainer, tokenizer, source, prompts, step)

    own = _Source(spec.dataset, format_, _own_sampling(spec))

    def evaluate(step: int) -> pa.Table:
        table = sample(own, eval_prompts, step)
        if process.is_main_process:
            best.offer(step, table)
        return table

    def evaluate_set(one: EvalSetSpec, prompts: list[Prompt], step: int) -> pa.Table:
        asked = PromptFormat(format_.chat, one.dataset.system_prompt)
        source = _Source(one.dataset, asked, one.sampling)
        return sample(source, prompts, step)

    sets = EvalSets(spec, folder, store, evaluate_set, is_main=process.is_main_process)
    recorder = Recorder(
        spec,
        folder,
        trainer.take_batch,
        evaluate,
        sets.after,
        is_main=process.is_main_process,
        resumed_step=resumed_step,
        checkpoint_every=execution.checkpoint_every,
        flush_every=execution.flush_every,
    )
    _only_our_callbacks(trainer, recorder)
    if not resumed_step:
        stage_id = spec.needs.base_eval
        start = _start_evaluation(stage_id, spec, store) if stage_id else evaluate(0)
        if process.is_main_process:
            _log_start(start, folder)
            if stage_id:
                best.offer(0, start)
        sets.start()
    if resumed_step < spec.train.steps:
        checkpoint = folder.checkpoint_path / (status.checkpoint or "")
        trainer.train(resume_from_checkpoint=str(checkpoint) if resumed_step else None)
    process.wait_for_everyone()
    if process.is_main_process:
        _keep_last_checkpoint(folder)
        folder.update_status(
            state="done",
            step=spec.train.steps,
            progress=recorder.progress,
            wall_seconds=recorder.wall_seconds,
        )


def _prepare(spec: RunSpec, store: SweepStore, folder: Folder, resumed_step: int) -> None:
    """Bring the folder to the state of the checkpoint, or of a run not begun."""
    if resumed_step:
        dropped = discard_after(folder.rollouts_path, resumed_step)
        dropped += discard_after(folder.votes_path, resumed_step)
        dropped += discard_sets(spec, folder, resumed_step)
        logger.info("resuming after step %d; %d newer parts dropped", resumed_step, dropped)
        return
    best = folder.path / "best"
    for place in (folder.rollouts_path, folder.votes_path, folder.checkpoint_path, best):
        shutil.rmtree(place, ignore_errors=True)
    discard_sets(spec, folder, 0)
    folder.metrics_path.unlink(missing_ok=True)
    folder.update_status(step=0, checkpoint=None, checkpoint_step=0)
    write_run_prompts(spec, store, folder)


def _start_evaluation(stage_id: str, spec: RunSpec, store: SweepStore) -> pa.Table:
    """The start model's evaluation, which a shared stage made, as rows of this run."""
    return start_rows(store.stage(stage_id), spec.run_id)


def _log_start(table: pa.Table, folder: Folder) -> None:
    writer = RolloutWriter(folder.rollouts_path)
    writer.add("eval", 0, table)
    writer.flush()


def _save_policy(trainer: Any, tokenizer: Any, path: Path) -> None:
    trainer.accelerator.unwrap_model(trainer.model).save_pretrained(path)
    tokenizer.save_pretrained(path)


def _variant(spec: RunSpec, store: SweepStore) -> Variant:
    labels = {}
    if spec.needs.teacher_labels:
        labels = read_labels(labels_path(store.stage(spec.needs.teacher_labels)))
    return build_variant(spec.variant, VariantContext(teacher_labels=labels))


def _ema_teacher(
    spec: RunSpec, policy: Any, tokenizer: Any, process_index: int
) -> EmaTeacher | None:
    """The teacher of a variant whose votes are a moving average's; a copy of the start model."""
    for part in flat_parts(spec.variant):
        if isinstance(part, EmaTeacherConfig):
            return EmaTeacher(
                policy,
                tokenizer,
                decay_start=part.decay_start,
                decay_end=part.decay_end,
                temperature=part.temperature,
                max_completion_length=spec.train.max_completion_length,
                batch_size=spec.eval.batch_size,
                seed=spec.seed,
                process_index=process_index,
            )
    return None


def _train_prompts(spec: RunSpec, store: SweepStore, folder: Folder) -> list[Prompt]:
    """The shared prompts, less those that an evaluation set has taken out of this run."""
    prompts = read_prompts(store.stage(spec.needs.train_prompts).prompts_path)
    own = {prompt.prompt_id for prompt in read_prompts(folder.prompts_path)}
    return [prompt for prompt in prompts if prompt.prompt_id in own]


def _keeps(variant: Variant, prompt: Prompt) -> bool:
    return variant.keeps_prompt(prompt.prompt_id, prompt.gold_key if variant.uses_gold else None)


@dataclass(frozen=True)
class _Source:
    """Where prompts to evaluate on are from, and how completions of them are sampled."""

    dataset: DatasetConfig
    format: PromptFormat
    sampling: Sampling


def _own_sampling(spec: RunSpec) -> Sampling:
    return Sampling.of(spec.eval, spec.train.max_completion_length)


def _evaluate(
    run_id: str,
    trainer: Any,
    tokenizer: Any,
    source: _Source,
    prompts: list[Prompt],
    step: int,
) -> pa.Table:
    """Evaluate on all processes, each on its share of the prompts; rows are those of all."""
    process = PartialState()
    model = trainer.accelerator.unwrap_model(trainer.model)
    share = prompts[process.process_index :: process.num_processes]
    seed = (source.sampling.seed * 100_003 + step) * process.num_processes + process.process_index
    engine = TransformersEngine(model, tokenizer, source.sampling.batch_size)
    groups = sample_groups(engine, tokenizer, share, source.format, source.sampling, seed)
    pairs = gather_object(list(zip(share, groups, strict=True)))
    order = {prompt.prompt_id: position for position, prompt in enumerate(prompts)}
    pairs.sort(key=lambda pair: order[pair[0].prompt_id])
    return evaluation_table(
        run_id,
        step,
        [prompt for prompt, _ in pairs],
        [group for _, group in pairs],
        grader_of(source.dataset),
    )


def _end_tokens(policy: Any, tokenizer: Any) -> frozenset[int]:
    configured = policy.generation_config.eos_token_id
    tokens = configured if isinstance(configured, list) else [configured]
    return frozenset({*tokens, tokenizer.eos_token_id, tokenizer.pad_token_id} - {None})


def _only_our_callbacks(trainer: Any, recorder: Recorder) -> None:
    """Add the recorder, then the tools of `report_to`; drop the printer, which nobody reads."""
    from transformers import PrinterCallback, ProgressCallback

    trainer.remove_callback(PrinterCallback)
    trainer.remove_callback(ProgressCallback)
    reporter = take_tools(trainer, recorder.numbers)
    trainer.add_callback(recorder)
    if reporter is not None:
        trainer.add_callback(reporter)


def _keep_last_checkpoint(folder: Folder) -> None:
    last = folder.read_status().checkpoint
    for path in Path(folder.checkpoint_path).glob("checkpoint-*"):
        if path.name != last:
            shutil.rmtree(path)
