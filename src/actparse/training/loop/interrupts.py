"""Ctrl-C and SIGTERM during training: they take effect between two steps, after a checkpoint."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


@contextmanager
def postponed_interrupts() -> Iterator[list[int]]:
    """Collect SIGINT and SIGTERM in the list that is yielded; the first one takes effect when the body ends.

    A second Ctrl-C takes effect at once. Ignored signals stay ignored, and in threads other than the main one, which
    receive no signals, the list stays empty.
    """
    received: list[int] = []
    handlers: dict[int, Any] = {}  # that the body replaces

    def receive(signum: int, frame: FrameType | None) -> None:
        received.append(signum)
        if signum == signal.SIGINT:  # SIGTERM may come from the parent process and from outside
            signal.signal(signum, handlers[signum])

    if threading.current_thread() is threading.main_thread():
        for signum in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(signum) not in (signal.SIG_IGN, None):
                handlers[signum] = signal.signal(signum, receive)
    try:
        yield received
    finally:
        for replaced, handler in handlers.items():
            signal.signal(replaced, handler)
        if received:
            signal.raise_signal(received[0])
