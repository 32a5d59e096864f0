"""numpy, imported when it is first used.

A plan asks every variant's class what it needs and computes no reward, so it should not wait for
numpy, which takes a third of its time to import. Annotations must not be evaluated either:
modules that use this begin with ``from __future__ import annotations``.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
else:

    class _Numpy:
        def __getattr__(self, name: str) -> Any:
            import numpy

            value = getattr(numpy, name)
            setattr(self, name, value)  # the next access finds it at once
            return value

    np = _Numpy()

__all__ = ["np"]
