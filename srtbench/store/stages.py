"""Whether a stage that says it is done has what others will read of it. Loads no torch."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from srtbench.config.errors import StoreError
from srtbench.plan.stages import (
    ConvertedModel,
    EvalPrompts,
    StageSpec,
    StartEval,
    TrainPrompts,
    VotesStage,
    WarmStart,
)
from srtbench.store.checkpoints import check_model
from srtbench.store.files import checked, read_json, refused
from srtbench.store.folders import Folder

RESULT = "result.json"
"""File of a stage's folder: what came of it, in numbers."""


class _Dropped(BaseModel):
    model_config = ConfigDict(extra="forbid")

    rows_without_key: int
    prompts_with_two_answers: int
    named: list[str] = []


class _Result(BaseModel):
    """What any stage notes: how many prompts it drew, or how a warm start went."""

    model_config = ConfigDict(extra="forbid")

    prompts: int | str = 0
    dropped: _Dropped | None = None
    steps: int = 0
    accuracy: float = 0.0
    check_prompts: int = 0
    check_samples: int = 0
    parameters: int = 0


def left_out(content: dict[str, Any], path: Path) -> str | None:
    """What `on_bad_gold: drop` left out of a stage's prompts, in words; None: nothing.

    Args:
        content: of the stage's result.json, which is ``path``.

    Raises:
        StoreError: it is no result of a stage.
    """
    dropped = checked(_Result, content, path, strict=True).dropped
    if dropped is None:
        return None
    counts = (
        (dropped.rows_without_key, "row", "whose gold answer has no key"),
        (dropped.prompts_with_two_answers, "prompt", "with two answers"),
    )
    parts = [f"{n:,} {what}{'s' if n != 1 else ''} {why}" for n, what, why in counts if n]
    if not parts:
        return None
    more = sum(n for n, *_ in counts) > len(dropped.named)
    named = f" ({', '.join(dropped.named)}{', ...' if more else ''})" if dropped.named else ""
    return f"{' and '.join(parts)}{named}"


def read_left_out(folder: Folder) -> str | None:
    """The same from a stage's folder; None also where it has no such file."""
    path = folder.path / RESULT
    return left_out(read_json(path), path) if path.is_file() else None


def is_done(spec: StageSpec, folder: Folder) -> bool:
    """Whether a stage need not be computed (again)."""
    return folder.shown_status().state == "done" and damage_of(spec, folder) is None


def damage_of(spec: StageSpec, folder: Folder) -> str | None:
    """What is wrong with a result, in one line that names the file; None: it can be used.

    Raises:
        OSError: the system refuses to read it; computing it again would not help.
    """
    try:
        _check(spec, folder)
    except StoreError as error:
        return str(error)
    except OSError as error:
        if refused(error):
            raise
        return f"{error.filename or folder.path}: {error.strerror or error}"
    return None


def _check(spec: StageSpec, folder: Folder) -> None:
    match spec:
        case TrainPrompts() | EvalPrompts():
            _check_prompts(folder)
        case WarmStart():
            _check_prompts(folder)
            check_model(folder.model_path)
        case ConvertedModel():
            check_model(folder.model_path)
        case StartEval():
            _check_rollouts(folder)
        case VotesStage():
            _check_rollouts(folder)
            from srtbench.store.labels import labels_path, read_labels

            read_labels(labels_path(folder))


def _check_prompts(folder: Folder) -> None:
    from srtbench.store.prompts import read_prompt_table  # here: pyarrow takes half a second

    read_prompt_table(folder)


def _check_rollouts(folder: Folder) -> None:
    from srtbench.rollouts import read_rollouts

    if not read_rollouts(folder.rollouts_path, "eval", ["prompt_id", "answer_key"]).num_rows:
        raise StoreError(f"{folder.rollouts_path}: holds no rollouts")
