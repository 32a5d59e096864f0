"""The stages that draw prompts."""

import pyarrow as pa

from srtbench.datasets import Drawn, draw_eval_set, draw_problems
from srtbench.plan.stages import EvalPrompts, TrainPrompts
from srtbench.rollouts import write_parquet
from srtbench.store import Folder, write_json
from srtbench.train.prompts import QUESTION, prompt_table


def draw_train_prompts(spec: TrainPrompts, folder: Folder) -> None:
    """Draw prompts to train on."""
    drawn = draw_problems(spec.dataset, "train", spec.prompts)
    _write(drawn, prompt_table(spec.dataset, drawn.problems), folder)


def draw_eval_prompts(spec: EvalPrompts, folder: Folder) -> None:
    """Draw the prompts of an evaluation set."""
    if not spec.whole:
        drawn = draw_problems(spec.dataset, "eval", spec.prompts)
        _write(drawn, prompt_table(spec.dataset, drawn.problems), folder)
        return
    drawn = draw_eval_set(spec.dataset, spec.prompts)
    # A further set has no target to train on: its target template is the question alone.
    questions = pa.array([problem.target for problem in drawn.problems], QUESTION.type)
    table = prompt_table(spec.dataset, drawn.problems).append_column(QUESTION, questions)
    _write(drawn, table, folder)


def _write(drawn: Drawn, table: pa.Table, folder: Folder) -> None:
    """The prompts, and beside them how many there are and what was dropped of their split."""
    write_parquet(table, folder.prompts_path)
    result = {"prompts": len(table), "dropped": drawn.dropped.counts()}
    write_json(folder.path / "result.json", result)
