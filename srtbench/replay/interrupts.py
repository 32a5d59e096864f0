"""Who asked to stop: the user, or code of a variant that only says so."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any


class Interrupts:
    """Hears of Ctrl-C while it is entered.

    A variant from outside may raise KeyboardInterrupt itself, and that must not end an audit as if
    the user had: it is a failure of the variant.

    Attributes:
        asked: whether the process was sent an interrupt.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: Any = None

    def __enter__(self) -> "Interrupts":
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._hear)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        raise KeyboardInterrupt
