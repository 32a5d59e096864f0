"""What a claim's section is made of: findings, tables of numbers, a figure, what is missing."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from analysis.claims.data import Cell, Study
from analysis.claims.hypotheses import FAMILIES, Claim, Hypothesis
from analysis.claims.verdicts import NOT_RUN, Verdict, all_of, judge, p_value, spelled_out
from srtbench.analysis.effects import SHARE, SHARE_DIFFERENCE, Effect, effect
from srtbench.analysis.figures.panels import Sheet
from srtbench.stats import holm

Roles = Mapping[str, Cell | None]
"""What a cell is to a claim -> the cell, None where the plan has none."""


@dataclass(frozen=True)
class Number:
    """A number of the page: a measured effect, or a plain count where low and high are None."""

    effect: Effect | None
    digits: int = 3


@dataclass(frozen=True)
class Table:
    """Rows of labels and numbers."""

    name: str
    title: str
    labels: tuple[str, ...]
    quantities: tuple[str, ...]
    rows: tuple[tuple[tuple[str, ...], tuple[Number, ...]], ...]


@dataclass(frozen=True)
class Finding:
    """A hypothesis on one task."""

    hypothesis: Hypothesis
    task: str
    effect: Effect | None
    digits: int = 3

    holm: float | None = None
    """`p_value`, corrected for all hypotheses of the family that have one."""

    @property
    def verdict(self) -> Verdict:
        """By the rule that was fixed in advance."""
        return judge(self.hypothesis, self.effect)

    @property
    def p_value(self) -> float | None:
        """See :func:`analysis.claims.verdicts.p_value`."""
        return p_value(self.hypothesis, self.effect)


@dataclass
class Section:
    """A claim, measured."""

    claim: Claim
    cells: list[Cell] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    method: list[str] = field(default_factory=list)
    """Sentences on how the effects are measured."""
    missing: list[str] = field(default_factory=list)
    sheet: Sheet | None = None
    standing: str = ""
    """Whether its hypotheses are older than its runs, and how that is known."""
    samples: list[str] = field(default_factory=list)
    """Markdown lines."""

    @property
    def verdict(self) -> Verdict:
        """Over all hypotheses and tasks."""
        if self.claim.each_on_its_own:
            names = {h.key: h.text.partition(":")[0] for h in self.claim.hypotheses}
            return spelled_out({names[f.hypothesis.key]: f.verdict for f in self.findings}, "for")
        if self.claim.one_task:
            return all_of([finding.verdict for finding in self.findings])
        tasks = dict.fromkeys(finding.task for finding in self.findings)
        return spelled_out(
            {task: all_of([f.verdict for f in self.findings if f.task == task]) for task in tasks}
        )

    def add(
        self, key: str, task: str, effect: Effect | None, missing: str = "", digits: int = 3
    ) -> None:
        """Note the effect that a hypothesis is about; ``missing`` says why there is none."""
        (hypothesis,) = (h for h in self.claim.hypotheses if h.key == key)
        self.findings.append(Finding(hypothesis, task, effect, digits))
        if effect is None and missing:
            self.lacks(f"{key}, {task}: {missing}" if task else f"{key}: {missing}")

    def lacks(self, what: str) -> None:
        """Note what is missing, once."""
        if what not in self.missing:
            self.missing.append(what)

    def use(self, cells: Iterable[Cell | None]) -> None:
        """Note the cells that the section rests on, and their runs that cannot be used."""
        for cell in cells:
            if cell is None or cell in self.cells:
                continue
            self.cells.append(cell)
            if cell.problems:
                reasons = "; ".join(cell.problems)
                self.lacks(
                    f"{cell.name}: {len(cell.seeds)} of {len(cell.planned)} seeds, {reasons}"
                )


def start(claim: Claim, study: Study, *parts: str) -> tuple[Section, list[Cell]]:
    """An empty section, and the cells of these parts, else of the first part of the claim."""
    section = Section(claim)
    cells: list[Cell] = []
    for part in parts or claim.parts[:1]:
        found = study.part(part)
        if not found:
            section.lacks(f"no sweep given has the part '{part}' (it is in {claim.sweep})")
        cells += found
    return section, cells


def not_run(section: Section, task: str = "") -> Section:
    """Every hypothesis without an effect."""
    for hypothesis in section.claim.hypotheses:
        section.add(hypothesis.key, task, None)
    assert section.verdict == NOT_RUN
    return section


def count(value: float | None, digits: int = 0) -> Number:
    """A plain number, such as steps or seeds."""
    return Number(None if value is None else Effect(float(value)), digits)


def run_table(study: Study, cells: Sequence[Cell]) -> Table:
    """What was run: steps, seeds and prompts as read from the data."""
    rows = []
    for cell in cells:
        blocks = study.blocks(cell)
        numbers = [
            count(cell.total_steps), count(len(cell.seeds)), count(len(cell.planned)),
        ]  # fmt: skip
        if blocks:
            (block,) = blocks
            numbers += [count(len(block.prompts)), count(block.samples)]
            ends = (block.avg[:, 0], block.avg[:, -1], block.maj[:, 0], block.maj[:, -1])
            numbers += [Number(effect(table, SHARE)) for table in ends]
        else:
            numbers += [Number(None)] * 6
        rows.append(((cell.model, cell.dataset, cell.variant), tuple(numbers)))
    quantities = (
        "steps", "seeds finished", "seeds planned", "prompts", "samples", "start avg@k",
        "final avg@k", "start maj@k", "final maj@k",
    )  # fmt: skip
    return Table("runs", "What was run", ("model", "dataset", "variant"), quantities, tuple(rows))


def last_fifth(study: Study, cell: Cell, column: str, first_too: bool = False) -> Effect | None:
    """Mean of a train measure over the last fifth of the steps, over seeds.

    ``first_too``: minus its mean over the first fifth, for a measure that is a share. A
    train_reward is a share where it never leaves 0..1.
    """
    ends = fifths(study, cell, column).values()
    values = [last - (first if first_too else 0.0) for first, last in ends]
    share = all(0 <= value <= 1 for value in values)
    return effect(values, SHARE_DIFFERENCE if first_too else SHARE if share else None)


def fifths(study: Study, cell: Cell, column: str) -> dict[int, tuple[float, float]]:
    """Seed -> mean of a train measure over the first and the last fifth of the steps."""
    found = {}
    for seed, run in cell.runs.items():
        series = study.training[run].sort("step")[column].drop_nulls().to_numpy()
        size = max(1, len(series) // 5)
        if len(series):
            found[seed] = (float(series[:size].mean()), float(series[-size:].mean()))
    return found


def change_of(study: Study, cell: Cell | None) -> Effect | None:
    """avg@k at the end minus at the start, over seeds and prompts."""
    blocks = study.blocks(cell)
    return effect(blocks[0].change, SHARE_DIFFERENCE) if blocks else None


def final_difference(study: Study, first: Cell | None, second: Cell | None) -> Effect | None:
    """First minus second in final avg@k, paired by seed and prompt."""
    blocks = study.blocks(first, second)
    return effect(blocks[0].final - blocks[1].final, SHARE_DIFFERENCE) if blocks else None


def final_of(study: Study, cell: Cell | None) -> Effect | None:
    """avg@k of the last evaluation, over seeds and prompts."""
    blocks = study.blocks(cell)
    return effect(blocks[0].final, SHARE) if blocks else None


def corrected(sections: Sequence[Section]) -> None:
    """Give every finding the p-value of Holm 1979 within its family, where all of it is there."""
    measured = {section.claim.key for section in sections}
    for family in FAMILIES.values():
        keys = {claim.key for claim in family}
        if not keys <= measured:
            continue
        places = [
            (section, number)
            for section in sections
            if section.claim.key in keys
            for number, finding in enumerate(section.findings)
            if finding.p_value is not None
        ]
        if not places:
            continue
        values = holm([section.findings[number].p_value for section, number in places])
        for (section, number), value in zip(places, values, strict=True):
            section.findings[number] = replace(section.findings[number], holm=float(value))


def any_run(section: Section) -> bool:
    """Whether a cell of the section has a finished run, so that there is something to draw."""
    return any(cell.seeds for cell in section.cells)


def absent(roles: Roles, *names: str) -> str:
    """Which of these cells the plan lacks, or has no finished seed of; empty: none."""
    lacking = [name for name in names if roles[name] is None]
    if lacking:
        return f"the plan has no variant {' and no '.join(lacking)}"
    idle = [name for name in names if not getattr(roles[name], "seeds", ())]
    return f"no seed of {' and of '.join(idle)} is finished" if idle else ""
