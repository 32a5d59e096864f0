"""What TRL makes of rewards: the advantages of a generation."""

import numpy as np
import numpy.typing as npt

from srtbench.plan import RunSpec

FloatArray = npt.NDArray[np.float64]


def advantages(rewards: FloatArray, spec: RunSpec) -> FloatArray | None:
    """Advantages that TRL 1.16 gives to the rewards of one generation; None if not derivable.

    They are not where something unlogged enters: RLOO's KL penalty (beta > 0), or options that
    change the rewards first.

    Args:
        rewards: (groups, samples).

    Returns:
        (groups, samples).
    """
    options = spec.train.trl
    centred = rewards - rewards.mean(axis=1, keepdims=True)
    samples = rewards.shape[1]
    if spec.train.algorithm == "rloo":
        if (
            spec.train.beta
            or options.get("normalize_advantages")
            or options.get("reward_clip_range")
        ):
            return None
        return np.asarray(centred * samples / (samples - 1))
    if options.get("multi_objective_aggregation", "sum_then_normalize") != "sum_then_normalize":
        return None
    scale = options.get("scale_rewards", "group")
    scale = {True: "group", False: "none"}.get(scale, scale)
    if scale == "none":
        return np.asarray(centred)
    spread = rewards.std(ddof=1) if scale == "batch" else rewards.std(axis=1, ddof=1, keepdims=True)
    return np.asarray(centred / (spread + 1e-4))


def advantage_tolerance(rewards: FloatArray, spec: RunSpec) -> FloatArray:
    """How far rounding may take an advantage, (groups, samples).

    TRL computes in float32; where rewards are scaled, a group of equal rewards divides its rounding
    error by 1e-4, so that 5.9 leaves advantages of up to about 0.01.
    """
    error = 4 * np.finfo(np.float32).eps * (1 + np.abs(rewards).max(axis=1, keepdims=True))
    if spec.train.algorithm == "grpo" and spec.train.trl.get("scale_rewards", True) not in (
        "none",
        False,
    ):
        error = error / (rewards.std(axis=1, ddof=1, keepdims=True) + 1e-4)
    return np.asarray(np.broadcast_to(error + 1e-5, rewards.shape))
