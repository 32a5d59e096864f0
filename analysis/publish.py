"""Publishes what the study needs of finished sweeps: small tables that the page is made from.

Runs of one sweep that were trained on several machines are published from each under a name of its
own; the page reads all of them.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import srtbench
from analysis.claims.data import Study
from analysis.claims.registration import register, write
from analysis.claims.sources import DATA
from analysis.common import MissingError
from srtbench.analysis.warehouse.condensed import condense


def publish(sweep: Path, folder: Path) -> list[Path]:
    """Write the tables of a sweep, and which commits fixed the hypotheses about it."""
    connection = srtbench.open_sweep(sweep, snapshot=True, threads=1)
    began = {name: list(runs.values()) for name, runs in Study(connection).begun.items()}
    return [*condense(connection, folder), write(folder, register(began))]


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code: 2 where the sweep cannot be opened."""
    parser = argparse.ArgumentParser(
        prog="python -m analysis.publish",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: python -m analysis.publish runs/refresh_cpu --name refresh_cpu-1",
    )
    parser.add_argument("sweep", type=Path, help="folder that `srtbench sweep` wrote")
    parser.add_argument("--name", help="folder below analysis/data; default: that of the sweep")
    options = parser.parse_args(arguments)
    folder = DATA / (options.name or options.sweep.resolve().name)
    try:
        files = publish(options.sweep, folder)
    except (OSError, ValueError, MissingError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2
    size = sum(path.stat().st_size for path in files)
    print(f"{folder}: {len(files)} files, {size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
