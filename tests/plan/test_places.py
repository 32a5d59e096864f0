"""Mistakes in merged sections are told with the line and key that they come from."""

from pathlib import Path

import pytest

from srtbench.config import ConfigError, load_sweep
from srtbench.plan import plan_sweep

ROWS = "".join(f'{{"question": "{n}", "answer": "{n}"}}\n' for n in range(50))
SWEEP = """\
name: mine
models: [{model}]
datasets: [{dataset}]
variants:
  {variant}
train: {train}
eval: {{}}
"""
PLAIN = {
    "model": "tiny",
    "dataset": "{type: file, path: rows.jsonl}",
    "variant": "- srt",
    "train": "{}",
}
BAD = "{micro_batch_size: 7}"
KEY = "train.micro_batch_size"


def mistakes(file: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        plan_sweep(load_sweep(file))
    return [str(one) for one in caught.value.problems]


def written(folder: Path, name: str = "mine.yaml", **changes: str) -> Path:
    (folder / "rows.jsonl").write_text(ROWS)
    file = folder / name
    file.write_text(SWEEP.format(**PLAIN | changes))
    return file


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"train": BAD}, f"line 6, {KEY}"),
        ({"model": f"{{type: tiny, train: {BAD}}}"}, f"line 2, models[0].{KEY}"),
        (
            {"dataset": f"{{type: file, path: rows.jsonl, train: {BAD}}}"},
            f"line 3, datasets[0].{KEY}",
        ),
        ({"variant": f"- {{type: srt, train: {BAD}}}", "train": BAD}, f"line 5, variants[0].{KEY}"),
    ],
    ids=["sweep", "model", "dataset", "the variant's wins"],
)
def test_a_value_is_told_where_the_section_that_counts_has_it(
    changes: dict[str, str], place: str, tmp_path: Path
) -> None:
    (found,) = mistakes(written(tmp_path, **changes))
    assert found.startswith(f"{place}: tiny/rows/srt: 256 completions per process")


def test_a_value_of_a_preset_is_told_at_the_entry(tmp_path: Path) -> None:
    (found,) = mistakes(written(tmp_path, variant="- {type: srt, train: {num_processes: 3}}"))
    assert found.startswith("line 5, variants[0].train.num_processes: ")
    (found,) = mistakes(written(tmp_path, variant="- {type: ttrl, votes: 7}"))
    assert found.startswith("line 5, variants[0]: tiny/rows/ttrl: ")


def test_a_merged_mapping_is_told_where_it_is_written(tmp_path: Path) -> None:
    """YAML's `<<`: own keys win, and the line of a merged one is the anchor's."""
    variants = f"""- &base
    type: srt
    train: {BAD}
  - <<: *base
    name: other
    train: {{}}
  - <<: [{{name: third}}, *base]"""
    (first, third) = mistakes(written(tmp_path, variant=variants))
    assert first.startswith(f"line 7, variants[0].{KEY}: tiny/rows/srt: ")
    assert third.startswith(f"line 7, variants[2].{KEY}: tiny/rows/third: ")


def test_the_stage_of_a_curriculum_is_told(tmp_path: Path) -> None:
    curriculum = f"""- type: curriculum
    name: ladder
    stages:
      - {{level: 3, variant: gold}}
      - {{level: 4, variant: srt, train: {BAD}}}"""
    dataset = "{type: reasoning_gym, task: spell_backward, level: 3}"
    (found,) = mistakes(written(tmp_path, variant=curriculum, dataset=dataset))
    assert found.startswith(f"line 9, variants[0].stages[1].{KEY}: ")


def test_mistakes_of_all_parts_are_told_with_their_files(tmp_path: Path) -> None:
    first = written(tmp_path, "a.yaml", train=BAD)
    first.write_text(first.read_text().replace("name: mine", "name: a"))
    second = written(tmp_path, "b.yaml", model=f"{{type: tiny, train: {BAD}}}")
    file = tmp_path / "all.yaml"
    file.write_text("name: all\nparts: [a.yaml, b.yaml]\n")
    one, two = mistakes(file)
    assert one.startswith(f"{first}, line 6, {KEY}: part a: tiny/rows/srt: ")
    assert two.startswith(f"{second}, line 2, models[0].{KEY}: part mine: ")
    for part in (first, second):
        part.write_text(part.read_text().replace("variants:", "variant:"))
    assert {line.partition(",")[0] for line in mistakes(file)} == {str(first), str(second)}


def test_cells_with_the_same_mistake_share_a_sentence(tmp_path: Path) -> None:
    (found,) = mistakes(written(tmp_path, variant="- srt\n  - gold\n  - random", train=BAD))
    assert "train.micro_batch_size: tiny/rows/srt: " in found
    assert found.endswith("(so in 2 other cells)")
