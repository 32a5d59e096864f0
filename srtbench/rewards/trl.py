"""Any variant as a reward function of TRL's `GRPOTrainer` and `RLOOTrainer`.

TRL calls a reward function with the rows of its own process and tells it neither the group size
nor the other rows of a group. Both are at the trainer, whose bound method ``log_extra`` is passed
along; a test holds what is read of it against the installed version.
"""

from collections.abc import Mapping, Sequence
from math import gcd
from pathlib import Path
from typing import TYPE_CHECKING, Any

from srtbench.config.errors import allowed
from srtbench.config.sameness import prompt_id, prompt_of_gold
from srtbench.rewards.batch import Batch, BatchListener, Row
from srtbench.rewards.judging import Reward
from srtbench.rewards.signals import signals
from srtbench.rollouts.judge import Columns, runs_of
from srtbench.rollouts.texts import clean, completion_text, prompt_text
from srtbench.store.imported import UNKNOWN
from srtbench.store.written import LABELS, written_runs
from srtbench.variants import VARIANTS, VariantError

if TYPE_CHECKING:
    from srtbench.rewards.trl_log import TrlLog


class GroupError(RuntimeError):
    """The rows do not make whole groups of one prompt each: rewards would be wrong."""


class TrlReward:
    """The reward function that `trl_reward` makes; it can be pickled, and keeps no open file."""

    def __init__(
        self,
        variant: str | Mapping[str, Any],
        num_generations: int | None,
        answer_style: str,
        answer_kind: str,
        gold_column: str | None,
        teacher_column: str | None,
        log_to: str | Path | None,
        labels: Mapping[str, Any] | None,
        options: Mapping[str, Any],
    ):
        self._arguments = (
            variant,
            num_generations,
            answer_style,
            answer_kind,
            gold_column,
            teacher_column,
            log_to,
            labels,
            dict(options),
        )
        self._reward = Reward(variant, options, answer_style=answer_style, answer_kind=answer_kind)
        self._num_generations = num_generations
        self._gold_column, self._teacher_column = gold_column, teacher_column
        self._reward.require(
            {"votes": None, "statistics": None}
            | ({} if gold_column else {"gold": "give gold_column=, a column of your dataset"})
            | ({} if teacher_column else {"teacher": "give teacher_column=, with its completions"})
        )
        if num_generations is not None and num_generations < 1:
            raise ValueError(f"num_generations: {num_generations} is not at least 1")
        self._labels = _labels(labels)
        if labels and log_to is None:
            raise ValueError("labels: they name the run that is written, so give log_to= too")
        self._log_to = None if log_to is None else Path(log_to)
        if self._log_to is not None:
            written_runs(self._log_to)
        self._log: TrlLog | None = None
        self.__name__ = self._reward.name
        self.batch: Batch | None = None
        self._golds: dict[str, str | None] = {}
        self._place: tuple[bool, int] | None = None
        self._judged = 0

    def __reduce__(self) -> Any:
        return type(self), self._arguments

    def __call__(
        self,
        prompts: Sequence[Any],
        completions: Sequence[Any],
        completion_ids: Sequence[Sequence[int]] | None = None,
        **columns: Any,
    ) -> list[float]:
        """Rewards of the rows of this process.

        Raises:
            VariantError: a column that was named is not there, or a prompt lacks what the variant
                reads. GroupError: rows do not make whole groups. StoreError: the run cannot be
            written to ``log_to``.
        """
        log_extra = columns.get("log_extra")
        trainer = getattr(log_extra, "__self__", None)
        if trainer is not None:
            self._reward.seed = int(self._labels.get("seed", trainer.args.seed))
        self._follow(trainer)
        local = self._rows(prompts, completions, completion_ids, columns, trainer)
        rows, first = _gathered(local, trainer)
        is_training = bool(trainer.model.training) if trainer is not None else True
        steps_done = int(getattr(columns.get("trainer_state"), "global_step", 0))
        size = self._group_size(rows, trainer, is_training)
        self.batch = self._judge(rows, size, is_training, steps_done)
        found = self.batch.columns | self.batch.judged.columns
        mine = slice(first, first + len(local))
        if log_extra is not None:
            shown = ["answer_key", "pseudo_label", "vote_share"]
            for name in [*shown, "gold_reward"] if self._gold_column else shown:
                log_extra(f"{self.__name__}_{name}", found[name][mine])
        if (log_metric := columns.get("log_metric")) is not None:
            for name, value in signals(found, self.batch.judged.gold_keys).items():
                log_metric(f"{self.__name__}/{name}", value)
        if trainer is not None:
            for listener in trainer.callback_handler.callbacks:
                if isinstance(listener, BatchListener):
                    listener.hear(self.__name__, self.batch, trainer.accelerator.is_main_process)
        if self._log is not None:
            self._log.hear(self.batch)
        rewards: list[float] = found["train_reward"][mine]
        return rewards

    def _follow(self, trainer: Any) -> None:
        """With ``log_to``: have what this trainer's steps are judged as written."""
        if self._log_to is None or (self._log is not None and self._log.trainer is trainer):
            return
        if trainer is None:
            raise GroupError("log_to: a run is written of a trainer's steps; there is no trainer")
        from srtbench.rewards.trl_log import TrlLog

        self._log = TrlLog(trainer, self._reward, self._log_to, self._labels)
        self._golds = dict(self._log.golds)
        trainer.add_callback(self._log)

    def _rows(
        self,
        prompts: Sequence[Any],
        completions: Sequence[Any],
        completion_ids: Sequence[Sequence[int]] | None,
        columns: Mapping[str, Any],
        trainer: Any,
    ) -> list[Row]:
        """Graded completions of this process."""
        count = len(completions)
        texts = [completion_text(completion) for completion in completions]
        graded = self._reward.grader.grade(texts)
        golds = self._column(self._gold_column, "gold_column", columns, count)
        teachers = self._column(self._teacher_column, "teacher_column", columns, count)
        ends = _end_tokens(trainer)
        ids = completion_ids if completion_ids is not None else [None] * count
        return [
            Row(
                prompt=prompt_text(prompt),
                completion=text,
                gold=None if gold is None else clean(str(gold)) or None,
                teacher=tuple(completion_text(one) for one in teacher or ()),
                completion_tokens=None if tokens is None else len(tokens),
                truncated=None if tokens is None or not ends else not ends & {*tokens[-1:]},
                answer=answer,
                answer_key=key,
                verifier_status=status,
            )
            for prompt, text, gold, teacher, tokens, answer, key, status in zip(
                prompts,
                texts,
                golds,
                teachers,
                ids,
                graded.answers,
                graded.keys,
                graded.statuses,
                strict=True,
            )
        ]

    def _column(
        self, name: str | None, argument: str, columns: Mapping[str, Any], count: int
    ) -> Sequence[Any]:
        if name is None:
            return [None] * count
        if name not in columns:
            given = [key for key, value in columns.items() if isinstance(value, list)]
            choices = allowed(name, given) if given else "it has none besides the prompt"
            raise VariantError(f"{argument}: the dataset has no column {name!r}; {choices}")
        values: Sequence[Any] = columns[name]
        return values

    def _group_size(self, rows: Sequence[Row], trainer: Any, is_training: bool) -> int:
        """Completions per group: as the trainer says, as given, or as prompts repeat."""
        given = self._num_generations
        if trainer is not None:
            size = int(trainer.num_generations if is_training else trainer.num_generations_eval)
            if is_training and given not in (None, size):
                raise GroupError(f"num_generations: {given} was given, but the trainer has {size}")
            return size
        if given is not None:
            return given
        stretches = [stop - start for start, stop in runs_of([row.prompt for row in rows])]
        size = gcd(*stretches)
        if size < 2 < len(rows):
            raise GroupError(
                "the group size is not to be seen in the prompts: give num_generations="
            )
        return size

    def _judge(self, rows: Sequence[Row], size: int, is_training: bool, steps_done: int) -> Batch:
        place = (is_training, steps_done)
        if place != self._place:
            self._place, self._judged = place, 0
        first = self._judged
        step = steps_done + is_training
        if len(rows) % size:
            raise GroupError(f"step {step}: {len(rows)} rollouts do not make groups of {size}")
        for start in range(0, len(rows), size):
            if len(found := {row.prompt for row in rows[start : start + size]}) > 1:
                raise GroupError(
                    f"step {step}: group {first + start // size} holds rows of {len(found)} "
                    "prompts; is num_generations right?"
                )
        prompts, golds, teachers, ids = _prompts(rows, self._golds)
        prefix = "" if is_training else "eval-"
        groups = range(first, first + len(rows) // size)
        columns: Columns = {
            "prompt_id": ids,
            "group_id": [f"{prefix}{step}-{group}" for group in groups for _ in range(size)],
            "sample_index": [*range(size)] * len(groups),
        }
        kept = [name for name in Row._fields if name not in ("prompt", "gold", "teacher")]
        columns |= {name: [getattr(row, name) for row in rows] for name in kept}
        judged = self._reward.step(columns, golds, step=step, positions=groups, teacher=teachers)
        self._judged += len(groups)
        return Batch(is_training, steps_done, columns, judged, prompts, golds)


def _labels(given: Mapping[str, Any] | None) -> dict[str, Any]:
    """What the run is called, checked."""
    found = dict(given or {})
    for name, value in found.items():
        if name not in LABELS:
            raise ValueError(f"labels: {name!r} is not known; {allowed(name, LABELS)}")
        wanted = int if name == "seed" else str
        if not isinstance(value, wanted) or isinstance(value, bool) or value == "":
            kind = "a whole number" if name == "seed" else "a text"
            raise ValueError(f"labels: {name}={value!r}: {kind} is wanted")
    if found.get("variant_type", UNKNOWN) not in (*VARIANTS, UNKNOWN):
        choices = allowed(found["variant_type"], [*VARIANTS, UNKNOWN])
        raise ValueError(f"labels: variant_type={found['variant_type']!r}: {choices}")
    return found


def _prompts(
    rows: Sequence[Row], known: dict[str, str | None]
) -> tuple[dict[str, str], dict[str, str], dict[str, tuple[str, ...]], list[str]]:
    """Texts, gold answers and teacher completions by prompt id, and the id of each row.

    One text with two gold answers, or with one and without, is two prompts; the first to be seen
    is called by the text alone.

    Args:
        known: prompt_id -> gold answer of the prompts that were seen, which grows.
    """
    texts: dict[str, str] = {}
    golds: dict[str, str] = {}
    teachers: dict[str, tuple[str, ...]] = {}
    ids: list[str] = []
    for row in rows:
        name = prompt_id(row.prompt)
        if known.setdefault(name, row.gold) != row.gold:
            name = prompt_of_gold(row.prompt, row.gold)
            known[name] = row.gold
        texts[name] = row.prompt
        if row.gold is not None:
            golds[name] = row.gold
        if row.teacher:
            teachers.setdefault(name, row.teacher)
        ids.append(name)
    return texts, golds, teachers, ids


def _gathered(local: list[Row], trainer: Any) -> tuple[list[Row], int]:
    """Rows of all processes in the order of their ranks, and the place of the first own one."""
    if trainer is None or trainer.accelerator.num_processes == 1:
        return local, 0
    from accelerate.utils import gather_object

    parts = gather_object([local])
    before = parts[: trainer.accelerator.process_index]
    return [row for part in parts for row in part], sum(map(len, before))


def _end_tokens(trainer: Any) -> frozenset[int]:
    """Tokens after which TRL counts a completion as finished; empty: not known."""
    if trainer is None:
        return frozenset()
    ends = getattr(trainer, "eos_token_ids", None) or [trainer.eos_token_id]
    return frozenset([*ends, trainer._tokenizer.pad_token_id]) - {None}


def trl_reward(
    variant: str | Mapping[str, Any],
    *,
    num_generations: int | None = None,
    answer_style: str = "boxed",
    answer_kind: str = "math",
    gold_column: str | None = None,
    teacher_column: str | None = None,
    log_to: str | Path | None = None,
    labels: Mapping[str, Any] | None = None,
    **options: Any,
) -> TrlReward:
    """A reward function for ``reward_funcs`` of TRL's `GRPOTrainer` and `RLOOTrainer`.

    It gathers the rows of all processes before the vote, so that a group may span them, and hands
    answer keys, labels and vote shares to TRL's ``log_extra``, their means to ``log_metric``.
    Random numbers depend on the trainer's seed, the step and the place of the group.

    Args:
        variant, options: as of `srtbench.rewards.judge`.
        num_generations: completions per group; None: the trainer's, or where there is none, seen
            in the prompts.
        gold_column: column of the dataset with the right answer; for `gold`, and for the log.
        teacher_column: column with a list of completions of the frozen start model per prompt.
        log_to: a sweep folder, to which all rollouts of training and evaluations are written as
            a run, so that `srtbench report` and the other commands read it; see docs/rewards.md.
        labels: what the run is called there: model, dataset, variant, seed. By itself what the
            trainer says, and the trainer's seed. A run under other labels is another run.

    Raises:
        VariantError: no such variant or option, or it needs what TRL does not hand to a reward.
        ValueError: a label is none. StoreError: ``log_to`` holds something else.
    """
    return TrlReward(
        variant,
        num_generations,
        answer_style,
        answer_kind,
        gold_column,
        teacher_column,
        log_to,
        labels,
        options,
    )
