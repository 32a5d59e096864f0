"""Sweep files: pydantic models, and errors that name line, key, allowed values, nearest match."""

from srtbench.config.datasets import (
    DatasetConfig,
    FileDataset,
    HubDataset,
    ReasoningGymDataset,
    SplitShares,
)
from srtbench.config.errors import ConfigError, Problem
from srtbench.config.models import HubModel, LocalModel, ModelConfig, TinyModel, WarmStart
from srtbench.config.sweep import Exclusion, SweepConfig, load_sweep
from srtbench.config.train import EvalConfig, ExecutionConfig, TrainConfig
from srtbench.config.variants import VariantConfig

__all__ = [
    "ConfigError",
    "DatasetConfig",
    "EvalConfig",
    "Exclusion",
    "ExecutionConfig",
    "FileDataset",
    "HubDataset",
    "HubModel",
    "LocalModel",
    "ModelConfig",
    "Problem",
    "ReasoningGymDataset",
    "SplitShares",
    "SweepConfig",
    "TinyModel",
    "TrainConfig",
    "VariantConfig",
    "WarmStart",
    "load_sweep",
]
