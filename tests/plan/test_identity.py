"""Run ids of version 1, by the rule of then: what the older folders are held against."""

import json
from pathlib import Path

import pytest

from srtbench.plan import identity_v1
from tests.sets import write

LEGACY = Path(__file__).parents[1] / "fixtures" / "legacy" / "micro"


@pytest.mark.parametrize("folder", sorted(LEGACY.glob("*-s0-*")), ids=lambda path: path.name)
def test_ids_of_version_1_follow_from_their_configs(folder: Path, tmp_path: Path) -> None:
    """The fixture names its data files without their folder; here they are written again."""
    spec = json.loads((folder / "config.json").read_text())["spec"]
    write(tmp_path)
    for section in (spec["dataset"], *(one["dataset"] for one in spec["eval_sets"])):
        for key in ("path", "eval_path"):
            if section.get(key):
                section[key] = str(tmp_path / section[key])
                assert Path(section[key]).is_file()
    assert identity_v1.run_digest(spec) == folder.name.rpartition("-")[2]
    spec["train"]["learning_rate"] *= 2
    assert identity_v1.run_digest(spec) != folder.name.rpartition("-")[2]
