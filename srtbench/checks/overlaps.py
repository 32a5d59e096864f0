"""Evaluation sets that ask what a run of the plan learns from: found before it is trained."""

from srtbench.checks.findings import Findings
from srtbench.datasets import Problem
from srtbench.datasets.overlap import (
    DROP_HINT,
    TRAINED,
    WARMED,
    asked,
    overlap_text,
    shared_with,
)
from srtbench.plan import EvalSetSpec, Origin, RunSpec


class Overlaps:
    """The prompts that stages draw of tables, and what is in two of them that must not be.

    Of generated prompts nothing is known here; training looks at them.
    """

    def __init__(self, findings: Findings):
        self._found = findings
        self._drawn: dict[str, list[Problem]] = {}
        self._seen: set[tuple[object, ...]] = set()

    def keep(self, stage_id: str, problems: list[Problem]) -> None:
        """Remember what a stage draws."""
        self._drawn[stage_id] = problems

    def look(self, origin: Origin, run: RunSpec) -> None:
        """Note the sets of a run that ask what it learns from; those that are dropped are not."""
        for one in run.further:
            warm = run.needs.start_model
            key = (run.needs.train_prompts, warm, one.needs.prompts, one.on_overlap)
            if key not in self._seen:
                self._seen.add(key)
                self._look_at(origin, run, one, warm)

    def _look_at(self, origin: Origin, run: RunSpec, one: EvalSetSpec, warm: str | None) -> None:
        of_set = self._drawn.get(one.needs.prompts)
        if of_set is None:
            return
        # A further set has no target: its target template is the question alone.
        questions = [problem.target for problem in of_set]
        template = run.dataset.prompt_template
        wanted = asked([problem.prompt for problem in of_set], questions, template)

        def shared(stage_id: str | None) -> list[str]:
            drawn = self._drawn.get(stage_id or "", [])
            return shared_with([problem.prompt for problem in drawn], wanted)

        place = self._found.eval_set(origin, one.label)
        learnt, warmed = shared(run.needs.train_prompts), shared(warm)
        size = len(of_set)
        if learnt and (run.trains_on_eval_prompts or one.on_overlap != "drop_from_train"):
            hint = "" if run.trains_on_eval_prompts else DROP_HINT
            text = overlap_text(one.label, learnt, size, TRAINED, hint)
            self._found.problem(place.below("on_overlap"), text)
        elif warmed:
            self._found.problem(place, overlap_text(one.label, warmed, size, WARMED))
        elif learnt and len(learnt) == len(self._drawn[run.needs.train_prompts]):
            text = f"evaluation set {one.label} asks all prompts that {TRAINED}: none is left"
            self._found.problem(place.below("on_overlap"), text)
