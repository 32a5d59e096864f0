"""Every version of every hypothesis, and every number that the page ever gave for it.

Read from the history of this repository into history.csv, which the page shows: a hypothesis that
was reworded, a threshold that was moved, a design that was repeated, each is a row of its own.
"""

import ast
import csv
import datetime
import io
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILE = ROOT / "analysis/history.csv"
HYPOTHESES = "analysis/claims/hypotheses.py"
PAGES = ("analysis/RESULTS.md", "analysis/SECOND.md")
_EFFECT = re.compile(r"^(\w+)(?:, (.+?))?: (-?\d.*?)(?:, over (.*))?$")


@dataclass(frozen=True)
class Version:
    """A hypothesis as it stood in a commit, or a number that a page gave for it."""

    key: str
    text: str
    date: str
    """Day and minute of the commit, UTC."""
    commit: str
    """The first that has it."""
    task: str = ""
    measured: str = ""
    """Effect and interval as printed; empty: the row is about the hypothesis, before any number."""
    over: str = ""


def versions() -> list[Version]:
    """Of this checkout's history, in order of time.

    Raises:
        OSError: this is no checkout with its history.
    """
    found: list[Version] = []
    last_text: dict[str, str] = {}
    last_number: dict[tuple[str, str, str], str] = {}
    for commit, date, path in _commits():
        content = _git("show", f"{commit}:{path}")
        if path == HYPOTHESES:
            for key, text in texts(content):
                if last_text.get(key) != text:
                    last_text[key] = text
                    found.append(Version(key, text, date, commit))
            continue
        for key, task, measured, over in numbers(content):
            if last_number.get((path, key, task)) != measured:
                last_number[path, key, task] = measured
                text = last_text.get(key, "")
                found.append(Version(key, text, date, commit, task, measured, over))
    return found


def texts(source: str) -> Iterator[tuple[str, str]]:
    """Key and text of every ``Hypothesis(...)`` in a version of hypotheses.py; nothing is run."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Hypothesis":
            values = [arg.value for arg in node.args[:2] if isinstance(arg, ast.Constant)]
            if len(values) == 2 and all(isinstance(value, str) for value in values):
                yield str(values[0]), str(values[1])


def numbers(page: str) -> Iterator[tuple[str, str, str, str]]:
    """Key, task, effect and what it is over, of every row of a page's table of verdicts."""
    for line in page.splitlines():
        if not line.startswith("| [C"):
            continue
        cells = line.replace("\\|", "/").split(" | ")
        for part in cells[2].split("<br>") if len(cells) > 2 else ():
            match = _EFFECT.match(part.strip())
            if match:
                key, task, measured, over = match.groups()
                yield key, task or "", measured, over or ""


def read(path: Path = FILE) -> list[Version]:
    """What was collected; nothing where the file is missing."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as source:
        return [Version(**row) for row in csv.DictReader(source)]


def written(rows: Sequence[Version]) -> str:
    """The CSV of some versions."""
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(field.name for field in fields(Version))
    writer.writerows(astuple(row) for row in rows)
    return sink.getvalue()


def table(rows: Sequence[Version]) -> list[str]:
    """Lines of the page: one row per version, by hypothesis, in order of time."""
    if not rows:
        return []
    lines = [
        "## History", "",
        "Every version of every hypothesis, and every number a version of this page or of "
        "[RESULTS.md](RESULTS.md) gave for it, from the history of the repository "
        "(`python -m analysis.claims.history`, [history.csv](history.csv)). Numbers of the first "
        "study are those of its time; its intervals were not kept inside their range.", "",
        "| hypothesis | commit | when | what |", "|---|---|---|---|",
    ]  # fmt: skip
    for row in sorted(rows, key=lambda row: row.key):
        what = f"fixed: {row.text}" if not row.measured else _said(row)
        what = what.replace("|", "\\|")
        lines.append(f"| {row.key} | {row.commit} | {row.date} | {what} |")
    return [*lines, ""]


def main() -> int:
    """Collect the history; returns the exit code."""
    try:
        rows = versions()
    except OSError as error:
        print(f"python -m analysis.claims.history: {error}", file=sys.stderr)
        return 2
    FILE.write_text(written(rows), encoding="utf-8")
    print(f"{FILE.relative_to(ROOT)}: {len(rows)} rows")
    return 0


def _said(row: Version) -> str:
    where = f"{row.task}: " if row.task else ""
    return f"measured, {where}{row.measured}" + (f", over {row.over}" if row.over else "")


def _commits() -> Iterator[tuple[str, str, str]]:
    """Commit, date and path of every change of the files, the oldest first."""
    if _git("rev-parse", "--is-shallow-repository").strip() == "true":
        raise OSError("the checkout has not all of its history: git fetch --unshallow")
    text = _git(
        "log", "--reverse", "--no-merges", "--format=>%h %ct", "--name-only", "--abbrev=9",
        "--", HYPOTHESES, *PAGES,
    )  # fmt: skip
    commit, date = "", ""
    for line in text.splitlines():
        if line.startswith(">"):
            commit, seconds = line[1:].split()
            moment = datetime.datetime.fromtimestamp(int(seconds), datetime.UTC)
            date = f"{moment:%Y-%m-%d %H:%M}"
        elif line in {HYPOTHESES, *PAGES} and _exists(commit, line):
            yield commit, date, line


def _exists(commit: str, path: str) -> bool:
    return bool(_git("ls-tree", commit, "--", path).strip())


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"git {arguments[0]}: {done.stderr.strip()}")
    return done.stdout


if __name__ == "__main__":
    raise SystemExit(main())
