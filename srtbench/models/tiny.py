"""Build a randomly initialised tiny decoder of a usual architecture."""

import torch
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from srtbench.config.models import TinyModel
from srtbench.models.tokenizer import character_tokenizer

_CLASSES = {"qwen3": (Qwen3Config, Qwen3ForCausalLM), "llama": (LlamaConfig, LlamaForCausalLM)}


def build_tiny(config: TinyModel) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """A float32 model and its tokenizer; the warm start's seed draws the weights."""
    tokenizer = character_tokenizer(config.alphabet, config.words, config.max_length)
    config_class, model_class = _CLASSES[config.architecture]
    torch.manual_seed(config.warm_start.seed)
    model = model_class(
        config_class(
            vocab_size=len(tokenizer),
            hidden_size=config.hidden_size,
            intermediate_size=config.intermediate_size,
            num_hidden_layers=config.num_layers,
            num_attention_heads=config.num_heads,
            num_key_value_heads=config.num_heads,
            head_dim=config.hidden_size // config.num_heads,
            max_position_embeddings=config.max_length,
            tie_word_embeddings=True,
            attention_dropout=0.0,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
            bos_token_id=None,
        )
    )
    return model, tokenizer
