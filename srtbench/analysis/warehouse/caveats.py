"""What must be said with a run's numbers: prompts or gold answers that it owes something to."""

from collections.abc import Mapping
from typing import Any

ON_EVAL_PROMPTS = "It trained on these very prompts, without their answers."
TRAINED_BEFORE = (
    "A stage before it in its curriculum trained on these very prompts, without their answers."
)
CHOSEN_BEFORE = (
    "A stage before it in its curriculum started from a policy that was chosen by gold answers of "
    "evaluation prompts, so it is not label-free."
)
SAME_PROMPTS = "Those prompts are its own too, so its accuracy on them is a little too good."
_MEASURES = {"best_avg_at_k": "avg@k", "best_maj_at_k": "maj@k"}


def caveat(run_id: str, runs: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Plain sentences about a run; None if there is nothing to say.

    Args:
        runs: run_id -> its row of the plan, with ``start_rule``, the rule by which the policy that
            it starts from was chosen. Those that it starts from, in a row, are among them.
    """
    run = runs[run_id]
    chain = _before(run, runs)
    found = list(run.get("caveats") or [])
    if run.get("trains_on_eval_prompts"):
        found.append(ON_EVAL_PROMPTS)
    elif any(one.get("trains_on_eval_prompts") and _same_prompts(one, run) for one in chain):
        found.append(TRAINED_BEFORE)
    if (labelled := _labelled(run)) is not None:
        found.append(
            f"Gold answers decided when it ended and which policy it keeps ({labelled} of its "
            "evaluation prompts), so it is not label-free."
        )
    if _kept_by_gold(run):
        found.append(
            "Gold answers of its evaluation prompts chose the epoch that each of its fits keeps, "
            "so it is not label-free, and its accuracy on them is a little too good."
        )
    measure = _MEASURES.get(run.get("start_rule") or "")
    if measure is not None:
        found.append(
            f"It started from the policy with the best {measure} of the stage before, chosen by "
            "gold answers of that stage's evaluation prompts, so it is not label-free."
        )
        if chain and _same_prompts(chain[0], run):
            found.append(SAME_PROMPTS)
    elif any(
        one.get("start_rule") in _MEASURES or _labelled(one) or _kept_by_gold(one) for one in chain
    ):
        found.append(CHOSEN_BEFORE)
    return " ".join(found) or None


def _labelled(run: Mapping[str, Any]) -> str | None:
    """``16 labelled prompts``, where `train.stop` looks at those."""
    stop = run.get("stop")
    return stop if isinstance(stop, str) and stop.endswith("labelled prompts") else None


def _kept_by_gold(run: Mapping[str, Any]) -> bool:
    """Whether `train.fit.keep` looks at gold answers."""
    return run.get("keep") == "gold"


def _before(
    run: Mapping[str, Any], runs: Mapping[str, Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """The runs before it in its curriculum, the last one first."""
    found: list[Mapping[str, Any]] = []
    while (name := str(run.get("starts_from"))) in runs and len(found) < len(runs):
        run = runs[name]
        found.append(run)
    return found


def _same_prompts(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two runs of a curriculum are evaluated on the same prompts: at the same level."""
    return bool(one["dataset"] == other["dataset"])
