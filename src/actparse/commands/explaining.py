"""The command "why"."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from actparse.commands.options import Commands, add_json_option, add_model_options, print_json

if TYPE_CHECKING:
    from actparse.core.structures import VideoParse


def add_commands(commands: Commands) -> None:
    """Register the command."""
    command = commands.add_parser(
        "why",
        help="print the evidence for and against a video's action",
        description="Print a sentence, and the states of body parts that weigh most, in log odds: above 0 for the "
        "action, below 0 against it. docs/why.md describes the weights.",
        epilog="example: actparse why parses/video/parse.json",
    )
    command.add_argument("source", type=Path, metavar="PARSE_OR_VIDEO", help="parse.json, its folder, or a video")
    command.add_argument("--top", type=int, default=8, metavar="N", help="number of reasons to print")
    add_model_options(command)
    add_json_option(command)
    command.set_defaults(run=_why)


def _why(args: argparse.Namespace) -> int:
    parse = _parse_of(args.source, args.weights, args.device)
    if args.json:
        fields = ("action", "verdict", "explanation", "reasons")
        print_json({name: value for name, value in asdict(parse).items() if name in fields})
        return 0
    print(parse.explanation or f"{parse.verdict_text}: the parse holds no reasons (docs/why.md explains when it does)")
    for reason in parse.reasons[: max(args.top, 0)]:
        who = "all" if reason.track_id is None else f"person {reason.track_id}"
        when = f"{reason.start_seconds:.1f}-{reason.end_seconds:.1f} s"
        print(f"{reason.weight:+7.2f}  {reason.part:11} {reason.state:12} {when:14} {who}")
    return 0


def _parse_of(source: Path, weights: str, device: str | None) -> VideoParse:
    """Load the parse of a file or a folder, or parse a video."""
    from actparse.data.parses import PARSE_FILE, load_parse
    from actparse.parser import Parser

    if source.is_dir():
        return load_parse(source / PARSE_FILE)
    if source.suffix.lower() == ".json":
        return load_parse(source)
    return Parser.load(weights, device=device).parse(source)
