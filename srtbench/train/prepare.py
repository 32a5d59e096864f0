"""Make a run ready to be trained: its folder, prompts, start model and variant."""

import logging
import shutil
from typing import Any

from srtbench.config.eval_sets import OWN
from srtbench.config.train import ExecutionConfig
from srtbench.engines.base import PromptFormat
from srtbench.models.load import uses_chat
from srtbench.plan import RunSpec
from srtbench.rollouts import discard_after
from srtbench.store import Folder, SweepStore
from srtbench.store.checkpoints import Checkpoint, checkpoint_name, steps_kept
from srtbench.store.choices import pool_prompt_ids
from srtbench.store.labels import labels_path, read_labels
from srtbench.store.prompts import read_prompt_table
from srtbench.train.context import RunContext
from srtbench.train.evaluate import Prompt
from srtbench.train.prompts import read_prompts, write_run_prompts
from srtbench.train.start import resume_from, start_policy
from srtbench.variants import Variant, VariantContext, build_variant

logger = logging.getLogger(__name__)


class NoPromptsError(ValueError):
    """A variant keeps no prompt to train on."""


def prepare_run(
    spec: RunSpec, execution: ExecutionConfig, store: SweepStore, folder: Folder, process: Any
) -> RunContext:
    """Bring the folder in order and load what the run trains on.

    Raises:
        NoPromptsError: the variant or the pool keeps fewer prompts than a step has.
    """
    checkpoint = resume_from(spec, folder)
    process.wait_for_everyone()  # all have looked before the folder changes
    if process.is_main_process:
        prepare_folder(spec, store, folder, checkpoint)
    process.wait_for_everyone()
    policy, tokenizer = start_policy(spec, store)
    prompts = _train_prompts(spec, store, folder)
    variant = _variant(spec, store)
    return RunContext(
        spec=spec,
        execution=execution,
        store=store,
        folder=folder,
        process=process,
        resumed_step=checkpoint.step,
        policy=policy,
        tokenizer=tokenizer,
        format=PromptFormat(uses_chat(spec.model, tokenizer), spec.dataset.system_prompt),
        prompts=_kept(spec, store, variant, prompts),
        gold_keys={prompt.prompt_id: prompt.gold_key for prompt in prompts},
        variant=variant,
    )


def prepare_folder(
    spec: RunSpec, store: SweepStore, folder: Folder, checkpoint: Checkpoint
) -> None:
    """Bring the folder to the state of the checkpoint, or of a run not begun."""
    resumed_step = checkpoint.step
    _say_what_is_passed_over(folder, checkpoint)
    if resumed_step:
        for step in steps_kept(folder):
            if step > resumed_step:
                shutil.rmtree(folder.checkpoint_path / checkpoint_name(step))
        name = checkpoint_name(resumed_step)
        folder.update_status(step=resumed_step, checkpoint=name, checkpoint_step=resumed_step)
        dropped = discard_after(folder.rollouts_path, resumed_step)
        dropped += discard_after(folder.votes_path, resumed_step)
        dropped += discard_after(folder.further_path, resumed_step)
        dropped += discard_after(folder.dropped_path, resumed_step)
        logger.info("resuming after step %d; %d newer parts dropped", resumed_step, dropped)
        write_run_prompts(spec, store, folder)  # again the same, should they be damaged
        return
    kept = [folder.path / name for name in ("best", "kept")]
    logs = (folder.rollouts_path, folder.votes_path, folder.further_path, folder.dropped_path)
    for place in (*logs, folder.checkpoint_path, *kept):
        shutil.rmtree(place, ignore_errors=True)
    folder.metrics_path.unlink(missing_ok=True)
    folder.update_status(step=0, checkpoint=None, checkpoint_step=0, kept_step=None)
    write_run_prompts(spec, store, folder)


def _say_what_is_passed_over(folder: Folder, checkpoint: Checkpoint) -> None:
    """In the log and in the status: what a run goes on from instead of its last checkpoint."""
    for problem in checkpoint.passed_over:
        logger.warning("cannot go on from there: %s", problem)
    if checkpoint.passed_over:
        start = f"from step {checkpoint.step}" if checkpoint.step else "from the beginning"
        folder.update_status(note=f"goes on {start}: {checkpoint.passed_over[0]}")


def _variant(spec: RunSpec, store: SweepStore) -> Variant:
    labels = {}
    if spec.needs.teacher_labels:
        labels = read_labels(labels_path(store.stage(spec.needs.teacher_labels)))
    return build_variant(spec.variant, VariantContext(teacher_labels=labels))


def _train_prompts(spec: RunSpec, store: SweepStore, folder: Folder) -> list[Prompt]:
    """The shared prompts, less those that an evaluation set has taken out of this run."""
    prompts = read_prompts(store.stage(spec.needs.train_prompts).prompts_path)
    rows = read_prompt_table(folder).to_pylist()
    learnt = OWN if spec.trains_on_eval_prompts else None
    kept = {row["prompt_id"] for row in rows if row["eval_set"] == learnt}
    return [prompt for prompt in prompts if prompt.prompt_id in kept]


def _kept(
    spec: RunSpec, store: SweepStore, variant: Variant, prompts: list[Prompt]
) -> list[Prompt]:
    """The prompts that the variant and the pool keep."""
    pool = pool_prompt_ids(spec, store)
    kept = [
        prompt
        for prompt in prompts
        if variant.keeps_prompt(prompt.prompt_id, prompt.gold_key if variant.uses_gold else None)
        and (pool is None or prompt.prompt_id in pool)
    ]
    if len(kept) < spec.train.prompts_per_step:
        raise NoPromptsError(
            f"variant '{spec.variant_label}'{'' if pool is None else ', with train.pool.keep,'} "
            f"keeps {len(kept)} of {len(prompts)} prompts, "
            f"fewer than prompts_per_{'step' if spec.train.rounds is None else 'round'} = "
            f"{spec.train.prompts_per_step}"
        )
    logger.info("training on %d of %d prompts", len(kept), len(prompts))
    return kept
