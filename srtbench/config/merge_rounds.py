"""The `train:` section of a run that trains by rounds, from the layers of a sweep file."""

from collections.abc import Iterator, Sequence
from typing import Any

from srtbench.config.misfit import Misfit, misfit
from srtbench.config.rounds import FIT_PRESETS, FitConfig, RoundsConfig
from srtbench.config.train import TRAIN_PRESETS, EvalConfig, PresetName, TrainConfig
from srtbench.config.trl_options import trl_options
from srtbench.sections import deep_merge
from srtbench.variants import RoundsVariant

ROUNDS_KEYS = (
    "rounds",
    "prompts_per_round",
    "samples_per_prompt",
    "fresh_prompts",
    "init_from",
    "fit",
)
"""Keys of `train:` that the method rounds alone reads."""

_INSTEAD = {
    "algorithm": "the variant's objective",
    "steps": "train.rounds",
    "prompts_per_step": "train.prompts_per_round",
    "learning_rate": "train.fit.learning_rate",
    "beta": "train.fit.beta",
    "micro_batch_size": "train.fit.micro_batch_size",
    "updates_per_rollout": "train.fit.epochs",
    "refill": "voting.min_share alone; a round drops what is below it",
    "trl": "train.fit.trl",
    "stop": "fewer train.rounds",
}
"""Keys that only the method online reads -> what says the same of rounds."""


def rounds_train(
    preset: PresetName, layers: Sequence[dict[str, Any]], variant: type[RoundsVariant]
) -> tuple[TrainConfig, list[Misfit]]:
    """The section, and what does not fit in it.

    Preset < the variant's own defaults < sweep < model < dataset < the variant's entry.

    Args:
        layers: `train:` of the sweep, the model, the dataset and the variant's entry. What only
            online variants read may stand in all but the last.
    """
    problems = [
        misfit(
            f"train.{key} is of online variants; this one trains by rounds: use {_INSTEAD[key]}",
            f"train.{key}",
        )
        for key in _INSTEAD
        if key in layers[-1] and (key not in ("trl", "stop") or layers[-1][key])
    ]
    merged = deep_merge(
        TRAIN_PRESETS[preset], FIT_PRESETS[preset], dict(variant.train_defaults), *layers
    )
    fit, objective = dict(merged["fit"]), variant.objective
    rate, beta = fit.pop("learning_rate"), fit.pop("beta", 0.1)
    if objective == "sft":
        own = layers[-1].get("fit", {})
        problems += [
            misfit(
                f"train.fit.{key} is of preference pairs; this variant fits by SFT",
                f"train.fit.{key}",
            )
            for key in ("beta", "nll_weight", "reference")
            if key in own
        ]
        for key in ("nll_weight", "reference"):
            fit.pop(key, None)
    if fit.get("keep") == "last":
        fit.pop("keep")
    train = TrainConfig(
        algorithm=objective,
        steps=merged["rounds"],
        prompts_per_step=merged["prompts_per_round"],
        num_generations=merged.get("samples_per_prompt") or merged["num_generations"],
        max_completion_length=merged["max_completion_length"],
        temperature=merged["temperature"],
        learning_rate=rate,
        beta=beta if objective == "dpo" else 0.0,
        num_processes=merged.get("num_processes", 1),
        pool=merged.get("pool"),
        lora=merged.get("lora"),
        rounds=RoundsConfig(
            **{key: merged[key] for key in ("fresh_prompts", "init_from") if key in merged},
            fit=FitConfig(**fit),
        ),
    )
    return train, problems + _misfits(train)


def keep_problems(train: TrainConfig, evaluation: EvalConfig) -> Iterator[Misfit]:
    """Why `train.fit.keep` has nothing to choose from, or nothing to choose by."""
    keep = train.rounds.fit.keep if train.rounds is not None else None
    if keep is None or train.rounds is None:
        return
    if train.rounds.fit.epochs == 1:
        yield misfit(
            f"train.fit.keep = {keep}, but train.fit.epochs = 1: there is nothing to choose; fit "
            "more epochs, or keep: last",
            "train.fit.keep",
            "train.fit.epochs",
        )
    if keep == "vote_share" and evaluation.samples == 1:
        yield misfit(
            "train.fit.keep = vote_share, but eval.samples = 1: one sample always agrees with "
            "itself; evaluate with more, or keep: last",
            "train.fit.keep",
            "eval.samples",
        )


def _misfits(train: TrainConfig) -> list[Misfit]:
    assert train.rounds is not None
    fit = train.rounds.fit
    problems = [
        misfit(
            f"train.fit.trl.{key} is no option of TRL's {train.algorithm.upper()}Config",
            f"train.fit.trl.{key}",
        )
        for key in fit.trl
        if key not in trl_options(train.algorithm)
    ]
    if fit.micro_batch_size and fit.batch_size % fit.micro_batch_size:
        problems.append(
            misfit(
                f"train.fit.batch_size = {fit.batch_size} does not divide by micro_batch_size = "
                f"{fit.micro_batch_size}",
                *("train.fit.batch_size", "train.fit.micro_batch_size"),
            )
        )
    if train.num_processes > 1:
        problems.append(
            misfit(
                f"num_processes = {train.num_processes}: rounds are fitted by one process each",
                "train.num_processes",
            )
        )
    return problems
