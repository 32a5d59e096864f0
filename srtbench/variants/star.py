"""STaR: fit on one's own right answers, and on those found with the answer as a hint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from srtbench.lazy import np
from srtbench.variants.gold_filter import GoldFilter
from srtbench.variants.published import RoundsRecipe
from srtbench.variants.selection import HINT, Candidates, Further, Pick, RoundsOptions, kept


class STaR(GoldFilter):
    """Fit the start model on {y_i : r_i = 1} each round, r_i = 1[a_i = gold].

    With ``rationalise``, a prompt that no completion gets right is asked again in the words of
    ``hint``, and what is right then is kept; the text that is fitted on has the plain prompt.

    Source: arXiv 2203.14465, algorithm 1, and its released code. Deviations: (1) completions are
    sampled at the run's temperature; the paper decodes greedily, the code at 0.01. (2) one number
    of epochs each round, where the code's steps grow by a fifth. (3) no few-shot rationales are put
    before a prompt. (4) answers are compared by canonical key.
    """

    class Config(RoundsOptions):
        """SFT of the start model on right completions; `rationalise` gives a second chance."""

        type: Literal["star"] = "star"
        rationalise: bool = Field(False, description="ask again, with the answer as a hint")
        hint: str = Field(HINT, description="the prompt that is asked then")
        second_chances: int = Field(1, ge=1, description="completions of such a prompt")

        @field_validator("hint")
        @classmethod
        def _shows_the_answer(cls, hint: str) -> str:
            try:
                filled = hint.format(prompt="\0", answer="\1")
            except (KeyError, ValueError, IndexError, AttributeError):
                filled = ""
            if "\0" not in filled or "\1" not in filled:
                raise ValueError("needs {prompt} and {answer}; any other brace is written twice")
            return hint

        @model_validator(mode="after")
        def _says_nothing_in_vain(self) -> STaR.Config:
            if not self.rationalise and (self.hint, self.second_chances) != (HINT, 1):
                raise ValueError("hint and second_chances need rationalise: true")
            return self

    config: Config
    train_defaults: ClassVar[Mapping[str, Any]] = {"rounds": 4, "init_from": "start"}
    published = RoundsRecipe(
        source="STaR, section 3.1; iteration_train.py and configs/qa_base.json of the release",
        rounds=64,
        samples=1,
        temperature=0.01,
        learning_rate=1e-6,
        batch_size=8,
        init_from="start",
        options={"rationalise": True},
        trl={"lr_scheduler_type": "constant_with_warmup", "warmup_steps": 100},
        note="at most 64 rounds",
    )

    @classmethod
    def further(cls, config: Any, samples: int) -> Further:
        """The second chances."""
        if not config.rationalise:
            return Further()
        return Further(hinted=config.second_chances, hint=config.hint)

    def select(self, candidates: Candidates, rng: np.random.Generator) -> Sequence[Pick]:
        """What is right, without the hint or else with it."""
        own = super().select(candidates, rng)
        gold = candidates.group.gold_key
        if own or gold is None:
            return own
        keys = candidates.answer_keys
        places = [p for p in range(candidates.first_hinted, len(keys)) if keys[p] == gold]
        return kept(candidates, places, self.config, rng)
