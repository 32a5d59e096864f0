"""Shared input checks: every public function fails early, naming the argument that is wrong."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


def integer_array(values: ArrayLike, name: str) -> IntArray:
    """Return ``values`` as int64; floats are accepted only when every one is a whole number."""
    array = np.asarray(values)
    if array.dtype.kind in "iu":
        return array.astype(np.int64)
    if array.size == 0:
        return array.astype(np.int64)
    if array.dtype.kind == "f" and bool(np.all(np.isfinite(array) & (array == np.round(array)))):
        return array.astype(np.int64)
    raise ValueError(f"{name} must hold integers, got dtype {array.dtype}")


def finite_array(values: ArrayLike, name: str, ndim: int | None = None) -> FloatArray:
    """Return ``values`` as float64; an empty array, NaN or infinity is an error."""
    array = np.asarray(values, dtype=np.float64)
    if ndim is not None and array.ndim != ndim:
        raise ValueError(f"{name} must have {ndim} dimension(s), got shape {array.shape}")
    if array.size == 0:
        raise ValueError(f"{name} is empty (shape {array.shape})")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds NaN or infinity; drop or impute those rows first")
    return array


def answer_keys(keys: ArrayLike, name: str = "keys") -> IntArray:
    """Return ``keys`` as an int64 (prompts, samples) array, checking that -1 is the only negative.

    Raises ValueError if it is not two-dimensional, has no samples, or holds a key below -1.
    """
    array = integer_array(keys, name)
    if array.ndim != 2:
        raise ValueError(f"{name} must be (prompts, samples), got shape {array.shape}")
    if array.shape[1] == 0:
        raise ValueError(f"{name} has no samples (shape {array.shape})")
    if array.size and int(array.min()) < -1:
        raise ValueError(f"{name} must be >= 0, or -1 for unparsable; found {int(array.min())}")
    return array


def gold_keys(gold: ArrayLike, num_prompts: int) -> IntArray:
    """Return ``gold`` as an int64 (prompts,) array. A negative key matches no answer."""
    array = integer_array(gold, "gold")
    if array.shape != (num_prompts,):
        raise ValueError(f"gold must have shape ({num_prompts},), got {array.shape}")
    return array


def probability(value: float, name: str) -> float:
    """Return ``value`` if it lies strictly between 0 and 1, else raise ValueError."""
    if not 0.0 < value < 1.0:
        raise ValueError(f"{name} must lie strictly between 0 and 1, got {value}")
    return float(value)
