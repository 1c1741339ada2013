"""Progress of long operations: bars on a terminal, else plain lines; both with a rate and the remaining time."""

from __future__ import annotations

import sys
import time
from collections import deque
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
RATE_SECONDS = 30.0  # over which the rate of several processes is measured
Update = Callable[[int, int], None]  # units done, units in total
Report = Callable[[str], None]  # takes one line of progress

_is_silent = False  # for the whole process, like standard error


def discard_line(line: str) -> None:
    """Discard a line of progress."""


def print_to_stderr(line: str) -> None:
    """Print a line of progress on standard error, apart from the command's output."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


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
        _write_line(f"{self.name}: {done}/{total} {self.unit}, {rate:.1f}/s", (total - done) / rate if rate else None)


def _write_line(text: str, seconds_left: float | None) -> None:
    left = "" if seconds_left is None else f", {format_duration(seconds_left)} left"
    sys.stderr.write(f"{text}{left}\n")  # in one piece, so that other lines come before or after it
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
    from rich.progress import BarColumn, Progress, TextColumn

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[count]}", markup=False),
        TextColumn("{task.fields[rate]}", markup=False),
        TextColumn("{task.fields[left]}", markup=False),
        console=Console(stderr=True),
        transient=True,
        refresh_per_second=TERMINAL_HZ,
        redirect_stdout=sys.stdout.isatty(),  # else rich would capture output meant for a pipe
    )


class _Bar:
    """One bar of several."""

    def __init__(self, bars: Progress, name: str, unit: str) -> None:
        self._bars = bars
        self._unit = unit
        self._task = bars.add_task(name, total=0, count="", rate="", left="")
        self._start = time.monotonic()

    def update(self, done: int, total: int) -> None:
        rate = done / max(time.monotonic() - self._start, 1e-6)
        self.show(f"{done}/{total} {self._unit}", f"{rate:.1f}/s", done, total, (total - done) / rate if rate else None)

    def show(self, count: str, rate: str, done: float, total: int, seconds_left: float | None) -> None:
        left = "" if seconds_left is None else f"{format_duration(seconds_left)} left"
        self._bars.update(self._task, completed=done, total=total, count=count, rate=rate, left=left)

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


class ParallelProgress:
    """Progress of videos that several processes parse: one line or bar, with frames a second and remaining time."""

    def __init__(self, num_videos: int) -> None:
        self._num_videos = num_videos
        self._start = time.monotonic()
        self._next_line = self._start + LINE_SECONDS
        self._samples = deque([(self._start, 0)])  # times and frames read, of the last RATE_SECONDS
        self._bars = _bars() if _shows_bars() else None
        self._bar: _Bar | None = None

    def update(self, num_done: int, num_reused: int, running: float, num_frames: int) -> None:
        """Report the state of all processes; it may be called at any rate.

        Args:
            num_done: finished videos.
            num_reused: those of them that took no work, which say nothing about the remaining time.
            running: sum of the shares that are done of the other videos, 0..1 for each of them.
            num_frames: frames that all processes have read since the start.
        """
        seconds = time.monotonic()
        self._samples.append((seconds, num_frames))
        while seconds - self._samples[1][0] > RATE_SECONDS:
            self._samples.popleft()
        if self._bar is None and (_is_silent or seconds < self._next_line):
            return
        start, frames_before = self._samples[0]
        rate = f"{(num_frames - frames_before) / max(seconds - start, 1e-9):.1f} frames/s"
        work = num_done - num_reused + running
        left = (self._num_videos - num_done - running) * (seconds - self._start) / work if work else None
        count = f"{num_done}/{self._num_videos} videos"
        if self._bar is not None:
            self._bar.show(count, rate, num_done + running, self._num_videos, left)
            return
        self._next_line = seconds + LINE_SECONDS
        _write_line(f"parse: {count}, {rate}", left)

    def __enter__(self) -> ParallelProgress:
        if self._bars is not None:
            self._bars.start()
            self._bar = _Bar(self._bars, "all", "videos")
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self._bars is not None:
            self._bars.stop()
