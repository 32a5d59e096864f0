"""srtbench: benchmark and analysis toolkit for self-rewarded training of language models.

Importing this package loads no torch, trl or vllm; names are resolved when first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from srtbench.analysis import open_sweep
    from srtbench.config import ConfigError, SweepConfig, load_sweep
    from srtbench.execute.sweep import SweepResult, run_sweep
    from srtbench.imports import import_rollouts
    from srtbench.plan import Plan, plan_sweep

    __version__: str

_HOMES = {
    "ConfigError": "srtbench.config",
    "Plan": "srtbench.plan",
    "SweepConfig": "srtbench.config",
    "SweepResult": "srtbench.execute.sweep",
    "import_rollouts": "srtbench.imports",
    "load_sweep": "srtbench.config",
    "open_sweep": "srtbench.analysis",
    "plan_sweep": "srtbench.plan",
    "run_sweep": "srtbench.execute.sweep",
}

__all__ = [
    "ConfigError",
    "Plan",
    "SweepConfig",
    "SweepResult",
    "__version__",
    "import_rollouts",
    "load_sweep",
    "open_sweep",
    "plan_sweep",
    "run_sweep",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        # Reading the metadata takes a quarter of the time of `srtbench --help`.
        return importlib.import_module("importlib.metadata").version("srtbench")
    if name not in _HOMES:
        raise AttributeError(f"module 'srtbench' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
