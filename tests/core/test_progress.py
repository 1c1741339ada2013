from __future__ import annotations

import io
import re
import sys

import pytest

from actparse.core import progress
from actparse.core.progress import ParallelProgress, silent


class Clock:
    """A clock that a test sets."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress.time, "monotonic", clock)
    return clock


def test_several_videos_are_one_line(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with ParallelProgress(10) as shown:
        shown.update(0, 0, 0.0, 0)
        for clock.seconds, num_done, num_frames in ((9, 1, 90), (20, 2, 200), (25, 2, 250), (60, 4, 1200)):
            shown.update(num_done, 0, 0.5, num_frames)
    assert capsys.readouterr().err.splitlines() == [
        "parse: 2/10 videos, 10.0 frames/s, 1:00 left",
        "parse: 4/10 videos, 27.1 frames/s, 1:13 left",  # since the last report that is 30 seconds old
    ]


def test_reused_videos_do_not_shorten_the_remaining_time(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with ParallelProgress(10) as shown:
        clock.seconds = 20
        shown.update(6, 5, 0.0, 100)
        clock.seconds = 40
        shown.update(5, 5, 0.0, 100)
    assert capsys.readouterr().err.splitlines() == [
        "parse: 6/10 videos, 5.0 frames/s, 1:20 left",
        "parse: 5/10 videos, 2.5 frames/s",
    ]


def test_nothing_is_shown_in_silence(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with silent(), ParallelProgress(10) as shown:
        clock.seconds = 60
        shown.update(1, 0, 0.0, 100)
    assert capsys.readouterr().err == ""


def test_a_terminal_shows_one_bar_below_other_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "xterm")
    with ParallelProgress(10) as shown:
        shown.update(3, 0, 0.5, 100)
        sys.stderr.write("actparse: a warning\n")
        shown.update(4, 0, 0.5, 200)
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.getvalue()).replace("\r", "\n").splitlines()
    assert "actparse: a warning" in [line.strip() for line in lines]
    bars = [line for line in lines if "videos" in line]
    assert bars
    assert all(re.fullmatch(r"all +\S+ [34]/10 videos +[\d.]+ frames/s +\d+:\d\d left *", line) for line in bars)
