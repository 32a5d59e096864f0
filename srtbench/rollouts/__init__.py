"""The rollout log: what a row holds, and parts on disk."""

from srtbench.rollouts.parts import (
    METRIC_SCHEMA,
    PROMPT_SCHEMA,
    ROLLOUT_SCHEMA,
    SCHEMA_VERSION,
    VERIFIER_STATUSES,
    Phase,
    RolloutWriter,
    discard_after,
    eval_group_id,
    is_part,
    of_set,
    part_files,
    read_rollouts,
    rollout_table,
    with_columns,
    write_parquet,
)

__all__ = [
    "METRIC_SCHEMA",
    "PROMPT_SCHEMA",
    "ROLLOUT_SCHEMA",
    "SCHEMA_VERSION",
    "VERIFIER_STATUSES",
    "Phase",
    "RolloutWriter",
    "discard_after",
    "eval_group_id",
    "is_part",
    "of_set",
    "part_files",
    "read_rollouts",
    "rollout_table",
    "with_columns",
    "write_parquet",
]
