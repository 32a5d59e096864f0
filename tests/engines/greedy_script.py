"""Says whether both engines, and a vLLM given new weights, agree on a model. Run by a test.

python tests/engines/greedy_script.py FOLDER_OF_A_MODEL
"""

import sys
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from srtbench.config.generation import GenerationConfig
from srtbench.engines.make import make_engines

PROMPTS = ("ab=", "cd=", "po=", "mf=", "aa=")


def main(place: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(place)
    model = AutoModelForCausalLM.from_pretrained(place, dtype=torch.float32)
    ids = [list(tokenizer(prompt)["input_ids"]) for prompt in PROMPTS]
    generation = GenerationConfig(engine="vllm", kv_cache_gib=0.25)
    engines = {
        "vllm": make_engines(generation, tokenizer, 0)(model, 4),
        "transformers": make_engines(None, tokenizer, 0)(model, 4),
    }

    def sampled(name: str, samples: int = 1, temperature: float = 0.0, seed: int = 0) -> Any:
        options: Any = {"samples": samples, "temperature": temperature, "seed": seed}
        return list(engines[name].sample(ids, max_completion_length=6, **options))

    assert sampled("vllm") == sampled("transformers"), "greedy"
    before = sampled("vllm")
    state = torch.get_rng_state()
    drawn = sampled("vllm", 16, 1.0, seed=5)
    assert torch.equal(torch.get_rng_state(), state), "the random state stays as it is"
    assert [len(group) for group in drawn] == [16] * len(ids)
    assert drawn == sampled("vllm", 16, 1.0, seed=5), "the same whatever was sampled before"
    assert drawn != sampled("vllm", 16, 1.0, seed=6)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.3)
    assert sampled("vllm") == sampled("transformers"), "greedy, with the weights of now"
    assert sampled("vllm") != before
    print("same")


if __name__ == "__main__":
    main(sys.argv[1])
