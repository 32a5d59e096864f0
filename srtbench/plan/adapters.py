"""How many parameters the adapters of a run have: exactly, or by the size of the model."""

from srtbench.config.lora import LoraConfig
from srtbench.config.models import ModelConfig, TinyModel
from srtbench.plan.specs import RunSpec
from srtbench.variants import facts

KEY_VALUE_WIDTH = 1024
"""8 key-value heads of 128: grouped-query attention."""

_FUSED = 5.0
"""Input and output width of a layer of an unknown name, in widths: one into four, or back."""


def adapter_bytes(spec: RunSpec, layers: float, width: float) -> float:
    """Adapters, their gradients and AdamW's two moments in float32; copies of them that vote.

    The weights beside them are held once, by policy, reference model and copies together.
    """
    if spec.train.lora is None:
        return 0.0
    copies = 4 + facts(spec.variant).model_copies
    return copies * 4 * adapter_parameters(spec.train.lora, spec.model, layers, width)


def adapter_parameters(lora: LoraConfig, model: ModelConfig, layers: float, width: float) -> float:
    """Parameters of A and B together: r (inputs + outputs) of every layer that is a target.

    Args:
        layers, width: of the decoder, for a model that is not tiny.
    """
    heads, inner = min(KEY_VALUE_WIDTH, width), 8 * width / 3
    if isinstance(model, TinyModel):
        layers, width = model.num_layers, model.hidden_size
        heads = width // model.num_heads * model.num_heads
        inner = model.intermediate_size
    sums = {
        "self_attn.q_proj": width + (heads if isinstance(model, TinyModel) else width),
        "self_attn.k_proj": width + heads,
        "self_attn.v_proj": width + heads,
        "self_attn.o_proj": width + (heads if isinstance(model, TinyModel) else width),
        "mlp.gate_proj": width + inner,
        "mlp.up_proj": width + inner,
        "mlp.down_proj": width + inner,
    }
    known = sum(total for name, total in sums.items() if lora.covers(name))
    alone = [lora.model_copy(update={"targets": (target,)}) for target in lora.targets]
    others = sum(not any(map(one.covers, sums)) for one in alone)
    return lora.r * layers * (known + others * _FUSED * width)
