"""Progress of long operations: bars on a terminal, else plain lines; both with a rate and the remaining time."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from actparse.core.files import printable

if TYPE_CHECKING:
    from rich.progress import Progress

LINE_SECONDS = 10.0  # between two lines, if there is no terminal
TERMINAL_HZ = 5.0  # updates of a bar
Update = Callable[[int, int], None]  # units done, units in total
Report = Callable[[str], None]  # takes one line of progress

_is_silent = False  # for the whole process, like standard error


def say_nothing(line: str) -> None:
    """Discard a line of progress."""


@contextmanager
def silent() -> Iterator[None]:
    """Show no progress while the body runs."""
    global _is_silent  # noqa: PLW0603
    previous, _is_silent = _is_silent, True
    try:
        yield
    finally:
        _is_silent = previous


def is_silent() -> bool:
    """Return whether only errors are to be shown."""
    return _is_silent


class Lines:
    """Progress lines on standard error, one every few seconds; `update` may be called at any rate."""

    def __init__(self, name: str, unit: str) -> None:
        self.name, self.unit = name, unit
        self._start = time.monotonic()
        self._next = self._start + LINE_SECONDS

    def update(self, done: int, total: int) -> None:
        """Report that `done` of `total` units are finished."""
        seconds = time.monotonic()
        if seconds < self._next or _is_silent:
            return
        self._next = seconds + LINE_SECONDS
        rate = done / max(seconds - self._start, 1e-9)
        left = f", {format_duration((total - done) / rate)} left" if rate > 0 else ""
        sys.stderr.write(f"{self.name}: {done}/{total} {self.unit}, {rate:.1f}/s{left}\n")
        sys.stderr.flush()


def format_duration(seconds: float) -> str:
    """Format seconds as h:mm:ss or m:ss."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _shows_bars() -> bool:
    return not _is_silent and sys.stderr.isatty()


def _bars() -> Progress:
    """Build the bars for the terminal of standard error; other output to this terminal appears above them."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f} {task.fields[unit]}", markup=False),
        TextColumn("{task.fields[rate]}", markup=False),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        refresh_per_second=TERMINAL_HZ,
        redirect_stdout=sys.stdout.isatty(),  # else rich would capture output meant for a pipe
    )


class _Bar:
    """One bar of several."""

    def __init__(self, bars: Progress, name: str, unit: str) -> None:
        self._bars = bars
        self._task = bars.add_task(name, total=0, unit=unit, rate="")
        self._start = time.monotonic()

    def update(self, done: int, total: int) -> None:
        seconds = time.monotonic() - self._start
        self._bars.update(self._task, completed=done, total=total, rate=f"{done / max(seconds, 1e-6):.1f}/s")

    def remove(self) -> None:
        self._bars.remove_task(self._task)


@contextmanager
def counted(unit: str, name: str = "done") -> Iterator[Update]:
    """Yield a function that takes (done, total) and shows the progress."""
    if not _shows_bars():
        yield Lines(name, unit).update
        return
    with _bars() as bars:
        yield _Bar(bars, name, unit).update


class VideoProgress:
    """Progress of several videos: a bar for all and one for the current video, or lines."""

    def __init__(self, num_videos: int) -> None:
        self._num_videos = num_videos
        self._indices: dict[Path, int] = {}  # from 1, in the order of the first starts
        self._bars = _bars() if _shows_bars() else None
        self._all: _Bar | None = None
        self._one: _Bar | None = None

    def start(self, video: Path) -> Update:
        """Begin a video, or begin it again; return the function that takes (frames read, frames expected)."""
        index = self._indices.setdefault(video, len(self._indices) + 1)
        if self._bars is None:
            return Lines(f"[{index}/{self._num_videos}] {printable(video.name)}", "frames").update
        if self._all is not None:
            self._all.update(len(self._indices) - 1, self._num_videos)
        if self._one is not None:
            self._one.remove()
        self._one = _Bar(self._bars, printable(video.name), "frames")
        return self._one.update

    def __enter__(self) -> VideoProgress:
        if self._bars is not None:
            self._bars.start()
            self._all = _Bar(self._bars, "all", "videos") if self._num_videos > 1 else None
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self._bars is not None:
            self._bars.stop()
