"""C4: a curriculum of self-reward against training on the last level alone."""

from analysis.claims import drawing
from analysis.claims.data import Cell, Study
from analysis.claims.hypotheses import C4
from analysis.claims.sections import (
    Number,
    Section,
    Table,
    absent,
    any_run,
    change_of,
    count,
    final_difference,
    final_of,
    not_run,
    start,
)
from analysis.claims.verdicts import HOLDS, judge


def climbs(study: Study) -> Section:
    """The last level, and every rung on the way."""
    section, cells = start(C4, study)
    rungs = _rungs(cells)
    if not rungs:
        if cells:
            section.lacks("no variant of the part is a curriculum")
        return not_run(section)
    last = rungs[-1]
    beside = [cell for cell in cells if cell.dataset == last.dataset and cell is not last]
    plain = [cell for cell in beside if not cell.climbs]
    srt = [cell for cell in plain if cell.variant_type == "srt"]
    direct = next((cell for cell in srt if cell.variant == "direct"), srt[0] if srt else None)
    section.use([*rungs, *beside])
    roles = {"climb": last, "direct": direct}
    section.add(
        "C4a", last.dataset, final_difference(study, last, direct),
        absent(roles, "climb", "direct") or "no seed is finished in both",
    )  # fmt: skip
    rule = next(h for h in C4.hypotheses if h.key == "C4b")
    top, unbroken = None, True
    for cell in rungs:
        change = change_of(study, cell)
        section.add("C4b", cell.dataset, change, absent({"climb": cell}, "climb"))
        unbroken = unbroken and judge(rule, change) == HOLDS
        top = cell.level if unbroken else top
    section.tables += [_against(study, last, beside), _where(rungs, top)]
    section.method.append(
        "Each rung starts from a policy of the rung before. The start of a rung is that policy on "
        "the rung's own prompts. Steps of all rungs together are set against those of direct "
        "training."
    )
    if any_run(section):
        section.sheet = drawing.climb(study, rungs, beside)
    return section


def _rungs(cells: list[Cell]) -> list[Cell]:
    """Cells of the curriculum in order of level; of several, the one named climb."""
    names = [cell.variant for cell in cells if cell.climbs]
    if not names:
        return []
    name = "climb" if "climb" in names else names[0]
    found = [cell for cell in cells if cell.variant == name]
    return sorted(found, key=lambda cell: (cell.level or 0, cell.dataset))


def _against(study: Study, last: Cell, beside: list[Cell]) -> Table:
    rows = []
    for cell in beside:
        numbers = (
            count(cell.total_steps),
            Number(final_of(study, cell)),
            Number(final_difference(study, last, cell)),
        )
        rows.append(((cell.variant, cell.variant_type), numbers))
    return Table(
        "last level", f"Against training on {last.dataset} directly (only C4a has a verdict)",
        ("variant", "type"), ("steps", "final avg@k", f"{last.variant} minus it"), tuple(rows),
    )  # fmt: skip


def _where(rungs: list[Cell], top: int | None) -> Table:
    numbers = (
        count(sum(cell.total_steps for cell in rungs)),
        count(rungs[-1].level),
        count(top),
    )
    return Table(
        "rungs", "Where the climb stopped", ("variant",),
        ("steps of all rungs", "last level planned", "last level with every rung up to it rising"),
        (((rungs[0].variant,), numbers),),
    )  # fmt: skip
