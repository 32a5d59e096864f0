"""Splits: a pure function of the question, disjoint, with the shares that were asked for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtbench.config.datasets import SplitShares
from srtbench.config.sameness import prompt_id
from srtbench.datasets import DatasetError, Problem, check_disjoint, split_of

SHARES = SplitShares()


def _problem(prompt: str) -> Problem:
    return Problem(prompt_id(prompt), prompt, "1", None, "train", "1")


@st.composite
def _shares(draw: st.DrawFn) -> SplitShares:
    train = draw(st.integers(1, 98))
    evaluation = draw(st.integers(1, 99 - train))
    rest = 100 - train - evaluation
    return SplitShares(train=train / 100, eval=evaluation / 100, warm_start=rest / 100)


@given(st.text(), _shares())
def test_split_is_a_function_of_the_question(question: str, shares: SplitShares) -> None:
    first = split_of(question, shares)
    assert first in ("train", "eval", "warm_start")
    assert split_of(question, shares) == first


@given(st.text(alphabet=st.characters(max_codepoint=0x7F)))
def test_spacing_and_case_do_not_move_a_question(question: str) -> None:
    variant = f"  {question.upper()} \n"
    assert split_of(variant, SHARES) == split_of(question, SHARES)


def test_unicode_forms_do_not_move_a_question() -> None:
    assert split_of("caf\u00e9", SHARES) == split_of("cafe\u0301", SHARES)


@given(_shares())
def test_shares_are_met(shares: SplitShares) -> None:
    splits = [split_of(f"question {number}", shares) for number in range(2000)]
    for name in ("train", "eval", "warm_start"):
        # Five standard deviations of a binomial share, and a little.
        assert abs(splits.count(name) / 2000 - getattr(shares, name)) < 0.06


def test_split_without_warm_start_never_gives_one() -> None:
    shares = SplitShares(train=0.7, eval=0.3, warm_start=0)
    assert {split_of(str(n), shares) for n in range(3000)} == {"train", "eval"}


def test_shares_of_the_same_question_are_fixed_forever() -> None:
    """A change of the hash would make old and new runs share prompts across splits."""
    known = [split_of(f"question {number}", SHARES) for number in range(8)]
    assert known == ["warm_start", "train", "train", "eval", "train", "train", "train", "train"]


def test_check_disjoint_accepts_disjoint_splits() -> None:
    check_disjoint(train=[_problem("a"), _problem("a")], eval=[_problem("b")])


def test_check_disjoint_names_the_shared_prompts() -> None:
    train = [_problem(f"word {n}=") for n in range(9)]
    with pytest.raises(DatasetError, match=r"two splits: 7\n.*'WORD 2=' .*train and eval") as error:
        check_disjoint(train=train, eval=[_problem(f"WORD {n}=") for n in range(2, 11)])
    assert "and 2 more" in str(error.value)
