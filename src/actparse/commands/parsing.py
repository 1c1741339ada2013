"""Commands "parse", "demo" and "doctor"."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from actparse.commands.options import EXIT_SOME_FAILED, EXIT_USER_ERROR, Commands, add_model_options


def add_commands(commands: Commands) -> None:
    """Make them known."""
    _add_parse(commands)
    _add_demo(commands)
    _add_doctor(commands)


def _add_parse(commands: Commands) -> None:
    command = commands.add_parser(
        "parse",
        help="parse videos",
        description="Write OUT/<video's stem>/parse.json and overlay.mp4 for each video.",
        epilog="example: actparse parse lift.mp4 --out parses --time 2.5:8",
    )
    command.add_argument("videos", nargs="+", type=Path, metavar="VIDEO")
    command.add_argument("--out", type=Path, default=Path("out"), metavar="DIR")
    add_model_options(command)
    command.add_argument("--time", metavar="START:END", help="seconds; either side may be empty")
    command.add_argument("--stride", type=int, default=5, metavar="N", help="look for persons every N frames")
    command.add_argument(
        "--no-tracks", action="store_true", help="the paper alone: all persons of a segment share their states"
    )
    command.add_argument("--no-overlay", action="store_true", help="write parse.json alone")
    command.add_argument("--timings", action="store_true", help="print the seconds that each stage took")
    command.set_defaults(run=_parse)


def _parse(args: argparse.Namespace) -> int:
    from actparse.outputs import parse_videos
    from actparse.parser import Parser, ParserConfig
    from actparse.progress import VideoProgress
    from actparse.video.decode import parse_time_range

    time_range = parse_time_range(args.time) if args.time else None
    config = ParserConfig(stride=args.stride, use_tracks=not args.no_tracks)
    parser = Parser.load(args.weights, device=args.device, config=config)
    with VideoProgress(len(args.videos)) as progress:
        outcomes = parse_videos(
            parser, args.videos, args.out, time_range=time_range, overlay=not args.no_overlay, progress=progress.start
        )
    for outcome in outcomes:
        if outcome.parse is not None:
            score = outcome.parse.action_scores[outcome.parse.action]
            print(f"{outcome.video}: {outcome.parse.action} ({score:.0%}) -> {outcome.folder}")
            for warning in outcome.parse.warnings:
                print(f"actparse: warning: {warning}", file=sys.stderr)
        else:
            print(f"actparse: {outcome.error}", file=sys.stderr)
    if args.timings:
        print(json.dumps({name: round(seconds, 3) for name, seconds in parser.timer.seconds.items()}))
    num_failed = sum(outcome.parse is None for outcome in outcomes)
    if num_failed == 0:
        return 0
    return EXIT_USER_ERROR if num_failed == len(outcomes) else EXIT_SOME_FAILED


def _add_demo(commands: Commands) -> None:
    command = commands.add_parser("demo", help="make a clip, parse it offline, and score it against its truth")
    command.add_argument("--out", type=Path, default=Path("out/demo"), metavar="DIR")
    add_model_options(command)
    command.set_defaults(run=_demo)


def _demo(args: argparse.Namespace) -> int:
    from actparse.demo import run_demo

    result = run_demo(args.out, weights=args.weights, device=args.device)
    print(f"clip     {result.video} (true action: {result.true_action})")
    print(f"action   {result.parse.action} ({result.parse.action_scores[result.parse.action]:.0%})")
    correct = result.score.part_state_correctness[result.name]
    print(f"parts    {correct:.1%} of the body parts have the right box and the right state")
    print(f"overlay  {result.overlay}")
    print(f"parse    {result.overlay.with_name('parse.json')}")
    return 0


def _add_doctor(commands: Commands) -> None:
    command = commands.add_parser("doctor", help="versions, devices, codecs, where weights and caches lie")
    command.set_defaults(run=lambda args: _doctor())


def _doctor() -> int:
    from actparse.doctor import examine

    for finding in examine():
        print(f"{finding.topic:32}{finding.text}")
        if finding.fix:
            print(f"{'':32}fix: {finding.fix}")
    return 0
