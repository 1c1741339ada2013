"""The commands "report" and "why"."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from actparse.commands.options import Device, Json, Split, Weights, exit_code, print_json, warn


def report(
    parses: Path,
    *,
    videos: Annotated[Path | None, Parameter(metavar="DIR_OR_FILE")] = None,
    embed: bool = False,
    truth: Annotated[Path | None, Parameter(metavar="DIR")] = None,
    split: Split = None,
    json: Json = False,
) -> int:
    """Write a page for each parse: video, timelines, action, tables.

    Write report.html next to each parse.json. It opens from disk without a network connection; the video that it plays
    is next to it as video.mp4, or embedded.

    Args:
        parses: a folder of parses, or a parse.json
        videos: the parsed videos, for parses without video.mp4
        embed: embed the video, so that the page is a single file
        truth: a dataset's root, or a folder with gt_*.json: mark the mistakes

    Examples:
      actparse report parses --embed
    """
    from actparse.report.folders import write_reports

    outcomes = []
    for outcome in write_reports(parses, videos=videos, truth=truth, split=split, embed=embed):
        outcomes.append(outcome)
        if outcome.error is not None:
            print(f"actparse: {outcome.error}", file=sys.stderr)
            continue
        if not outcome.has_video:
            warn(f"{outcome.page}: without a video; --videos says where it is")
        if not json:
            print(outcome.page, flush=True)
    if json:
        print_json({"results": [outcome.to_dict() for outcome in outcomes]})
    return exit_code([outcome.error for outcome in outcomes])


def why(
    source: Path,
    *,
    top: Annotated[int, Parameter(metavar="N")] = 8,
    weights: Weights = "people",
    device: Device = None,
    json: Json = False,
) -> int:
    """Print the evidence for and against a video's action.

    Print a sentence, and the states of body parts that weigh most, in log odds: above 0 for the action, below 0 against
    it. docs/why.md describes the weights.

    Args:
        source: parse.json, its folder, or a video
        top: number of reasons to print

    Examples:
      actparse why parses/video/parse.json
    """
    from actparse.data.parses import PARSE_FILE, load_parse
    from actparse.parser import Parser

    if source.is_dir() or source.suffix.lower() == ".json":
        parse = load_parse(source / PARSE_FILE if source.is_dir() else source)
    else:
        parse = Parser.load(weights, device=device).parse(source)
    if json:
        fields = ("action", "verdict", "explanation", "reasons")
        print_json({name: value for name, value in asdict(parse).items() if name in fields})
        return 0
    print(parse.explanation or f"{parse.verdict_text}: the parse holds no reasons (docs/why.md explains when it does)")
    for reason in parse.reasons[: max(top, 0)]:
        who = "all" if reason.track_id is None else f"person {reason.track_id}"
        when = f"{reason.start_seconds:.1f}-{reason.end_seconds:.1f} s"
        print(f"{reason.weight:+7.2f}  {reason.part:11} {reason.state:12} {when:14} {who}")
    return 0
