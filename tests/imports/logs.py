"""Logs as other trainers write them, made of real rollouts or a few lines."""

import functools
import json
import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import polars as pl

import srtbench

SMOKE = Path(__file__).parent.parent / "fixtures" / "smoke"

Record = dict[str, Any]


def write_lines(path: Path, records: Iterable[Record]) -> Path:
    """A JSONL file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(one) + "\n" for one in records), encoding="utf-8")
    return path


@functools.cache
def smoke_rows(run_id: str) -> pl.DataFrame:
    """Rollouts of a run of the smoke sweep with their prompts and gold answers, in order."""
    connection = srtbench.open_sweep(SMOKE)
    rows = connection.sql(
        "SELECT one.*, prompt.prompt, prompt.gold_answer FROM rollouts AS one "
        "JOIN (SELECT DISTINCT prompt_id, prompt, gold_answer FROM prompts) AS prompt "
        f"USING (prompt_id) WHERE run_id = '{run_id}' "
        "ORDER BY phase, step, regexp_extract(group_id, '\\d+$')::INT, sample_index"
    ).pl()
    connection.close()
    return rows


def write_verl(rows: pl.DataFrame, folder: Path, layout: str) -> Path:
    """verl's two folders; `legacy` has no uid and a shuffled training batch."""
    rng = random.Random(0)
    for (phase, step), part in rows.partition_by("phase", "step", as_dict=True).items():
        records = list(_verl(part, str(phase), layout))
        if layout == "v1":
            records.sort(key=lambda one: str(one["uid"]))
        elif phase == "train":
            rng.shuffle(records)
        name = "rollout_data" if phase == "train" else "validation_data"
        write_lines(folder / name / f"{step}.jsonl", records)
    return folder


def _verl(part: pl.DataFrame, phase: str, layout: str) -> Iterator[Record]:
    for row in part.iter_rows(named=True):
        record: Record = {
            "input": f"user\n{row['prompt']}\nassistant\n",
            "output": row["completion"],
            "gts": row["gold_answer"],
            "score": row["train_reward"] if phase == "train" else row["gold_reward"],
            "step": row["step"],
        }
        if phase == "eval":
            record |= {"reward": row["gold_reward"], "acc": row["gold_reward"]}
        if layout == "v1":
            record["uid"] = f"{row['group_id'].replace('_', '-')}_{row['sample_index']}_0"
        yield record
