"""ScPO: preference pairs by votes, weighted by how clear the vote was."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from srtbench.lazy import np
from srtbench.variants.base import (
    Group,
    Judgement,
    VariantContext,
    VariantOptions,
    agreement,
    weights,
)
from srtbench.variants.published import RoundsRecipe
from srtbench.variants.selection import (
    Candidates,
    Further,
    Objective,
    Pick,
    RoundsVariant,
    TextFormat,
)
from srtbench.votes import VotingPolicy, vote

HOT = 1.2
"""Temperature of completions that may only lose, in the paper."""


class ScPO(RoundsVariant):
    """One pair per prompt: y+ of the most voted answer, y- of the least voted one, w = (V+ - V-)/k.

    L = -w log s(b log[p(y+)/p_t(y+)] - b log[p(y-)/p_t(y-)]) - (a w / |y+|) log p(y+), s the
    sigmoid, p_t the policy at the start of the round, b ``fit.beta``, a ``fit.nll_weight``.
    r_i = 1[a_i = majority] is logged. A prompt counts if V+ >= tau k; V(y) is the number of the k
    completions with y's answer. Hot completions do not vote, and may lose.

    Source: arXiv 2411.04109 v3, section 3. Deviations: (1) no top-p of 0.9 when sampling. (2) no
    problems written by a model. (3) the last epoch counts; the paper keeps the best one by gold
    answers, as ``recipe: published`` does (``fit.keep: gold``, marked: uses gold); ``vote_share``
    chooses without labels. (4) a completion without an answer never loses. (5) the loss of an
    update is the mean over its pairs. Semi-supervised: for ``gold_share`` of the prompts gold makes
    the pair, w = 1.
    """

    class Config(VariantOptions):
        """Vote-weighted DPO and NLL on pairs by votes."""

        type: Literal["scpo"] = "scpo"
        voting: VotingPolicy = Field(
            default_factory=lambda: VotingPolicy(min_share=0.5, denominator="samples"),
            description="tau is min_share, a fraction of the samples",
        )
        min_share_by_round: tuple[Annotated[float, Field(ge=0, le=1)], ...] = Field(
            (), description="tau of each round, the last for all after; empty: voting.min_share"
        )
        weighted: bool = Field(True, description="false: w = 1 for every pair")
        hot_samples: int | None = Field(
            None, ge=0, description="completions that may only lose; null: as many as vote"
        )
        hot_temperature: float = Field(HOT, gt=0, description="of those")
        gold_share: float = Field(
            0.0, ge=0, le=1, description="share of prompts whose pairs are made by gold answers"
        )

        @model_validator(mode="after")
        def _says_nothing_in_vain(self) -> ScPO.Config:
            if self.hot_samples == 0 and self.hot_temperature != HOT:
                raise ValueError("hot_temperature says nothing with hot_samples: 0")
            return self

        def under(self, voting: VotingPolicy) -> dict[str, Any]:
            """The options under another voting rule: its threshold holds in every round."""
            return {"voting": voting, "min_share_by_round": ()}

    config: Config
    votes_on_answers = True
    objective: ClassVar[Objective] = "dpo"
    train_defaults: ClassVar[Mapping[str, Any]] = {
        "rounds": 2,
        "init_from": "previous",
        "fit": {"beta": 0.5, "nll_weight": 1.0},
    }
    published = RoundsRecipe(
        source="ScPO, section 4 (GSM8K)",
        rounds=2,
        samples=8,
        temperature=0.7,
        learning_rate=5e-6,
        batch_size=16,
        epochs=10,
        init_from="previous",
        keep="gold",
        options={"min_share_by_round": (0.5, 0.7)},
        trl={"lr_scheduler_type": "cosine"},
    )

    def __init__(self, config: Any, context: VariantContext):
        super().__init__(config, context)
        self.uses_gold = config.gold_share > 0

    @classmethod
    def sees_gold(cls, config: Any) -> bool:
        """Only the semi-supervised form does."""
        return bool(config.gold_share > 0)

    @classmethod
    def further(cls, config: Any, samples: int) -> Further:
        """The hot completions."""
        hot = samples if config.hot_samples is None else config.hot_samples
        return Further(hot=hot, hot_temperature=config.hot_temperature)

    def judge(self, group: Group, rng: np.random.Generator) -> Judgement:
        """Agreement with the majority, by the threshold of the options; or with gold."""
        if self._by_gold(group):
            return Judgement(agreement(group.answer_keys, group.gold_key), group.gold_key)
        rule = self.config.voting.model_copy(update={"min_share": 0.0})
        outcome = vote(group.answer_keys, rule, rng)
        return Judgement(weights(group.answer_keys, outcome), outcome.label, outcome.share)

    def select(self, candidates: Candidates, rng: np.random.Generator) -> Sequence[Pick]:
        """The pair of a prompt, if its vote is clear enough."""
        winner, keys = candidates.judgement.pseudo_label, candidates.answer_keys
        group = candidates.group
        if winner is None:
            return ()
        votes = Counter(key for key in group.answer_keys if key is not None)
        rivals = {key: votes[key] for key in keys if key is not None and key != winner}
        own = [place for place, key in enumerate(group.answer_keys) if key == winner]
        by_gold = self._by_gold(group)
        if not own or not rivals:
            return ()
        if not by_gold and (candidates.judgement.vote_share or 0.0) < self._threshold(candidates):
            return ()
        least = min(rivals.values())
        losers = {key for key, count in rivals.items() if by_gold or count == least}
        places = [place for place, key in enumerate(keys) if key in losers]
        chosen, rejected = own[int(rng.integers(len(own)))], places[int(rng.integers(len(places)))]
        weight = 1.0
        if self.config.weighted and not by_gold:
            weight = (votes[winner] - least) / len(group.answer_keys)
        if weight <= 0:
            return ()
        return Pick(chosen, "chosen", weight), Pick(rejected, "rejected", weight)

    def formats(self) -> tuple[TextFormat, ...]:
        """Pairs are fitted on as they were sampled."""
        return ()

    def _threshold(self, candidates: Candidates) -> float:
        by_round = self.config.min_share_by_round
        if not by_round:
            return self.config.voting.min_share
        return by_round[min(candidates.step, len(by_round)) - 1]

    def _by_gold(self, group: Group) -> bool:
        """Whether a prompt is one of the labelled ones: a fixed share, by the hash of its id."""
        if not self.config.gold_share:
            return False
        part = int(hashlib.sha256(group.prompt_id.encode()).hexdigest()[:8], 16) / 2**32
        return part < self.config.gold_share
