"""What a round samples, judged and selected: as rows for the log, and as tokens for the fit."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from srtbench.engines.base import Completion, EngineMaker
from srtbench.plan.specs import Sampling
from srtbench.rollouts import rollout_table
from srtbench.rollouts.judge import Columns, Judge, Judged, graded_rows
from srtbench.rollouts.selection import select_step, selected_pairs
from srtbench.store.prompts import read_prompt_table
from srtbench.train.context import RunContext
from srtbench.train.evaluate import Prompt, sample_groups
from srtbench.train.fit import Example, Pair
from srtbench.train.prompts import grader_of
from srtbench.variants import TOKEN_STATISTICS, RoundsVariant, TextFormat

logger = logging.getLogger(__name__)

_OWN, _HOT, _HINTED = 2, 3, 4
"""What random numbers are for, as parts of a seed."""


@dataclass(frozen=True)
class Round:
    """What a round has to fit on.

    Attributes:
        table: its completions that vote, as ROLLOUT_SCHEMA.
        further: those that do not, hot ones before hinted ones in each group; None: there are none.
        examples, pairs: tokens to fit on; one of the two is empty.
    """

    table: pa.Table
    further: pa.Table | None
    examples: list[Example]
    pairs: list[Pair]


@dataclass(frozen=True)
class _Asked:
    """Completions of a round, in the order of rows: group, place in it, prompt, completion."""

    rows: list[tuple[int, int, Prompt, Completion]]

    @property
    def completions(self) -> list[Completion]:
        return [completion for *_, completion in self.rows]


class RoundSampler:
    """Samples rounds of one run. What a round gives depends on the run, its number and policy."""

    def __init__(self, context: RunContext, variant: RoundsVariant, engines: EngineMaker):
        self._engines = engines
        self._context, self._variant, self._spec = context, variant, context.spec
        self._grader = grader_of(context.spec.dataset)
        self._judge = Judge(variant, context.spec.seed, context.gold_keys)
        self._plan = variant.further(variant.config, context.spec.train.num_generations)
        self._golds: dict[str, str] = {}
        if self._plan.hinted:
            rows = read_prompt_table(context.folder).to_pylist()
            self._golds = {row["prompt_id"]: row["gold_answer"] for row in rows}

    def sample(self, number: int, prompts: Sequence[Prompt], policy: Any) -> Round:
        """Round ``number`` of this policy, on these prompts."""
        train, plan = self._spec.train, self._plan
        size = train.num_generations
        engine = self._engines(policy, self._spec.own.sampling.batch_size)

        def ask(
            asked: Sequence[tuple[int, Prompt, Prompt]],
            samples: int,
            temperature: float,
            first: int,
            kind: int,
        ) -> list[tuple[int, int, Prompt, Completion]]:
            """Rows of groups; asked: number of each, its prompt, and how that is put."""
            groups = sample_groups(
                engine,
                self._context.tokenizer,
                [words for *_, words in asked],
                self._context.format,
                Sampling(
                    samples=samples,
                    temperature=temperature,
                    max_completion_length=train.max_completion_length,
                    batch_size=self._spec.own.sampling.batch_size,
                    seed=0,
                ),
                seed_of(self._spec.seed, number, kind),
                _saying(number, len(asked)),
            )
            return [
                (group, first + index, prompt, completion)
                for (group, prompt, _), found in zip(asked, groups, strict=True)
                for index, completion in enumerate(found)
            ]

        every = [(group, prompt, prompt) for group, prompt in enumerate(prompts)]
        own = _Asked(ask(every, size, train.temperature, 0, _OWN))
        columns = self._graded(number, own)
        judged = self._judge.step(columns, number)
        more: list[tuple[int, int, Prompt, Completion]] = []
        if plan.hot:
            more += ask(every, plan.hot, plan.hot_temperature, size, _HOT)
        if plan.hinted:
            hinted = self._hinted(every, columns, judged)
            first = size + plan.hot
            more += ask(hinted, plan.hinted, train.temperature, first, _HINTED) if hinted else []
        beside = _Asked(sorted(more, key=lambda row: row[:2]))
        further = self._graded(number, beside)
        chosen, chosen_beside = select_step(self._judge, columns, judged, further, number, plan.hot)
        table = self._table(number, own, columns | judged.columns | chosen)
        rest = further | judged.of_votes(further) | chosen_beside
        examples, pairs = self._to_fit(own, beside, columns | chosen, further | chosen_beside)
        return Round(
            table, self._table(number, beside, rest) if beside.rows else None, examples, pairs
        )

    def _hinted(
        self, every: Sequence[tuple[int, Prompt, Prompt]], columns: Columns, judged: Judged
    ) -> list[tuple[int, Prompt, Prompt]]:
        """Prompts that no completion gets right, in the words of the hint."""
        solved = {
            group_id
            for group_id, right in zip(
                columns["group_id"], judged.columns["gold_reward"], strict=True
            )
            if right
        }
        return [
            (group, prompt, self._with_hint(prompt))
            for group, prompt, _ in every
            if _group_id(columns, group * self._spec.train.num_generations) not in solved
        ]

    def _with_hint(self, prompt: Prompt) -> Prompt:
        answer = self._golds[prompt.prompt_id]
        text = self._plan.hint.format(prompt=prompt.prompt, answer=answer)
        return Prompt(prompt.prompt_id, text, prompt.gold_key)

    def _graded(self, number: int, asked: _Asked) -> Columns:
        return graded_rows(
            [completion.text for completion in asked.completions],
            [f"{number}-{group}" for group, *_ in asked.rows],
            grader=self._grader,
            prompt_ids=[prompt.prompt_id for _, _, prompt, _ in asked.rows],
            completion_ids=[completion.token_ids for completion in asked.completions],
        )

    def _table(self, number: int, asked: _Asked, columns: Columns) -> pa.Table:
        rows, completions = len(asked.rows), asked.completions
        own: Columns = {
            "run_id": [self._spec.run_id] * rows,
            "phase": ["train"] * rows,
            "eval_set": [None] * rows,
            "step": [number] * rows,
            "policy_step": [number - 1] * rows,
            "sample_index": [index for _, index, *_ in asked.rows],
            "completion_tokens": [len(completion.token_ids) for completion in completions],
            "truncated": [completion.truncated for completion in completions],
            **dict.fromkeys(("advantage", *TOKEN_STATISTICS), [None] * rows),
        }
        logged = {name: values for name, values in columns.items() if name != "completion_ids"}
        return rollout_table(logged | own)

    def _to_fit(
        self, own: _Asked, beside: _Asked, columns: Columns, further: Columns
    ) -> tuple[list[Example], list[Pair]]:
        """Tokens of what was selected; a hinted completion follows the plain prompt."""
        if self._variant.objective == "dpo":
            return [], [
                self._pair(own, beside, columns, further, *pair)
                for pair in selected_pairs(columns, further)
            ]
        found = []
        for asked, table in ((own, columns), (beside, further)):
            for row, (_, _, prompt, completion) in enumerate(asked.rows):
                if table["selected"][row]:
                    found += self._examples(prompt, completion, table["answer"][row])
        return found, []

    def _pair(
        self,
        own: _Asked,
        beside: _Asked,
        columns: Columns,
        further: Columns,
        chosen: tuple[bool, int],
        rejected: tuple[bool, int],
    ) -> Pair:
        _, _, prompt, best = (beside if chosen[0] else own).rows[chosen[1]]
        *_, worst = (beside if rejected[0] else own).rows[rejected[1]]
        weight = (further if chosen[0] else columns)["weight"][chosen[1]]
        ids = self._context.format.token_ids(self._context.tokenizer, prompt.prompt)
        return Pair(ids, list(best.token_ids), list(worst.token_ids), weight)

    def _examples(
        self, prompt: Prompt, completion: Completion, answer: str | None
    ) -> list[Example]:
        """The sampled tokens, or a text per format of the variant."""
        tokenizer, format_ = self._context.tokenizer, self._context.format
        formats = self._variant.formats()
        if not formats:
            ids = format_.token_ids(tokenizer, prompt.prompt)
            return [Example(ids, list(completion.token_ids))]
        values = {"prompt": prompt.prompt, "completion": completion.text, "answer": answer or ""}
        return [self._written(one, values, truncated=completion.truncated) for one in formats]

    def _written(self, format_: TextFormat, values: dict[str, str], *, truncated: bool) -> Example:
        tokenizer = self._context.tokenizer
        asked = self._context.format.token_ids(tokenizer, format_.prompt.format(**values))
        text = format_.completion.format(**values)
        ids = list(tokenizer(text, add_special_tokens=False)["input_ids"])
        ends = not truncated or "{completion}" not in format_.completion
        return Example(asked, [*ids, tokenizer.eos_token_id] if ends else ids)


def _group_id(columns: Columns, row: int) -> str:
    group_id: str = columns["group_id"][row]
    return group_id


def seed_of(*parts: int) -> int:
    """A seed below 2^32 that is the same whenever the same thing is done again."""
    return int(np.random.SeedSequence(list(parts)).generate_state(1)[0])


def _saying(number: int, total: int) -> Callable[[int], None]:
    """Says in the log how far a round's sampling is, ten times."""

    def say(done: int) -> None:
        if done % -(-total // 10) == 0:
            logger.info("round %d: %d of %d prompts sampled", number, done, total)

    return say
