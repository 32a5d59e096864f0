"""Tables and lines of the terminal: text of models and errors prints, and does nothing else."""

import io
from pathlib import Path

import pytest
from rich.console import Console
from rich.live import Live

from srtbench.cli.progress import Progress, status_table
from srtbench.cli.render import table, table_text
from srtbench.cli.say import one_line, plain
from srtbench.cli.status_text import status_text
from srtbench.config import load_sweep
from srtbench.execute.sweep import SweepEvent
from srtbench.plan import plan_sweep
from srtbench.store import SweepStore
from tests.micro import write_sweep

NASTY = "\x1b[2J\x1b]0;title\x07\x1b[31mred\x1b[0m\x9b5A\x07 [dim]dim[/dim]\r\n\u202efdp\ud800"


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("", ""),
        ("wörter 123 ≤ 5\n\tend", "wörter 123 ≤ 5\n\tend"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("a\x00b\x08c\x7fd\x85e", "abcde"),
        ("\x1b", "\x1b"[1:]),
        ("over\rwritten", "overwritten"),
        ("\u202eabc", "abc"),
        ("\ud800x", "x"),
        ("[bold]kept[/bold]", "[bold]kept[/bold]"),
    ],
)
def test_plain_text_only_prints(text: str, printed: str) -> None:
    assert plain(text) == printed


def test_one_line_is_one_line() -> None:
    assert one_line("a\nb\r\n\tc\u2028d") == "a b cd"


def test_a_table_shows_markup_as_text_and_obeys_no_escape() -> None:
    text = table_text(("run", "why"), [("srt", NASTY), ("[red]gold[/red]", "")])
    assert "\x1b" not in text
    assert "[dim]dim[/dim]" in text
    assert "[red]gold[/red]" in text
    assert len(text.splitlines()) == 4, "a header, a line, and a line per row"


def test_a_wide_table_keeps_each_row_on_its_line() -> None:
    name = "run-" + "x" * 300
    lines = table_text(("run", "step"), [(name, "1/2"), ("b", "10/20")]).splitlines()
    assert [line.split() for line in lines[2:]] == [[name, "1/2"], ["b", "10/20"]]
    assert lines[0].startswith("run ")
    assert set(lines[1]) == {"-"}


def test_numbers_stand_to_the_right_and_words_to_the_left() -> None:
    lines = table_text(("model", "rollouts"), [("a", "7"), ("bcd", "1,234")]).splitlines()
    assert [line.index(value) for line, value in zip(lines[2:], ("7", "1,234"), strict=True)] == [
        lines[0].index("rollouts") + 7,
        lines[0].index("rollouts") + 3,
    ]


def test_a_table_without_rows_is_its_header() -> None:
    assert table_text(("run", "state"), []).split() == ["run", "state", "-" * 10]


def test_states_are_coloured_on_a_terminal_only() -> None:
    made = table(("state",), [("failed",)], styles={"failed": "bold red"})
    for terminal in (True, False):
        sink = io.StringIO()
        Console(file=sink, force_terminal=terminal, color_system="standard" if terminal else None)
        console = Console(file=sink, force_terminal=terminal, _environ={"TERM": "xterm-256color"})
        console.print(made)
        assert ("\x1b[" in sink.getvalue()) is terminal


def follow(folder: Path, *, terminal: bool) -> tuple[Progress, SweepStore, io.StringIO]:
    plan = plan_sweep(load_sweep(write_sweep(folder)))
    store = SweepStore(folder / "runs", plan.name)
    sink = io.StringIO()
    console = Console(file=sink, force_terminal=terminal, width=200, color_system=None)
    return Progress(plan, store, console), store, sink


@pytest.mark.parametrize("terminal", [True, False])
def test_a_line_beside_the_live_table_has_its_time_and_its_run(
    tmp_path: Path, terminal: bool
) -> None:
    """The live table lost the time and the id of every line, and showed `[dim]` markup."""
    progress, _, sink = follow(tmp_path, terminal=terminal)
    with progress.shown():
        progress.event(SweepEvent("failed", "micro-srt-s0", "failed: [dim]no\x1b[2J room[/dim]"))
        progress.tick()
    progress.end()
    lines = [line for line in sink.getvalue().splitlines() if "micro-srt-s0" in line]
    assert any(line.rstrip().endswith("micro-srt-s0: failed: [dim]no room[/dim]") for line in lines)
    assert "\x1b[2J" not in sink.getvalue()
    assert "[dim]stage" not in sink.getvalue()
    assert "sweep micro" in sink.getvalue()


def test_the_reason_of_a_failure_is_printed_as_text(tmp_path: Path) -> None:
    progress, store, _ = follow(tmp_path, terminal=False)
    assert isinstance(progress, Progress)
    store.run("a").update_status(state="failed", error=f"Traceback\n  more\nValueError: {NASTY!s}x")
    rows = [{"run_id": run_id, "total_steps": 20} for run_id in ("a", "b")]
    text = status_text(store, {"runs": rows, "stages": []})
    assert "\x1b" not in text
    assert "failed" in text
    assert "waiting" in text


def test_the_live_table_takes_a_status_table(tmp_path: Path) -> None:
    progress, store, sink = follow(tmp_path, terminal=True)
    with Live(console=progress._console, auto_refresh=False) as live:
        live.update(status_table(progress._plan, store, stages=True), refresh=True)
    assert "warm_start-" in sink.getvalue()
    assert sink.getvalue().count("waiting") >= 4


def test_the_live_table_names_every_run_on_a_narrow_terminal(tmp_path: Path) -> None:
    """Of `tiny/swap/fixed_teacher seed 0`, as of all others, 80 columns showed `tiny/swap`."""
    progress, store, _ = follow(tmp_path, terminal=True)
    sink = io.StringIO()
    console = Console(file=sink, force_terminal=True, width=80, color_system=None)
    console.print(status_table(progress._plan, store, stages=True))
    lines = sink.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert "\u2026" not in sink.getvalue(), "nothing is cut"
    assert "time" in sink.getvalue()
    names = [run.variant_label for run in progress._plan.runs]
    names += [stage.stage_id for stage in progress._plan.stages]
    assert all(sum(line[2:].startswith(f"{name} ") for line in lines) == 1 for name in names)
