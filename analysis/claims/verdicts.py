"""How an effect decides a hypothesis, and hypotheses a claim."""

from collections.abc import Mapping, Sequence

from analysis.claims.hypotheses import Hypothesis
from srtbench.analysis.effects import Effect

Verdict = str
"""holds, fails, undecided, not run, or a "mixed: ..." that spells out what differs."""

HOLDS, FAILS, UNDECIDED, NOT_RUN = "holds", "fails", "undecided", "not run"


def judge(hypothesis: Hypothesis, effect: Effect | None) -> Verdict:
    """The rule: the whole interval on the claimed side holds, on the other side fails.

    One seed says nothing about other seeds, so it is never more than undecided.
    """
    if effect is None:
        return NOT_RUN
    low, high, bound = effect.low, effect.high, hypothesis.threshold
    if low is None or high is None or effect.seeds < 2:
        return UNDECIDED
    if hypothesis.rule == "within":
        if -bound < low and high < bound:
            return HOLDS
        return FAILS if low > bound or high < -bound else UNDECIDED
    if hypothesis.rule == "below":
        return HOLDS if high < bound else FAILS if low > bound else UNDECIDED
    return HOLDS if low > bound else FAILS if high < bound else UNDECIDED


def p_value(hypothesis: Hypothesis, effect: Effect | None) -> float | None:
    """Twice the chance, were the effect at the threshold, of one so far on the claimed side.

    Below 0.05 exactly where `judge` says that it holds. ``within`` is two claims, of which the
    weaker counts (two one-sided tests). None where the rule gives no verdict.
    """
    if judge(hypothesis, effect) in (NOT_RUN,) or effect is None or effect.seeds < 2:
        return None
    bound = hypothesis.threshold
    sides = {"above": [(bound, 1)], "below": [(bound, -1)], "within": [(bound, -1), (-bound, 1)]}
    found = []
    for threshold, side in sides[hypothesis.rule]:
        if side * (effect.value - threshold) <= 0:
            return 1.0
        found.append(effect.p_value(threshold))
    known = [p for p in found if p is not None]
    return max(known) if len(known) == len(found) else None


def all_of(verdicts: Sequence[Verdict]) -> Verdict:
    """Hypotheses of one claim on one task: holds if all hold, fails if any fails."""
    if FAILS in verdicts:
        return FAILS
    if set(verdicts) <= {NOT_RUN}:
        return NOT_RUN
    return HOLDS if set(verdicts) == {HOLDS} else UNDECIDED


def spelled_out(verdicts: Mapping[str, Verdict], preposition: str = "on") -> Verdict:
    """Over tasks: one verdict if they agree, else "mixed" with who says what."""
    found = set(verdicts.values())
    if len(found) == 1:
        return found.pop()
    if not found:
        return NOT_RUN
    parts = []
    for verdict in (HOLDS, FAILS, UNDECIDED, NOT_RUN):
        names = [name for name, given in verdicts.items() if given == verdict]
        if names:
            parts.append(f"{verdict} {preposition} {', '.join(names)}")
    return f"mixed: {'; '.join(parts)}"
