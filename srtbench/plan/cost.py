"""Rough cost of a run on GPUs: tokens, FLOP, GPU-hours and memory, from the plan alone.

docs/cost.md writes the model out. Nothing here is calibrated on measured runs: the numbers are good
to an order of magnitude, and every one is printed with '~'.
"""

import dataclasses
import math
import re
from dataclasses import dataclass

from srtbench.config.generation import GenerationConfig
from srtbench.config.models import ModelConfig, TinyModel
from srtbench.config.train import TrainConfig
from srtbench.plan import EvalSetSpec, RunSpec, estimate
from srtbench.plan.adapters import KEY_VALUE_WIDTH, adapter_bytes
from srtbench.plan.estimate import as_fitted, train_rollouts
from srtbench.plan.eval_sets import evaluations, set_rollouts
from srtbench.plan.stages import StartModelStage
from srtbench.variants import facts

TRAIN_UTILISATION = 0.3
"""Share of the peak that the optimiser step reaches (MFU)."""

DECODE_UTILISATION = 0.3
"""Share of the peak that decoding reaches where it is bound by arithmetic."""

BANDWIDTH_SHARE = {"vllm": 0.6, "transformers": 0.15}
"""Share of the memory bandwidth that decoding reaches, by engine."""

USABLE_MEMORY = 0.9
"""Share of a GPU's memory that a run may fill."""

MOST_GPUS = 1024

Sampler = RunSpec | StartModelStage
"""Work that samples from a model."""

_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
_SIZE = re.compile(r"(?<![\d.xXA])(\d+(?:\.\d+)?)([BbMm])(?![A-Za-z0-9])")
_ACTIVE = re.compile(r"-A(\d+(?:\.\d+)?)[Bb](?![A-Za-z0-9])")


@dataclass(frozen=True)
class Gpu:
    """A kind of GPU, by its data sheet."""

    label: str
    tflops: float
    """bfloat16, dense."""
    gigabytes: float
    terabytes_per_second: float


GPUS = {
    "a100": Gpu("A100 80 GB SXM", 312, 80, 2.04),
    "h100": Gpu("H100 SXM", 989, 80, 3.35),
    "gh200": Gpu("GH200 96 GB", 990, 96, 4.0),
    "h200": Gpu("H200 SXM", 989, 141, 4.8),
    "l40s": Gpu("L40S", 362, 48, 0.864),
}


@dataclass(frozen=True)
class Assumptions:
    """What a plan does not say.

    Attributes:
        gpu: key of ``GPUS``.
        mean_length: mean completion length, as a fraction of `max_completion_length`.
        prompt_tokens: mean prompt length.
    """

    gpu: str = "h100"
    mean_length: float = 0.5
    prompt_tokens: int = 200


@dataclass(frozen=True)
class Size:
    """Parameters of a model, and those that one token uses: fewer in a mixture of experts."""

    parameters: float
    active: float


@dataclass(frozen=True)
class Lengths:
    """Tokens: mean prompt, mean completion, longest completion."""

    prompt: float
    mean: float
    limit: int

    @property
    def total(self) -> float:
        """Of a rollout, on average."""
        return self.prompt + self.mean

    @property
    def longest(self) -> float:
        """Of a rollout, at most."""
        return self.prompt + self.limit


@dataclass(frozen=True)
class Sampling:
    """What one GPU samples: in each of ``parts`` equal parts, waves of at most ``batch``."""

    rollouts: float
    parts: int
    batch: int
    engine: str
    weight_bytes: int


@dataclass(frozen=True)
class Cost:
    """Estimated cost of one run or stage.

    Attributes:
        prompt_tokens: tokens of the prompts, counted once per rollout.
        completion_tokens: tokens sampled, at the mean length.
        flop: floating point operations of sampling and training.
        gpu_hours: summed over the GPUs.
        gpus: those that the sweep file gives to the run: one per process.
        gigabytes: memory of each of them.
        fits: whether that is within the usable memory.
        least_gpus: fewest GPUs that hold the run if its state is fully sharded; None: however
            many there are, what each must hold by itself is too much.
    """

    prompt_tokens: float
    completion_tokens: float
    flop: float
    gpu_hours: float
    gpus: int
    gigabytes: float
    fits: bool
    least_gpus: int | None


def model_size(model: ModelConfig) -> Size | None:
    """Size of a model: of a tiny one exactly, of another by its name; None if that does not say.

    ``Qwen2.5-Math-7B`` -> 7e9, ``Qwen3-30B-A3B`` -> 30e9 of which 3e9 active. Names with two sizes
    (``distilled-70B-to-8B``) and mixtures without an active size (``8x7B``) stay unknown.
    """
    if isinstance(model, TinyModel):
        count = tiny_parameters(model)
        return Size(count, count)
    if model.type == "hub":
        names = [model.id.rsplit("/", 1)[-1]]
    else:
        names = [model.gguf_file or "", model.path.rstrip("/").rsplit("/", 1)[-1]]
    for name in names:
        found = {_number(*match) for match in _SIZE.findall(name)}
        if found:
            active = _ACTIVE.search(name)
            total = found.pop()
            return None if found else Size(total, float(active[1]) * 1e9 if active else total)
    return None


def _number(digits: str, unit: str) -> float:
    return float(digits) * (1e9 if unit in "Bb" else 1e6)


def tiny_parameters(model: TinyModel) -> int:
    """Parameters of a tiny model, counted from its entry; input and output embedding are one."""
    tokens = 3 + len({*model.alphabet, *model.words})  # 3: padding, end, unknown
    width, head = model.hidden_size, model.hidden_size // model.num_heads
    attention = 4 * width * head * model.num_heads
    norms = 2 * width + (2 * head if model.architecture == "qwen3" else 0)
    layer = attention + 3 * width * model.intermediate_size + norms
    return tokens * width + model.num_layers * layer + width


def needs_gpu(spec: Sampler) -> bool:
    """Whether the work samples from a model that is not tiny."""
    return not isinstance(spec.model, TinyModel)


def cost(spec: Sampler, assumed: Assumptions) -> Cost | None:
    """Estimated cost of a run or stage; None if the size of its model is unknown."""
    size = model_size(spec.model)
    if size is None:
        return None
    if isinstance(spec, RunSpec):
        return _run_cost(spec, size, assumed)
    return _stage_cost(spec, size, assumed)


def _run_cost(spec: RunSpec, size: Size, assumed: Assumptions) -> Cost:
    train, gpu, gpus = spec.train, GPUS[assumed.gpu], spec.train.num_processes
    limit = train.max_completion_length
    lengths = Lengths(mean_prompt(spec, assumed), assumed.mean_length * limit, limit)
    sets = [_set_work(one, spec, size, assumed) for one in spec.eval_sets]
    rollouts = sum(train_rollouts(spec))

    fitted = as_fitted(spec)
    trained = fitted.train.steps * fitted.train.completions_per_step
    flop = trained * lengths.total * training_flop_per_token(size, fitted.train)
    seconds = flop / (gpu.tflops * 1e12 * TRAIN_UTILISATION) / gpus
    sampled = [(rollouts, lengths), *((work.rollouts, found) for work, found in sets)]
    per_step = math.ceil(train.completions_per_step / gpus)
    batch = group_batch(spec.own.sampling.batch_size, train.num_generations)
    batch = per_step if train.rounds is None else batch
    engine, width = sampling_engine(spec)
    at_once = _at_once(spec, size, gpu, lengths, per_step, batch)
    work = Sampling(rollouts / gpus, train.steps, at_once, engine, width)
    seconds += decode_seconds(size, gpu, work, lengths)
    for work, found in sets:
        share = dataclasses.replace(work, rollouts=work.rollouts / gpus)
        seconds += decode_seconds(size, gpu, share, found)
    gigabytes = _gigabytes(fitted, size, gpu, lengths, gpus, sharded=is_sharded(train))
    return Cost(
        prompt_tokens=sum(count * found.prompt for count, found in sampled),
        completion_tokens=sum(count * found.mean for count, found in sampled),
        flop=flop + 2 * size.active * sum(count * found.total for count, found in sampled),
        gpu_hours=seconds * gpus / 3600,
        gpus=gpus,
        gigabytes=gigabytes,
        fits=gigabytes <= USABLE_MEMORY * gpu.gigabytes,
        least_gpus=_least_gpus(fitted, size, gpu, lengths),
    )


def _set_work(
    one: EvalSetSpec, spec: RunSpec, size: Size, assumed: Assumptions
) -> tuple[Sampling, Lengths]:
    """What a run samples on an evaluation set, on all its GPUs together."""
    limit, batch = one.sampling.max_completion_length, one.sampling.batch_size
    lengths = Lengths(mean_prompt(spec, assumed), assumed.mean_length * limit, limit)
    rollouts, parts = set_rollouts(one, spec), max(1, evaluations(one, spec))
    wanted = math.ceil(rollouts / parts / spec.train.num_processes)
    batch = group_batch(batch, one.sampling.samples)
    at_once = _at_once(spec, size, GPUS[assumed.gpu], lengths, wanted, batch)
    return Sampling(rollouts, parts, at_once, *sampling_engine(spec)), lengths


def sampling_engine(spec: Sampler) -> tuple[str, int]:
    """The engine, and the bytes of each weight that it samples with."""
    if spec.generation is None:
        return "transformers", _bytes(spec.model)
    dtype = spec.generation.dtype
    return "vllm", _bytes(spec.model) if dtype is None else _BYTES[dtype]


def _at_once(spec: Sampler, size: Size, gpu: Gpu, lengths: Lengths, wanted: int, batch: int) -> int:
    """Completions of a wave: those of a batch; with vLLM all that are wanted and have room."""
    if spec.generation is None:
        return batch
    width = sampling_engine(spec)[1]
    share = spec.generation.gpu_memory_utilization
    free = share * gpu.gigabytes * 1e9 - size.parameters * width
    return max(1, min(wanted, int(free / (lengths.total * _kv_bytes(size, width)))))


def _stage_cost(spec: StartModelStage, size: Size, assumed: Assumptions) -> Cost:
    """Sampling from the start model on one GPU."""
    gpu, limit = GPUS[assumed.gpu], spec.sampling.max_completion_length
    engine, width = sampling_engine(spec)
    lengths = Lengths(float(assumed.prompt_tokens), assumed.mean_length * limit, limit)
    rollouts = estimate(spec).rollouts
    at_once = group_batch(spec.sampling.batch_size, spec.sampling.samples) if rollouts else 0
    at_once = _at_once(spec, size, gpu, lengths, rollouts, at_once)
    work = Sampling(rollouts, 1, at_once, engine, width)
    held = at_once * lengths.longest * _kv_bytes(size, width)
    gigabytes = (size.parameters * width + held) / 1e9
    if spec.generation is not None:
        gigabytes = _vllm_bytes(spec.generation, size, width, gpu) / 1e9
    fits = gigabytes <= USABLE_MEMORY * gpu.gigabytes
    return Cost(
        prompt_tokens=rollouts * lengths.prompt,
        completion_tokens=rollouts * lengths.mean,
        flop=2 * size.active * rollouts * lengths.total,
        gpu_hours=decode_seconds(size, gpu, work, lengths) / 3600,
        gpus=1,
        gigabytes=gigabytes,
        fits=fits,
        least_gpus=1 if fits else None,
    )


def mean_prompt(spec: RunSpec, assumed: Assumptions) -> float:
    """Mean prompt length: as assumed, but no longer than `generation` lets it be."""
    longest = spec.generation.max_model_len if spec.generation else None
    if longest is None:
        return float(assumed.prompt_tokens)
    return float(max(1, min(assumed.prompt_tokens, longest - spec.train.max_completion_length)))


def training_flop_per_token(size: Size, train: TrainConfig) -> float:
    """6 per parameter (4 with adapters); 2 more for a reference model, and for recomputation."""
    more = 2 * (train.beta > 0) + 2 * bool(train.trl.get("gradient_checkpointing", True))
    return ((6 if train.lora is None else 4) + more) * size.active


def group_batch(batch_size: int, samples: int) -> int:
    """Completions that evaluation decodes at once: whole groups, at least one."""
    return max(1, batch_size // samples) * samples


def decode_seconds(size: Size, gpu: Gpu, work: Sampling, lengths: Lengths) -> float:
    """Time that one GPU takes to sample.

    A wave lasts until its longest completion ends, which is taken to be at the limit, and reads
    all weights at every token of that; keys and values are read for the tokens that there are.
    Whichever is longer counts: reading memory, or arithmetic.
    """
    if not work.rollouts:
        return 0.0
    waves = work.parts * math.ceil(work.rollouts / work.parts / work.batch)
    weights = waves * lengths.limit * size.parameters * work.weight_bytes
    before = lengths.prompt + lengths.mean / 2
    keys_values = work.rollouts * lengths.mean * before * _kv_bytes(size, work.weight_bytes)
    bandwidth = gpu.terabytes_per_second * 1e12 * BANDWIDTH_SHARE[work.engine]
    arithmetic = 2 * size.active * work.rollouts * lengths.total
    return max(
        (weights + keys_values) / bandwidth,
        arithmetic / (gpu.tflops * 1e12 * DECODE_UTILISATION),
    )


def is_sharded(train: TrainConfig) -> bool:
    """Whether the file asks TRL to shard weights, gradients and optimiser over the processes."""
    return bool(train.trl.get("fsdp"))


def state_bytes(spec: RunSpec, size: Size) -> float:
    """Weights, gradients and AdamW's two moments; reference model and variant's models if any.

    Without adapters a policy is its own reference model, but for the pairs of a round.
    """
    train, weights = spec.train, size.parameters * _bytes(spec.model)
    if train.lora is not None:
        whole = 1 + (train.beta > 0 and train.rounds is not None)
        return whole * weights + adapter_bytes(spec, *_shape(size))
    return (4 + (train.beta > 0) + facts(spec.variant).model_copies) * weights


def _vllm_bytes(generation: GenerationConfig, size: Size, width: int, gpu: Gpu) -> float:
    """What vLLM takes of a GPU: its share, and at least its weights."""
    share = generation.gpu_memory_utilization
    return max(share * gpu.gigabytes * 1e9, size.parameters * width)


def _least_gpus(spec: RunSpec, size: Size, gpu: Gpu, lengths: Lengths) -> int | None:
    for gpus in range(1, MOST_GPUS + 1):
        needed = _gigabytes(spec, size, gpu, lengths, gpus, sharded=True)
        if needed <= USABLE_MEMORY * gpu.gigabytes:
            return gpus
    return None


def _gigabytes(
    spec: RunSpec, size: Size, gpu: Gpu, lengths: Lengths, gpus: int, *, sharded: bool
) -> float:
    """Memory of each GPU at its fullest moment."""
    train, width, length = spec.train, _bytes(spec.model), lengths.longest
    state = state_bytes(spec, size) / (gpus if sharded else 1)

    per_process = math.ceil(train.completions_per_step / gpus)
    layers, hidden = _shape(size)
    micro = min(train.micro_batch_size or per_process, per_process)
    kept = layers + 17 if train.trl.get("gradient_checkpointing", True) else 17 * layers
    activations = micro * length * hidden * 2 * kept

    if spec.generation is not None:
        reserved = _vllm_bytes(spec.generation, size, sampling_engine(spec)[1], gpu)
        if spec.generation.enable_sleep_mode:  # its memory is free while the others work
            return (state + max(activations, reserved)) / 1e9
        return (state + activations + reserved) / 1e9
    held = max(
        group_batch(one.sampling.batch_size, one.sampling.samples)
        * (lengths.prompt + one.sampling.max_completion_length)
        for one in spec.eval_sets
    )
    # To sample, transformers needs the weights whole.
    gathered = size.parameters * width if sharded and gpus > 1 else 0
    looked_at = size.parameters * width if spec.keep else 0  # an epoch's policy, beside the fit
    sampling = gathered + looked_at + max(held, per_process * length) * _kv_bytes(size, width)
    return (state + max(activations, sampling)) / 1e9


def _kv_bytes(size: Size, width: int) -> float:
    """Keys and values of one token."""
    layers, hidden = _shape(size)
    return 2 * layers * min(KEY_VALUE_WIDTH, hidden) * width


def _shape(size: Size) -> tuple[float, float]:
    """Layers and width of a usual decoder of that size: P = 12 L h^2 with h = 128 L."""
    layers = (size.parameters / (12 * 128**2)) ** (1 / 3)
    return layers, 128 * layers


def _bytes(model: ModelConfig) -> int:
    return 4 if isinstance(model, TinyModel) else _BYTES[model.dtype]
