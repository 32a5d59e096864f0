"""Body of each process: shard a tiny model over all of them, train a step, gather it, sample."""

import copy
import json
import sys
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FullyShardedDataParallel, fully_shard
from torch.distributed.fsdp.wrap import ModuleWrapPolicy

from srtbench.config.models import TinyModel
from srtbench.engines.transformers import TransformersEngine
from srtbench.models.tiny import build_tiny
from srtbench.train.sharded import gathered, is_sharded, put_aside
from srtbench.train.token_statistics import head_of


def sharded(model: Any, version: int) -> Any:
    """The model as accelerate hands it to FSDP: each layer, then the rest."""
    if version == 1:
        return FullyShardedDataParallel(
            model,
            auto_wrap_policy=ModuleWrapPolicy({type(model.model.layers[0])}),
            use_orig_params=True,
            device_id=torch.device("cpu"),
        )
    mesh = init_device_mesh("cpu", (dist.get_world_size(),))
    for layer in model.model.layers:
        fully_shard(layer, mesh=mesh)
    return fully_shard(model, mesh=mesh)


def step(model: Any) -> None:
    optimizer = torch.optim.SGD(model.parameters(), 1.0)
    model(torch.arange(3, 23).view(2, 10)).logits.float().pow(2).mean().backward()
    optimizer.step()


def texts(model: Any, tokenizer: Any, rank: int) -> list[str]:
    """A share of ``rank + 1`` prompts, with completions of unequal lengths."""
    engine = TransformersEngine(model, tokenizer, 4)
    prompts = [[5 + rank, 6, 7 + place] for place in range(rank + 1)]
    groups = engine.sample(
        prompts, samples=2, temperature=1.0, max_completion_length=4 + rank, seed=rank
    )
    return [one.text for group in groups for one in group]


def check(version: int, folder: Path) -> dict[str, Any]:
    torch.manual_seed(0)
    plain, tokenizer = build_tiny(TinyModel(num_layers=2, hidden_size=32, intermediate_size=64))
    model = copy.deepcopy(plain)
    assert not is_sharded(model)
    before = {name: value.clone() for name, value in plain.state_dict().items()}
    step(plain)
    wrapped = sharded(model, version)
    step(wrapped)
    inside = wrapped.module if version == 1 else wrapped
    found = gathered(wrapped, inside)
    rank = dist.get_rank()
    written = texts(found, tokenizer, rank)
    put_aside(found)
    if rank == 0:  # alone: nothing in it waits for the others
        found.save_pretrained(folder / f"{version}")
    wanted, own = plain.state_dict(), found.state_dict()
    return {
        "sharded": is_sharded(wrapped),
        "gathered is whole": not is_sharded(found),
        "head of the shard": head_of(inside) is not None,
        "moved": max(float((wanted[name] - before[name]).abs().max()) for name in wanted),
        "apart": max(float((own[name] - wanted[name]).abs().max()) for name in wanted),
        "texts": written,
        "wanted": texts(plain, tokenizer, rank),
    }


def main() -> None:
    folder = Path(sys.argv[1])
    dist.init_process_group("gloo")
    found = {str(version): check(version, folder) for version in (1, 2)}
    (folder / f"{dist.get_rank()}.json").write_text(json.dumps(found))
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
