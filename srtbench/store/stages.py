"""Whether a stage that says it is done has what others will read of it. Loads no torch."""

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
from srtbench.store.folders import Folder


def is_done(spec: StageSpec, folder: Folder) -> bool:
    """Whether a stage need not be computed (again)."""
    return folder.shown_status().state == "done" and damage_of(spec, folder) is None


def damage_of(spec: StageSpec, folder: Folder) -> str | None:
    """What is wrong with a result, in one line that names the file; None: it can be used."""
    try:
        _check(spec, folder)
    except StoreError as error:
        return str(error)
    except OSError as error:
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
