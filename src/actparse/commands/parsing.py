"""The commands "parse", "demo" and "doctor"."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from actparse.commands.options import (
    Commands,
    add_config_options,
    add_json_option,
    add_model_options,
    exit_code,
    print_json,
)
from actparse.core.errors import ConfigError
from actparse.core.files import printable

if TYPE_CHECKING:
    from actparse.app.jobs import VideoOutcome

PARSE_EPILOG = """\
examples:
  actparse parse lift.mp4 --out parses --time 2.5:8
  actparse parse videos "more/**/*.mov" --out parses --json > results.json
  actparse parse --config parse.yaml --stride 10
  actparse parse videos --jobs 4 --time-limit 600 --log parse.log --summary parse.jsonl
exit codes: 0 all parsed; 1 some failed; 2 all failed, or a wrong option; 130 interrupted"""


def add_commands(commands: Commands) -> None:
    """Register the commands."""
    _add_parse(commands)
    _add_demo(commands)
    _add_doctor(commands)


def _add_parse(commands: Commands) -> None:
    command = commands.add_parser(
        "parse",
        help="parse videos",
        description="Write OUT/<video's stem>/parse.json, segments.csv, overlay.mp4 and report.html for each video; "
        "a video of other content and the same stem goes to <stem>-2. A video is not parsed again if its content, the "
        "weights and the options are unchanged.",
        epilog=PARSE_EPILOG,
    )
    command.add_argument(
        "videos",
        nargs="*",
        metavar="VIDEO",
        help='files, folders with everything below them, patterns such as "**/*.mp4", or img_%%04d.png',
    )
    command.add_argument("--out", type=Path, default=Path("out"), metavar="DIR", help="parent folder of the results")
    add_model_options(command)
    command.add_argument("--time", metavar="START:END", help="seconds; either side may be empty; default: all")
    rate = "frames a second of image sequences: folders of images, or names such as img_%%04d.png"
    command.add_argument("--frame-rate", type=float, metavar="F", help=rate)
    command.add_argument("--stride", type=int, default=5, metavar="N", help="detect persons in every Nth frame")
    command.add_argument(
        "--no-tracks", action="store_true", help="as in the paper: all persons of a segment share their states"
    )
    command.add_argument(
        "--no-action-prior", action="store_true", help="allow states that do not occur in the video's action"
    )
    level = (
        "what gets one set of states: a segment, or a sampled frame with one clip; default: as the weights were trained"
    )
    command.add_argument("--level", choices=["segment", "frame"], help=level)
    seconds = "approximate length of the equal segments; default: as the weights were trained, else 3"
    command.add_argument("--segment-seconds", type=float, metavar="S", help=seconds)
    tiles = "also detect small people, in overlapping quarters of frames with a side above 640 pixels"
    command.add_argument("--tiles", action="store_true", help=tiles)
    command.add_argument("--no-overlay", action="store_true", help="write no overlay.mp4")
    command.add_argument("--no-report", action="store_true", help="write no report.html")
    command.add_argument("--force", action="store_true", help="parse again even if nothing has changed")
    command.add_argument("--timings", action="store_true", help="print the seconds of each stage and their sum")
    command.add_argument("--jobs", type=int, default=1, metavar="N", help="parse N videos at the same time")
    limit = "end a video that takes longer, retry it once, then let it fail; default: unlimited"
    command.add_argument("--time-limit", type=float, metavar="SECONDS", help=limit)
    command.add_argument("--log", type=Path, metavar="FILE", help="add a line for each video, with tracebacks of bugs")
    summary = "write JSON Lines, one object for each video as soon as it is done"
    command.add_argument("--summary", type=Path, metavar="FILE", help=summary)
    add_json_option(command, "one JSON document of all results, including failures,")
    add_config_options(command)
    command.set_defaults(run=_parse)


def _parse(args: argparse.Namespace) -> int:
    start = time.perf_counter()
    from actparse.app.batch import find_inputs, parse_videos
    from actparse.app.jobs import JobOptions
    from actparse.app.records import BatchRecords
    from actparse.app.workers import parse_in_processes
    from actparse.core.progress import VideoProgress
    from actparse.parser import Parser, ParserConfig
    from actparse.stages.timing import StageTimer
    from actparse.video.decode import parse_time_range

    if not args.videos:
        raise ConfigError("parse: needs at least one VIDEO, got none")
    uses_workers = args.jobs != 1 or args.time_limit is not None
    if uses_workers and args.timings:
        raise ConfigError("timings: needs --jobs 1 without --time-limit, because the stages of several videos overlap")
    time_range = parse_time_range(args.time) if args.time else None
    overrides = {name: getattr(args, name) for name in ("level", "segment_seconds") if getattr(args, name) is not None}
    if args.no_action_prior:
        overrides["condition_on_action"] = False
    if args.tiles:
        overrides["tiles"] = True
    config = replace(ParserConfig.of(args.weights), stride=args.stride, use_tracks=not args.no_tracks, **overrides)
    options = JobOptions(
        out=args.out,
        time_range=time_range,
        frame_rate=args.frame_rate,
        overlay=not args.no_overlay,
        page=not args.no_report,
        force=args.force,
    )
    load = partial(Parser.load, args.weights, device=args.device, config=config)
    videos, outcomes = find_inputs(args.videos, frame_rate=args.frame_rate)
    timer = StageTimer()
    with BatchRecords(videos, log=args.log, summary=args.summary) as records:

        def report(outcome: VideoOutcome) -> None:
            records.add(outcome)
            _print_outcome(outcome, args)

        for outcome in outcomes:
            report(outcome)
        if videos and uses_workers:
            outcomes += parse_in_processes(
                load, videos, options, jobs=args.jobs, time_limit=args.time_limit, report=report
            )
        elif videos:
            parser = load()
            timer = parser.timer
            timer.seconds["load"] = time.perf_counter() - start  # import of the modules and loading of the weights
            with VideoProgress(len(videos)) as progress:
                outcomes += parse_videos(parser, videos, options, progress=progress.start, report=report)
    for failure in records.failures.values():
        print(f"actparse: {failure}", file=sys.stderr)
    timings = timer.summary(time.perf_counter() - start)
    if args.json:
        results = [outcome.to_dict() for outcome in outcomes]
        print_json({"results": results, **({"timings": timings} if args.timings else {})})
    else:
        if len(outcomes) > 1:
            _print_table(outcomes)
        if args.timings:
            print(json.dumps(timings))
    return exit_code([outcome.error for outcome in outcomes])


def _print_outcome(outcome: VideoOutcome, args: argparse.Namespace) -> None:
    """Print one line after each video; errors and warnings go to standard error."""
    if outcome.error is not None:
        print(f"actparse: {printable(outcome.error)}", file=sys.stderr, flush=True)
        return
    if not args.quiet:
        for warning in outcome.warnings:
            print(f"actparse: warning: {printable(warning)}", file=sys.stderr, flush=True)
    if not args.json:
        again = " (parsed before; --force parses again)" if outcome.was_there else ""
        print(printable(f"{outcome.video}: {outcome.verdict_text} -> {outcome.folder}{again}"), flush=True)


def _print_table(outcomes: Sequence[VideoOutcome]) -> None:
    rows = [("video", "action", "persons", "seconds"), *map(_row, outcomes)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    print()
    for row in rows:
        texts, counts = zip(row[:2], widths[:2], strict=True), zip(row[2:], widths[2:], strict=True)
        print("  ".join([text.ljust(width) for text, width in texts] + [text.rjust(width) for text, width in counts]))
    num_failed = sum(outcome.error is not None for outcome in outcomes)
    num_reused = sum(outcome.was_there for outcome in outcomes)
    print(f"{len(outcomes) - num_failed} of {len(outcomes)} parsed, {num_reused} of them before; {num_failed} failed")


def _row(outcome: VideoOutcome) -> tuple[str, str, str, str]:
    if outcome.error is not None:
        return printable(outcome.video), "failed", "", f"{outcome.seconds:.1f}"
    return printable(outcome.video), outcome.verdict_text, str(outcome.num_persons), f"{outcome.seconds:.1f}"


def _add_demo(commands: Commands) -> None:
    command = commands.add_parser(
        "demo",
        help="render a clip, parse it offline, and score the result",
        description="Try actparse without any data.",
        epilog="example: actparse demo --out out/demo",
    )
    command.add_argument("--out", type=Path, default=Path("out/demo"), metavar="DIR", help="folder for the files")
    add_model_options(command, default="tiny")
    add_json_option(command)
    command.set_defaults(run=_demo)


def _demo(args: argparse.Namespace) -> int:
    from actparse.app.demo import run_demo
    from actparse.data.parses import PARSE_FILE

    result = run_demo(args.out, weights=args.weights, device=args.device)
    parse = result.parse
    correct = result.score.part_state_correctness[result.name]
    if args.json:
        summary = {"action": parse.action, "verdict": parse.verdict, "score": parse.action_scores[parse.action]}
        metrics = {**summary, "part_state_correctness": correct}
        paths = {"video": result.video, "report": result.report, "overlay": result.overlay}
        paths["parse"] = result.overlay.with_name(PARSE_FILE)
        files = {name: str(path) for name, path in paths.items()}
        print_json({**files, "true_action": result.true_action, **metrics})
        return 0
    print(f"clip     {result.video} (true action: {result.true_action})")
    print(f"action   {parse.verdict_text}")
    print(f"parts    {correct:.1%} of the body parts have the right box and the right state")
    print(f"report   {result.report}")
    print(f"overlay  {result.overlay}")
    print(f"parse    {result.overlay.with_name(PARSE_FILE)}")
    return 0


def _add_doctor(commands: Commands) -> None:
    command = commands.add_parser(
        "doctor",
        help="print versions, devices, codecs, and the folders of weights and caches",
        description="Describe this installation, and how to add what is missing.",
        epilog="example: actparse doctor",
    )
    add_json_option(command)
    command.set_defaults(run=_doctor)


def _doctor(args: argparse.Namespace) -> int:
    from actparse.inspection.doctor import examine

    findings = examine()
    if args.json:
        print_json([asdict(finding) for finding in findings])
        return 0
    for finding in findings:
        print(f"{finding.topic:32}{finding.text}")
        if finding.fix:
            print(f"{'':32}fix: {finding.fix}")
    return 0
