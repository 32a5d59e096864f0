"""Rejection-sampling fine-tuning: right answers, one per way to get there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from srtbench.variants.gold_filter import GoldFilter
from srtbench.variants.published import RoundsRecipe
from srtbench.variants.selection import Distinct, RoundsOptions


class RFT(GoldFilter):
    """Fit on {y_i : r_i = 1}, r_i = 1[a_i = gold], one text per distinct list of equations.

    Source: arXiv 2308.01825, section 3.3: 100 samples at temperature 0.7. Deviations: (1) wrong
    arithmetic in a right answer's text is not looked for. (2) only sampled texts are fitted on, no
    human ones. (3) the policy that samples is the one that is fitted; the paper samples from its
    SFT model and fits the pretrained one. (4) a text without equations counts as its own way.
    """

    class Config(RoundsOptions):
        """SFT on right completions, one per list of equations."""

        type: Literal["rft"] = "rft"
        distinct: Distinct = Field("equations", description="which texts count as one")

    config: Config
    train_defaults: ClassVar[Mapping[str, Any]] = {"rounds": 1, "init_from": "start"}
    published = RoundsRecipe(
        source="RFT, section 3.3 and appendix A",
        rounds=1,
        samples=100,
        temperature=0.7,
        learning_rate=2e-5,
        batch_size=128,
        epochs=3,
        trl={"warmup_steps": 0.03},
    )
