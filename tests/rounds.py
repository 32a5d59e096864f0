"""A small sweep that mixes rounds and online variants, trained for real once per test session."""

from pathlib import Path
from typing import Any

from tests.micro import CONTENT, write_sweep

HINT = "{answer}{prompt}"

FIT: dict[str, Any] = {"batch_size": 16, "epochs": 1, "learning_rate": 1e-3}

VARIANTS: list[Any] = [
    "srt",
    {"type": "lmsi", "train": {"rounds": 2}},
    {
        "type": "star",
        "rationalise": True,
        "hint": HINT,
        "second_chances": 8,
        "train": {"rounds": 2},
    },
    {"type": "scpo", "voting": {"min_share": 0.25, "denominator": "samples"}},
    {"type": "python", "path": "mine.py:Shortest", "name": "mine", "train": {"rounds": 1}},
]

DOCS = Path(__file__).parent.parent / "docs" / "rounds.md"


def documented_variant() -> str:
    """The Python file that docs/rounds.md shows."""
    return DOCS.read_text(encoding="utf-8").split("```python\n# mine.py\n")[1].split("```")[0]


def write(folder: Path, **changes: Any) -> Path:
    """The sweep file, and the variant of the user beside it."""
    train = CONTENT["train"] | {"steps": 2, "prompts_per_round": 12, "fit": FIT}
    content = {"variants": VARIANTS, "train": train, "eval": CONTENT["eval"] | {"every": 2}}
    file = write_sweep(folder, **(content | changes))
    (folder / "mine.py").write_text(documented_variant())
    return file
