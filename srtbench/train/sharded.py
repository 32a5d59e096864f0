"""The whole policy of a run whose weights are sharded over its processes by FSDP.

Processes evaluate shares of their own, of unequal lengths. A sharded model gathers its layers on
every forward pass, which all processes must make together: unequal shares would wait for each other
for ever. So the weights are gathered once, into a model of each process.
"""

from typing import Any
from weakref import WeakSet

import torch
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.fsdp import FullyShardedDataParallel
from torch.distributed.tensor import DTensor

_GATHERED: WeakSet[torch.nn.Module] = WeakSet()
"""Models that `gathered` has made."""


def is_sharded(model: torch.nn.Module) -> bool:
    """Whether FSDP, of version 1 or 2, has taken the weights of a model apart."""
    return any(isinstance(part, FullyShardedDataParallel) for part in model.modules()) or any(
        isinstance(parameter, DTensor) for parameter in model.parameters()
    )


def gathered(model: torch.nn.Module, plain: Any) -> Any:
    """A model of transformers with all weights of a sharded one, as they are now; collective.

    Args:
        model: what FSDP has put around the policy, or changed in place.
        plain: the policy inside, whose configuration the new model has.
    """
    weights = get_model_state_dict(model, options=StateDictOptions(full_state_dict=True))
    first = next(iter(weights.values()))
    with torch.random.fork_rng(), torch.device(first.device):
        made = _class_of(plain)(plain.config).to(first.dtype)
    made.load_state_dict(weights)
    made.generation_config = plain.generation_config
    _GATHERED.add(made)
    return made.eval()


def put_aside(model: torch.nn.Module) -> None:
    """Free the accelerator of a gathered model; any other stays where it is."""
    if model in _GATHERED:
        model.to("cpu")


def _class_of(plain: Any) -> Any:
    """The class of a model; FSDP 2 gives a model a class of its own, made of that."""
    kind = type(plain)
    return kind.__mro__[2] if kind.__name__.startswith("FSDP") else kind
