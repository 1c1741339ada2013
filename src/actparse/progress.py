"""Progress of long work: a bar on a terminal, plain lines elsewhere, both with a rate and the time that is left."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

LINE_SECONDS = 10.0  # between two lines where there is no terminal
TERMINAL_SECONDS = 0.2  # between two updates of the line on a terminal


class Meter:
    """Writes how far a piece of work is, to standard error; `update` may be called as often as one likes."""

    def __init__(self, name: str, unit: str) -> None:
        self.name, self.unit = name, unit
        self._start = time.monotonic()
        self._terminal = sys.stderr.isatty()
        self._next = self._start + (0 if self._terminal else LINE_SECONDS)

    def update(self, done: int, total: int) -> None:
        """Say that `done` of `total` units are finished."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + (TERMINAL_SECONDS if self._terminal else LINE_SECONDS)
        self._write(self._line(done, total, now - self._start))

    def _line(self, done: int, total: int, seconds: float) -> str:
        rate = done / seconds if seconds > 0 else 0.0
        left = f", {_clock((total - done) / rate)} left" if rate > 0 else ""
        return f"{self.name}: {done}/{total} {self.unit}, {rate:.1f}/s{left}"

    def _write(self, line: str) -> None:
        sys.stderr.write(f"\r\x1b[K{line}" if self._terminal else f"{line}\n")
        sys.stderr.flush()

    def close(self) -> None:
        """Clear the line of a terminal."""
        if self._terminal:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


@contextmanager
def counted(unit: str, name: str = "done") -> Iterator[Callable[[int, int], None]]:
    """A function that takes (done, total) and shows it."""
    meter = Meter(name, unit)
    try:
        yield meter.update
    finally:
        meter.close()


class VideoProgress:
    """The progress of several videos, one line each."""

    def __init__(self, num_videos: int) -> None:
        self._num_videos = num_videos
        self._number = 0
        self._meter: Meter | None = None

    def start(self, video: Path) -> Callable[[int, int], None]:
        """Begin the next video; returns the function that takes (frames read, frames expected)."""
        self._number += 1
        self._meter = Meter(f"[{self._number}/{self._num_videos}] {video.name}", "frames")
        return self._meter.update

    def __enter__(self) -> VideoProgress:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self._meter is not None:
            self._meter.close()
