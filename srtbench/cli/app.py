"""The group of all commands: what becomes of errors, and with which exit code."""

import errno
import os
import sys
import warnings
from typing import Any

import click

from srtbench.cli import check, doctor, evidence, importing, init, results, run, start
from srtbench.cli.common import FAILED, REFUSED, InputError, system_error
from srtbench.cli.say import complain, one_line


class _Group(click.Group):
    """Turns wrong input, and a system that refuses, into one readable message and exit code 2."""

    def invoke(self, ctx: click.Context) -> Any:
        # Else pydantic reads the metadata of every installed package, to look for plugins.
        os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
        try:
            with warnings.catch_warnings():
                warnings.showwarning = _warn  # type: ignore[assignment]
                return super().invoke(ctx)
        except (click.exceptions.Exit, click.Abort, click.ClickException):
            raise  # click's own ways to end, --help among them
        except KeyboardInterrupt as error:
            by = f" by {error}" if str(error) else ""  # a signal's name, if it was not Ctrl-C
            complain(f"interrupted{by}; the same command continues")
            ctx.exit(FAILED)
        except Exception as error:
            message = _refusal(error)
            if message is None:
                raise
            complain(f"error: {message}")
            ctx.exit(REFUSED)


def _warn(message: Warning | str, *_: object, **__: object) -> None:
    """A warning, as of a file that is left out: one line, and not the line of code that warns."""
    complain(f"warning: {one_line(message)}")


def _refusal(error: Exception) -> str | None:
    """What to say of an error that is not srtbench's own mistake; None if it may be one."""
    if isinstance(error, OSError):
        # EPIPE: the reader of a pipe is gone; click ends quietly.
        return None if error.errno == errno.EPIPE else one_line(system_error(error))
    if isinstance(error, _refusals_of_duckdb()):
        return one_line(error)
    from srtbench.config.errors import ConfigError
    from srtbench.store import StoreError

    return str(error) if isinstance(error, ConfigError | StoreError | InputError) else None


def _refusals_of_duckdb() -> tuple[type[Exception], ...]:
    """DuckDB reads and writes files by itself, and says in its own way what the system refuses."""
    duckdb = sys.modules.get("duckdb")
    return () if duckdb is None else (duckdb.IOException, duckdb.OutOfMemoryException)


@click.group(
    cls=_Group,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""\b
Examples:
  srtbench plan sweeps/smoke.yaml             what would run, and every mistake before it
  srtbench sweep sweeps/smoke.yaml            train the grid; safe to interrupt and repeat
  srtbench status sweeps/smoke.yaml           the state of every planned run, and why it failed
  srtbench report runs/smoke                  figures, tables and one HTML page
  srtbench check runs/smoke                   exit code 1 if a run collapsed
  srtbench import /logs/run1 --out runs/theirs   rollouts that another trainer logged
  srtbench doctor                             what this machine can run
  srtbench init my-study --data mine.jsonl    a sweep file for rows of one's own
""",
)
@click.version_option(package_name="srtbench")
def main() -> None:
    """Train language models on their own judgement, log every rollout, see when it collapses."""


for _command in (
    *(run.plan, run.sweep, run.status),
    *(results.report, results.export),
    *(evidence.audit, evidence.revote),
    *(check.check, doctor.doctor, init.init, start.schema, importing.import_),
):
    main.add_command(_command)
