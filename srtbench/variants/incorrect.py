"""Incorrect labels: agreement with a majority label that is known to be wrong."""

import numpy as np

from srtbench.variants.base import Group, Judgement, Variant, agreement


class Incorrect(Variant):
    """r_i = 1[a_i = teacher's majority], on prompts whose teacher majority is not gold.

    Source: Shao et al. 2025, "Spurious Rewards". Prompts whose majority is right, or that have
    no majority, are dropped before training, which is what gold is used for.
    Deviations: (1) the labels are votes of the run's own start model, not of a fixed 7B model.
    """

    uses_gold = True

    def keeps_prompt(self, prompt_id: str, gold_key: str | None) -> bool:
        """Only prompts with a label that is known to be wrong."""
        label = self.context.teacher_labels[prompt_id].label
        return label is not None and gold_key is not None and label != gold_key

    def judge(self, group: Group, rng: np.random.Generator) -> Judgement:
        """See the class."""
        teacher = self.context.teacher_labels[group.prompt_id]
        return Judgement(agreement(group.answer_keys, teacher.label), teacher.label, teacher.share)
