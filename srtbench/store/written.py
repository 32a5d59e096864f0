"""The folder of a run that another trainer trains: what it is called, its plan row, its files.

An import fills one from a log; a reward function in another trainer fills one step by step.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from srtbench.config.eval_sets import OWN
from srtbench.plan.identity import digest
from srtbench.rollouts import (
    IMPORTED_SCHEMA,
    PROMPT_SCHEMA,
    part_files,
    read_table,
    write_parquet,
)
from srtbench.sections import folder_part
from srtbench.store.files import StoreError, held, write_sealed
from srtbench.store.folders import Folder
from srtbench.store.imported import (
    UNKNOWN,
    ImportedSpec,
    is_imported,
    read_imported,
    write_imported,
)
from srtbench.store.plan_file import read_plan
from srtbench.store.prompts import read_prompt_table
from srtbench.store.status import State
from srtbench.variants import VARIANTS

LABELS = ("model", "dataset", "variant", "variant_type", "seed")
"""What a run may be called by."""

_NOTING_SECONDS = 60.0
"""How long a run waits for another of its sweep that writes its own row of the plan."""


def type_of(variant: str) -> str:
    """The variant that a label names: itself, or what it begins with, as ``srt-high-lr`` does."""
    words = variant.lower().replace("-", "_").replace(".", "_")
    fits = [one for one in VARIANTS if words == one or words.startswith(f"{one}_")]
    return max(fits, key=len, default=UNKNOWN)


def written_runs(sweep: Path) -> list[ImportedSpec]:
    """The runs of a sweep folder that other trainers trained; none of one that is not there.

    Raises:
        StoreError: the folder holds something else.
    """
    if not (sweep / "plan.json").is_file():
        if sweep.exists() and not (sweep.is_dir() and all(map(_begun, sweep.iterdir()))):
            raise StoreError(f"{sweep}: holds something else than a sweep; choose another folder")
        return []
    found = []
    for row in read_plan(sweep)["runs"]:
        if not row.get("imported"):
            raise StoreError(f"{sweep}: holds a sweep of srtbench itself; choose another folder")
        folder = Folder(sweep / row["run_id"])
        if not is_imported(folder):
            raise StoreError(f"{folder.config_path}: is not that of an imported run, or damaged")
        found.append(read_imported(folder))
    return found


def _begun(path: Path) -> bool:
    """Whether this is what a run that was killed before it was planned leaves."""
    if not path.is_dir():
        return path.name == ".lock"
    own = {"config.json", "rollouts", "sources.json", "looked.json", "status.json"}
    own |= {"prompts.parquet", "metrics.parquet"}
    return all(one.name.startswith(".") or one.name in own for one in path.iterdir())


def new_spec(
    sweep: Path,
    labels: Mapping[str, Any],
    taken: Sequence[ImportedSpec],
    *,
    called: str,
    **known: Any,
) -> ImportedSpec:
    """The specification of a run under labels that no other run has.

    Args:
        labels: see `LABELS`; without a seed the first free one. taken: the runs that are there.
        called: the variant's label if none is given. known: further fields of `ImportedSpec`.

    Raises:
        StoreError: another run has the labels.
    """
    variant = str(labels.get("variant") or called)
    cell = (str(labels.get("model", "unknown")), str(labels.get("dataset", "unknown")), variant)
    same = {
        one.seed: one
        for one in taken
        if (one.model_label, one.dataset_label, one.variant_label) == cell
    }
    seed = labels.get("seed")
    if seed is None:
        seed = next(number for number in range(len(same) + 1) if number not in same)
    if seed in same:
        source = ", ".join(same[seed].paths) or same[seed].format
        raise StoreError(
            f"{same[seed].run_id}: has these labels, and is of {source}; "
            f"give another label, e.g. --label seed={max(same) + 1}"
        )
    return ImportedSpec(
        run_id=run_id_of(cell, seed),
        sweep=sweep.resolve().name,
        model_label=cell[0],
        dataset_label=cell[1],
        variant_label=variant,
        variant_type=str(labels.get("variant_type") or type_of(variant)),
        seed=seed,
        **known,
    )


def run_id_of(cell: tuple[str, str, str], seed: int) -> str:
    """Name of a run's folder; ``cell`` is model, dataset, variant."""
    readable = "-".join(map(folder_part, cell))
    return f"{readable}-s{seed}-{digest([*cell, seed])}"


def note_run(sweep: Path, spec: ImportedSpec, total_steps: int) -> None:
    """The run's row of plan.json, new or as it is now."""
    sweep.mkdir(parents=True, exist_ok=True)
    with held(sweep / ".lock", _NOTING_SECONDS):
        path = sweep / "plan.json"
        rows = read_plan(sweep)["runs"] if path.is_file() else []
        row = spec.row() | {"total_steps": total_steps}
        places = {one["run_id"]: place for place, one in enumerate(rows)}
        if spec.run_id in places:
            rows[places[spec.run_id]] = row
        else:
            rows.append(row)
        write_sealed(path, {"sweep": spec.sweep, "runs": rows, "stages": []})


class WrittenRun:
    """A run that a reward function writes while another trainer trains; its parts it writes itself.

    Attributes:
        spec: what is known of the run. folder: where it is.
    """

    def __init__(self, sweep: Path, spec: ImportedSpec):
        self.sweep, self.spec = sweep, spec
        self.folder = Folder(sweep / spec.run_id)
        self._prompts: dict[tuple[str | None, str], dict[str, Any]] = {}
        if self.folder.prompts_path.is_file():
            for row in read_prompt_table(self.folder).to_pylist():
                self._prompts[row["eval_set"], row["prompt_id"]] = row

    @classmethod
    def open(
        cls,
        sweep: str | Path,
        labels: Mapping[str, Any],
        *,
        format: str,
        variant: Mapping[str, Any] | None = None,
        uses_gold: bool | None = None,
        num_generations: int | None = None,
        prompts_per_step: int | None = None,
        trainer: Mapping[str, Any] | None = None,
        answer_style: str = "boxed",
        answer_kind: str = "math",
        losses: Sequence[str] = (),
    ) -> WrittenRun:
        """The run of a sweep folder under these labels, new or as it was left.

        Args:
            labels: model, dataset, variant, seed; a seed is 0 if none is given.
            format: who writes, for the view ``runs``. variant: its entry, with all options;
                None: the one that the label names. uses_gold: None: what the variant is known for.
            trainer: its algorithm, learning_rate and beta, as far as they are known.
            losses: sentences on what the rollouts lack.

        Raises:
            StoreError: the folder holds something else, or a run under these labels that was
                written in another way.
        """
        path = Path(sweep)
        known = {
            "format": format,
            "variant": None if variant is None else dict(variant),
            "uses_gold": uses_gold,
            "answer_style": answer_style,
            "answer_kind": answer_kind,
        }
        given = {"seed": 0} | {k: v for k, v in labels.items() if v is not None}
        if variant is not None:
            known_type = variant["type"] if variant["type"] in VARIANTS else UNKNOWN
            given.setdefault("variant_type", known_type)
        taken = written_runs(path)
        wanted = new_spec(path, given, (), called=format, paths=[], **known)
        mine = [one for one in taken if one.run_id == wanted.run_id]
        if not mine:
            spec = wanted
        else:
            spec = mine[0]
            for name, value in known.items():
                if getattr(spec, name) != value:
                    raise StoreError(
                        f"{path / spec.run_id}: was written with {name.replace('_', ' ')} "
                        f"{getattr(spec, name)!r}, not {value!r}; choose other labels or another "
                        "folder"
                    )
        update = {
            "num_generations": num_generations,
            "prompts_per_step": prompts_per_step,
            "caveats": list(losses),
            **(trainer or {}),
        }
        run = cls(path, spec.model_copy(update=update))
        run.folder.path.mkdir(parents=True, exist_ok=True)
        return run

    def add_prompts(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Rows of `PROMPT_SCHEMA` that are not there yet, by evaluation set and prompt id.

        Columns that a row lacks are null; ``dataset`` is the run's, ``split`` follows from the set.
        """
        fresh = False
        for row in rows:
            place = (row.get("eval_set"), row["prompt_id"])
            if place not in self._prompts:
                own = {
                    "dataset": self.spec.dataset_label if place[0] in (None, OWN) else place[0],
                    "split": "train" if place[0] is None else "eval",
                }
                self._prompts[place] = own | dict(row)
                fresh = True
        if fresh:
            self._write_prompts()

    @property
    def prompts(self) -> list[dict[str, Any]]:
        """Rows of `PROMPT_SCHEMA` that it has."""
        return [*self._prompts.values()]

    @property
    def trained_and_held_out(self) -> int:
        """Prompts that are both trained on and asked in an evaluation."""
        trained = {prompt for label, prompt in self._prompts if label is None}
        return len({p for label, p in self._prompts if label is not None} & trained)

    def _write_prompts(self) -> None:
        table = {f.name: [row.get(f.name) for row in self.prompts] for f in PROMPT_SCHEMA}
        arrays = [pa.array(table[field.name], field.type) for field in PROMPT_SCHEMA]
        write_parquet(pa.Table.from_arrays(arrays, schema=PROMPT_SCHEMA), self.folder.prompts_path)

    @property
    def last_step(self) -> int:
        """Last step of its rollouts; -1: it has none."""
        parts = part_files(self.folder.rollouts_path)
        return max((_steps(path)[1] for path in parts), default=-1)

    def keep_until(self, step: int) -> None:
        """Drop the rollouts of later steps, and the prompts that no other row asks.

        A part that holds earlier steps too is cut, then renamed: killed in between, it is cut anew.

        Raises:
            StoreError: a part is damaged.
        """
        asked: set[tuple[str | None, str]] = set()
        for path in part_files(self.folder.rollouts_path):
            first, last = _steps(path)
            if first > step:
                path.unlink()
                continue
            columns = None if last > step else ("eval_set", "prompt_id")
            table = read_table(path, IMPORTED_SCHEMA, columns)
            if last > step:
                table = table.filter(pc.less_equal(table["step"], step))
                write_parquet(table, path)
                phase, last = path.stem.partition("-")[0], pc.max(table["step"]).as_py()
                path.replace(path.with_name(f"{phase}-{first:08d}-{last:08d}.parquet"))
            asked |= set(
                zip(table["eval_set"].to_pylist(), table["prompt_id"].to_pylist(), strict=True)
            )
        self._prompts = {place: row for place, row in self._prompts.items() if place in asked}
        if self._prompts:
            self._write_prompts()
        else:
            self.folder.prompts_path.unlink(missing_ok=True)

    def note(
        self,
        step: int,
        total_steps: int,
        *,
        state: State = "running",
        stopped: str | None = None,
        progress: Mapping[str, float] | None = None,
    ) -> None:
        """Keep how far the training is: config.json, the row of the plan, and the status.

        Args:
            stopped: why it ended before its last step, in a sentence without its full stop.
            progress: numbers that are new, see `Status`.
        """
        labels = {label for label, _ in self._prompts if label is not None}
        sets = sorted(labels, key=lambda label: (label != OWN, label))
        self.spec = self.spec.model_copy(update={"eval_sets": sets})
        write_imported(self.folder, self.spec, {})
        before = self.folder.read_status()
        status = replace(
            before,
            state=state,
            step=step,
            total_steps=total_steps,
            stopped=stopped,
            attempts=max(1, before.attempts),
            progress=before.progress | dict(progress or {}),
        )
        self.folder.write_status(status)
        note_run(self.sweep, self.spec, total_steps)


def _steps(part: Path) -> tuple[int, int]:
    """First and last step of a part."""
    _, first, last = part.stem.split("-")
    return int(first), int(last)
