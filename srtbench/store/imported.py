"""A run that another trainer trained: its config.json, its sources, its rollouts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from srtbench.answers.grader import Grader
from srtbench.config.variants import VariantConfig
from srtbench.rollouts import IMPORTED_SCHEMA, SELECTION, Phase, part_files, read_table
from srtbench.rollouts.judge import Columns, Judge, eval_votes, runs_of
from srtbench.store.files import SEAL, StoreError, checked, read_json, write_sealed
from srtbench.store.folders import Folder
from srtbench.store.prompts import read_prompt_table
from srtbench.variants import VARIANTS, VariantContext, build_variant, facts
from srtbench.variants.base import Variant
from srtbench.votes import VotingPolicy

IMPORTED = "imported"
"""Type of the config.json of such a run."""

UNKNOWN = "imported"
"""Type of a variant that is none of ours."""

VERSION = 1


class ImportedSpec(BaseModel):
    """What is known of an imported run.

    Attributes:
        format: name of the importer. map: the map that it was read by.
        paths: what was given to be imported, absolute.
        eval_sets: labels of the evaluation sets in the log; ``own`` for what has no name.
        variant_type: one of `VARIANTS`, or `UNKNOWN`.
        variant: its entry with all options; None: with those that it has by itself.
        uses_gold: None: what the variant is known for.
        voting: the rule of a revote; None: as it was imported.
        num_generations, prompts_per_step: of its training; None where they vary or there is none.
        algorithm, learning_rate, beta: of its trainer; None: it was not asked.
        caveats: what the log cannot tell, in sentences.
    """

    model_config = ConfigDict(extra="forbid")

    run_id: str
    sweep: str
    model_label: str
    dataset_label: str
    variant_label: str
    variant_type: str
    variant: dict[str, Any] | None = None
    uses_gold: bool | None = None
    seed: int
    format: str
    paths: list[str]
    map: dict[str, Any] | None = None
    tokenizer: str | None = None
    answer_style: str = "boxed"
    answer_kind: str = "math"
    eval_sets: list[str] = []
    num_generations: int | None = None
    prompts_per_step: int | None = None
    algorithm: str | None = None
    learning_rate: float | None = None
    beta: float | None = None
    caveats: list[str] = []
    voting: VotingPolicy | None = None

    @property
    def grader(self) -> Grader:
        """How its answers are found and compared."""
        return Grader(self.answer_style, self.answer_kind)

    def labeller(self, voting: VotingPolicy | None = None) -> Variant | None:
        """The variant, if its labels follow from a group alone; None: they stay null.

        A gold answer is no pseudo-label; a teacher's votes, other voters and token statistics are
        in no log.
        """
        return labeller(self.variant or {"type": self.variant_type}, voting or self.voting)

    def row(self) -> dict[str, Any]:
        """What the plan says of the run."""
        known = VARIANTS.get(self.variant_type)
        uses_gold = self.uses_gold
        if uses_gold is None and known is not None:
            uses_gold = bool(known.uses_gold)
        return {
            "run_id": self.run_id,
            "model": self.model_label,
            "dataset": self.dataset_label,
            "variant": self.variant_label,
            "variant_type": self.variant_type,
            "seed": self.seed,
            "uses_gold": uses_gold,
            "eval_sets": [one for one in self.eval_sets if one != "own"],
            "imported": self.format,
            "caveats": self.caveats,
        }


def labeller(given: Mapping[str, Any], voting: VotingPolicy | None = None) -> Variant | None:
    """See `ImportedSpec.labeller`; ``given`` is the variant's entry."""
    if given["type"] not in VARIANTS:
        return None
    from pydantic import TypeAdapter, ValidationError

    try:
        entry: Any = TypeAdapter(VariantConfig).validate_python(dict(given))
    except ValidationError:  # it has options that must be given, which no log says
        return None
    asked = facts(entry)
    alone = asked.teacher is None and asked.voter is None and not asked.needs_token_statistics
    if asked.uses_gold or not asked.votes_on_answers or not alone:
        return None
    if voting is not None:
        if "voting" not in type(entry).model_fields:
            return None
        entry = entry.model_copy(update={"voting": voting})
    return build_variant(entry, VariantContext())


def is_imported(folder: Folder) -> bool:
    """Whether a folder holds a run that was imported."""
    try:
        return read_json(folder.config_path).get("type") == IMPORTED
    except (FileNotFoundError, StoreError):
        return False


def write_imported(folder: Folder, spec: ImportedSpec, provenance: dict[str, Any]) -> None:
    """Keep what is known of the run beside its rollouts."""
    content = {"version": VERSION, "type": IMPORTED, "spec": spec.model_dump(mode="json")}
    write_sealed(folder.config_path, content | provenance)


def read_imported(folder: Folder) -> ImportedSpec:
    """What is known of the run.

    Raises:
        FileNotFoundError: there is no config.json. StoreError: it is damaged, or of a newer
            srtbench.
    """
    path = folder.config_path
    content = read_json(path)
    version = content.get("version")
    if type(version) is not int or not 1 <= version <= VERSION:
        raise StoreError(f"{path}: version: {version!r} is of a newer srtbench, so update srtbench")
    if unknown := [
        key for key in content if key not in ("version", "type", "spec", "versions", SEAL)
    ]:
        raise StoreError(f"{path}: {unknown[0]}: is not known to this version of srtbench")
    return checked(ImportedSpec, content.get("spec"), path, "spec")


@dataclass(frozen=True)
class ImportedRun:
    """An imported run: its specification and its files."""

    spec: ImportedSpec
    folder: Folder

    def parts(self, phase: Phase | None = None) -> Iterator[tuple[Path, pa.Table]]:
        """Its parts one by one, as `IMPORTED_SCHEMA`: a log may be larger than the memory.

        Raises:
            StoreError: a part is damaged.
        """
        for path in part_files(self.folder.rollouts_path, phase):
            yield path, imported_part(path)

    @cached_property
    def prompts(self) -> dict[tuple[str | None, str], dict[str, Any]]:
        """(evaluation set or None, prompt id) -> row of prompts.parquet."""
        rows = read_prompt_table(self.folder).to_pylist()
        return {(row["eval_set"], row["prompt_id"]): row for row in rows}


def imported_part(path: Path) -> pa.Table:
    """A part as `IMPORTED_SCHEMA`; one of an older version has nulls in what was added since.

    Raises:
        StoreError: it is damaged, or of a newer srtbench.
    """
    table = read_table(path, IMPORTED_SCHEMA, added=SELECTION)
    for field in IMPORTED_SCHEMA:
        if field.name not in table.column_names:
            table = table.append_column(field, pa.nulls(len(table), field.type))
    return table.select(IMPORTED_SCHEMA.names).cast(IMPORTED_SCHEMA)


def imported_votes(
    rows: Columns, phase: str, variant: Variant | None, spec: ImportedSpec
) -> Columns:
    """pseudo_label and vote_share per row; the groups stand together.

    In train the label is the variant's, where its labels follow from a group alone, else null;
    in an evaluation the majority's.
    """
    if phase == "eval" or variant is None:
        votes = eval_votes(rows, spec.voting)
        if phase == "train":
            votes["pseudo_label"] = [None] * len(rows["group_id"])
        return votes
    judge = Judge(variant, spec.seed)
    found: Columns = {"pseudo_label": [], "vote_share": []}
    for start, stop in runs_of(rows["group_id"]):
        step, position = rows["step"][start], int(rows["group_id"][start].rpartition("-")[2])
        outcome = judge.group(rows, range(start, stop), step, position)
        found["pseudo_label"] += [outcome.pseudo_label] * (stop - start)
        found["vote_share"] += [outcome.vote_share] * (stop - start)
    return found
