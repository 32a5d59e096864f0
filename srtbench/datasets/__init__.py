"""Where prompts and gold answers come from.

``load_problems`` turns a `datasets:` entry of a sweep file into problems. Importing this package
loads neither Reasoning Gym nor the `datasets` library.
"""

from srtbench.datasets.load import (
    Drawn,
    draw_eval_set,
    draw_problems,
    load_eval_set,
    load_problems,
)
from srtbench.datasets.problems import DatasetError, Problem
from srtbench.datasets.splits import check_disjoint, split_of

__all__ = [
    "DatasetError",
    "Drawn",
    "Problem",
    "check_disjoint",
    "draw_eval_set",
    "draw_problems",
    "load_eval_set",
    "load_problems",
    "split_of",
]
