"""The stages that sample from the start model: its evaluations, and its votes."""

import pyarrow as pa
import torch

from srtbench.engines.base import PromptFormat
from srtbench.engines.make import make_engines
from srtbench.models.load import load_policy, uses_chat
from srtbench.plan.stages import StartEval, StartModelStage, VotesStage
from srtbench.rollouts import RolloutWriter
from srtbench.store import Folder, SweepStore
from srtbench.store.labels import count_votes, labels_path, write_labels
from srtbench.train.evaluate import evaluation_table, sample_groups
from srtbench.train.prompts import grader_of, read_prompts


def evaluate_start_model(spec: StartEval, store: SweepStore, folder: Folder) -> None:
    """Evaluate the start model on the prompts of a set."""
    _sample(spec, store, folder)


def start_model_votes(spec: VotesStage, store: SweepStore, folder: Folder) -> None:
    """Sample the start model on train prompts, and count its votes."""
    table = _sample(spec, store, folder)
    ids, keys = (table[name].to_pylist() for name in ("prompt_id", "answer_key"))
    labels = count_votes(ids, keys, spec.sampling.samples, spec.voting)
    write_labels(labels_path(folder), labels)


def _sample(spec: StartModelStage, store: SweepStore, folder: Folder) -> pa.Table:
    """Groups of the start model, on a GPU where there is one; written, and returned.

    For an engine that has a copy of its own the model stays in main memory.
    """
    prompts = read_prompts(store.stage(spec.prompts_stage).prompts_path)
    path = store.stage(spec.model_stage).model_path if spec.model_stage else None
    model, tokenizer = load_policy(spec.model, path)
    total = len(prompts)
    folder.update_status(total_steps=total)

    def count(done: int) -> None:
        if done % max(1, total // 20) == 0:
            folder.update_status(step=done)

    if spec.generation is None:
        model = model.to("cuda" if torch.cuda.is_available() else "cpu")
    engines = make_engines(spec.generation, tokenizer, spec.sampling.seed)
    groups = sample_groups(
        engines(model, spec.sampling.batch_size),
        tokenizer,
        prompts,
        PromptFormat(uses_chat(spec.model, tokenizer), spec.dataset.system_prompt),
        spec.sampling,
        spec.sampling.seed,
        count,
    )
    writer = RolloutWriter(folder.rollouts_path)
    table = evaluation_table(spec.stage_id, 0, prompts, groups, grader_of(spec.dataset))
    writer.add("eval", 0, table)
    writer.flush()
    return table
