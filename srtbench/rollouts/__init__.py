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
    is_part,
    part_files,
    read_rollouts,
    rollout_table,
    write_parquet,
)
from srtbench.rollouts.tables import read_table

__all__ = [
    "METRIC_SCHEMA",
    "PROMPT_SCHEMA",
    "ROLLOUT_SCHEMA",
    "SCHEMA_VERSION",
    "VERIFIER_STATUSES",
    "Phase",
    "RolloutWriter",
    "discard_after",
    "is_part",
    "part_files",
    "read_rollouts",
    "read_table",
    "rollout_table",
    "write_parquet",
]
