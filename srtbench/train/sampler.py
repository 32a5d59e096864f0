"""The order of prompts, as a function of seed and epoch alone."""

from collections.abc import Callable, Iterator
from typing import Any

import torch


class ResumableSampler(torch.utils.data.Sampler):
    """TRL's sampler, in the same order, but right after a resume in a later epoch too.

    TRL's `RepeatSampler` draws each epoch's order from one generator that no checkpoint holds, so a
    run that resumes in its second epoch sees the first one's order again. Here the generator is
    seeded anew and wound forward to the epoch that begins.

    Args:
        sampler: TRL's `RepeatSampler`.
        epochs_done: epochs done so far, with the fraction of the one that is under way.
    """

    def __init__(self, sampler: Any, epochs_done: Callable[[], float]):
        self._sampler = sampler
        self._epochs_done = epochs_done

    def __iter__(self) -> Iterator[int]:
        if self._sampler.shuffle:
            generator = self._sampler.generator.manual_seed(self._sampler.seed)
            for _ in range(int(self._epochs_done() + 1e-6)):
                torch.randperm(self._sampler.num_samples, generator=generator)
        yield from self._sampler

    def __len__(self) -> int:
        return len(self._sampler)
