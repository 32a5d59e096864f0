"""Measures the claims on the sweeps named on the command line, and writes the page."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from analysis.claims import history
from analysis.claims.again import improves_again, labels_pass_the_teacher, leads_the_teacher
from analysis.claims.climb import climbs
from analysis.claims.data import Study
from analysis.claims.fall import collapses
from analysis.claims.hypotheses import CLAIMS, FAMILIES
from analysis.claims.improve import improves, labels_improve, rivals_gold
from analysis.claims.law import law
from analysis.claims.long_runs import collapses_in_time
from analysis.claims.page import markdown, numbers
from analysis.claims.pretrained import pretrained
from analysis.claims.refresh import periods, rivals
from analysis.claims.refresh_rounds import rounds
from analysis.claims.regimes import regimes
from analysis.claims.registration import status
from analysis.claims.remedies import remedies, spurious
from analysis.claims.sections import Section, any_run, corrected, run_table
from analysis.claims.sources import open_study, published
from analysis.claims.summary import forest
from analysis.common import MissingError
from srtbench.analysis.figures import save

Measure = Callable[[Study], Section | list[Section]]
MEASURES: dict[str, Measure] = {
    "C1": improves,
    "C2": rivals_gold,
    "C3": labels_improve,
    "C4": climbs,
    "C5": collapses,
    "C6": regimes,
    "C7": spurious,
    "C8": remedies,
    "C1-2": improves_again,
    "C2-2": leads_the_teacher,
    "C3-2": labels_pass_the_teacher,
    "C5-2": collapses_in_time,
    "C9": periods,
    "C9R": rivals,
    "C9S": rounds,
    "C10": law,
}


def measure(study: Study, claim: str | None = None, family: str | None = None) -> list[Section]:
    """Every section of the page, or those of one claim, or of one family of claims."""
    wanted: list[Measure] = [MEASURES[claim]] if claim else [*MEASURES.values(), pretrained]
    if family:
        wanted = [MEASURES[one.key] for one in FAMILIES[family]]
    sections: list[Section] = []
    for build in wanted:
        found = build(study)
        sections += found if isinstance(found, list) else [found]
    for section in sections:
        if section.cells:
            section.tables.insert(0, run_table(study, section.cells))
        if section.claim.hypotheses and any_run(section):
            section.standing = standing(study, section)
    corrected(sections)
    return sections


def standing(study: Study, section: Section) -> str:
    """Whether the runs of a section are younger than its hypotheses."""
    key = section.claim.key
    runs = [run for cell in section.cells for run in cell.runs.values()]
    began = [study.begun[run[0]][run] for run in runs]
    found = [registered[key] for registered in study.registered if key in registered]
    return status(section.claim, found, began)[1]


def write(sections: Sequence[Section], page: Path, figures: str = "figures") -> list[Path]:
    """The page, and in a folder beside it its figures and their data; returns the files."""
    folder = page.parent / figures
    folder.mkdir(parents=True, exist_ok=True)
    # A page of one claim is neither the whole nor its history.
    whole = len(sections) > 1
    summary = forest(sections) if whole else None
    text = markdown(sections, figures, summary, history.read() if whole else ())
    page.write_text(text, encoding="utf-8")
    csv = folder / "claims.csv"
    numbers(sections).write_csv(csv)
    written = [page, csv]
    for sheet in (summary, *(section.sheet for section in sections)):
        if sheet is not None:
            png, data = (folder / f"{sheet.name}.{kind}" for kind in ("png", "csv"))
            png.write_bytes(save(sheet.figure, "png"))
            sheet.data.write_csv(data, float_precision=9)
            written += [png, data]
    return written


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code: 2 where no sweep could be opened."""
    parser = argparse.ArgumentParser(
        prog="python -m analysis.claims",
        description=__doc__,
        epilog="example: python -m analysis.claims runs/paper_cpu runs/paper_cpu_full",
    )
    parser.add_argument(
        "sweep",
        type=Path,
        nargs="*",
        help="folders that `srtbench sweep` wrote, or that `python -m analysis.publish` did; "
        "default: those of analysis/data",
    )
    parser.add_argument("--claim", choices=[claim.key for claim in CLAIMS], help="one claim only")
    parser.add_argument("--family", choices=[*FAMILIES], help="the claims of one study only")
    parser.add_argument(
        "--out", type=Path, help="default: analysis/RESULTS.md, or build/<claim>.md with --claim"
    )
    options = parser.parse_args(arguments)
    page = options.out or Path(
        f"build/{options.claim}.md" if options.claim else "analysis/RESULTS.md"
    )
    try:
        sections = measure(open_study(options.sweep or published()), options.claim, options.family)
    except (FileNotFoundError, ValueError, MissingError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2
    # A family has a folder of its own, so that one study does not overwrite another's figures.
    figures = f"figures/{options.family.replace(' ', '-')}" if options.family else "figures"
    for path in write(sections, page, figures):
        print(path)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
