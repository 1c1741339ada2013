"""The command "watch"."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from json import dumps
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from actparse.commands.options import Device, Weights

if TYPE_CHECKING:
    from actparse.app.watching import Moment

EXIT_LOST = 3
LINE_SECONDS = 1.0  # time between two lines


def watch(
    source: Annotated[str, Parameter(allow_leading_hyphen=True)],
    *,
    weights: Weights = "people",
    device: Device = None,
    stride: Annotated[int, Parameter(metavar="N")] = 5,
    memory: Annotated[float, Parameter(metavar="S")] = 10.0,
    seconds: Annotated[float | None, Parameter(metavar="S")] = None,
    reconnect: Annotated[int, Parameter(metavar="N")] = 5,
    out: Annotated[Path | None, Parameter(metavar="DIR")] = None,
    json: bool = False,
) -> int:
    """Parse a camera or stream live.

    Parse the newest frame of a live source continuously. If parsing cannot keep up, frames are dropped and counted, and
    the delay does not grow. States and action are computed from the persons' tracks.

    Exit codes: 0 ended by Ctrl-C, by --seconds, or with its file; 2 wrong source or option; 3 the source was lost.

    Args:
        source: a camera's number or /dev/video0, an address (rtsp://, http://, udp://, ...), - for standard input, a
            file
        stride: parse at most every Nth frame
        memory: how many seconds a frame counts for the action
        seconds: stop after S seconds; default: when the source ends
        reconnect: tries to open a lost camera or stream again; 0: none
        out: write frames.jsonl and overlay.mp4, or frames-2.jsonl and so on beside earlier ones
        json: print one line of JSON for each parsed frame

    Examples:
      actparse watch 0                               # the first camera; Ctrl-C ends
      actparse watch rtsp://camera.local/stream --json
      actparse watch udp://127.0.0.1:5000 --seconds 60 --out watched
      some-program | actparse watch -
    """
    from actparse.app.watching import watch_source
    from actparse.core.files import printable
    from actparse.core.progress import is_silent
    from actparse.parser import Parser, ParserConfig
    from actparse.video.live import SourceLostError

    def report(line: str) -> None:
        if not is_silent():
            print(f"actparse: {printable(line)}", file=sys.stderr, flush=True)

    config = replace(ParserConfig.of(weights), stride=stride)
    parser = Parser.load(weights, device=device, config=config)
    moments = watch_source(
        parser,
        source,
        seconds=seconds,
        out=out,
        memory_seconds=memory,
        reconnects=reconnect,
        report=report,
    )
    tally, code = _Tally(), 0
    try:
        for moment in moments:
            tally.add(moment)
            if json:
                print(dumps(moment.to_dict(), allow_nan=False), flush=True)
            elif tally.is_time_for_a_line:
                print(tally.line(), flush=True)
    except KeyboardInterrupt:
        pass  # the normal way to stop a camera
    except SourceLostError as error:
        print(f"actparse: {printable(error)}", file=sys.stderr)
        code = EXIT_LOST
    finally:
        moments.close()
    if not is_silent():
        print(tally.summary(source), file=sys.stderr if json else sys.stdout)
    return code


class _Tally:
    """Statistics on how parsing keeps up, since the last line and in total."""

    def __init__(self) -> None:
        self._line_time = time.monotonic()
        self._delays: list[float] = []  # seconds, since the last line
        self._total = (0, 0.0, 0.0)  # number of parsed frames, sum and maximum of their delays in seconds
        self._last: Moment | None = None

    def add(self, moment: Moment) -> None:
        count, total, greatest = self._total
        delay = moment.delay_seconds
        self._total = (count + 1, total + delay, max(greatest, delay))
        self._delays.append(delay)
        self._last = moment

    @property
    def is_time_for_a_line(self) -> bool:
        return time.monotonic() - self._line_time >= LINE_SECONDS

    def line(self) -> str:
        """Return a line on the current frame and on the time since the last line."""
        assert self._last is not None
        watched, line_time = self._last.watched, time.monotonic()
        rate, delays = len(self._delays) / (line_time - self._line_time), self._delays
        self._line_time, self._delays = line_time, []
        keeping_up = f"{rate:.1f} frames/s, delay {fmean(delays):.2f} s, {self._last.num_dropped} dropped"
        persons = f"{len(watched.parse.persons)} persons"
        return f"{watched.parse.time_seconds:8.1f} s  {watched.verdict_text:24} {persons}  {keeping_up}"

    def summary(self, source: str) -> str:
        count, total, greatest = self._total
        if self._last is None:
            return f"{source}: nothing was parsed"
        frames = f"{self._last.num_read} frames, {count} parsed, {self._last.num_dropped} dropped"
        return f"{source}: {frames}; delay {total / count:.2f} s on average, {greatest:.2f} s at most"
