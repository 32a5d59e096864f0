"""Completions from vLLM in this process, on GPUs and on CPU by the same code.

What vLLM must be told, whoever starts it, is in `options` and `prepare`:

- the dtype of the policy: left out, it turns float32 weights into bfloat16;
- a seed, which it gives the random numbers of the whole process when it starts;
- on CPU no compiled graphs, and the memory for keys and values;
- that its engine stays in this process, and that it sends no usage statistics;
- on CPU that weights stay as they are: see `_keep_weights`, the only change to vLLM's own code.
"""

import contextlib
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch

from srtbench.config.generation import GenerationConfig
from srtbench.engines.base import Completion, EngineMaker, end_tokens

logger = logging.getLogger(__name__)

AT_ONCE = 4096
"""Completions that are asked of vLLM in one call; it decodes as many together as have room."""

_ENVIRONMENT = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "WARNING",
}


class EngineError(RuntimeError):
    """vLLM cannot be started, or cannot take the weights of a policy."""


def prepare() -> None:
    """Bring this process into the state that vLLM must be started in. May be repeated.

    Raises:
        EngineError: vLLM is not installed, or changed where it is changed here.
    """
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        import vllm  # noqa: F401
    except ImportError as error:
        raise EngineError(f"vLLM cannot be imported: {error}") from error
    if _on_cpu():
        _keep_weights()


def options(generation: GenerationConfig, dtype: str, seed: int) -> dict[str, Any]:
    """What `vllm.LLM` is given beside the model and what its caller knows better.

    Args:
        dtype: of the policy, by its name.
    """
    given: dict[str, Any] = {"dtype": generation.dtype or dtype, "seed": seed}
    if generation.max_model_len is not None:
        given["max_model_len"] = generation.max_model_len
    if _on_cpu():
        given["kv_cache_memory_bytes"] = int(generation.kv_cache_gib * 2**30)
        given["enforce_eager"] = generation.enforce_eager is not False
    elif generation.enforce_eager is not None:
        given["enforce_eager"] = generation.enforce_eager
    return given


def seed_of(seed: int, process_index: int) -> int:
    """Seed of the vLLM of one process of a run: another for each run and process."""
    return int(np.random.SeedSequence([seed, process_index]).generate_state(1)[0])


def start(place: str, generation: GenerationConfig, dtype: str, seed: int) -> Any:
    """A `vllm.LLM` of the model in a folder, for work that has no trainer.

    Raises:
        EngineError: vLLM refuses.
    """
    prepare()
    from vllm import LLM

    try:
        llm = LLM(
            model=place,
            enable_sleep_mode=generation.enable_sleep_mode,
            logprobs_mode="processed_logprobs",
            max_num_batched_tokens=4096,
            gpu_memory_utilization=generation.gpu_memory_utilization,
            **options(generation, dtype, seed),
        )
    except (OSError, RuntimeError, ValueError) as error:
        raise EngineError(f"vLLM cannot start with the model in {place}: {error}") from error
    check_weights(llm)
    return llm


def check_weights(llm: Any) -> None:
    """Whether new weights can be put into a `vllm.LLM`: all it has must still be there.

    Raises:
        EngineError: some were packed into another form and dropped, so that they would stay as
            they are however long the policy is trained.
    """
    dropped = [name for name, weight in _inner(llm).named_parameters() if not weight.numel()]
    if dropped:
        raise EngineError(
            f"vLLM has packed {len(dropped)} weights, such as {dropped[0]}, and takes no new ones"
        )


def load_weights(llm: Any, weights: Iterable[tuple[str, torch.Tensor]]) -> None:
    """Give a `vllm.LLM` the weights of a model, by the names of transformers."""
    _inner(llm).load_weights((name, weight.detach()) for name, weight in weights)
    llm.reset_prefix_cache()


class VllmEngine:
    """An `Engine` over a `vllm.LLM`.

    Args:
        load: gives the LLM the weights that are to be sampled; called before each sampling.
        sleeps: the LLM is in sleep mode between two uses.
        after: called when the sampling has ended.
    """

    def __init__(
        self,
        llm: Any,
        tokenizer: Any,
        ends: Sequence[int],
        load: Callable[[], None],
        *,
        sleeps: bool = False,
        after: Callable[[], None] = lambda: None,
    ):
        self._llm, self._tokenizer, self._ends = llm, tokenizer, list(ends)
        self._load, self._sleeps, self._after = load, sleeps, after

    def sample(
        self,
        prompts: Sequence[Sequence[int]],
        *,
        samples: int,
        temperature: float,
        max_completion_length: int,
        seed: int,
    ) -> Iterator[list[Completion]]:
        """See `Engine`. vLLM draws from the random numbers of the process, which are put back."""
        from vllm import SamplingParams

        asked = SamplingParams(
            n=samples,
            temperature=temperature,
            top_p=1.0,
            top_k=0,
            min_p=0.0,
            repetition_penalty=1.0,
            max_tokens=max_completion_length,
            stop_token_ids=self._ends,
            detokenize=False,
        )
        per_call = max(1, AT_ONCE // samples)
        with self._awake():
            for start_ in range(0, len(prompts), per_call):
                batch = [{"prompt_token_ids": list(ids)} for ids in prompts[start_:][:per_call]]
                with torch.random.fork_rng():
                    torch.manual_seed(seed * 1_000_003 + start_)
                    # What is left of other prompts would change which rows share a draw.
                    self._llm.reset_prefix_cache()
                    found = self._llm.generate(batch, asked, use_tqdm=False)
                for group in found:
                    outputs = sorted(group.outputs, key=lambda one: int(one.index))
                    yield [self._completion(one.token_ids) for one in outputs]

    @contextlib.contextmanager
    def _awake(self) -> Iterator[None]:
        if self._sleeps:
            self._llm.wake_up(tags=["weights"])
        self._load()
        if self._sleeps:
            self._llm.wake_up(tags=["kv_cache"])
        try:
            yield
        finally:
            if self._sleeps:
                self._llm.sleep(level=2)  # its weights are given anew before the next use
            self._after()

    def _completion(self, row: Sequence[int]) -> Completion:
        ids = tuple(row)
        text = self._tokenizer.decode(ids, skip_special_tokens=True)
        return Completion(text, ids, truncated=not ids or ids[-1] not in self._ends)


def vllm_engines(tokenizer: Any, generation: GenerationConfig, seed: int) -> EngineMaker:
    """Engines that share one vLLM, started with the first model that is sampled."""
    started: list[Any] = []

    def make(model: Any, batch_size: int) -> VllmEngine:
        if not started:
            dtype = str(model.dtype).removeprefix("torch.")
            started.append(start(model.name_or_path, generation, dtype, seed))
            if generation.enable_sleep_mode:
                started[0].sleep(level=2)
        (llm,) = started

        def load() -> None:
            load_weights(llm, model.named_parameters())

        ends = end_tokens(model, tokenizer)
        return VllmEngine(llm, tokenizer, ends, load, sleeps=generation.enable_sleep_mode)

    return make


def _on_cpu() -> bool:
    from vllm.platforms import current_platform

    return bool(current_platform.is_cpu())


def _inner(llm: Any) -> Any:
    """The model inside of a `vllm.LLM` of this process."""
    return llm.llm_engine.model_executor.driver_worker.model_runner.model


def _keep_weights() -> None:
    """Have the linear layers of vLLM for CPUs compute with their weights as they are.

    They would pack them for a faster product and drop what was packed: then TRL's synchronisation
    finds no weight to copy to, and `reload_weights` leaves the old packed ones in use. On GPUs
    nothing is packed and nothing is changed; `check_weights` holds either way.
    """
    from vllm.model_executor.layers import utils

    if not hasattr(utils, "dispatch_cpu_unquantized_gemm"):
        raise EngineError("this vLLM packs its weights on CPU in a way that is not known here")
    utils.dispatch_cpu_unquantized_gemm = _plain_linear


def _plain_linear(layer: Any, remove_weight: bool) -> None:
    layer.cpu_linear = torch.nn.functional.linear
