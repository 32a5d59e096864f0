"""Tools that a run's numbers can be sent to while it trains: names, and whether they are there."""

import importlib.util
from collections.abc import Iterable
from typing import Any

from srtbench.config.errors import allowed
from srtbench.plan import RunSpec

REPORTERS: dict[str, tuple[str, ...]] = {
    "azure_ml": ("azureml",),
    "clearml": ("clearml",),
    "codecarbon": ("codecarbon",),
    "comet_ml": ("comet_ml",),
    "dagshub": ("dagshub",),
    "dvclive": ("dvclive",),
    "flyte": ("flytekit",),
    "mlflow": ("mlflow",),
    "neptune": ("neptune",),
    "swanlab": ("swanlab",),
    "tensorboard": ("tensorboard", "tensorboardX"),
    "trackio": ("trackio",),
    "wandb": ("wandb",),
}
"""Value of ``train.trl.report_to`` -> modules of which one must be installed."""


def chosen_reporters(value: Any) -> list[str]:
    """``report_to`` as a list of names; "none", "all" and null name nothing that is checked."""
    names = value if isinstance(value, list) else [value]
    return [str(name) for name in names if name not in (None, "none", "all")]


TOOLS_KEY = "train.trl.report_to"


def missing_tools(runs: Iterable[RunSpec]) -> dict[str, RunSpec]:
    """What is to be said of each tool that does not exist or is not installed -> a run of it."""
    given: dict[str, RunSpec] = {}
    for run in runs:
        for name in chosen_reporters(run.train.trl.get("report_to")):
            given.setdefault(name, run)
    return {found: run for name, run in given.items() if (found := _wrong(name))}


def _wrong(name: str) -> str:
    modules = REPORTERS.get(name)
    if modules is None:
        return f"unknown tool '{name}'; {allowed(name, [*REPORTERS, 'none', 'all'])}"
    if any(importlib.util.find_spec(module) is not None for module in modules):
        return ""
    return f"'{name}' is not installed; install it with: pip install {modules[0]}"
