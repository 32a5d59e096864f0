"""The page as Markdown, and every number on it as CSV."""

from collections.abc import Sequence
from typing import Any

import polars as pl

from analysis.claims.history import Version
from analysis.claims.history import table as history_table
from analysis.claims.sections import Finding, Number, Section, Table
from analysis.claims.summary import sentences
from analysis.claims.verdicts import FAILS, UNDECIDED
from srtbench.analysis.effects import Effect
from srtbench.analysis.figures.panels import Sheet

_INTRODUCTION = """\
# Claims of self-rewarded training, re-tested on small models

This page is written by a command: `python -m analysis.claims`. Do not edit it.

Self-Rewarded Training (SRT, arXiv 2505.21444) rewards a policy for agreeing with its own majority.
Claims about it are tested here.
Hypotheses and effect sizes are fixed in `analysis/claims/hypotheses.py`.

How to read a verdict:

- An effect is given with its 95% interval, as `value [low, high]`.
- A hypothesis holds if the whole interval lies on the claimed side of the threshold.
- It fails if the whole interval lies on the other side. Else it is undecided.
- A claim holds on a task if all its hypotheses hold, and fails if one fails.
- One seed decides nothing. Runs that are not finished are left out and named.

Intervals are t intervals over seeds and prompts as crossed random effects
(`srtbench.stats.mean_interval`), on the logit scale inside the range of their quantity; where every
score of seeds and prompts is at an end of the range they are exact binomial intervals. No
resampling is random, so the page is the same every time. An interval of width zero means that all
seeds gave the same number. Steps of a collapse are known
to one evaluation only. Shares are in 0..1, and k is the number of samples per prompt.

Intervals and verdicts are not corrected for the number of hypotheses. The column p is twice the
chance of an effect so far on the claimed side, were it at the threshold: below .05 where the
hypothesis holds. Beside it stands that number after Holm's correction for all hypotheses and tasks
of the study that were run.
A claim is called confirmatory only if the commit that fixed its hypotheses is older than its runs,
which say when they began and by which commit; else it is exploratory.
"""


def markdown(
    sections: Sequence[Section],
    figures: str = "figures",
    summary: Sheet | None = None,
    versions: Sequence[Version] = (),
) -> str:
    """The whole page.

    Args:
        figures: folder of its figures, relative to it.
        summary: the figure of all hypotheses. versions: their history.
    """
    parts = [_INTRODUCTION, "## Verdicts\n", *sentences(sections)]
    if summary is not None:
        parts += [f"![{summary.title}]({figures}/{summary.name}.png)", "", summary.caption, ""]
    parts += [*_summary(sections), ""]
    for section in sections:
        parts += _section(section, figures)
    parts += history_table(versions)
    return "\n".join(parts).rstrip() + "\n"


def numbers(sections: Sequence[Section]) -> pl.DataFrame:
    """One row per number on the page."""
    rows: list[dict[str, Any]] = []
    for section in sections:
        for finding in section.findings:
            rows.append(
                {
                    "claim": section.claim.key, "table": "hypotheses",
                    "row": _joined([finding.hypothesis.key, finding.task]),
                    "quantity": finding.hypothesis.text, **_effect(finding.effect),
                    "rule": finding.hypothesis.rule,
                    "threshold": finding.hypothesis.threshold, "verdict": finding.verdict,
                    "p": finding.p_value, "p_holm": finding.holm,
                }
            )  # fmt: skip
        for table in section.tables:
            for labels, values in table.rows:
                for quantity, number in zip(table.quantities, values, strict=True):
                    rows.append(
                        {
                            "claim": section.claim.key, "table": table.name,
                            "row": _joined(labels), "quantity": quantity,
                            **_effect(number.effect), "rule": None, "threshold": None,
                            "verdict": None, "p": None, "p_holm": None,
                        }
                    )  # fmt: skip
    schema = {
        "claim": pl.String, "table": pl.String, "row": pl.String, "quantity": pl.String,
        "value": pl.Float64, "low": pl.Float64, "high": pl.Float64, "over": pl.String,
        "rule": pl.String, "threshold": pl.Float64, "verdict": pl.String,
        "p": pl.Float64, "p_holm": pl.Float64,
    }  # fmt: skip
    return pl.DataFrame(rows, schema=schema)


def shown(effect: Effect | None, digits: int = 3) -> str:
    """An effect as the page prints it."""
    if effect is None:
        return "\u2013"
    text = _plain(effect.value, digits)
    if effect.low is None or effect.high is None:
        return text
    return f"{text} [{_plain(effect.low, digits)}, {_plain(effect.high, digits)}]"


def command(section: Section) -> str:
    """What makes this section again, alone, from the runs of its sweep."""
    claim = section.claim
    return (
        f"python -m analysis.claims runs/{claim.sweep} --claim {claim.key.split()[0]} "
        f"--out build/{claim.key.split()[0]}.md"
    )


def experiment(section: Section) -> str:
    """What repeats this claim alone, training included."""
    parts = " ".join(f"--only part={part}" for part in section.claim.parts)
    return f"srtbench sweep sweeps/{section.claim.sweep}.yaml {parts} && {command(section)}"


def _summary(sections: Sequence[Section]) -> list[str]:
    lines = [
        "| claim | hypothesis, fixed in advance | measured, 95% interval | verdict | redrawn by |",
        "|---|---|---|---|---|",
    ]
    for section in sections:
        if not section.claim.hypotheses:
            continue
        claim = section.claim
        hypotheses = "<br>".join(f"{h.key}. {h.text}" for h in claim.hypotheses)
        measured = "<br>".join(_measured(finding) for finding in section.findings)
        lines.append(
            _row([
                f"[{claim.key}](#{claim.key.lower()}). {claim.title}", hypotheses, measured,
                f"**{section.verdict}**{_seeds_note(section)}", f"`{command(section)}`",
            ])
        )  # fmt: skip
    return lines


def _measured(finding: Finding) -> str:
    where = f"{finding.hypothesis.key}, {finding.task}" if finding.task else finding.hypothesis.key
    if finding.effect is None:
        return f"{where}: not run"
    return f"{where}: {shown(finding.effect, finding.digits)}, over {finding.effect.over}"


def _seeds_note(section: Section) -> str:
    """A verdict from fewer seeds than planned says so."""
    if not section.missing or not _any_run(section):
        return ""
    return " (some runs are missing, see below)"


def _section(section: Section, figures: str) -> list[str]:
    claim = section.claim
    lines = []
    if claim.key.isalnum():
        lines += [f'<a id="{claim.key.lower()}"></a>', ""]
    lines += [f"## {claim.key}. {claim.title}" if claim.key != "P" else f"## {claim.title}", ""]
    if claim.hypotheses:
        lines += [
            f"Verdict: **{section.verdict}**.", "",
            *([section.standing, ""] if section.standing else []),
            f"Repeat it alone, training included: `{experiment(section)}`", "",
        ]  # fmt: skip
    if section.missing:
        lines += ["What is missing:", "", *(f"- {text}" for text in section.missing), ""]
    tables = list(section.tables)
    runs = [table for table in tables if table.name == "runs"]
    for table in runs:
        lines += _table(table)
    if section.findings:
        lines += _findings(section.findings)
    lines += [*section.method, ""] if section.method else []
    if section.sheet is not None:
        name = section.sheet.name
        lines += [f"![{section.sheet.title}]({figures}/{name}.png)", "", section.sheet.caption]
        lines += [f"Data: [{name}.csv]({figures}/{name}.csv).", ""]
    for table in tables:
        if table not in runs:
            lines += _table(table)
    lines += section.samples
    lines += _negative(section)
    lines += [f"The paper: {claim.paper}", "", f"What differs: {claim.differs}", ""]
    return lines


def _findings(findings: Sequence[Finding]) -> list[str]:
    lines = [
        "| hypothesis | task | measured, 95% interval | over | p | p after Holm | verdict |",
        "|---|---|---|---|---:|---:|---|",
    ]
    for finding in findings:
        effect = finding.effect
        label = f"{finding.hypothesis.key}. {finding.hypothesis.text}"
        over = "\u2013" if effect is None else effect.over
        value = shown(effect, finding.digits)
        chances = (_chance(finding.p_value), _chance(finding.holm))
        lines.append(_row([label, finding.task, value, over, *chances, finding.verdict]))
    return [*lines, ""]


def _negative(section: Section) -> list[str]:
    """Hypotheses that did not hold, in words."""
    lines = []
    for finding in section.findings:
        if finding.verdict in (FAILS, UNDECIDED):
            effect = shown(finding.effect, finding.digits)
            what = f"{finding.hypothesis.key} {finding.verdict} on {finding.task}"
            lines.append(f"- {what}: measured {effect}.")
    if lines:
        return ["Negative results:", "", *lines, ""]
    return ["Negative results: none.", ""] if section.findings and _any_run(section) else []


def _chance(p: float | None) -> str:
    if p is None:
        return "\u2013"
    return "<0.0001" if p < 1e-4 else f"{p:.4f}"


def _any_run(section: Section) -> bool:
    return any(finding.effect is not None for finding in section.findings)


def _table(table: Table) -> list[str]:
    if not table.rows:
        return []
    heads = [*table.labels, *table.quantities]
    align = ["---"] * len(table.labels) + ["---:"] * len(table.quantities)
    lines = [f"{table.title}:", "", _row(heads), f"|{'|'.join(align)}|"]
    for labels, values in table.rows:
        lines.append(_row([*labels, *(_number(number) for number in values)]))
    return [*lines, ""]


def _number(number: Number) -> str:
    return shown(number.effect, number.digits)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _plain(value: float, digits: int) -> str:
    text = f"{_rounded(value):.{digits}f}"  # as in the CSV, so that both round alike
    return text[1:] if float(text) == 0 and text.startswith("-") else text


def _effect(effect: Effect | None) -> dict[str, Any]:
    if effect is None:
        return {"value": None, "low": None, "high": None, "over": "not run"}
    return {
        "value": _rounded(effect.value),
        "low": None if effect.low is None else _rounded(effect.low),
        "high": None if effect.high is None else _rounded(effect.high),
        "over": effect.over,
    }


def _rounded(value: float) -> float:
    return round(value, 9) + 0.0


def _joined(labels: Sequence[str]) -> str:
    return ", ".join(label for label in labels if label)
