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
from srtbench.stats.alarm_records import AlarmRecord, alarm_records
from srtbench.stats.alarms import ALARM_RULES, AlarmRule, alarm_index
from srtbench.stats.at_k import avg_at_k, count_correct, maj_at_k, pass_at_k
from srtbench.stats.bootstrap import bootstrap_interval
from srtbench.stats.change_point import FallPoint, fall_point
from srtbench.stats.collapse import Change, CollapseKind, CollapseReport, Onset, diagnose_collapse
from srtbench.stats.compare import (
    holm,
    interquartile_mean,
    probability_of_improvement,
    unpaired_difference,
)
from srtbench.stats.cross_fit import CrossFittedOutcome, cross_fitted_stopping
from srtbench.stats.early_stop import EarlyStop, stop_at_alarm, stop_without_progress
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
from srtbench.stats.ranges import SHARE, SHARE_DIFFERENCE, Bounds
from srtbench.stats.rates import SeedSplit, fisher_exact, rate_interval, seed_split
from srtbench.stats.stopping import (
    StopOutcome,
    kept_checkpoints,
    label_free_checkpoint,
    labelled_split_choice,
    stopping_rules,
)
from srtbench.stats.survival import SurvivalCurve, kaplan_meier
from srtbench.stats.verdicts import Verdict, VerdictWord, verdict
from srtbench.stats.youden import youden_j

__all__ = [
    "ALARM_RULES",
    "FLIP_KINDS",
    "FLIP_STATES",
    "SHARE",
    "SHARE_DIFFERENCE",
    "AlarmRecord",
    "AlarmRule",
    "Bounds",
    "Change",
    "CollapseKind",
    "CollapseReport",
    "CrossFittedOutcome",
    "EarlyStop",
    "FallPoint",
    "FlipKind",
    "Interval",
    "Onset",
    "SeedSplit",
    "StopOutcome",
    "SurvivalCurve",
    "Verdict",
    "VerdictWord",
    "VoteFlip",
    "alarm_index",
    "alarm_records",
    "answer_entropy",
    "avg_at_k",
    "bootstrap_interval",
    "clustered_interval",
    "clustered_standard_error",
    "count_correct",
    "cross_fitted_stopping",
    "diagnose_collapse",
    "fall_point",
    "fisher_exact",
    "flip_transitions",
    "ground_truth_ratio",
    "holm",
    "interquartile_mean",
    "kaplan_meier",
    "kept_checkpoints",
    "label_accuracy",
    "label_free_checkpoint",
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
    "rate_interval",
    "reward_accuracy",
    "seed_split",
    "stop_at_alarm",
    "stop_without_progress",
    "stopping_rules",
    "unanimous_share",
    "unpaired_difference",
    "verdict",
    "vote_flips",
    "vote_share",
    "youden_j",
]
