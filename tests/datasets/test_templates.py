"""Templates: what they may hold, and what they say when an item lacks it."""

import pytest
from pydantic import ValidationError

from srtbench.config.datasets import FileDataset, HubDataset, ReasoningGymDataset
from srtbench.config.sameness import prompt_id
from srtbench.datasets import DatasetError
from srtbench.datasets.problems import Item
from srtbench.datasets.templates import Templates

ITEM = Item("row 1", "What is 1 + 1?", "2", 3, {"word": "two", "more": {"a.b": 5}})


def _templates(prompt: str, target: str = "{answer}") -> Templates:
    return Templates(FileDataset(path="x.jsonl", prompt_template=prompt, target_template=target))


def test_prompt_and_target_are_filled() -> None:
    templates = _templates("{level}: {question} {metadata[word]!r} {metadata[more][a.b]:03d} {{}}")
    prompt = templates.prompt_of(ITEM)
    assert prompt == "3: What is 1 + 1? 'two' 005 {}"
    problem = templates.problem(ITEM, prompt, "eval")
    assert (problem.gold, problem.target, problem.level, problem.split) == ("2", "2", 3, "eval")
    assert problem.prompt_id == prompt_id(prompt)
    assert len(problem.prompt_id) == 16


def test_default_templates_ask_for_a_box_and_give_one() -> None:
    templates = Templates(FileDataset(path="x.jsonl"))
    prompt = templates.prompt_of(ITEM)
    assert prompt.startswith("What is 1 + 1?")
    assert "\\boxed{}" in prompt
    assert templates.problem(ITEM, prompt, "train").target == "\\boxed{2}"


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{quetsion}", "unknown placeholder; allowed: {question}, {level}, {metadata}"),
        ("{}", "unknown placeholder"),
        ("{0}", "unknown placeholder"),
        ("{question.__class__}", "attributes cannot be read"),
        ("{metadata[word].__class__}", "attributes cannot be read"),
        ("{metadata[a]b}", "attributes cannot be read"),
        ("{question:{metadata.x}}", "attributes cannot be read"),
        ("{question", "expected '}'"),
        ("\\boxed{", "write a literal brace twice"),
        ("{answer}", "must not see the gold answer"),
        ("{question:{answer}}", "must not see the gold answer"),
        ("{metadata}", "name the key, all of it may show the answer"),
        ("{metadata!r}", "name the key"),
        ("{question:{metadata}}", "name the key"),
    ],
)
def test_bad_prompt_templates_are_refused_in_the_sweep_file(template: str, message: str) -> None:
    with pytest.raises(ValidationError) as error:
        ReasoningGymDataset(task="gcd", prompt_template=template)
    assert message in str(error.value)


def test_a_template_set_behind_the_back_of_validation_is_checked_again() -> None:
    dataset = FileDataset(path="x").model_copy(update={"prompt_template": "{question.x}"})
    with pytest.raises(DatasetError, match=r"prompt_template: \{question.x\}: attributes"):
        Templates(dataset)


def test_missing_metadata_names_the_nearest_key() -> None:
    with pytest.raises(DatasetError, match=r"row 1 has no metadata 'wrd'\. did you mean 'word'"):
        _templates("{metadata[wrd]}").prompt_of(ITEM)


@pytest.mark.parametrize("template", ["{level}", "{level:03d}"])
def test_missing_level_is_an_error(template: str) -> None:
    item = Item("row 1", "q", "a", None, {})
    with pytest.raises(DatasetError, match="no level"):
        _templates(template).prompt_of(item)


def test_level_of_an_item_that_has_one_can_be_formatted() -> None:
    assert _templates("{level:03d}").prompt_of(ITEM) == "003"


def test_a_format_that_does_not_fit_names_the_row() -> None:
    with pytest.raises(DatasetError, match="prompt_template: row 1: Unknown format code 'd'"):
        _templates("{question:d}").prompt_of(ITEM)


@pytest.mark.parametrize("kind", ["file", "hub"])
def test_a_prompt_cannot_show_the_answer_column(kind: str) -> None:
    template = "{question} {metadata[solution]}"
    dataset = (
        FileDataset(path="x.jsonl", answer_column="solution", prompt_template=template)
        if kind == "file"
        else HubDataset(id="a/b", answer_column="solution", prompt_template=template)
    )
    item = Item("row 1", "q", "2", None, {"solution": "1 + 1 = 2", "hint": "add"})
    with pytest.raises(DatasetError, match="the policy must not see the gold answer"):
        Templates(dataset).prompt_of(item)
    changed = Templates(dataset.model_copy(update={"prompt_template": "{metadata[solutoin]}"}))
    with pytest.raises(DatasetError, match=r"has no metadata 'solutoin'\. Allowed: hint$"):
        changed.prompt_of(item)


def test_targets_may_show_everything() -> None:
    item = Item("row 1", "q", "2", None, {"answer": "1 + 1 = 2"})
    templates = _templates("{question}", "{metadata[answer]} #### {answer}")
    assert templates.problem(item, "q", "train").target == "1 + 1 = 2 #### 2"
    assert "1 + 1" in _templates("{question}", "{metadata}").problem(item, "q", "train").target


def test_metadata_of_reasoning_gym_is_shown_as_it_is() -> None:
    dataset = ReasoningGymDataset(task="gcd", prompt_template="{metadata[answer]}")
    assert Templates(dataset).prompt_of(Item("item 1", "q", "2", 1, {"answer": "x"})) == "x"
