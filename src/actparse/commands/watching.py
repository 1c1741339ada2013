"""The command "watch"."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from actparse.commands.options import Commands, add_model_options

if TYPE_CHECKING:
    from actparse.app.watching import Moment

EXIT_LOST = 3
LINE_SECONDS = 1.0  # time between two lines
EPILOG = """\
examples:
  actparse watch 0                                    # the first camera; Ctrl-C ends
  actparse watch rtsp://camera.local/stream --json
  actparse watch udp://127.0.0.1:5000 --seconds 60 --out watched
  some-program | actparse watch -
exit codes: 0 ended by Ctrl-C, by --seconds, or with its file; 2 wrong source or option; 3 the source was lost"""


def add_commands(commands: Commands) -> None:
    """Register the command."""
    command = commands.add_parser(
        "watch",
        help="parse a camera or stream live",
        description="Parse the newest frame of a live source continuously. If parsing cannot keep up, frames are "
        "dropped and counted, and the delay does not grow. States and action are computed from the persons' tracks.",
        epilog=EPILOG,
    )
    source = (
        "a camera's number or /dev/video0, an address (rtsp://, http://, udp://, ...), - for standard input, a file"
    )
    command.add_argument("source", metavar="SOURCE", help=source)
    add_model_options(command)
    command.add_argument("--stride", type=int, default=5, metavar="N", help="parse at most every Nth frame")
    command.add_argument(
        "--memory", type=float, default=10.0, metavar="S", help="how many seconds a frame counts for the action"
    )
    command.add_argument(
        "--seconds", type=float, metavar="S", help="stop after S seconds; default: when the source ends"
    )
    command.add_argument(
        "--reconnect", type=int, default=5, metavar="N", help="tries to open a lost camera or stream again; 0: none"
    )
    out = "write frames.jsonl and overlay.mp4, or frames-2.jsonl and so on beside earlier ones"
    command.add_argument("--out", type=Path, metavar="DIR", help=out)
    command.add_argument("--json", action="store_true", help="print one line of JSON for each parsed frame")
    command.set_defaults(run=_watch)


def _watch(args: argparse.Namespace) -> int:
    from actparse.app.watching import watch_source
    from actparse.core.files import printable
    from actparse.parser import Parser, ParserConfig
    from actparse.video.live import SourceLostError

    def report(line: str) -> None:
        if not args.quiet:
            print(f"actparse: {printable(line)}", file=sys.stderr, flush=True)

    config = replace(ParserConfig.of(args.weights), stride=args.stride)
    parser = Parser.load(args.weights, device=args.device, config=config)
    moments = watch_source(
        parser,
        args.source,
        seconds=args.seconds,
        out=args.out,
        memory_seconds=args.memory,
        reconnects=args.reconnect,
        report=report,
    )
    tally, code = _Tally(), 0
    try:
        for moment in moments:
            tally.add(moment)
            if args.json:
                print(json.dumps(moment.to_dict(), allow_nan=False), flush=True)
            elif tally.is_time_for_a_line:
                print(tally.line(), flush=True)
    except KeyboardInterrupt:
        pass  # the normal way to stop a camera
    except SourceLostError as error:
        print(f"actparse: {printable(error)}", file=sys.stderr)
        code = EXIT_LOST
    finally:
        moments.close()
    if not args.quiet:
        print(tally.summary(args.source), file=sys.stderr if args.json else sys.stdout)
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
        keeping_up = f"{rate:.1f} frames/s, delay {_mean(delays):.2f} s, {self._last.num_dropped} dropped"
        persons = f"{len(watched.parse.persons)} persons"
        return f"{watched.parse.time_seconds:8.1f} s  {watched.verdict_text:24} {persons}  {keeping_up}"

    def summary(self, source: str) -> str:
        count, total, greatest = self._total
        if self._last is None:
            return f"{source}: nothing was parsed"
        frames = f"{self._last.num_read} frames, {count} parsed, {self._last.num_dropped} dropped"
        return f"{source}: {frames}; delay {total / count:.2f} s on average, {greatest:.2f} s at most"


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
