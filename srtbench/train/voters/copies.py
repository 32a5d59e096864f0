"""Copies of the policy that vote."""

import copy
from typing import Any


def frozen_copy(policy: Any) -> Any:
    """A copy of a model that computes with its own weights, whatever was put around its forward.

    TRL and accelerate give a model a ``forward`` of its own, a closure over the forward of the very
    model. ``deepcopy`` copies no closure: a copy with it would compute with the policy's weights.
    """
    made = copy.deepcopy(policy)
    for module in made.modules():
        vars(module).pop("forward", None)
    return made.eval().requires_grad_(False)
