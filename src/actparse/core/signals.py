"""The end of a process by a signal, without half-written files."""

from __future__ import annotations

import signal
import sys
import threading


def end_on_signals() -> None:
    """Let SIGTERM and SIGHUP end this process as Ctrl-C does, so that what it has half written is removed."""
    if threading.current_thread() is not threading.main_thread():
        return  # where Python handles no signals
    for name in ("SIGTERM", "SIGHUP"):
        signum = getattr(signal, name, None)
        if signum is not None and signal.getsignal(signum) is signal.SIG_DFL:  # under nohup, SIGHUP stays ignored
            signal.signal(signum, lambda signum, _: sys.exit(128 + signum))
