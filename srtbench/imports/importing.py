"""`srtbench import`: the log of another trainer becomes a run of a sweep folder.

One call is one run. The same call again reads only what is new; another one adds a run. Nothing is
in place before all of it is whole: parts are written beside the run and moved at the end, and a run
whose move was cut short is imported anew.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from srtbench.config.eval_sets import OWN
from srtbench.config.sameness import prompt_id
from srtbench.imports.caveats import caveats
from srtbench.imports.judged import PartWriter, Prompts, RowJudge
from srtbench.imports.looked import LOOKED, ImportResult, call_of, looked, state_of
from srtbench.imports.reopened import Reopened, reopen
from srtbench.imports.runs import Found, find_run, read_manifest, settle
from srtbench.imports.sources import Source, Sources
from srtbench.imports.staging import Place, Staging
from srtbench.rollouts.importers import Importer, ImporterError, NoLogYetError, Row, SourceFile
from srtbench.rollouts.texts import clean
from srtbench.store import Status, write_json
from srtbench.store.imported import ImportedSpec, write_imported
from srtbench.store.prompts import read_prompt_table
from srtbench.store.written import note_run

Progress = Callable[[int, int, int], None]
"""Called with files read, files in all, rows read."""


def import_rollouts(
    path: str | Path | Sequence[str | Path],
    format: str | None = None,
    out: str | Path = "runs/imported",
    *,
    map: str | Path | Mapping[str, Any] | None = None,
    labels: Mapping[str, Any] | None = None,
    answer_style: str | None = None,
    answer_kind: str | None = None,
    tokenizer: str | None = None,
    progress: Progress | None = None,
) -> ImportResult:
    """Read the log of another trainer into a sweep folder, as one run of it.

    Args:
        path: a file or folder, or several. format: see ``srtbench import --help``; None: found by
            the content of the files. out: the sweep folder.
        map: a map file, or its content, for a layout that no importer knows.
        labels: model, dataset, variant, variant_type, seed of the run.
        answer_style, answer_kind: how answers are found and compared; None: boxed and math, or
            what the map says.
        tokenizer: name or folder, for logs of token ids.

    Raises:
        FileNotFoundError: ``path`` is not there. ImporterError: the log cannot be read as asked.
        ConfigError: the map is wrong. StoreError: the folder is damaged or something else.
    """
    paths = [Path(path)] if isinstance(path, str | Path) else [Path(one) for one in path]
    asked = settle(paths, format, map, labels, answer_style, answer_kind, tokenizer)
    found = find_run(Path(out), asked)
    folder = found.folder
    with folder.locked():
        log = state_of(paths)
        try:
            result = _import(found, progress)
        except BaseException:
            if not folder.config_path.exists():  # nothing came of it, so nothing is left of it
                shutil.rmtree(folder.path, ignore_errors=True)
            raise
        if log is not None:
            call = call_of(
                paths, map, labels, format=format, style=answer_style, kind=answer_kind,
                tokenizer=tokenizer,
            )  # fmt: skip
            write_json(folder.path / LOOKED, looked(call, log, result), indent=None)
        return result


def import_many(manifest: Path, out: Path, progress: Progress | None = None) -> list[ImportResult]:
    """The runs that a manifest names, into one folder; see docs/import.md.

    Raises:
        ConfigError: the manifest is wrong. Others as `import_rollouts`.
    """
    return [
        import_rollouts(out=out, progress=progress, **entry) for entry in read_manifest(manifest)
    ]


def _import(found: Found, progress: Progress | None) -> ImportResult:
    folder = found.folder
    torn = folder.path / ".moving"
    if torn.exists():  # killed while parts were moved: nothing there can be trusted
        shutil.rmtree(folder.rollouts_path, ignore_errors=True)
        Sources.path(folder).unlink(missing_ok=True)
        torn.unlink()
    for leftover in folder.path.glob(".import.*.tmp"):
        shutil.rmtree(leftover, ignore_errors=True)
    sources = Sources.read(folder)
    importer, files, others = found.log(sources.files)
    spec = found.spec
    work = folder.path / f".import.{os.getpid()}.tmp"
    try:
        staging = Staging(work / "staged")
        rows = folder.prompts_path.is_file() and bool(sources.files)
        prompts = Prompts(spec.grader, read_prompt_table(folder) if rows else None)
        reader = _Reader(importer, files, sources, staging, prompts)
        reader.read(progress)
        if not reader.changed and found.planned:
            return _result(found, sources, 0, 0, others)
        reopened = reopen(folder, staging, reader.replaced, reader.numbers)
        staging.finish()
        left_out = reader.repeats()
        prompts.grade()
        judge = RowJudge(spec, prompts, reader.names)
        writer = PartWriter(work / "parts")
        new = 0
        for table in staging.ordered(left_out):
            writer.add(judge.table(table))
            new += len(table)
        writer.close()
        if not new and not sources.rows:
            raise (ImporterError if sources.damaged else NoLogYetError)(_nothing(found, sources))
        sources.rows += new - reopened.rows - reopened.lost
        new -= reopened.rows
        dropped = sum(staging.batches[one][0] for one in left_out)
        sources.dropped += dropped
        _count(sources, judge, reopened)
        reader.note()
        sources.mixed_groups |= staging.mixed
        sources.notes = list(dict.fromkeys([*sources.notes, *importer.notes()]))
        spec = found.spec = _described(spec, sources, importer, prompts)
        torn.touch()
        for old in reopened.parts:
            old.unlink()
        folder.rollouts_path.mkdir(exist_ok=True)
        for made, name in writer.parts:
            made.replace(folder.rollouts_path / name)
        prompts.write(folder.prompts_path, spec.dataset_label)
        sources.write(folder)
        torn.unlink()
    finally:
        shutil.rmtree(work, ignore_errors=True)
    write_imported(folder, spec, {})
    last = sources.last_step.get("train", max(sources.last_step.values(), default=0))
    folder.write_status(Status(state="done", step=last, total_steps=last, attempts=1))
    note_run(found.sweep, spec, last)
    return _result(found, sources, new, dropped, others)


def _nothing(found: Found, sources: Sources) -> str:
    wanted = "that the map finds" if found.spec.map else f"of the format '{found.spec.format}'"
    text = f"{', '.join(found.spec.paths)}: holds no rollout {wanted}"
    if not sources.damaged and not any(one.size for one in sources.files.values()):
        text += "; all of its files are empty"
    if sources.damaged:
        text += f"; {sources.skipped} records are damaged, the first: {sources.damaged[0]}"
    return text


def _result(
    found: Found, sources: Sources, new: int, dropped: int, others: Sequence[str]
) -> ImportResult:
    return ImportResult(
        found.spec.run_id,
        found.folder.path,
        found.spec.format,
        new,
        sources.rows,
        sources.skipped,
        dropped,
        sources.damaged,
        found.spec.caveats,
        list(others),
    )


class _Reader:
    """Reads what is new in the files of a log."""

    def __init__(
        self,
        importer: Importer,
        files: Sequence[SourceFile],
        sources: Sources,
        staging: Staging,
        prompts: Prompts,
    ):
        self.importer, self.files, self.sources = importer, files, sources
        self.staging, self.prompts = staging, prompts
        self.names = [*sources.files]
        self.replaced: dict[str, list[Place]] = {}
        self.changed = False
        self.numbers = {name: number for number, name in enumerate(self.names)}
        self._seen: set[int] = set()
        self._ids: dict[str, str] = {}

    def read(self, progress: Progress | None) -> None:
        """All that is new, into the staging."""
        self.importer.prepare(self.files)
        ways = self._ways()
        for number, file in enumerate(self.files):
            if file.name not in ways:
                continue
            how, reading = ways[file.name]
            self.changed = True
            known = self.sources.files.get(file.name)
            if known is None:
                self.numbers[file.name] = len(self.names)
                self.names.append(file.name)
                known = self.sources.files[file.name] = Source(file.name)
            elif how:
                file.start = known.read
                self.sources.mend(known)
            else:
                self.replaced[file.name] = self.sources.places(file.name)
                self.sources.forget(known)
                known = self.sources.files[file.name] = Source(file.name)
            stat = file.path.stat()
            rows = self._read(file, self.numbers[file.name])
            known.note(file, stat, rows)
            known.reading = reading
            self.sources.note(file, file.damage)
            if progress is not None:
                progress(number + 1, len(self.files), self.staging.rows)

    def _ways(self) -> dict[str, tuple[bool, str]]:
        """Whether each file that is read is read from where reading stopped, and in which way.

        What was in another file too was left out: if that one is replaced, as where a log is
        rotated, it is read again.
        """
        found: dict[str, tuple[bool, str]] = {}
        readings = {file.name: self.importer.reading_of(file) for file in self.files}
        for file in self.files:
            how = self.sources.plan(file, readings[file.name])
            if how is not None:
                found[file.name] = how, readings[file.name]
        while True:
            gone = {name for name, (how, _) in found.items() if not how}
            again = [
                name
                for name in readings
                if name not in gone
                and name in self.sources.files
                and gone & {*self.sources.files[name].repeats}
            ]
            if not again:
                return found
            found |= {name: (False, readings[name]) for name in again}

    def _read(self, file: SourceFile, number: int) -> int:
        rows = 0
        for row in self.importer.rows(file):
            if row.record is not None:
                name = hash((row.phase, row.eval_set, row.step, row.record))
                if name in self._seen:
                    self.sources.dropped += 1
                    continue
                self._seen.add(name)
            self.stage(row, number)
            rows += 1
        return rows

    def stage(self, row: Row, number: int) -> None:
        """Keep a row and its prompt."""
        name = self._ids.get(row.prompt)
        if name is None:
            if len(self._ids) > 100_000:
                self._ids.clear()
            row.prompt, text = clean(row.prompt), row.prompt
            name = self._ids[text] = prompt_id(row.prompt)
        row.completion = clean(row.completion)
        row.gold, row.group = _cleaned(row.gold), _cleaned(row.group)
        if row.phase == "eval":  # it is the name of a folder, as openai/gsm8k is not
            row.eval_set = (_cleaned(row.eval_set) or OWN).replace("/", "-").lstrip(".-") or OWN
        label = row.eval_set if row.phase == "eval" else None
        self.prompts.add((label, name), row.prompt, row.gold)
        self.staging.add(row, name, number)

    def repeats(self) -> set[tuple[int, Place]]:
        """Batches that are in the log already: in another file, or under the train step before."""
        known: dict[tuple[Any, ...], str] = {}
        held: dict[int, list[int]] = {}
        for source in self.sources.files.values():
            for phase, label, step, rows, digest, varied in source.batches:
                known[phase, label, step, rows, digest] = source.name
                if phase == "train":
                    _add(held, step, rows, digest, varied)
        found: set[tuple[int, Place]] = set()
        for (file, place), (rows, digest, differ) in sorted(self.staging.batches.items()):
            name = self.names[file]
            other = known.setdefault((*place, rows, digest), name)
            if other != name:
                found.add((file, place))
                repeats = self.sources.files[name].repeats
                repeats += [other] if other not in repeats else []
            elif place[0] == "train":
                _add(held, place[2], rows, digest, bool(differ))
        steps = sorted(held)
        again = [
            step for before, step in pairwise(steps) if held[step] == held[before] and held[step][2]
        ]
        fresh = {place[2] for (_, place) in self.staging.batches if place[0] == "train"}
        again = [step for step in again if step in fresh]
        if self.importer.rewrites:
            found |= {
                (file, place)
                for file, place in self.staging.batches
                if place[0] == "train" and place[2] in again
            }
        self.sources.repeated_steps = sorted({*self.sources.repeated_steps, *again})
        return found

    def note(self) -> None:
        """What the files that were read held."""
        for (file, place), (rows, digest, varied) in self.staging.batches.items():
            batch = (*place, rows, digest, bool(varied))
            self.sources.files[self.names[file]].batches.append(batch)
            last = self.sources.last_step
            last[place[0]] = max(last.get(place[0], 0), place[2])


def _cleaned(text: str | None) -> str | None:
    return None if text is None else clean(text)


def _add(held: dict[int, list[int]], step: int, rows: int, digest: int, varied: bool) -> None:
    one = held.setdefault(step, [0, 0, 0])
    one[0] += rows
    one[1] = (one[1] + digest) & (2**64 - 1)
    one[2] = one[2] or int(varied)


def _count(sources: Sources, judge: RowJudge, reopened: Reopened) -> None:
    for name, known in judge.counts.items():
        before = sources.counts.get(name, 0) - reopened.counts.get(name, 0)
        sources.counts[name] = before + known
    for size, groups in judge.sizes.items():
        sources.sizes[str(size)] = sources.sizes.get(str(size), 0) + groups
    sources.conflicts += judge.prompts.conflicts
    sources.keyless += judge.prompts.keyless
    if judge.groups:
        sources.prompts_per_step = max(sources.prompts_per_step, *judge.groups.values())


def _described(
    spec: ImportedSpec, sources: Sources, importer: Importer, prompts: Prompts
) -> ImportedSpec:
    """The specification with what the log has shown."""
    labels = {b[1] for one in sources.files.values() for b in one.batches if b[0] == "eval"}
    sizes = sorted(sources.sizes, key=lambda size: sources.sizes[size])
    spec = spec.model_copy(
        update={
            "eval_sets": sorted(labels, key=lambda label: (label != OWN, label)),
            "num_generations": int(sizes[-1]) if sizes else None,
            "prompts_per_step": sources.prompts_per_step or None,
        }
    )
    found = caveats(spec, importer, sources, prompts.trained_and_held_out)
    return spec.model_copy(update={"caveats": found})


__all__ = ["ImportResult", "Progress", "import_many", "import_rollouts"]
