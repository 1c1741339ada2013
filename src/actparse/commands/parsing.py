"""The commands "parse" and "demo"."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from json import dumps
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from actparse.commands.options import RARE, Device, Json, Level, Weights, exit_code, print_json, warn
from actparse.core.errors import ConfigError
from actparse.core.files import printable
from actparse.core.text_tables import format_table

if TYPE_CHECKING:
    from actparse.app.jobs import VideoOutcome
    from actparse.parser import Parser


def parse(
    videos: tuple[str | Path, ...] = (),
    *,
    out: Annotated[Path, Parameter(metavar="DIR")] = Path("out"),
    weights: Weights = "people",
    device: Device = None,
    time: Annotated[str | None, Parameter(metavar="START:END")] = None,
    frame_rate: Annotated[float | None, Parameter(metavar="F")] = None,
    stride: Annotated[int, Parameter(metavar="N")] = 5,
    no_tracks: bool = False,
    no_action_prior: Annotated[bool, RARE] = False,
    level: Level = None,
    segment_seconds: Annotated[float | None, RARE] = None,
    tiles: bool = False,
    no_overlay: bool = False,
    no_report: bool = False,
    force: bool = False,
    timings: bool = False,
    persons: Annotated[Path | None, Parameter(metavar="FILE")] = None,
    jobs: Annotated[int, Parameter(metavar="N")] = 1,
    time_limit: Annotated[float | None, Parameter(metavar="SECONDS")] = None,
    log: Annotated[Path | None, Parameter(metavar="FILE")] = None,
    summary: Annotated[Path | None, Parameter(metavar="FILE")] = None,
    json: Json = False,
) -> int:
    """Parse videos.

    Write OUT/<video's stem>/parse.json, segments.csv, overlay.mp4 and report.html for each video; a video of other
    content and the same stem goes to <stem>-2. A video is not parsed again if its content, the weights and the options
    are unchanged. --print-config also prints the rare options, which docs/command.md describes.

    Exit codes: 0 all parsed; 1 some failed; 2 all failed, or a wrong option; 130 interrupted.

    Args:
        videos: files, folders with everything below them, patterns such as "**/*.mp4", or img_%04d.png
        out: parent folder of the results
        time: seconds; either side may be empty; default: all
        frame_rate: frames a second of image sequences: folders of images, or names such as img_%04d.png
        stride: detect persons in every Nth frame
        no_tracks: as in the paper: all persons of a segment share their states
        no_action_prior: allow states that do not occur in the video's action
        segment_seconds: approximate length of the equal segments; default: as the weights were trained, else 3
        tiles: also detect small people, in overlapping quarters of frames with a side above 640 pixels
        no_overlay: write no overlay.mp4
        no_report: write no report.html
        force: parse again even if nothing has changed
        timings: print the seconds of each stage and their sum
        persons: persons of one video that replace those of the detector: COCO results or annotations, parse.json, CSV
        jobs: parse N videos at the same time
        time_limit: end a video that takes longer, retry it once, then let it fail; default: unlimited
        log: add a line for each video, with tracebacks of bugs
        summary: write JSON Lines, one object for each video as soon as it is done

    Examples:
      actparse parse lift.mp4 --out parses --time 2.5:8
      actparse parse videos "more/**/*.mov" --out parses --json > results.json
      actparse parse --config parse.yaml --stride 10
      actparse parse videos --jobs 4 --time-limit 600 --summary parse.jsonl
    """
    start = perf_counter()
    gc.disable()  # imports leave no garbage, and looking for it takes a tenth of their time
    from actparse.app.jobs import JobOptions
    from actparse.app.parsing import parse_sources
    from actparse.parser import Parser, ParserConfig
    from actparse.video.decode import parse_time_range

    gc.enable()
    if not videos:
        raise ConfigError("parse: needs at least one VIDEO, got none")
    if timings and (jobs != 1 or time_limit is not None):
        raise ConfigError("timings: needs --jobs 1 without --time-limit, because the stages of several videos overlap")
    changes: dict[str, Any] = {
        "level": level,
        "segment_seconds": segment_seconds,
        "condition_on_action": False if no_action_prior else None,
        "tiles": tiles or None,
    }
    changes = {name: value for name, value in changes.items() if value is not None}
    config = replace(ParserConfig.of(weights), stride=stride, use_tracks=not no_tracks, **changes)
    options = JobOptions(
        out=out,
        time_range=parse_time_range(time) if time else None,
        frame_rate=frame_rate,
        persons=persons,
        overlay=not no_overlay,
        page=not no_report,
        force=force,
    )
    batch = parse_sources(
        partial(_load_timed, start, partial(Parser.load, weights, device=device, config=config)),
        videos,
        options,
        jobs=jobs,
        time_limit=time_limit,
        log=log,
        summary=summary,
        report=partial(_print_outcome, json=json),
    )
    for failure in batch.failed_records:
        print(f"actparse: {failure}", file=sys.stderr)
    seconds = batch.timer.summary(perf_counter() - start)
    if json:
        results = [outcome.to_dict() for outcome in batch.outcomes]
        print_json({"results": results, **({"timings": seconds} if timings else {})})
    else:
        if len(batch.outcomes) > 1:
            _print_summary(batch.outcomes)
        if timings:
            print(dumps(seconds))
    return exit_code([outcome.error for outcome in batch.outcomes])


def _load_timed(start: float, load: Callable[[], Parser]) -> Parser:
    """Load the parser and count the seconds since `start`, with the import of the modules, as its stage "load"."""
    parser = load()
    parser.timer.seconds["load"] = perf_counter() - start
    return parser


def _print_outcome(outcome: VideoOutcome, *, json: bool) -> None:
    """Print one line after each video; errors and warnings go to standard error."""
    if outcome.error is not None:
        print(f"actparse: {printable(outcome.error)}", file=sys.stderr, flush=True)
        return
    for warning in outcome.warnings:
        warn(printable(warning))
    if not json:
        again = " (parsed before; --force parses again)" if outcome.was_there else ""
        print(printable(f"{outcome.video}: {outcome.verdict_text} -> {outcome.folder}{again}"), flush=True)


def _print_summary(outcomes: Sequence[VideoOutcome]) -> None:
    table = [("video", "action", "persons", "seconds")]
    for outcome in outcomes:
        action, persons = (outcome.verdict_text, str(outcome.num_persons)) if outcome.error is None else ("failed", "")
        table.append((printable(outcome.video), action, persons, f"{outcome.seconds:.1f}"))
    print()
    print(format_table(table, num_text_columns=2))
    num_failed = sum(outcome.error is not None for outcome in outcomes)
    num_reused = sum(outcome.was_there for outcome in outcomes)
    print(f"{len(outcomes) - num_failed} of {len(outcomes)} parsed, {num_reused} of them before; {num_failed} failed")


def demo(
    *,
    out: Annotated[Path, Parameter(metavar="DIR")] = Path("out/demo"),
    weights: Weights = "tiny",
    device: Device = None,
    json: Json = False,
) -> int:
    """Render a clip, parse it offline, and score the result.

    Try actparse without any data.

    Args:
        out: folder for the files

    Examples:
      actparse demo --out out/demo
    """
    from actparse.app.demo import run_demo
    from actparse.data.parses import PARSE_FILE

    result = run_demo(out, weights=weights, device=device)
    parse = result.parse
    correct = result.score.part_state_correctness[result.name]
    if json:
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
