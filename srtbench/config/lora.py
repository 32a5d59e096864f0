"""What `train.lora` says: low-rank adapters are trained, and the model's own weights stay."""

import importlib.util
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from srtbench.sections import Section

ALL_LINEAR = "all-linear"


def _names(targets: tuple[str, ...]) -> tuple[str, ...]:
    """Sorted, so that their order changes no run id.

    Raises:
        ValueError: a name is empty, or given twice.
    """
    for place, name in enumerate(targets):
        if not name or name != name.strip():
            raise ValueError(f"{name!r} is no name of a module")
        if name in targets[:place]:
            raise ValueError(f"'{name}' is given twice")
    if ALL_LINEAR in targets and len(targets) > 1:
        raise ValueError(f"'{ALL_LINEAR}' are all there are; it stands alone")
    return tuple(sorted(targets))


def _as_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


_Names = Annotated[
    tuple[str, ...],
    Field(min_length=1),
    AfterValidator(_names),
    BeforeValidator(_as_tuple, json_schema_input_type=str | tuple[str, ...]),
]


class LoraConfig(Section):
    """Low-rank adapters beside linear layers, as peft has them.

    A layer with weights W computes W x + s B A x, where A (r rows) and B (r columns) alone are
    trained; s = alpha / r, or alpha / sqrt(r). B starts at 0: the start model is the policy.
    Source: LoRA, Hu et al. 2022, arXiv 2106.09685; s with the root: arXiv 2312.03732.
    """

    r: int = Field(16, ge=1, le=4096, description="rank of the adapters")
    alpha: float = Field(32.0, gt=0, description="their weight is alpha / r")
    dropout: float = Field(
        0.0, ge=0, lt=1, description="of what goes into an adapter, where the loss is computed"
    )
    targets: _Names = Field(
        (ALL_LINEAR,),
        description="linear layers that get an adapter: all but the output head, or the ends of "
        "their names, e.g. [q_proj, v_proj]",
    )
    rslora: bool = Field(False, description="the weight of the adapters is alpha / sqrt(r)")

    def covers(self, module: str) -> bool:
        """Whether a linear layer of that full name, which is not the output head, is a target."""
        return any(
            target == ALL_LINEAR or module == target or module.endswith(f".{target}")
            for target in self.targets
        )


def peft_is_missing() -> bool:
    """Whether the package that makes adapters is not installed."""
    return importlib.util.find_spec("peft") is None
