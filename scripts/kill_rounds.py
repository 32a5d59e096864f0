"""Kill runs of rounds with signal 9 in sampling, selection, fit, saving and evaluation; compare.

    python scripts/kill_rounds.py runs/rounds_cpu --kills 20 --out /tmp/killed

With `train.fit.keep`, also in the choice: the evaluation between two epochs of a fit.

Trains the runs by rounds of a finished sweep once more in the sweep's own workers, each ended at
chosen moments and begun again, and demands the rollouts and, to 1e-6, the metrics and the last
weights of the runs that nothing ended. Exit code 1: a run differs, or a moment was not reached.
"""

import argparse
import itertools
import multiprocessing
import os
import random
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from srtbench.store import Folder, SweepStore, read_plan
from srtbench.store.configs import read_spec

PLACES = ("sampling", "selection", "fit", "saving", "evaluation")
CHOICE = "choice"
MOST_EVENTS = 8


class Killer:
    """Ends this process at the n-th event of a place in a round, or where the place ends."""

    def __init__(self, place: str, number: int, events: int):
        self._target, self._left = (place, number), events
        self._now = ("", 0)

    def event(self, *_: Any) -> None:
        """Something happened where the run is."""
        if self._now == self._target:
            self._left -= 1
            if not self._left:
                os.kill(os.getpid(), signal.SIGKILL)

    @contextmanager
    def within(self, place: str, number: int) -> Iterator[None]:
        """The run is there."""
        before, self._now = self._now, (place, number)
        try:
            yield
            if self._now == self._target:
                os.kill(os.getpid(), signal.SIGKILL)
        finally:
            self._now = before

    def around(self, owner: Any, name: str, place: str | None, number: int | None = 1) -> None:
        """Note a function: an event before it, or a place.

        Argument ``number`` is the round; None: the place is part of another one.
        """
        original: Callable[..., Any] = getattr(owner, name)

        def wrapped(*arguments: Any, **options: Any) -> Any:
            self.event()
            if place is None:
                return original(*arguments, **options)
            now = self._now[1] if number is None else int(arguments[number])
            with self.within(place, now):
                return original(*arguments, **options)

        setattr(owner, name, wrapped)

    def install(self) -> None:
        """Listen to the code that trains rounds."""
        from transformers import GenerationMixin

        from srtbench.execute import worker  # noqa: F401  # loads what is patched
        from srtbench.train import best_epoch, evaluator, fit, round_samples
        from srtbench.train.methods import rounds
        from srtbench.variants import VARIANTS, RoundsVariant

        self.around(round_samples.RoundSampler, "sample", "sampling")
        self.around(round_samples, "select_step", "selection", 4)
        self.around(rounds._Run, "_fit", "fit")
        self.around(best_epoch.BestEpoch, "ended", CHOICE, None)
        self.around(rounds._Run, "_save", "saving")
        self.around(evaluator.Evaluator, "after", "evaluation")
        self.around(GenerationMixin, "generate", None)
        self.around(fit._Listening, "on_log", None)
        for name in ("write_json", "list_files"):
            self.around(rounds, name, None)
        for variant in {RoundsVariant, *VARIANTS.values()}:
            if "select" in vars(variant):
                self.around(variant, "select", None)


def train(root: str, sweep: str, run_id: str, log: str, at: tuple[str, int, int] | None) -> None:
    """Body of a process: a run, from where it is, to its end or to the moment ``at``."""
    with Path(log).open("a") as sink:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(sink.fileno(), stream.fileno())
    if at is not None:
        Killer(*at).install()
    from srtbench.execute.worker import work

    sys.exit(work(root, sweep, run_id))


def weights(folder: Folder) -> dict[str, Any]:
    """The last policy."""
    from safetensors.numpy import load_file

    place = folder.checkpoint_path / (folder.read_status().checkpoint or "")
    (file,) = place.glob("*model.safetensors")  # or the adapters alone
    return dict(load_file(file))


def differences(one: Folder, other: Folder) -> Iterator[str]:
    """In what two runs are not the same."""
    from srtbench.rollouts import METRIC_SCHEMA, read_rollouts, read_table

    for place in ("rollouts", "further"):
        if not read_rollouts(one.path / place).equals(read_rollouts(other.path / place)):
            yield place
    tables = [read_table(folder.metrics_path, METRIC_SCHEMA) for folder in (one, other)]
    timed = [[not row["metric"].endswith("_time") for row in t.to_pylist()] for t in tables]
    rows = [table.filter(kept) for table, kept in zip(tables, timed, strict=True)]
    first, second = (np.array(table["value"].to_pylist(), dtype=float) for table in rows)
    alike = rows[0].drop(["value"]).equals(rows[1].drop(["value"]))
    if not alike or not np.allclose(first, second, rtol=0, atol=1e-6, equal_nan=True):
        yield "metrics"
    own, theirs = weights(one), weights(other)
    apart = max(float(np.abs(own[name] - theirs[name]).max()) for name in own)
    if own.keys() != theirs.keys() or apart > 1e-6:
        yield f"weights, by {apart:g}"


def main() -> None:
    """Kill, go on, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sweep_folder", type=Path, help="a finished sweep, e.g. runs/rounds_cpu")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--run", default="", help="only runs whose id has this in it")
    parser.add_argument("--out", type=Path, required=True, help="folder that is made anew")
    asked = parser.parse_args()
    whole = SweepStore(asked.sweep_folder.parent, asked.sweep_folder.name)
    again = SweepStore(asked.out, whole.path.name)
    shutil.rmtree(asked.out, ignore_errors=True)
    shutil.copytree(whole.root / "_stages", asked.out / "_stages")
    rounds, places = {}, {}
    for row in read_plan(whole.path)["runs"]:
        spec: Any = read_spec(whole.run(row["run_id"]))
        if spec.train.rounds is not None and asked.run in spec.run_id:
            rounds[spec.run_id] = spec.train.steps
            places[spec.run_id] = PLACES if spec.keep is None else (*PLACES, CHOICE)
            again.run(spec.run_id).path.mkdir(parents=True)
            shutil.copy(whole.run(spec.run_id).config_path, again.run(spec.run_id).config_path)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["srtbench.execute.worker"])

    def begin(run_id: str, at: tuple[str, int, int] | None) -> int:
        log = str(asked.out / "log.txt")
        names = (str(again.root), again.path.name, run_id, log, at)
        process = context.Process(target=train, args=names)
        process.start()
        process.join()
        return process.exitcode or 0

    if not rounds:
        sys.exit(f"{asked.sweep_folder}: no run by rounds has '{asked.run}' in its id")
    rng, failed, killed = random.Random(asked.seed), False, 0
    each, rest = divmod(asked.kills, len(rounds))
    shares = [each + (place < rest) for place in range(len(rounds))]
    offset = itertools.count()
    for (run_id, number), kills in zip(rounds.items(), shares, strict=True):
        if not kills:
            continue
        there = places[run_id]
        moments = sorted(
            (1 + kill * number // kills, (next(offset)) % len(there)) for kill in range(kills)
        )
        for at_round, place in moments:
            at = (there[place], at_round, rng.randint(1, MOST_EVENTS))
            code = begin(run_id, at)
            killed += code == -signal.SIGKILL
            failed |= code != -signal.SIGKILL
            print(f"{run_id}: round {at[1]}, {at[0]}, event {at[2]}: exit code {code}", flush=True)
        code = begin(run_id, None)
        found = [f"exit code {code}"] if code else []
        found = found or [*differences(whole.run(run_id), again.run(run_id))]
        failed |= bool(found)
        print(f"{run_id}: {'differs in ' + ', '.join(found) if found else 'the same'}", flush=True)
    print(f"{killed} kills of {asked.kills}, {sum(map(bool, shares))} runs")
    sys.exit(int(failed))


if __name__ == "__main__":
    main()
