"""A pretrained model on an easy task: described, without a verdict."""

from analysis.claims import drawing
from analysis.claims.data import Study
from analysis.claims.hypotheses import PRETRAINED_SWEEP, Claim
from analysis.claims.sections import Number, Section, Table, change_of, count

_PAGE = Claim(
    "P", "A pretrained model", PRETRAINED_SWEEP, (), (),
    "The paper trains far larger pretrained models on harder tasks.",
    "A small pretrained model on an easy arithmetic task, for few steps and seeds.",
)  # fmt: skip


def pretrained(study: Study) -> Section:
    """Change of avg@k under every variant of the sweep with the pretrained model."""
    section = Section(_PAGE)
    cells = [cell for cell in study.all_cells if cell.sweep == PRETRAINED_SWEEP]
    if not cells:
        section.lacks(f"the sweep {PRETRAINED_SWEEP} is not given")
        return section
    section.use(cells)
    rows = [
        ((cell.dataset, cell.variant), (count(len(cell.seeds)), Number(change_of(study, cell))))
        for cell in cells
    ]
    section.tables.append(
        Table(
            "change", "Change under every variant", ("dataset", "variant"),
            ("seeds", "end minus start in avg@k"), tuple(rows),
        )
    )  # fmt: skip
    section.method.append(
        "With one seed an interval is over prompts alone: it says nothing about other seeds."
    )
    if any(cell.seeds for cell in cells):
        section.sheet = drawing.accuracy(study, cells, "pretrained", _PAGE.title)
    return section
