"""Pages say what is known: of seeds that split, of ends, of the task, and of what failed."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from srtbench.analysis import open_sweep
from srtbench.analysis.effects import table_of
from srtbench.analysis.endings import Ending, _habit, ending_sentence
from srtbench.analysis.figures.style import variant_style
from srtbench.analysis.frames import query, view
from srtbench.analysis.latex import latex_summary
from srtbench.analysis.report import write_report
from srtbench.analysis.report.facts import Fact, headline, points
from srtbench.analysis.splits import cell_splits, last_scores
from srtbench.analysis.warehouse.planned import task_sentence
from srtbench.stats import mean_interval, rate_interval, seed_split
from srtbench.store import Folder
from tests.fake_sweep import Shape, write_fake_sweep

HIGH = {"type": "srt", "name": "srt-high-lr", "train": {"learning_rate": 1e-3}}
TINY = Shape(steps=20, every=10, prompts_per_step=2, generations=4, eval_prompts=6, eval_samples=4)
WHOLE = {
    "modal_share": 0.1, "truncated_share": 0.0, "unparsable_share": 0.0, "unanimous_share": 0.2,
    "avg_at_k": 0.4, "maj_at_k": 0.5, "majority_ratio": 0.6, "completion_tokens": 8.0,
    "start_tokens": 8.0, "modal_answer": "u",
}  # fmt: skip
"""The last evaluation of a policy that has no habit."""


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of three seeds of one variant, two collapse and one rises."""
    shape = Shape(
        steps=40, every=10, prompts_per_step=2, generations=4, eval_prompts=8, eval_samples=8
    )
    return write_fake_sweep(
        tmp_path_factory.mktemp("runs"), shape, variants=["srt", HIGH], seeds=[0, 1, 2],
        spared=(1,), description="One variant\n  splits.",
    )  # fmt: skip


def text_of(sweep: Path) -> tuple[str, str]:
    """The two pages."""
    folder = write_report(sweep)
    html, markdown = (folder / name for name in ("report.html", "report.md"))
    return html.read_text(encoding="utf-8"), markdown.read_text(encoding="utf-8")


def test_seeds_that_split_are_counted_with_an_exact_interval(split: Path) -> None:
    connection = open_sweep(split, snapshot=True)
    found = cell_splits(connection)
    scores = last_scores(connection)
    for cell, one in found.items():
        rows = scores.filter(variant=cell[3])
        flags = [cell[3] == "srt-high-lr" and seed != 1 for seed in (0, 1, 2)]
        assert one.found == seed_split(table_of(rows, "avg_gold"), flags)
    rate = rate_interval(2, 3)
    wanted = f"2 of 3 [{100 * rate.low:.0f}%, {100 * rate.high:.0f}%]"
    high = next(one for cell, one in found.items() if cell[3] == "srt-high-lr")
    assert high.splits
    assert high.count == wanted
    assert (high.collapsed or {})["last_avg"] < 0.1 < 0.6 < (high.survivors or {})["last_avg"]


def test_the_pages_have_both_kinds_of_seeds_and_no_mean_over_them(split: Path) -> None:
    html, markdown = text_of(split)
    assert "Collapsed: srt-high-lr (2 of 3 seeds [9%, 99%]; the rest end at" in html
    assert "Collapsed in 2 of 3 seeds [9%, 99%], the first between steps" in html
    assert "a mean over all seeds would describe none of them" in html
    assert "0 of 3 [0%, 71%]" in html
    for page in (html, markdown):
        assert "The other seed: avg@8" in page
        assert "answers “u” to every prompt (100% of all completions) (seeds 0 and 2)" in page
        assert "Kind: constant answer" in page
    mean = query(open_sweep(split), "SELECT last_avg FROM variant_summary WHERE collapsed > 0")
    assert f"{100 * mean['last_avg'][0]:.1f}%" not in markdown


def test_latex_has_the_survivors_alone(split: Path) -> None:
    text = latex_summary(open_sweep(split))
    assert r"2 of 3 [9\%, 99\%]" in text
    assert "numbers of the 1 that did not collapse" in text


def test_the_head_says_what_the_sweep_is_about(split: Path) -> None:
    html, markdown = text_of(split)
    for page in (html, markdown):
        assert "One variant splits." in page
        assert "Reasoning Gym's spell_backward at level 6" in page.replace("&#39;", "'")
        assert "word0=" in page
        assert "eval-0-right" in page
        assert "GRPO, 40 steps of 2 prompts × 4 completions, 1 update per rollout batch" in page  # noqa: RUF001
        assert "label-free" in page.lower()
    assert "uses gold" not in html


@pytest.mark.parametrize(
    ("changes", "habit", "words"),
    [
        ({"unparsable_share": 0.9, "completion_tokens": 1.0}, "empty", "ends at once: 90%"),
        ({"modal_share": 0.97}, "one_answer", "answers “u” to every prompt (97%"),
        ({"modal_share": 0.6}, "one_answer", "to most prompts, whatever they ask (60%"),
        ({"modal_share": 0.97, "modal_answer": ""}, "one_answer", "answers nothing to every"),
        ({"truncated_share": 0.8, "unparsable_share": 0.8}, "no_end", "80% of its completions"),
        ({"unparsable_share": 0.7}, "no_answer", "no answer that can be found in 70%"),
        ({"unanimous_share": 0.9}, "one_each", "has a constant answer for each prompt: on 90%"),
        ({}, "mixed", "answers differently from prompt to prompt, 40% right"),
        ({"completion_tokens": 4.0}, "mixed", "in 4.0 tokens where it began with 8.0"),
    ],
)  # fmt: skip
def test_what_a_policy_does_at_its_end(changes: dict[str, Any], habit: str, words: str) -> None:
    row = WHOLE | changes
    found, share = _habit(row)
    assert found == habit
    assert words in ending_sentence([Ending(0, found, share, row)], 1)


def test_seeds_that_end_differently_are_named() -> None:
    ends = [
        Ending(seed, "one_answer", 1.0, WHOLE | {"modal_answer": answer})
        for seed, answer in ((0, "u"), (2, "x"))
    ] + [Ending(1, "no_end", 0.8, WHOLE)]
    assert ending_sentence(ends, 3) == (
        "At the end it answers “u”, “x”, each seed its own, to every prompt (100% of all "
        "completions) (seeds 0 and 2); it does not end: 80% of its completions are cut off at the "
        "length limit (seed 1)."
    )


@pytest.mark.parametrize(
    ("dataset", "sentence"),
    [
        ({"type": "reasoning_gym", "task": "gcd", "level": None}, "Reasoning Gym's gcd; "),
        ({"type": "file", "path": "/home/me/mine.jsonl"}, "Questions of the file mine.jsonl; "),
        ({"type": "hub", "id": "openai/gsm8k", "subset": "main"}, "openai/gsm8k (main); "),
    ],
)
def test_a_task_in_a_sentence(dataset: dict[str, Any], sentence: str) -> None:
    text = task_sentence(dataset | {"answer_kind": "math", "answer_style": "boxed"})
    assert text is not None
    assert sentence in text
    assert "answers are found as boxed and compared as math" in text
    assert task_sentence({"type": "other"}) is None


def test_a_change_in_which_nothing_varies_has_no_interval() -> None:
    """0 on each prompt was "+0.0 points [+0.0, +0.0]", as if no change were certain."""
    assert points(mean_interval(np.zeros((2, 16)))) == "+0.0 points"
    some = points(mean_interval(np.array([[0.0, 0.5, 0.0, 0.0]])))
    assert some.startswith("+12.5 points [")


def test_a_stage_that_failed_is_named_with_its_error_and_log(tmp_path: Path) -> None:
    """Its runs failed because of it: their own errors would say nothing more."""
    states: Any = {("srt", 0): "failed", ("gold", 0): "failed"}
    sweep = write_fake_sweep(tmp_path, TINY, variants=["srt", "gold"], seeds=[0], states=states)
    connection = open_sweep(sweep)
    stages = view(connection, "stages")
    (stage,) = stages.filter(kind="warm_start")["stage_id"].to_list()
    folder = Folder(tmp_path / "_stages" / stage)
    folder.update_status(state="failed", error="Traceback\nRuntimeError: no <memory> left")
    folder.log_path.write_text("step 1\nstep 2: out of memory\n")
    for run_id in view(connection, "runs")["run_id"].to_list():
        error = f"Traceback\nRuntimeError: no <memory> left\nshared stage {stage} failed"
        Folder(sweep / run_id).update_status(error=error)
    html, markdown = text_of(sweep)
    assert "2 of 2 runs failed" in html
    assert "no &lt;memory&gt; left" in html
    assert "step 2: out of memory" in html
    assert f"_stages/{stage}/log.txt" in html
    assert "Needed by 2 failed runs" in html
    assert html.count('<details class="error"') == 1
    assert f"shared stage, warm start {stage}: RuntimeError" in markdown.replace("\\", "")
    assert "needed by 2 failed runs" in markdown


def test_a_sweep_without_a_step_has_no_axes(tmp_path: Path) -> None:
    sweep = write_fake_sweep(
        tmp_path, TINY, variants=["srt"], seeds=[0], states={("srt", 0): "waiting"}
    )
    html, _ = text_of(sweep)
    assert "no run has been evaluated after its start" in html
    assert "<figure" not in html
    assert not list((sweep / "report" / "figures").glob("*"))


def test_a_run_that_failed_by_itself_has_its_own_entry(tmp_path: Path) -> None:
    states: Any = {("srt", 0): "failed"}
    sweep = write_fake_sweep(tmp_path, TINY, variants=["srt", "gold"], seeds=[0], states=states)
    html, markdown = text_of(sweep)
    assert "1 of 2 runs failed" in html
    assert "It left no log" in html
    assert html.count("Traceback") == 1
    assert "MemoryError" in markdown
    assert "learning rate 0.0001" in markdown


def test_seeds_that_split_have_lines_of_their_own(split: Path) -> None:
    """The mean of 0 and 90 per cent is a line that no seed took."""
    folder = write_report(split)
    shown = pl.read_csv(folder / "tables" / "accuracy.csv").filter(measure="avg_at_k")
    ends = shown.filter(pl.col("step") == 40)
    last = dict(ends.select("variant", "value").iter_rows())
    assert set(last) == {"srt", "srt-high-lr, 2 collapsed", "srt-high-lr, 1 did not"}
    assert last["srt-high-lr, 2 collapsed"] < 0.1 < 0.6 < last["srt-high-lr, 1 did not"]
    seeds = dict(ends.select("variant", "seeds").iter_rows())
    assert seeds["srt-high-lr, 2 collapsed"] == 2
    assert (folder / "figures" / "collapse_panel.png").is_file()
    assert "No band where there is one seed." in (folder / "report.md").read_text(encoding="utf-8")


def test_a_headline_of_many_cells_names_a_few() -> None:
    row = {"last_avg": 0.5, "uses_gold": False}
    many = [
        Fact(("s", "m", "d", f"v{n}"), "", variant_style("srt"), "rose", "", row) for n in range(30)
    ]
    said = headline(many)
    assert said.startswith("Accuracy rose with v0 (50%), v1 (50%)")
    assert said.endswith("v7 (50%) and 22 more.")
