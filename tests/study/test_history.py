"""The history on the page is that of the repository, and hides nothing."""

from pathlib import Path

import pytest

from analysis.claims import history
from analysis.claims.history import Version, numbers, read, table, texts, versions, written
from analysis.claims.hypotheses import CLAIMS

PAGE = """\
| claim | hypothesis, fixed in advance | measured, 95% interval | verdict | redrawn by |
|---|---|---|---|---|
| [C1](#c1). Rises | C1a. a > 0<br>C1b. b > 0 | C1a, task-6: 0.130 [-0.079, 0.181], over 5 seeds\
<br>C1b, a, task: -1, over no interval<br>C1b, task-7: not run | **holds** | `python` |
| other | C2: 1 [0, 2] | C2, x: 0.5, over 2 seeds | | |
"""


def test_numbers_of_a_page() -> None:
    assert [*numbers(PAGE)] == [
        ("C1a", "task-6", "0.130 [-0.079, 0.181]", "5 seeds"),
        ("C1b", "a, task", "-1", "no interval"),
    ]


def test_texts_are_read_and_not_run() -> None:
    source = (
        'raise SystemExit\nC = Claim((Hypothesis("K", "a " "b > 0", "above", 0.0), other("x")))'
    )
    assert [*texts(source)] == [("K", "a b > 0")]


def test_every_committed_version_of_every_hypothesis_is_a_row() -> None:
    """C5d was reworded twice, and C2 on digits was measured twice."""
    rows = read()
    assert len([row for row in rows if row.key == "C5d" and not row.measured]) == 3
    second = [row.measured for row in rows if (row.key, row.task) == ("C2", "number_sorting-6")]
    assert second == ["0.062 [0.033, 0.090]", "0.020 [0.003, 0.037]"]
    known = {(row.key, row.text) for row in rows}
    for claim in CLAIMS:
        for hypothesis in claim.hypotheses:
            assert (hypothesis.key, hypothesis.text) in known, "python -m analysis.claims.history"


def test_the_file_is_what_the_repository_says() -> None:
    """In a whole checkout: no row is invented, and none of the older ones is left out."""
    try:
        found = versions()
    except OSError as error:
        pytest.skip(str(error))
    kept = read()
    assert found[: len(kept)] == kept
    assert written(kept) == history.FILE.read_text(encoding="utf-8")


def test_the_page_has_a_row_per_version(tmp_path: Path) -> None:
    rows = [
        Version("C2", "b < 1", "2026-01-02 10:00", "abc"),
        Version("C1", "a | c > 0", "2026-01-01 10:00", "abd"),
        Version("C1", "a | c > 0", "2026-01-03 10:00", "abe", "task", "0.1 [0.0, 0.2]", "2 seeds"),
    ]
    file = tmp_path / "history.csv"
    file.write_text(written(rows), encoding="utf-8")
    assert read(file) == rows
    assert read(tmp_path / "none.csv") == []
    assert table(rows)[-4:-1] == [
        "| C1 | abd | 2026-01-01 10:00 | fixed: a \\| c > 0 |",
        "| C1 | abe | 2026-01-03 10:00 | measured, task: 0.1 [0.0, 0.2], over 2 seeds |",
        "| C2 | abc | 2026-01-02 10:00 | fixed: b < 1 |",
    ]
    assert table([]) == []
