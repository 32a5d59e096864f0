"""The stage that makes a tiny start model."""

from srtbench.checks.targets import WARM_START_PROMPTS
from srtbench.config.sameness import prompts_digest
from srtbench.datasets import draw_problems
from srtbench.engines.base import Completion
from srtbench.models.tiny import build_tiny
from srtbench.models.warm_start import Example, warm_start
from srtbench.plan.stages import WarmStart
from srtbench.rollouts import write_parquet
from srtbench.store import Folder, write_json
from srtbench.train.prompts import grader_of, prompt_table
from srtbench.train.stages.target_checks import (
    WarmStartError,
    check_alphabet,
    check_lengths,
    check_targets,
    lesson,
)

__all__ = ["WARM_START_PROMPTS", "WarmStartError", "make_start_model"]


def make_start_model(spec: WarmStart, folder: Folder) -> None:
    """Train the tiny model of a stage to its target accuracy, into the stage's folder.

    Raises:
        WarmStartError: it cannot be trained or checked, or does not reach the accuracy.
    """
    dataset, config = spec.dataset, spec.model.warm_start
    level = getattr(dataset, "level", None)
    drawn = draw_problems(dataset, "warm_start", WARM_START_PROMPTS)
    problems = drawn.problems
    divided = lesson(spec, problems)
    checked = divided.checked
    write_parquet(prompt_table(dataset, problems), folder.prompts_path)

    grader = grader_of(dataset)
    check_targets(grader, problems)
    golds = grader.gold_keys([problem.gold for problem in checked])

    def is_right(index: int, completion: Completion) -> bool:
        key = grader.grade([completion.text]).keys[0]
        return key is not None and key == golds[index]

    model, tokenizer = build_tiny(spec.model)
    check_alphabet(tokenizer, problems)
    check_lengths(tokenizer, checked, spec.max_completion_length, config.target_accuracy)
    folder.update_status(total_steps=config.max_steps)
    result = warm_start(
        model,
        tokenizer,
        config,
        # Without a mixture all levels are one pool: that of the level that the weights name.
        [
            Example(p.prompt, p.target, p.level if dataset.warm_start_levels else level)
            for p in divided.training
        ],
        divided.weights,
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
            "dropped": drawn.dropped.counts(),
            "steps": result.steps,
            "accuracy": result.accuracy,
            "prompts": prompts_digest(problem.prompt_id for problem in problems),
            "check_prompts": len(checked),
            "check_samples": config.check_samples,
            "parameters": sum(parameter.numel() for parameter in model.parameters()),
        },
    )


def _progress(folder: Folder, step: int, accuracy: float) -> None:
    folder.update_status(step=step, progress={"eval_accuracy": accuracy})
