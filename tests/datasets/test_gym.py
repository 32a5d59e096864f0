"""Reasoning Gym: streams that are repeatable, prefix-stable, distinct and disjoint."""

import json
import logging
import os
import subprocess
import sys
from itertools import islice
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srtbench.config.datasets import ReasoningGymDataset
from srtbench.datasets import DatasetError, check_disjoint, load_problems
from srtbench.datasets.gym import CHUNK, stream_items, tasks
from srtbench.datasets.gym_process import entries
from srtbench.datasets.problems import Problem, Split
from srtbench.datasets.splits import normalise

SPLITS: tuple[Split, ...] = ("train", "eval", "warm_start")


def _words(**options: Any) -> ReasoningGymDataset:
    values = {
        "task": "spell_backward",
        "level": 6,
        "prompt_template": "{metadata[word]}=",
        "target_template": "#{answer}",
    }
    return ReasoningGymDataset(**(values | options))


def test_spell_backward() -> None:
    problems = load_problems(_words(), "train", 50)
    assert len({problem.prompt_id for problem in problems}) == 50
    for problem in problems:
        word = problem.prompt.removesuffix("=")
        assert len(word) == 6
        assert (problem.gold, problem.target) == (word[::-1], "#" + word[::-1])
        assert (problem.level, problem.split) == (6, "train")


@settings(max_examples=15)
@given(
    task=st.sampled_from(["spell_backward", "chain_sum", "gcd", "letter_counting", "gsm_symbolic"]),
    split=st.sampled_from(SPLITS),
    seed=st.integers(0, 2**32),
    few=st.integers(1, 40),
    more=st.integers(0, 40),
)
def test_a_larger_request_starts_with_a_smaller_one(
    task: str, split: Split, seed: int, few: int, more: int
) -> None:
    dataset = ReasoningGymDataset(task=task, seed=seed)
    longer = load_problems(dataset, split, few + more)
    assert load_problems(dataset, split, few) == longer[:few]
    assert len({problem.prompt for problem in longer}) == few + more


def test_prefixes_agree_beyond_one_chunk() -> None:
    dataset = _words(split={"train": 0.98, "eval": 0.01, "warm_start": 0.01})
    longer = load_problems(dataset, "eval", 60)  # a 1% split: about 6000 draws
    assert longer[:7] == load_problems(dataset, "eval", 7)
    assert CHUNK < 6000


def test_equal_in_another_process() -> None:
    code = (
        "import json; from tests.datasets.test_gym import _words, load_problems;"
        "print(json.dumps([p.prompt_id for p in load_problems(_words(), 'eval', 30)]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [p.prompt_id for p in load_problems(_words(), "eval", 30)]


def test_splits_are_disjoint_over_levels_and_seeds() -> None:
    levels = dict.fromkeys(range(3, 9), 1.0)
    found: dict[str, list[Problem]] = {split: [] for split in SPLITS}
    for seed in (0, 1, 4096):
        dataset = _words(seed=seed, warm_start_levels=levels)
        for split in SPLITS:
            found[split] += load_problems(dataset, split, 150)
    assert {problem.level for problem in found["warm_start"]} == set(levels)
    check_disjoint(**found)
    words = {
        split: {normalise(p.prompt.removesuffix("=")) for p in problems}
        for split, problems in found.items()
    }
    assert not words["train"] & words["eval"]
    assert not words["train"] & words["warm_start"]


def test_seeds_of_reasoning_gym_overlap_which_is_why_splits_go_by_hash() -> None:
    first = [item.question for item in islice(stream_items(_words(seed=0), 6), 20)]
    second = [item.question for item in islice(stream_items(_words(seed=1), 6), 20)]
    assert first[1:] == second[:-1]


def test_warm_start_levels_take_turns() -> None:
    dataset = _words(warm_start_levels={4: 1.0, 3: 4.0, 8: 0.0})
    problems = load_problems(dataset, "warm_start", 5)
    assert [problem.level for problem in problems] == [3, 4] * 5
    assert load_problems(dataset, "warm_start", 3) == problems[:6]
    only = load_problems(_words(), "warm_start", 5)
    assert [problem.level for problem in only] == [6] * 5
    with pytest.raises(DatasetError, match="no level of positive weight"):
        load_problems(_words(warm_start_levels={3: 0.0}), "warm_start", 5)


def test_a_small_task_gives_what_it_has(caplog: pytest.LogCaptureFixture) -> None:
    small = ReasoningGymDataset(
        task="count_bits", config={"min_n": 1, "max_n": 60}, prompt_template="{metadata[number]}:"
    )
    found = [load_problems(small, split, 60) for split in ("train", "warm_start")]
    assert "train: " in caplog.text
    assert "60 asked for" in caplog.text
    with pytest.raises(DatasetError, match=r"eval: \d+ distinct problems, 60 asked for"):
        load_problems(small, "eval", 60)
    rest = 60 - sum(map(len, found))
    assert len(load_problems(small, "eval", rest)) == rest


def test_without_a_number_the_pool_has_its_default_size() -> None:
    assert len(load_problems(_words(train_prompts=33), "train")) == 33
    assert len(load_problems(_words(), "train")) == 4096


def test_a_template_that_drops_the_question_is_an_error() -> None:
    with pytest.raises(DatasetError, match=r"prompt_template: .* give one prompt, 'Spell it\.'"):
        load_problems(_words(prompt_template="Spell it."), "train", 5)


def test_unknown_task_names_the_nearest_and_the_allowed() -> None:
    with pytest.raises(DatasetError, match="unknown Reasoning Gym task 'spel_backward'") as error:
        load_problems(_words(task="spel_backward"), "train", 5)
    assert "did you mean 'spell_backward'" in str(error.value)
    with pytest.raises(DatasetError, match="composite: not usable"):
        load_problems(_words(task="composite"), "train", 5)
    assert "gcd" in tasks()
    assert "composite" not in tasks()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"max_word_length": 4}, "unknown option 'max_word_length'. did you mean 'max_word_len'"),
        ({"seed": 3}, "config.seed: use the dataset's own `seed`"),
        ({"size": 3}, "config.size: items are drawn as needed"),
        ({"min_word_len": 9, "max_word_len": 3}, "max_word_len must be >= min_word_len"),
        ({"min_word_len": "many"}, "options refused (min_word_len='many')"),
        ({"min_word_len": 50, "max_word_len": 50}, "over 100 items failed with options"),
    ],
)
def test_bad_options_are_explained(config: dict[str, Any], message: str) -> None:
    with pytest.raises(DatasetError) as error:
        load_problems(_words(level=None, config=config), "train", 5)
    assert message in str(error.value)


def test_items_that_fail_now_and_then_are_skipped(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from reasoning_gym.algorithmic.spell_backward import SpellBackwardDataset

    whole = SpellBackwardDataset.__getitem__

    def failing(self: SpellBackwardDataset, index: int) -> dict[str, Any]:
        if index % 10 == 3:
            raise RuntimeError("no luck")
        return dict(whole(self, index))

    monkeypatch.setattr(SpellBackwardDataset, "__getitem__", failing)
    with caplog.at_level(logging.DEBUG, logger="srtbench"):
        items = list(islice(stream_items(_words(), 6), 20))
    assert len(items) == 20
    assert caplog.text.count("no luck") == 2


@pytest.mark.parametrize("task", ["rush_hour", "graph_color", "propositional_logic"])
def test_tasks_without_gold_answers_are_refused(task: str) -> None:
    with pytest.raises(DatasetError, match=f"{task} item 0 of seed 0: the task gives no gold"):
        load_problems(ReasoningGymDataset(task=task), "train", 5)


def test_importing_the_package_is_light() -> None:
    code = (
        "import sys, srtbench.datasets, srtbench.config.tasks, srtbench.datasets.levels;"
        "heavy = {'reasoning_gym', 'datasets', 'polars', 'pyarrow', 'torch', 'numpy', 'sympy'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_unstable_tasks_are_drawn_alike_in_every_process() -> None:
    code = (
        "from tests.datasets.test_gym import unstable_prompts; import json;"
        "print(json.dumps(unstable_prompts(6)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONHASHSEED": "7"},
    )
    longer = unstable_prompts(9)
    assert json.loads(done.stdout) == [prompts[:6] for prompts in longer]


def unstable_prompts(count: int) -> list[list[str]]:
    """Ids of the first problems of a task that walks through sets, and of one with global state."""
    return [
        [p.prompt_id for p in load_problems(ReasoningGymDataset(task=task), "train", count)]
        for task in ("isomorphic_strings", "list_functions")
    ]


def test_a_process_that_draws_items_and_fails_is_an_error() -> None:
    with pytest.raises(DatasetError, match="process that draws items failed: KeyError: 'nothing'"):
        list(entries("nothing", {}, 0, 3))


def test_an_item_that_fails_in_a_process_becomes_a_sentence() -> None:
    options = {"min_word_len": 50, "max_word_len": 50}
    found = list(entries("spell_backward", options, 0, 2))
    assert found == ["IndexError: Cannot choose from an empty sequence"] * 2
