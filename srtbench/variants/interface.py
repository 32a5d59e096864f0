"""Whether a class from outside can be called as a variant is called: asked of its signatures."""

import inspect
from collections.abc import Iterator
from typing import Any

from srtbench.variants.base import Variant
from srtbench.variants.selection import RoundsVariant


def signature_problems(variant: type[Variant]) -> Iterator[str]:
    """What is wrong with the methods that a class overrides, a sentence each."""
    bases: tuple[Any, ...] = (Variant, RoundsVariant)
    for base in bases:
        if not issubclass(variant, base):
            continue
        for name, method in vars(base).items():
            of_class = isinstance(method, classmethod)
            if not (of_class or inspect.isfunction(method)):
                continue
            found = inspect.getattr_static(variant, name)
            if found is method:
                continue
            wanted = expected(base, name)
            if not callable(getattr(variant, name)):
                yield f"{variant.__name__}.{name} is no method; write: {wanted}"
            elif (reason := _misfit(variant, name, base)) is not None:
                yield f"{variant.__name__}.{name} {reason}; write: {wanted}"


def expected(base: Any, name: str) -> str:
    """The signature of a method, as a class writes it."""
    method = inspect.getattr_static(base, name)
    of_class = isinstance(method, classmethod)
    function = method.__func__ if of_class else method
    written = str(inspect.signature(function)).replace("'", "")
    return f"{'@classmethod ' if of_class else ''}def {name}{written}"


def _misfit(variant: type[Variant], name: str, base: Any) -> str | None:
    """Why a call with the arguments of the base class does not fit; None: it fits."""
    given = [*inspect.signature(getattr(base, name)).parameters]
    try:
        signature = inspect.signature(getattr(variant, name))
    except (TypeError, ValueError):  # of C, or hidden: nothing can be said
        return None
    try:
        signature.bind(*given)
    except TypeError as error:
        plain = inspect.Signature(
            [
                one.replace(annotation=inspect.Parameter.empty)
                for one in signature.parameters.values()
            ]
        )
        return f"takes {plain}, and is called with ({', '.join(given)}): {error}"
    return None
