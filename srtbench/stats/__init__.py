"""Estimators, intervals and diagnoses over plain arrays; numpy only.

Shapes are (prompts, samples) for answers, (seeds, prompts[, samples]) for scores and (steps,) for
curves. The equations and their sources are in docs/estimators.md.
"""

from srtbench.stats.agreement import (
    answer_entropy,
    ground_truth_ratio,
    label_accuracy,
    majority_label,
    majority_ratio,
    modal_answer_share,
    pooled_answer_entropy,
    reward_accuracy,
    unanimous_share,
    vote_share,
)
from srtbench.stats.at_k import avg_at_k, count_correct, maj_at_k, pass_at_k
from srtbench.stats.bootstrap import bootstrap_interval
from srtbench.stats.change_point import FallPoint, fall_point
from srtbench.stats.collapse import Change, CollapseKind, CollapseReport, Onset, diagnose_collapse
from srtbench.stats.compare import holm, interquartile_mean, probability_of_improvement
from srtbench.stats.flips import (
    FLIP_KINDS,
    FLIP_STATES,
    FlipKind,
    VoteFlip,
    flip_transitions,
    vote_flips,
)
from srtbench.stats.intervals import (
    Interval,
    clustered_interval,
    clustered_standard_error,
    mean_interval,
    paired_difference,
)
from srtbench.stats.stopping import (
    ALARM_RULES,
    AlarmRule,
    StopOutcome,
    alarm_index,
    labelled_split_choice,
    stopping_rules,
)

__all__ = [
    "ALARM_RULES",
    "FLIP_KINDS",
    "FLIP_STATES",
    "AlarmRule",
    "Change",
    "CollapseKind",
    "CollapseReport",
    "FallPoint",
    "FlipKind",
    "Interval",
    "Onset",
    "StopOutcome",
    "VoteFlip",
    "alarm_index",
    "answer_entropy",
    "avg_at_k",
    "bootstrap_interval",
    "clustered_interval",
    "clustered_standard_error",
    "count_correct",
    "diagnose_collapse",
    "fall_point",
    "flip_transitions",
    "ground_truth_ratio",
    "holm",
    "interquartile_mean",
    "label_accuracy",
    "labelled_split_choice",
    "maj_at_k",
    "majority_label",
    "majority_ratio",
    "mean_interval",
    "modal_answer_share",
    "paired_difference",
    "pass_at_k",
    "pooled_answer_entropy",
    "probability_of_improvement",
    "reward_accuracy",
    "stopping_rules",
    "unanimous_share",
    "vote_flips",
    "vote_share",
]
