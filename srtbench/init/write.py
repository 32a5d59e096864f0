"""A sweep file as text: every key that was chosen, with the reason behind it as a comment."""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from srtbench.config.schema import editor_comment
from srtbench.init.propose import Proposal
from srtbench.init.settings import Settings

_WIDTH = 100
_REAL_MODEL = "Qwen/Qwen3-0.6B-Base"


def sweep_text(name: str, path: str, command: str, proposal: Proposal, chosen: Settings) -> str:
    """The whole file.

    Args:
        path: of the data, relative to the file.
        command: what wrote it, for its readers.
    """
    return "\n".join(
        [
            editor_comment(),
            f"# Written by `{command}`, to be edited. Every key: docs/reference.md",
            f"name: {name}",
            f"description: {scalar(_description(proposal, path))}",
            "",
            "models:",
            *_model(proposal, chosen),
            "",
            "datasets:",
            *_dataset(path, proposal),
            "",
            *_variants(chosen),
            "",
            "seeds: [0]  # a list, one run each: [0, 1, 2] for an error bar over seeds",
            *_train(chosen),
            "",
        ]
    )


def scalar(value: Any) -> str:
    """A value as YAML on one line."""
    if isinstance(value, str):
        text = yaml.safe_dump(value, allow_unicode=True, default_style='"', width=10**9)
    elif isinstance(value, list):
        return f"[{', '.join(map(scalar, value))}]"
    elif isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {scalar(one)}" for key, one in value.items()) + "}"
    else:
        text = f"{value:g}" if isinstance(value, float) else yaml.safe_dump(value)
    return text.removesuffix("...\n").strip()


def _description(proposal: Proposal, path: str) -> str:
    return f"Self-reward and gold reward on {proposal.questions:,} questions of {path}."


def _keys(values: Mapping[str, Any], reasons: Mapping[str, str], indent: int) -> Iterator[str]:
    """Lines of a mapping; a reason stands behind its key, or above it where the line is long."""
    for key, value in values.items():
        line = f"{' ' * indent}{key}: {scalar(value)}"
        reason = " ".join(reasons.get(key, "").split())
        if reason and len(line) + len(reason) + 4 > _WIDTH:
            yield f"{' ' * indent}# {reason}"
            yield line
        else:
            yield f"{line}  # {reason}" if reason else line


def _model(proposal: Proposal, chosen: Settings) -> Iterator[str]:
    yield "  - type: tiny"
    shown = {key: one for key, one in chosen.model.items() if key != "warm_start"}
    small = chosen.model["num_layers"] == 1
    reasons = {
        "hidden_size": "small: a larger one would learn by heart" if small else "",
        "max_length": "longest prompt and completion, in tokens",
        "alphabet": "every character of the prompts and targets",
        "words": "parts of the prompts and targets that have a token of their own",
    }
    if not shown["words"]:
        shown["words"] = ["\\boxed{", "}"]
        reasons["words"] = "the built-in ones"
    yield from _keys(shown, reasons, 4)
    yield "    warm_start:"
    yield from _keys(chosen.model["warm_start"], {"target_accuracy": _start(chosen)}, 6)
    if chosen.outlook == "pipeline":
        yield "    # Short, to see all of the pipeline once."
        yield from ("    train:", *_keys(chosen.train, _TRAIN, 6))
        yield from ("    eval:", *_keys(chosen.evaluation, {}, 6))
    yield "  # For results worth reading, a pretrained model, on a GPU:"
    yield f"  # - {_REAL_MODEL}"


_TRAIN = {
    "prompts_per_step": "groups of each step",
    "num_generations": "completions of each group, which vote",
    "max_completion_length": "the longest answer, in tokens, and two more",
}


def _start(chosen: Settings) -> str:
    if chosen.outlook == "pipeline":
        return "the first check ends the warm start, however it ends"
    if chosen.best is None:
        untried = "untried: lower it if the warm start fails"
        return untried if chosen.outlook == "untried" else "high enough for majorities to be right"
    return f"a trial reached {chosen.best:.0%} on held-out questions"


def _dataset(path: str, proposal: Proposal) -> Iterator[str]:
    yield "  - type: file"
    yield f"    path: {scalar(path)}"
    yield from _keys(proposal.dataset, proposal.reasons, 4)


def _variants(chosen: Settings) -> Iterator[str]:
    yield "variants:"
    yield "  - srt   # self-reward: the majority answer of each group is its label"
    yield "  - gold  # the hidden answers as reward: how far training could get"


def _train(chosen: Settings) -> Iterator[str]:
    if chosen.outlook == "pipeline":
        return
    yield from ("", "train:", *_keys(chosen.train, _TRAIN, 2))
    yield from ("", "eval:", *_keys(chosen.evaluation, {"prompts": "held out"}, 2))
