"""Work on sections that many cells of a grid share is done once, and its result shared too."""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from pydantic import BaseModel

_P = ParamSpec("_P")
_T = TypeVar("_T")
_S = TypeVar("_S", bound=BaseModel)

_VALUES = (int, str, float, type(None))
"""Inputs that are compared by value; all others are the same if they are one object."""


class Once:
    """Calls pure functions, each once for the same inputs.

    Sections are not compared: a plan hands on the same objects, and one that is equal and another
    object is worked on again. Inputs are kept, so that no other object gets the identity of one.
    """

    def __init__(self) -> None:
        self._results: dict[tuple[Any, ...], tuple[tuple[Any, ...], Any]] = {}
        self._sections: dict[tuple[type[BaseModel], str, str], Any] = {}
        self._known: dict[int, tuple[Any, Any]] = {}

    def __call__(self, make: Callable[_P, _T], /, *inputs: _P.args, **options: _P.kwargs) -> _T:
        """``make(*inputs, **options)``, or what it returned for the same inputs before."""
        given = (*inputs, *options.values())
        key = (make, *options, *[one if isinstance(one, _VALUES) else id(one) for one in given])
        known = self._results.get(key)
        if known is None:
            known = self._results[key] = (given, make(*inputs, **options))
        found: _T = known[1]
        return found

    def same(self, section: _S) -> _S:
        """The first section that was given here and says the same."""
        known = self._known.get(id(section))
        if known is None:
            # What is written says more than the values: a null that is written is no default.
            written = section.model_dump_json(exclude_unset=True)
            key = (type(section), section.model_dump_json(), written)
            known = self._known[id(section)] = (section, self._sections.setdefault(key, section))
        found: _S = known[1]
        return found
