"""What was found out about each Reasoning Gym task; read from a packaged table."""

from dataclasses import dataclass
from functools import cache

from srtbench.config.packaged import packaged_table


@dataclass(frozen=True)
class TaskReview:
    """One task of ``tasks.yaml``."""

    unique: bool
    """A question has one right answer, so that votes for it add up."""
    reason: str
    lenient: str | None = None
    """Why the task's own scorer gives full marks to wrong answers; None: it does not."""
    unstable: bool = False
    """Items also depend on string hashing (the order of a set) or on global random state."""


@cache
def task_reviews() -> dict[str, TaskReview]:
    """Task -> review, from the packaged ``tasks.yaml``."""
    table = packaged_table("srtbench.config", "tasks.yaml")
    return {task: TaskReview(**entry) for task, entry in table.items()}


def majority_allowed(task: str) -> tuple[bool, str]:
    """Whether a majority of answers can be a label on this Reasoning Gym task, and why.

    A task that the table does not know is allowed: nothing is known against it.
    """
    review = task_reviews().get(task)
    if review is None:
        return True, f"{task} has not been reviewed"
    return review.unique, review.reason
