"""Commands that turn a sweep folder into pages and files: `report`, `export`."""

import threading
from pathlib import Path
from typing import Any

import click

from srtbench.cli.common import SWEEP_FOLDER, SWEEP_FOLDERS, InputError, checked, writing
from srtbench.cli.say import complain, say


@click.command(
    epilog="""\b
Examples:
  srtbench report runs/smoke
  srtbench report runs/smoke runs/other --out /tmp/report
  srtbench report runs/smoke --watch
"""
)
@SWEEP_FOLDERS
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the report [default: RUNS/SWEEP/report, of several RUNS/report-SWEEP-SWEEP].",
)
@click.option(
    "--watch",
    is_flag=True,
    help="Serve the page on 127.0.0.1, and write it anew while training runs, until Ctrl-C.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Port of --watch [default: any that is free].",
)
@click.option(
    "--axis",
    type=click.Choice(["step", "samples", "tokens", "updates"]),
    help="x axis of curves: train steps, or what training had spent [default: samples where online "
    "variants and rounds are side by side, else step].",
)
def report(
    sweep_folders: tuple[Path, ...], out: Path | None, watch: bool, port: int, axis: Any
) -> None:
    """Draw the figures and tables of a sweep, and one HTML page that holds them all.

    Several sweeps come on one page: their names stand in every label, and their cells are compared,
    paired where their prompts agree.
    """
    from srtbench.store import read_plan

    checked(lambda: [read_plan(folder) for folder in sweep_folders])
    if len({folder.resolve() for folder in sweep_folders}) < len(sweep_folders):
        raise InputError("a sweep is named twice; give each one once")
    if port and not watch:
        raise InputError("--port belongs to --watch; give both, or neither")
    from srtbench.analysis.report import write_report
    from srtbench.analysis.report.build import report_folder

    folder = out or report_folder(sweep_folders)
    if watch:
        _watch(sweep_folders, folder, port, axis)
        return
    with writing(folder):
        write_report(sweep_folders, folder, axis)
    say(f"figures: {folder / 'figures'}")
    say(f"tables:  {folder / 'tables'}")
    say(f"report:  {folder / 'report.html'}")


def _watch(sweep_folders: tuple[Path, ...], folder: Path, port: int, axis: Any) -> None:
    """Serve until Ctrl-C, which is how it ends well."""
    from srtbench.analysis.report.watch import HOST, Watched, serve

    watched = Watched(sweep_folders, folder, complain, axis)
    with writing(Path(f"{HOST}:{port}")):
        server = serve(watched, port)
    with server, writing(folder):
        watched.look()
        say(f"report:  http://{HOST}:{server.server_address[1]}/ (Ctrl-C ends it)")
        stop = threading.Event()
        follower = threading.Thread(target=watched.follow, args=(stop,), daemon=True)
        follower.start()
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            say(f"report:  {folder / 'report.html'}")
        finally:
            stop.set()


@click.command(
    epilog="""\b
Examples:
  srtbench export runs/smoke
  srtbench export runs/smoke --out tables --format csv --format latex
  srtbench export runs/smoke --hub-folder smoke-rollouts      to be uploaded as a data set
  srtbench export runs/smoke --hub-folder smoke-rollouts --push my-lab/smoke-rollouts
"""
)
@SWEEP_FOLDER
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder to write [default: RUNS/SWEEP/export].",
)
@click.option(
    "--format",
    "formats",
    type=click.Choice(["csv", "parquet", "latex"]),
    multiple=True,
    help="What to write; may be given several times [default: all].",
)
@click.option(
    "--hub-folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write a folder that the hub takes as a data set instead: Parquet in splits, and a card.",
)
@click.option(
    "--push",
    metavar="ORG/NAME",
    help="Upload the hub folder as this data set, private if it is new; needs HF_TOKEN or a login.",
)
@click.option("--public", is_flag=True, help="A new data set of --push is for everybody to read.")
def export(
    sweep_folder: Path,
    out: Path | None,
    formats: tuple[str, ...],
    hub_folder: Path | None,
    push: str | None,
    public: bool,
) -> None:
    """Write a sweep's tables as tidy CSV and Parquet files, and LaTeX tables with intervals.

    Every planned run is in them, finished or not. Completions stay where they are.
    """
    from srtbench.store import read_plan

    if push is not None and hub_folder is None:
        raise InputError("--push sends a hub folder; give --hub-folder OUT too")
    if public and push is None:
        raise InputError("--public belongs to --push; give both, or neither")
    checked(lambda: read_plan(sweep_folder))
    if hub_folder is not None:
        from srtbench.analysis.pushing import check_name, push_hub_folder
        from srtbench.analysis.sharing import write_hub_folder

        if out is not None or formats:
            raise InputError("--hub-folder writes all of it; give no --out or --format too")
        if push is not None:
            name = checked(lambda: check_name(push))
        with writing(hub_folder):
            files = checked(lambda: write_hub_folder(sweep_folder, hub_folder))
        for file in files:
            say(file)
        if push is not None:
            say(checked(lambda: push_hub_folder(hub_folder, files, name, public=public)))
        return
    from srtbench.analysis.export import export_sweep

    with writing(out or sweep_folder / "export"):
        files = checked(lambda: export_sweep(sweep_folder, out, formats or None))
    for file in files:
        say(file)
