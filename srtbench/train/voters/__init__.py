"""Voters, by the name that a variant answers to the question of who votes."""

from srtbench.engines.base import EngineMaker
from srtbench.train.context import RunContext
from srtbench.train.voters.base import OnceMore, PolicyVoter, Voter
from srtbench.train.voters.ema_teacher import EmaTeacher
from srtbench.train.voters.snapshot_teacher import SnapshotTeacher

VOTERS: dict[str, type[Voter]] = {
    "policy": PolicyVoter,
    "ema_teacher": EmaTeacher,
    "snapshot_teacher": SnapshotTeacher,
}


def make_voter(context: RunContext, once_more: OnceMore, engines: EngineMaker) -> Voter | None:
    """Who votes beside the trained completions of a run; None if nobody does.

    Args:
        once_more: the method's own way to sample the policy as it is now.
        engines: what samples other models.
    """
    electorate = context.variant.electorate
    if electorate is None or electorate.voter is None:
        return None
    return VOTERS[electorate.voter].of(context, electorate.config, once_more, engines)


__all__ = ["VOTERS", "OnceMore", "Voter", "make_voter"]
