"""The `datasets:` axis: where prompts and gold answers come from."""

import re
from string import Formatter
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from srtbench.config.hub import Commit
from srtbench.config.train import EvalOverride, TrainOverride
from srtbench.sections import FilePath, Name, NotInId, Section, slug

SRT_SUFFIX = "{question}\n\nThink step by step, and put your final answer within \\boxed{{}}."
"""Default prompt template, in the words of SRT's prompt suffix (arXiv 2505.21444)."""

AnswerStyle = Literal["boxed", "hash", "the_answer_is", "tag", "line", "text", "answer"]
AnswerKind = Literal["math", "text", "word", "choice", "integer", "number"]

PROMPT_FIELDS = ("question", "level", "metadata")
TARGET_FIELDS = ("question", "answer", "level", "metadata")
_PLACEHOLDER = re.compile(r"(?P<name>\w*)(\[[^\]]*\])*")


def check_template(template: str, fields: tuple[str, ...]) -> str:
    """The template itself, if it is ``str.format`` text over ``fields``, without attribute access.

    Where ``answer`` is not among the fields, metadata must be named key by key: all of it at once
    could show the gold answer.

    Raises:
        ValueError: what is wrong with it, with the placeholders that are allowed.
    """
    listed = ", ".join(f"{{{name}}}" for name in fields)
    allowed = f"allowed: {listed}, with keys as {{metadata[key]}}; write a literal brace twice"
    try:
        parts = list(Formatter().parse(template))
    except ValueError as error:
        raise ValueError(f"{error}; {allowed}") from None
    for _, placeholder, spec, _ in parts:
        if placeholder is None:
            continue
        match = _PLACEHOLDER.fullmatch(placeholder)
        if match is None:
            raise ValueError(f"{{{placeholder}}}: attributes cannot be read; {allowed}")
        if match["name"] not in fields:
            leak = match["name"] == "answer"
            why = "the policy must not see the gold answer" if leak else "unknown placeholder"
            raise ValueError(f"{{{placeholder}}}: {why}; {allowed}")
        if placeholder == "metadata" and "answer" not in fields:
            raise ValueError(
                f"{{metadata}}: name the key, all of it may show the answer; {allowed}"
            )
        check_template(spec or "", fields)
    return template


class SplitShares(Section):
    """Share of the distinct questions that each split gets; a question's hash decides."""

    train: float = Field(0.6, gt=0, lt=1, description="to train on")
    eval: float = Field(0.2, gt=0, lt=1, description="held out, to evaluate on")
    warm_start: float = Field(0.2, ge=0, lt=1, description="for the warm start of a tiny model")

    @model_validator(mode="after")
    def _sum_to_one(self) -> "SplitShares":
        total = self.train + self.eval + self.warm_start
        if abs(total - 1) > 1e-9:
            raise ValueError(f"train + eval + warm_start must be 1, got {total:g}")
        return self


class PromptSource(Section):
    """What every source of prompts may say, whether they are trained on or not."""

    name: Annotated[Name | None, NotInId()] = Field(None, description="label in tables and run ids")
    prompt_template: str = Field(
        SRT_SUFFIX, description="str.format over question, level, metadata[key]"
    )
    system_prompt: str | None = Field(None, description="of models with a chat template")
    answer_style: AnswerStyle = Field("boxed", description="where a completion holds its answer")
    answer_kind: AnswerKind = Field("math", description="how answers are compared")
    gold_style: AnswerStyle | None = Field(
        None, description="where the answer column holds the answer; null: the whole cell"
    )

    @field_validator("prompt_template")
    @classmethod
    def _check_prompt(cls, template: str) -> str:
        return check_template(template, PROMPT_FIELDS)


class TableColumns(Section):
    """What a table of prompts may say, wherever it comes from.

    A column is named by its own name, or by a path into it: ``reward_model.ground_truth``.
    """

    question_column: str = Field(
        "question", description="text, or chat messages: one system at most, and one user message"
    )
    answer_column: str = Field("answer", description="the gold answers")
    level_column: str | None = Field(None, description="whole numbers, or `Level 5`")
    on_bad_gold: Literal["error", "drop"] | None = Field(
        None,
        description="if a gold answer has no key, or a prompt has two: error, as null, or drop, "
        "which counts them and leaves them out",
    )

    @field_validator("on_bad_gold")
    @classmethod
    def _error_is_nothing_said(cls, rule: str | None) -> str | None:
        """Both are one run, and have one id."""
        return None if rule == "error" else rule


class DatasetBase(PromptSource):
    """What every dataset entry may carry."""

    target_template: str = Field(
        "\\boxed{{{answer}}}",
        description="supervised completion for a warm start; may use {answer}",
    )
    split: SplitShares = Field(
        default_factory=SplitShares, description="share of the questions that each split gets"
    )
    train_prompts: int | None = Field(
        None,
        ge=1,
        description="size of the training pool; null: as many fresh prompts as the run consumes "
        "(steps x prompts_per_step), or all there are",
    )
    warm_start_levels: dict[int, float] = Field(
        default_factory=dict, description="level -> weight in the warm-start mixture"
    )
    train: Annotated[TrainOverride, NotInId()] = Field(
        default_factory=TrainOverride, description="overrides of `train`"
    )
    eval: Annotated[EvalOverride, NotInId()] = Field(
        default_factory=EvalOverride, description="overrides of `eval`"
    )

    @field_validator("target_template")
    @classmethod
    def _check_target(cls, template: str) -> str:
        return check_template(template, TARGET_FIELDS)


class ReasoningGymDataset(DatasetBase):
    """A procedurally generated task of Reasoning Gym."""

    type: Literal["reasoning_gym"] = "reasoning_gym"
    task: str = Field(min_length=1, description="task name, e.g. spell_backward")
    level: int | None = Field(None, description="difficulty; `level_rule` turns it into a config")
    warm_start_level: int | None = Field(
        None, description="level whose accuracy ends a warm start; null: `level`"
    )
    level_rule: dict[int | str, Any] | None = Field(
        None,
        description="task option -> value or '{level}'; or level -> options; null: built-in rule",
    )
    config: dict[str, Any] = Field(default_factory=dict, description="further task options")
    seed: int = Field(0, ge=0, description="seed of the generator")
    allow_many_answers: Annotated[bool, NotInId()] = Field(
        False, description="let answers vote although the task has many right ones"
    )

    @property
    def label(self) -> str:
        """Name in tables."""
        return self.name or (self.task if self.level is None else f"{self.task}-{self.level}")


_OVERLAP = "if an eval split of its own has questions that are in the train split, too"


class HubDataset(TableColumns, DatasetBase):
    """Any repository the `datasets` library can load, with question and answer columns."""

    type: Literal["hub"] = "hub"
    id: str = Field(min_length=1, description="repository id, e.g. openai/gsm8k")
    subset: str | None = Field(None, description="configuration of the repository, e.g. main")
    revision: str | None = Field(None, description="branch, tag or commit")
    commit: Commit = None
    train_split: str = Field("train", description="split to train on")
    eval_split: str | None = Field(
        None, description="null: `train_split` is divided by the hash of each question"
    )
    on_overlap: Literal["error", "drop_from_train"] = Field("error", description=_OVERLAP)

    @property
    def label(self) -> str:
        """Name in tables."""
        return self.name or slug(self.id.split("/")[-1])


class FileDataset(TableColumns, DatasetBase):
    """A JSONL, Parquet or CSV file with question and answer columns."""

    type: Literal["file"] = "file"
    path: Annotated[str, FilePath()] = Field(min_length=1, description="relative to the sweep file")
    eval_path: Annotated[str | None, FilePath()] = Field(
        None, description="null: `path` is divided by the hash of each question"
    )
    on_overlap: Literal["error", "drop_from_train"] = Field("error", description=_OVERLAP)

    @property
    def label(self) -> str:
        """Name in tables."""
        return self.name or slug(self.path.rsplit("/", 1)[-1].rsplit(".", 1)[0])


FILE_SUFFIXES = (".jsonl", ".parquet", ".csv")


def expand_short_form(entry: Any) -> Any:
    """Short forms: a file by its ending, a hub id by its '/', else a Reasoning Gym task."""
    if not isinstance(entry, str):
        return entry
    if entry.endswith(FILE_SUFFIXES):
        return {"type": "file", "path": entry}
    if "/" in entry:
        return {"type": "hub", "id": entry}
    return {"type": "reasoning_gym", "task": entry}


_Dataset = Annotated[ReasoningGymDataset | HubDataset | FileDataset, Field(discriminator="type")]
DatasetConfig = Annotated[
    _Dataset, BeforeValidator(expand_short_form, json_schema_input_type=str | _Dataset)
]
