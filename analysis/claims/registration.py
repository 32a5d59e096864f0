"""Whether a claim's hypotheses are older than the runs that decide it.

The commit that fixed a claim is the newest one that touched a line of it in hypotheses.py. It is
looked up when runs are published, and kept beside the data with a digest of the claim; so a page
made from the data alone says the same, and a claim that was reworded since says so.
"""

import ast
import datetime
import hashlib
import json
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from analysis.claims.hypotheses import CLAIMS, Claim

HYPOTHESES = Path(__file__).with_name("hypotheses.py")
FILE = "registered.json"


@dataclass(frozen=True)
class Registration:
    """What is known of the commit that fixed a claim, when its runs were published."""

    digest: str
    """Of the claim as it stood then."""
    commit: str | None
    """None: it was not committed."""
    committed: float | None
    """Seconds since 1970."""
    descend: bool
    """Whether every run was begun by a clean checkout that has the commit in its history."""


@dataclass(frozen=True)
class Begun:
    """A run, as far as it says who began it and when."""

    first_started: float | None
    git_commit: str | None
    git_dirty: bool | None


def digest(claim: Claim) -> str:
    """Of everything that decides a verdict: hypotheses, thresholds, rules, sweep and parts."""
    fixed = {
        "hypotheses": [asdict(hypothesis) for hypothesis in claim.hypotheses],
        "sweep": claim.sweep,
        "parts": list(claim.parts),
        "each_on_its_own": claim.each_on_its_own,
        "one_task": claim.one_task,
    }
    return hashlib.sha256(json.dumps(fixed, sort_keys=True).encode()).hexdigest()


def register(runs: Mapping[str, Sequence[Begun]]) -> dict[str, Registration]:
    """Key of each claim whose sweep is among these -> its registration, by this checkout's history.

    Args:
        runs: sweep -> its runs that have begun.
    """
    return {
        claim.key: _registration(claim, runs[claim.sweep])
        for claim in CLAIMS
        if runs.get(claim.sweep)
    }


def status(
    claim: Claim, registrations: Iterable[Registration | None], runs: Iterable[Begun]
) -> tuple[bool, str]:
    """Whether a claim is confirmatory, and a sentence that says why, or why not.

    Args:
        registrations: one for each folder of data that has runs of the claim; None: it has none.
        runs: the runs that decide it.
    """
    found = list(registrations)
    starts = [run.first_started for run in runs]
    known = [one for one in found if one is not None]
    if not starts or not known or len(known) < len(found):
        return False, "Exploratory: when its hypotheses were fixed is not recorded."
    if any(one.digest != digest(claim) for one in known):
        return False, "Exploratory: its hypotheses were changed after the runs were published."
    commits = {(one.commit, one.committed) for one in known}
    commit, committed = max(commits, key=lambda pair: pair[1] or 0.0)
    if commit is None or committed is None or any(one.commit is None for one in known):
        return False, "Exploratory: its hypotheses were not committed when the runs were published."
    if any(start is None for start in starts):
        return False, "Exploratory: when its runs began is not recorded."
    first = min(start for start in starts if start is not None)
    words = f"fixed in commit {commit[:12]} of {_day(committed)}; its first run began {_day(first)}"
    if committed >= first:
        return False, f"Exploratory: {words}, which is not later."
    if not all(one.descend for one in known):
        return False, f"Exploratory: {words}, but not every run by a clean checkout with it."
    return True, f"Confirmatory: {words}."


def read(folder: Path) -> dict[str, Registration]:
    """What was registered when the data in a folder were published; nothing where nothing was.

    Raises:
        ValueError: the file is damaged; the message names it.
    """
    path = folder / FILE
    if not path.is_file():
        return {}
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return {key: Registration(**value) for key, value in content.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: no registrations ({error})") from None


def write(folder: Path, found: Mapping[str, Registration]) -> Path:
    """Keep registrations beside the data."""
    path = folder / FILE
    rows = {key: asdict(value) for key, value in sorted(found.items())}
    path.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return path


def _registration(claim: Claim, runs: Sequence[Begun]) -> Registration:
    fixed = _last_touched(*_lines(claim))
    if fixed is None:
        return Registration(digest(claim), None, None, descend=False)
    commit, committed = fixed
    commits = {run.git_commit for run in runs}
    clean = not any(run.git_dirty for run in runs)
    descend = clean and all(one is not None and _has(one, commit) for one in commits)
    return Registration(digest(claim), commit, committed, descend)


def _lines(claim: Claim) -> tuple[int, int]:
    """First and last line of a claim in hypotheses.py."""
    for node in ast.parse(HYPOTHESES.read_text(encoding="utf-8")).body:
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Call):
            continue
        key = node.value.args[0] if node.value.args else None
        if isinstance(key, ast.Constant) and key.value == claim.key:
            return node.lineno, node.end_lineno or node.lineno
    raise LookupError(f"{HYPOTHESES}: has no claim {claim.key}")


def _last_touched(first: int, last: int) -> tuple[str, float] | None:
    """Commit and time of the newest change of these lines; None: not committed, or no checkout."""
    text = _git("blame", "--porcelain", "-L", f"{first},{last}", "--", HYPOTHESES.name)
    if text is None:
        return None
    times: dict[str, float] = {}
    commit = ""
    for line in text.splitlines():
        words = line.split(" ")
        if len(words[0]) == 40 and len(words) >= 3:
            commit = words[0]
        elif words[0] == "committer-time":
            times[commit] = float(words[1])
    if not times or any(set(name) == {"0"} for name in times):
        return None
    newest = max(times, key=lambda name: times[name])
    for name in times:  # of one second there may be several
        if name != newest and times[name] == times[newest] and _has(name, newest):
            newest = name
    return newest, times[newest]


def _has(commit: str, ancestor: str) -> bool:
    return _git("merge-base", "--is-ancestor", ancestor, commit) is not None


def _git(*arguments: str) -> str | None:
    command = ["git", "-C", str(HYPOTHESES.parent), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None


def _day(seconds: float) -> str:

    return f"{datetime.datetime.fromtimestamp(seconds, datetime.UTC):%Y-%m-%d %H:%M} UTC"
