"""ReST-EM: expectation by sampling and a gold filter, maximisation by fitting the start model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from srtbench.variants.gold_filter import GoldFilter
from srtbench.variants.published import RoundsRecipe
from srtbench.variants.selection import RoundsOptions


class ReSTEM(GoldFilter):
    """Fit the start model on at most 10 of {y_i : r_i = 1} per prompt, r_i = 1[a_i = gold].

    Source: arXiv 2312.06585, section 5: 32 samples (MATH) or 64 (APPS) by the policy of the round
    before, loss on completion tokens, the base model tuned anew each round. Deviations: (1) no
    top-k of 40 when sampling. (2) no few-shot prompt. (3) rounds and epochs are fixed beforehand.
    """

    class Config(RoundsOptions):
        """SFT of the start model on right completions, at most 10 of a prompt."""

        type: Literal["rest_em"] = "rest_em"
        max_per_prompt: int | None = Field(
            10, ge=1, description="completions kept of a prompt at most; null: all"
        )

    config: Config
    train_defaults: ClassVar[Mapping[str, Any]] = {"rounds": 3, "init_from": "start"}
    published = RoundsRecipe(
        source="ReST-EM, section 5 (MATH)",
        rounds=3,
        samples=32,
        temperature=0.7,
        init_from="start",
    )
