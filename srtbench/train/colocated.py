"""TRL's vLLM in the training process, with what TRL leaves wrong set right.

TRL starts vLLM without the dtype of the policy and with the process index as its seed, so that
every run of a sweep would draw the same random numbers; and it asks for no log-probabilities where
RLOO does not need them. Evaluations and frozen copies are sampled by the same vLLM, and the policy
is synchronised again before it is sampled next.
"""

import contextlib
import os
import socket
from collections.abc import Callable, Iterator
from typing import Any

from trl.generation import vllm_generation as trl_vllm

from srtbench.engines import vllm
from srtbench.engines.base import EngineMaker, end_tokens
from srtbench.plan import RunSpec


@contextlib.contextmanager
def corrected(spec: RunSpec, policy: Any) -> Iterator[None]:
    """Within it, a trainer of the run starts vLLM as the run wants it; nothing for transformers."""
    if spec.generation is None:
        yield
        return
    vllm.prepare()
    if "MASTER_PORT" not in os.environ:  # a launcher of several processes has set it
        os.environ["MASTER_PORT"] = str(_free_port())
    generation, dtype = spec.generation, str(policy.dtype).removeprefix("torch.")
    plain = trl_vllm.LLM

    def start(**given: Any) -> Any:
        seed = vllm.seed_of(spec.seed, given["seed"])  # TRL's is the index of the process
        llm = plain(**given | vllm.options(generation, dtype, seed))
        vllm.check_weights(llm)
        return llm

    trl_vllm.LLM = start
    try:
        yield
    finally:
        trl_vllm.LLM = plain


def _free_port() -> int:
    """A port that the system gives; TRL tries 29500 first, as two runs do that start at once."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def hear_logprobs(generation: Any, heard: Callable[[list[list[float]]], None]) -> None:
    """Hear the log-probability of every token that TRL's vLLM samples for training.

    Args:
        generation: the trainer's `VLLMGeneration`.
        heard: is given (rows, tokens of each) of every generation.
    """
    generation.logprobs = 0  # that of the sampled token alone
    plain = generation.generate

    def generate(*args: Any, **options: Any) -> Any:
        found = plain(*args, **options)
        heard([[place[0] for place in row] for row in found[2]])
        return found

    generation.generate = generate


def colocated_engines(trainer: Any, tokenizer: Any) -> EngineMaker:
    """Engines that sample the policy of a trainer, and copies of it, with the trainer's vLLM."""
    generation = trainer.vllm_generation

    def make(model: Any, batch_size: int) -> vllm.VllmEngine:
        def load() -> None:
            if model is trainer.unwrapped_policy():
                generation.sync_weights()
            else:
                vllm.load_weights(generation.llm, model.named_parameters())

        def after() -> None:
            trainer._last_loaded_step = -1  # TRL synchronises before it samples again
            generation._llm_weights_sleeping = generation.enable_sleep_mode

        ends = end_tokens(model, tokenizer)
        sleeps = generation.enable_sleep_mode
        return vllm.VllmEngine(generation.llm, tokenizer, ends, load, sleeps=sleeps, after=after)

    return make
