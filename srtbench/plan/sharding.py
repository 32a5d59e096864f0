"""What cannot be had together with weights that are sharded over a run's processes."""

from collections.abc import Iterator

from srtbench.config.misfit import Misfit, misfit
from srtbench.config.train import TrainConfig
from srtbench.variants import Facts


def sharding_problems(train: TrainConfig, answers: Facts) -> Iterator[Misfit]:
    """Why `trl.fsdp` does not fit a run; `trl.deepspeed` fits none.

    Args:
        answers: what the run's variant says of itself.
    """
    for where, options in (
        ("trl", train.trl),
        ("fit.trl", train.rounds.fit.trl if train.rounds is not None else {}),
    ):
        if options.get("deepspeed"):
            yield misfit(
                f"{where}.deepspeed: under ZeRO 3 a process holds only its share of the weights, "
                "and evaluations and kept policies do not gather them; use trl.fsdp: full_shard",
                f"train.{where}.deepspeed",
            )
    if not train.trl.get("fsdp"):
        return
    if train.lora is not None:
        yield misfit(
            "trl.fsdp with train.lora has never been run; leave one of them out", "train.trl.fsdp"
        )
    if answers.model_copies:
        yield misfit(
            "trl.fsdp with a variant whose votes are those of a copy of the policy: the copy "
            "follows whole weights only; leave fsdp out, or use another variant",
            "train.trl.fsdp",
        )
