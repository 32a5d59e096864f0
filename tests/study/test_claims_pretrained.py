"""The page's section on a pretrained model: accuracy, further evaluation sets, and cost."""

from pathlib import Path

import numpy as np
import pytest

import srtbench
from analysis.claims.__main__ import measure
from analysis.claims.data import Study
from analysis.claims.page import markdown
from analysis.claims.pretrained import pretrained
from analysis.claims.sections import Section
from srtbench.config.sweep import load_sweep
from srtbench.plan import plan_sweep
from srtbench.rollouts import RolloutWriter
from srtbench.store import SweepStore
from tests.made_up_study import Truth, grid, line, rollouts, write_made_up

SET = {
    "type": "reasoning_gym", "task": "spell_backward", "level": 8, "prompts": 12, "samples": 10,
    "answer_kind": "text",
}  # fmt: skip
ENDS = {"srt": (0.5, 0.2), "random": (0.5, 0.5)}


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half an hour per run; srt harms the further set, random leaves it as it is."""
    root = tmp_path_factory.mktemp("pretrained")
    part = grid("smollm_cpu", ["srt", "random"], 10, 5, seeds=[0], eval_sets=[SET])
    path = write_made_up(root, "smollm_cpu", [part], lambda run: Truth(line(0.5, 0.7)))
    store = SweepStore(root / "runs", "smollm_cpu")
    for run in plan_sweep(load_sweep(root / "files-smollm_cpu" / "smollm_cpu.yaml")).runs:
        folder = store.run(run.run_id)
        folder.update_status(wall_seconds=1800.0)
        writer = RolloutWriter(folder.eval_set("spell_backward-8").rollouts_path)
        ids = [f"set-{number}" for number in range(12)]
        truth, rng = Truth(line(*ENDS[run.variant_label])), np.random.default_rng(0)
        for step in (0, run.train.steps):
            writer.add("eval", step, rollouts(run, "eval", step, ids, 10, truth, rng))
        writer.flush()
    return path


@pytest.fixture(scope="module")
def section(sweep: Path) -> Section:
    return pretrained(Study(srtbench.open_sweep(sweep, snapshot=True, threads=1)))


def values(section: Section, name: str) -> dict[tuple[str, ...], list[float | None]]:
    (table,) = (table for table in section.tables if table.name == name)
    return {
        labels: [n.effect and n.effect.value for n in numbers] for labels, numbers in table.rows
    }


def test_accuracy_of_every_variant(section: Section) -> None:
    found = values(section, "change")
    assert [labels[1] for labels in found] == ["srt", "random"]
    for _, change, reward, labels in found.values():
        assert change == pytest.approx(0.2, abs=0.02)
        assert reward is not None
        assert labels is not None


def test_further_sets_before_and_after(section: Section) -> None:
    found = {labels[0::2]: numbers for labels, numbers in values(section, "eval_sets").items()}
    for variant, (start, end) in ENDS.items():
        prompts, samples, first, last, change, *_ = found["spell_backward-8", variant]
        assert (prompts, samples) == (12, 10)
        assert (first, last) == (pytest.approx(start, abs=0.03), pytest.approx(end, abs=0.03))
        assert change == pytest.approx(last - first)


def test_the_time_is_that_of_the_run_folders(section: Section) -> None:
    for rollouts_per_step, minutes, per_step in values(section, "cost").values():
        assert (rollouts_per_step, minutes, per_step) == (8, 30, 180)
    assert any("1.0 hours" in text for text in section.method)


def test_the_page_shows_it_without_a_verdict(sweep: Path) -> None:
    study = Study(srtbench.open_sweep(sweep, snapshot=True, threads=1))
    text = markdown([s for s in measure(study) if s.claim.key == "P"])
    own = text.split("## A pretrained model")[1]
    assert "erdict" not in own
    assert "| spell_backward-8 | spell_backward-6 | srt | 12 | 10 |" in own


def test_without_sets_there_is_no_table_of_them(tmp_path: Path) -> None:
    path = write_made_up(
        tmp_path, "smollm_cpu", [grid("smollm_cpu", ["srt", "gold"], 10, 5, seeds=[0])],
        lambda run: Truth(line(0.5, 0.7), state="done" if run.variant_label == "srt" else "failed"),
    )  # fmt: skip
    section = pretrained(Study(srtbench.open_sweep(path, snapshot=True, threads=1)))
    assert [table.name for table in section.tables] == ["change", "cost"]
    assert section.missing == ["tiny, spell_backward-6, gold: 0 of 1 seeds, seed 0 failed"]
    assert values(section, "cost")["spell_backward-6", "gold"] == [None, None, None]
