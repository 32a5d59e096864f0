"""Generated tasks: what their entry alone can tell, since no item is made before training."""

from string import Formatter

from srtbench.answers.grader import Grader
from srtbench.checks import targets
from srtbench.checks.findings import Findings
from srtbench.config.datasets import DatasetConfig, ReasoningGymDataset
from srtbench.config.models import TinyModel
from srtbench.datasets import DatasetError
from srtbench.datasets.levels import task_options
from srtbench.datasets.splits import excerpt
from srtbench.plan import Origin, RunSpec

_MADE_UP = {
    "math": ("12", "7"),
    "integer": ("12", "7"),
    "number": ("12", "7"),
    "choice": ("B", "D"),
    "text": ("ab", "cde"),
    "word": ("ab", "cde"),
}
"""Two answers of each kind; a target template that can hold neither can hold none."""


def look_at_task(findings: Findings, origin: Origin, run: RunSpec) -> None:
    """Note levels without a meaning, and templates that a tiny model cannot write or read back."""
    dataset = run.dataset
    assert isinstance(dataset, ReasoningGymDataset)
    place = findings.dataset(origin)
    levels: dict[int | None, str] = {dataset.level: "level"}
    if isinstance(run.model, TinyModel):
        if dataset.warm_start_level is not None:
            levels.setdefault(dataset.warm_start_level, "warm_start_level")
        for other, weight in dataset.warm_start_levels.items():
            if weight > 0:
                levels.setdefault(other, "warm_start_levels")
    for level, key in levels.items():
        try:
            task_options(dataset, level)
        except DatasetError as error:
            findings.problem(place.below(key), str(error))
    if not isinstance(run.model, TinyModel) or run.needs.start_model is None:
        return
    if (reason := unreadable_target(dataset)) is not None:
        findings.problem(place.below("target_template"), reason)
    tokens = targets.Tokens(run.model)
    prompt, target = literal(dataset.prompt_template), literal(dataset.target_template)
    if missing := tokens.foreign(prompt + target):
        message = str(targets.alphabet_error(missing))
        findings.problem(findings.model(origin).below("alphabet"), message)
    limit = run.train.max_completion_length
    if (shortest := tokens.count(target)) > limit:
        findings.of_training(
            origin,
            "max_completion_length",
            f"no target fits into max_completion_length = {limit}: target_template alone needs "
            f"{shortest} tokens",
        )


def literal(template: str) -> str:
    """What a template writes whatever the question is."""
    return "".join(text for text, _, _, _ in Formatter().parse(template))


def unreadable_target(dataset: DatasetConfig) -> str | None:
    """Why no answer is read back from the targets; None: one is, or only the data can tell."""
    template = dataset.target_template
    if {name for _, name, _, _ in Formatter().parse(template) if name is not None} != {"answer"}:
        return None
    grader = Grader(dataset.answer_style, dataset.answer_kind)
    golds = _MADE_UP[dataset.answer_kind]
    written = [template.format(answer=gold) for gold in golds]
    read = grader.grade(written)
    pairs = zip(read.keys, grader.gold_keys(golds), strict=True)
    if any(key is not None and key == gold for key, gold in pairs):
        return None
    found = "no answer" if read.answers[0] is None else excerpt(read.answers[0])
    return (
        f"targets are not read back as their gold answers: in the target {excerpt(written[0])} for "
        f"the gold answer {golds[0]!r} answer_style {dataset.answer_style} reads {found}: let "
        "target_template write the answer as answer_style reads it, or choose another answer_style"
    )
