"""Signals: the end of a process without half-written files, and interrupts that wait for the end of a step."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


def end_on_signals() -> None:
    """Let SIGTERM and SIGHUP end this process as Ctrl-C does, so that what it has half written is removed."""
    if threading.current_thread() is not threading.main_thread():
        return  # where Python handles no signals
    for name in ("SIGTERM", "SIGHUP"):
        signum = getattr(signal, name, None)
        if signum is not None and signal.getsignal(signum) is signal.SIG_DFL:  # under nohup, SIGHUP stays ignored
            signal.signal(signum, lambda signum, _: sys.exit(128 + signum))


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
