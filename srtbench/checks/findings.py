"""What checks find, with its place in the sweep file."""

from srtbench.config.errors import Problem
from srtbench.config.sweep import SweepConfig, SweepOfParts
from srtbench.plan import Origin
from srtbench.plan.places import Place, Places, located


class Findings:
    """Mistakes that would stop a run, warnings, and what was looked at; each is kept once."""

    def __init__(self, config: SweepConfig | SweepOfParts):
        self._places = Places(config)
        self._problems: dict[tuple[Place, str], None] = {}
        self._warnings: dict[tuple[Place, str], None] = {}

    def problem(self, place: Place, message: str) -> None:
        """Note a mistake."""
        self._problems[place, message] = None

    def warning(self, place: Place, message: str) -> None:
        """Note something that trains, and is probably not meant."""
        self._warnings[place, message] = None

    @property
    def problems(self) -> list[Problem]:
        """The mistakes, in the order of the files."""
        return located(self._places, self._problems)

    @property
    def warnings(self) -> list[Problem]:
        """The warnings, in the order of the files."""
        return located(self._places, self._warnings)

    def grid(self, part: str | None) -> SweepConfig:
        """The sweep, or the part of that name."""
        return self._places.grid(part)

    def dataset(self, origin: Origin) -> Place:
        """The dataset entry of a run."""
        return Place(origin.part, ("datasets", origin.dataset))

    def model(self, origin: Origin) -> Place:
        """The model entry of a run."""
        return Place(origin.part, ("models", origin.model))

    def variant(self, origin: Origin) -> Place:
        """The variant entry of a run."""
        return Place(origin.part, ("variants", origin.variant))

    def eval_set(self, origin: Origin, label: str) -> Place:
        """An entry of `eval_sets:`."""
        labels = [entry.label for entry in self.grid(origin.part).eval_sets]
        return Place(origin.part, ("eval_sets", labels.index(label)))

    def written(self, origin: Origin, section: str, key: str) -> Place | None:
        """Where a key of `train` or `eval` is written that counts for a run; None: nowhere."""
        grid = self.grid(origin.part)
        entries = [
            (self.variant(origin), grid.variants[origin.variant]),
            (self.dataset(origin), grid.datasets[origin.dataset]),
            (self.model(origin), grid.models[origin.model]),
            (Place(origin.part, ()), grid),
        ]
        for place, entry in entries:
            if getattr(getattr(entry, section), key) is not None:
                return place.below(section, key)
        return None

    def of_training(self, origin: Origin, key: str, message: str) -> None:
        """Note a mistake in a value of `train` that may be its preset's."""
        place = self.written(origin, "train", key)
        hint = "" if place is not None else f" (the preset's: write train.{key})"
        self.problem(place or self.model(origin), message + hint)
