"""How TRL's options divide a run into generations."""

from dataclasses import dataclass

from srtbench.config.train import TrainConfig
from srtbench.plan.specs import RunSpec


@dataclass(frozen=True)
class GenerationShape:
    """Which steps sample, and how many rollouts: TRL may train several steps on one generation."""

    every: int
    rollouts: int

    @classmethod
    def of(cls, spec: RunSpec) -> "GenerationShape":
        """As :meth:`of_train`."""
        return cls.of_train(spec.train)

    @classmethod
    def of_train(cls, train: TrainConfig) -> "GenerationShape":
        """The shape that TRL's options give.

        Raises:
            ValueError: a generation does not end with an optimiser step, as every plan demands.
        """
        per_process = train.completions_per_step // train.num_processes
        micro = train.micro_batch_size or per_process
        accumulation = per_process // micro
        passes = int(train.trl.get("steps_per_generation") or accumulation)
        iterations = int(train.trl.get("num_iterations") or 1)
        every, rest = divmod(passes * iterations, accumulation)
        if rest or not every:
            raise ValueError(
                f"steps_per_generation x num_iterations = {passes * iterations} is no multiple of "
                f"{accumulation}, the forward passes of an optimiser step"
            )
        return cls(every, micro * passes * train.num_processes)

    def steps(self, last: int) -> list[int]:
        """Steps that sample, up to ``last``."""
        return list(range(1, last + 1, self.every))
