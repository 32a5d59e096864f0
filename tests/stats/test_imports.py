"""The stats package stands on numpy alone and documents every public name."""

from __future__ import annotations

import inspect
import subprocess
import sys

import srtbench.stats as stats


def test_importing_stats_loads_numpy_and_nothing_heavier() -> None:
    code = (
        "import sys, srtbench.stats; "
        "heavy = {'torch', 'scipy', 'pandas', 'polars', 'duckdb', 'pyarrow', 'matplotlib'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_public_names_exist_and_have_docstrings() -> None:
    assert len(set(stats.__all__)) == len(stats.__all__)
    for name in stats.__all__:
        value = getattr(stats, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert value.__doc__, name
