"""The stages that draw prompts."""

import pyarrow as pa

from srtbench.datasets import load_eval_set, load_problems
from srtbench.plan.stages import EvalPrompts, TrainPrompts
from srtbench.rollouts import write_parquet
from srtbench.store import Folder
from srtbench.train.prompts import QUESTION, prompt_table


def draw_train_prompts(spec: TrainPrompts, folder: Folder) -> None:
    """Draw prompts to train on."""
    problems = load_problems(spec.dataset, "train", spec.prompts)
    write_parquet(prompt_table(spec.dataset, problems), folder.prompts_path)


def draw_eval_prompts(spec: EvalPrompts, folder: Folder) -> None:
    """Draw the prompts of an evaluation set."""
    if not spec.whole:
        problems = load_problems(spec.dataset, "eval", spec.prompts)
        write_parquet(prompt_table(spec.dataset, problems), folder.prompts_path)
        return
    problems = load_eval_set(spec.dataset, spec.prompts)
    # A further set has no target to train on: its target template is the question alone.
    questions = pa.array([problem.target for problem in problems], QUESTION.type)
    table = prompt_table(spec.dataset, problems).append_column(QUESTION, questions)
    write_parquet(table, folder.prompts_path)
