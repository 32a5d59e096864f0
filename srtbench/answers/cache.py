"""A least-recently-used cache bounded by the bytes it holds."""

from __future__ import annotations

import os
import sys
import threading
from collections import OrderedDict
from typing import Generic, TypeVar

Value = TypeVar("Value")
_ENTRY_OVERHEAD = 200


class ByteCache(Generic[Value]):
    """Maps text to a value; safe in threads and after a fork."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.bytes = 0
        self._entries: OrderedDict[str, tuple[Value, int]] = OrderedDict()
        self._lock = threading.Lock()
        os.register_at_fork(after_in_child=self._after_fork)

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, text: str) -> Value | None:
        """The value of a text, marked as used, or None."""
        with self._lock:
            entry = self._entries.get(text)
            if entry is None:
                return None
            self._entries.move_to_end(text)
            return entry[0]

    def put(self, text: str, value: Value, value_bytes: int) -> None:
        """Store a value and drop the longest unused entries beyond the limit."""
        size = sys.getsizeof(text) + value_bytes + _ENTRY_OVERHEAD
        if size > self.max_bytes:
            return
        with self._lock:
            old = self._entries.pop(text, None)
            self.bytes += size - (old[1] if old else 0)
            self._entries[text] = (value, size)
            while self.bytes > self.max_bytes:
                _, (_, dropped) = self._entries.popitem(last=False)
                self.bytes -= dropped

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()
            self.bytes = 0

    def _after_fork(self) -> None:
        self._lock = threading.Lock()
