"""Work that runs share, each computed once: a function per kind of stage."""

import shutil

from srtbench.models.load import convert_gguf
from srtbench.plan.stages import (
    ConvertedModel,
    EvalPrompts,
    StageSpec,
    StartEval,
    TrainPrompts,
    VotesStage,
    WarmStart,
)
from srtbench.store import Folder, SweepStore
from srtbench.train.stages.prompts import draw_eval_prompts, draw_train_prompts
from srtbench.train.stages.start_model import evaluate_start_model, start_model_votes
from srtbench.train.stages.warm_start import WarmStartError, make_start_model

__all__ = ["WarmStartError", "execute_stage"]


def execute_stage(spec: StageSpec, store: SweepStore, folder: Folder) -> None:
    """Compute a stage into its folder, from the beginning."""
    for place in (folder.rollouts_path, folder.model_path):
        shutil.rmtree(place, ignore_errors=True)
    match spec:
        case TrainPrompts():
            draw_train_prompts(spec, folder)
        case EvalPrompts():
            draw_eval_prompts(spec, folder)
        case WarmStart():
            make_start_model(spec, folder)
        case ConvertedModel():
            convert_gguf(spec.model, folder.model_path)
        case StartEval():
            evaluate_start_model(spec, store, folder)
        case VotesStage():
            start_model_votes(spec, store, folder)
        case _:
            raise TypeError(f"{spec.stage_id}: no stage of this kind can be computed")
