"""prompts.parquet of a run, and how version 1 wrote it."""

import pyarrow as pa
import pyarrow.compute as pc

from srtbench.config.eval_sets import OWN
from srtbench.rollouts import PROMPT_SCHEMA, read_table
from srtbench.store.folders import Folder


def read_prompt_table(folder: Folder) -> pa.Table:
    """Prompts of a run or stage, as `PROMPT_SCHEMA`.

    Version 1 has no column ``eval_set``, and a file for each further set of a run:
    ``eval_sets/<label>/prompts.parquet``. Raises as `read_table`.
    """
    table = read_table(folder.prompts_path, PROMPT_SCHEMA, added=("eval_set",))
    if "eval_set" in table.column_names:
        return table.select(PROMPT_SCHEMA.names).cast(PROMPT_SCHEMA)
    own = pc.if_else(pc.equal(table["split"], "eval"), OWN, pa.scalar(None, pa.string()))
    found = [_with_sets(table, own)]
    for path in sorted(folder.path.glob("eval_sets/*/prompts.parquet")):
        further = read_table(path, PROMPT_SCHEMA, added=("eval_set",))
        found.append(_with_sets(further, pa.repeat(path.parent.name, len(further))))
    return pa.concat_tables(found)


def _with_sets(table: pa.Table, labels: pa.Array | pa.ChunkedArray) -> pa.Table:
    table = table.append_column("eval_set", labels)
    return table.select(PROMPT_SCHEMA.names).cast(PROMPT_SCHEMA)
