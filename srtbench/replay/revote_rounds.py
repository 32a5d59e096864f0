"""What a round would have selected under another voting rule, of the same completions."""

import pyarrow as pa
import pyarrow.compute as pc

from srtbench.rollouts import (
    RolloutWriter,
    part_files,
    read_part,
    read_rollouts,
    with_columns,
    write_parquet,
)
from srtbench.rollouts.judge import Judge, runs_of
from srtbench.rollouts.selection import select_step
from srtbench.store import Folder
from srtbench.store.runs import LoggedRun
from srtbench.variants import facts


def select_again(run: LoggedRun, judge: Judge, table: pa.Table, folder: Folder) -> pa.Table:
    """A part of a run's rounds, judged and selected again.

    What was sampled beside its groups goes to ``folder``, selected again too.
    """
    further = read_rollouts(run.folder.further_path, "train")
    hot = facts(run.spec.variant).further(run.spec.train.num_generations).hot
    writer = RolloutWriter(folder.further_path)
    steps, parts = table["step"].to_pylist(), []
    for start, stop in runs_of(steps):
        step, part = steps[start], table.slice(start, stop - start)
        beside = further.filter(pc.equal(further["step"], step))
        columns, more = part.to_pydict(), beside.to_pydict()
        judged = judge.step(columns, step)
        own, others = select_step(judge, columns, judged, more, step, hot)
        unknown = {"advantage": [None] * len(part)}
        parts.append(with_columns(part, **_logged(judged.columns), **own, **unknown))
        if len(beside):
            voted = _logged(judged.of_votes(more))
            writer.add("train", step, with_columns(beside, **voted, **others))
    writer.flush()
    return pa.concat_tables(parts)


def _logged(columns: dict[str, list[object]]) -> dict[str, list[object]]:
    """What another rule can change; how a row was graded it cannot."""
    return {name: values for name, values in columns.items() if name != "gold_reward"}


def copy_further(run: LoggedRun, folder: Folder) -> None:
    """The completions beside the groups of a run whose variant is not judged again."""
    for path in part_files(run.folder.further_path):
        write_parquet(read_part(path), folder.further_path / path.name)
