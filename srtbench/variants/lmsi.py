"""Large language models can self-improve: fit on all paths that reach the majority."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from srtbench.lazy import np
from srtbench.variants.base import VOTING, Group, Judgement, weights
from srtbench.variants.published import RoundsRecipe
from srtbench.variants.selection import RoundsOptions, RoundsVariant
from srtbench.votes import VotingPolicy, vote


class LMSI(RoundsVariant):
    """Fit on {y_i : r_i = 1} by SFT, r_i = 1[a_i = majority(a_1..a_k)].

    Source: arXiv 2210.11610, sections 3 to 5: k = 32 at temperature 0.7, every path that reaches
    the majority, no threshold for given questions, one fine-tuning of the pretrained model. With
    more rounds from the previous policy it is the baseline of ScPO (arXiv 2411.04109).
    Deviations: (1) one format, the prompt as it was asked; the paper's four are ``formats``.
    (2) epochs over what was kept; the paper trains 10,000 steps of 32. (3) no self-made questions.
    """

    class Config(RoundsOptions):
        """SFT on the completions that agree with their majority."""

        type: Literal["lmsi"] = "lmsi"
        voting: VotingPolicy = Field(default_factory=VotingPolicy, description=VOTING)

    config: Config
    votes_on_answers = True
    train_defaults: ClassVar[Mapping[str, Any]] = {"rounds": 1}
    published = RoundsRecipe(
        source="LMSI, sections 4 and 5",
        rounds=1,
        samples=32,
        temperature=0.7,
        learning_rate=5e-5,
        batch_size=32,
    )

    def judge(self, group: Group, rng: np.random.Generator) -> Judgement:
        """See the class."""
        outcome = vote(group.answer_keys, self.config.voting, rng)
        return Judgement(weights(group.answer_keys, outcome), outcome.label, outcome.share)
