"""Work that runs share, each computed once: prompts, warm start, base evaluation, teacher."""

import shutil
from collections.abc import Callable, Sequence
from typing import Any

import torch

from srtbench.answers.grader import TEACHER_SEED
from srtbench.config.models import LocalModel, TinyModel
from srtbench.datasets import Problem, load_eval_set, load_problems
from srtbench.datasets.splits import normalise
from srtbench.engines.base import Completion, PromptFormat
from srtbench.engines.transformers import TransformersEngine
from srtbench.models.load import convert_gguf, load_policy, uses_chat
from srtbench.models.tiny import build_tiny
from srtbench.models.warm_start import Example, check_count, warm_start
from srtbench.plan import StageSpec
from srtbench.rollouts import RolloutWriter, write_parquet
from srtbench.store import Folder, SweepStore, write_json
from srtbench.store.labels import count_votes, labels_path, stage_policy, write_labels
from srtbench.train.eval_sets import set_sampling
from srtbench.train.evaluate import Sampling, evaluation_table, sample_groups
from srtbench.train.prompts import (
    grader_of,
    prompt_table,
    read_prompts,
    write_eval_set_prompts,
)
from srtbench.train.start import start_model_path

WARM_START_PROMPTS = 2000
"""Warm-start prompts per level, at most."""


class WarmStartError(RuntimeError):
    """A warm start did not reach its accuracy."""


def execute_stage(spec: StageSpec, store: SweepStore, folder: Folder) -> None:
    """Compute a stage into its folder, from the beginning."""
    for place in (folder.rollouts_path, folder.model_path):
        shutil.rmtree(place, ignore_errors=True)
    _STAGES[spec.kind](spec, store, folder)


def _train_prompts(spec: StageSpec, store: SweepStore, folder: Folder) -> None:
    assert spec.dataset is not None
    problems = load_problems(spec.dataset, "train", spec.prompts)
    write_parquet(prompt_table(spec.dataset, problems), folder.prompts_path)


def _eval_prompts(spec: StageSpec, store: SweepStore, folder: Folder) -> None:
    assert spec.dataset is not None
    problems = load_problems(spec.dataset, "eval", spec.prompts)
    write_parquet(prompt_table(spec.dataset, problems), folder.prompts_path)


def _eval_set_prompts(spec: StageSpec, store: SweepStore, folder: Folder) -> None:
    assert spec.dataset is not None
    problems = load_eval_set(spec.dataset, spec.prompts or None)
    write_eval_set_prompts(spec.dataset, problems, folder)


def _warm_start(spec: StageSpec, store: SweepStore, folder: Folder) -> None:
    model_config, dataset = spec.model, spec.dataset
    assert isinstance(model_config, TinyModel)
    assert dataset is not None
    config = model_config.warm_start
    problems = load_problems(dataset, "warm_start", WARM_START_PROMPTS)
    level = getattr(dataset, "level", None)
    weights: dict[int | None, float] = {level: 1.0}
    if dataset.warm_start_levels:
        weights = dict(dataset.warm_start_levels.items())
    checked = [problem for problem in problems if problem.level == level or level is None]
    if not checked:
        raise WarmStartError(
            f"{dataset.label}: level {level} will be trained, but warm_start_levels has none of "
            "it, so its accuracy cannot be checked: give it a weight there"
        )
    checked = checked[-check_count(len(checked), config.check_prompts) :]
    held_out = {normalise(problem.prompt) for problem in checked}
    training = [problem for problem in problems if normalise(problem.prompt) not in held_out]
    if not training:
        raise WarmStartError(
            f"{dataset.label}: nothing is left to train on: of {len(problems)} warm-start prompts "
            "all are held out to check the accuracy; raise split.warm_start, or give more questions"
        )
    write_parquet(prompt_table(dataset, problems), folder.prompts_path)

    grader = grader_of(dataset)
    golds = grader.gold_keys([problem.gold for problem in checked])

    def is_right(index: int, completion: Completion) -> bool:
        key = grader.grade([completion.text]).keys[0]
        return key is not None and key == golds[index]

    model, tokenizer = build_tiny(model_config)
    _check_alphabet(tokenizer, problems)
    folder.update_status(total_steps=config.max_steps)
    result = warm_start(
        model,
        tokenizer,
        config,
        # Without a mixture all levels are one pool: that of the level that the weights name.
        [
            Example(p.prompt, p.target, p.level if dataset.warm_start_levels else level)
            for p in training
        ],
        weights,
        [problem.prompt for problem in checked],
        is_right,
        max_completion_length=spec.max_completion_length,
        on_check=lambda step, accuracy: _progress(folder, step, accuracy),
    )
    if not result.reached:
        raise WarmStartError(
            f"accuracy {result.accuracy:.3f} after {result.steps} steps, below the target "
            f"{config.target_accuracy}: raise warm_start.max_steps, lower target_accuracy, or "
            "put the level's neighbours into warm_start_levels"
        )
    model.eval()
    model.save_pretrained(folder.model_path)
    tokenizer.save_pretrained(folder.model_path)
    write_json(
        folder.path / "result.json",
        {
            "steps": result.steps,
            "accuracy": result.accuracy,
            "check_prompts": len(checked),
            "check_samples": config.check_samples,
            "parameters": sum(parameter.numel() for parameter in model.parameters()),
        },
    )


def _check_alphabet(tokenizer: Any, problems: Sequence[Problem]) -> None:
    """Every character of the prompts and targets must have a token."""
    texts = {char for problem in problems for char in problem.prompt + problem.target}
    unknown = [
        char for char in sorted(texts) if tokenizer.unk_token_id in tokenizer(char).input_ids
    ]
    words = set(tokenizer.get_vocab())
    missing = [char for char in unknown if not any(char in word for word in words)]
    if missing:
        raise WarmStartError(
            f"the tiny model's alphabet lacks {''.join(missing)!r}: add them to `alphabet`"
        )


def _progress(folder: Folder, step: int, accuracy: float) -> None:
    folder.update_status(step=step, progress={"eval_accuracy": accuracy})


def _start_model(spec: StageSpec, store: SweepStore) -> tuple[Any, Any]:
    """The start model, on a GPU where there is one, and its tokenizer."""
    assert spec.model is not None
    model, tokenizer = load_policy(spec.model, start_model_path(spec, store))
    return model.to("cuda" if torch.cuda.is_available() else "cpu"), tokenizer


def _converted_model(spec: StageSpec, store: SweepStore, folder: Folder) -> None:
    assert isinstance(spec.model, LocalModel)
    convert_gguf(spec.model, folder.model_path)


def _base_eval(spec: StageSpec, store: SweepStore, folder: Folder) -> None:
    assert spec.eval is not None
    given = spec.eval
    sampling = Sampling(given.samples, given.temperature, spec.max_completion_length)
    prompts = spec.needs["eval_prompts"]
    _evaluate_start(spec, store, folder, prompts, sampling, given.batch_size, given.seed)


def _eval_set_start(spec: StageSpec, store: SweepStore, folder: Folder) -> None:
    assert spec.sampling is not None
    given = spec.sampling
    prompts = spec.needs["eval_set_prompts"]
    _evaluate_start(spec, store, folder, prompts, set_sampling(given), given.batch_size, given.seed)


def _evaluate_start(
    spec: StageSpec,
    store: SweepStore,
    folder: Folder,
    prompts_stage: str,
    sampling: Sampling,
    batch_size: int,
    seed: int,
) -> None:
    assert spec.model is not None
    assert spec.dataset is not None
    prompts = read_prompts(store.stage(prompts_stage).prompts_path)
    model, tokenizer = _start_model(spec, store)
    format_ = PromptFormat(uses_chat(spec.model, tokenizer), spec.dataset.system_prompt)
    groups = sample_groups(
        TransformersEngine(model, tokenizer, batch_size),
        tokenizer,
        prompts,
        format_,
        sampling,
        seed,
        _group_counter(folder, prompts),
    )
    writer = RolloutWriter(folder.rollouts_path)
    table = evaluation_table(spec.stage_id, 0, prompts, groups, grader_of(spec.dataset))
    writer.add("eval", 0, table)
    writer.flush()


def _start_model_votes(spec: StageSpec, store: SweepStore, folder: Folder) -> None:
    assert spec.model is not None
    assert spec.dataset is not None
    assert spec.voting is not None
    prompts = read_prompts(store.stage(spec.needs["train_prompts"]).prompts_path)
    model, tokenizer = _start_model(spec, store)
    format_ = PromptFormat(uses_chat(spec.model, tokenizer), spec.dataset.system_prompt)
    groups = sample_groups(
        TransformersEngine(model, tokenizer, spec.batch_size),
        tokenizer,
        prompts,
        format_,
        Sampling(spec.votes, spec.temperature, spec.max_completion_length),
        TEACHER_SEED,
        _group_counter(folder, prompts),
    )
    table = evaluation_table(spec.stage_id, 0, prompts, groups, grader_of(spec.dataset))
    writer = RolloutWriter(folder.rollouts_path)
    writer.add("eval", 0, table)
    writer.flush()
    ids, keys = (table[name].to_pylist() for name in ("prompt_id", "answer_key"))
    write_labels(labels_path(folder), count_votes(ids, keys, spec.votes, stage_policy(spec)))


def _group_counter(folder: Folder, prompts: Sequence[object]) -> Callable[[int], None]:
    total = len(prompts)
    folder.update_status(total_steps=total)

    def count(done: int) -> None:
        if done % max(1, total // 20) == 0:
            folder.update_status(step=done)

    return count


_STAGES = {
    "train_prompts": _train_prompts,
    "eval_prompts": _eval_prompts,
    "warm_start": _warm_start,
    "converted_model": _converted_model,
    "base_eval": _base_eval,
    "eval_set_prompts": _eval_set_prompts,
    "eval_set_start": _eval_set_start,
    "teacher_labels": _start_model_votes,
    "pool_votes": _start_model_votes,
}
