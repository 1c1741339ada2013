"""The command "compute", which prints the cost of a parse, network by network."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from actparse.commands.options import Commands, add_json_option, print_json
from actparse.core.errors import ConfigError


def add_commands(commands: Commands) -> None:
    """Register the command."""
    command = commands.add_parser(
        "compute",
        help="print the multiply-accumulates of every network for a video",
        description="Print the cost of the networks of a bundle, or of full size, for one input and for a whole video.",
        epilog="example: actparse compute --weights paper --seconds 10 --frame-size 340x256",
    )
    command.add_argument("--weights", default="tiny", metavar="NAME_OR_PATH", help="a bundle, or paper for full size")
    command.add_argument("--seconds", type=float, default=10.0, metavar="S", help="length of the video")
    command.add_argument("--frame-rate", type=float, default=30.0, metavar="HZ", help="frames per second of the video")
    command.add_argument("--frame-size", default="320x240", metavar="WxH", help="frame size of the video, pixels")
    command.add_argument("--persons", type=float, default=2.0, metavar="N", help="average number of persons in a frame")
    command.add_argument("--stride", type=int, default=5, metavar="N", help="detect persons in every Nth frame")
    level = (
        "what gets one set of states: a segment, or a sampled frame with one clip; default: as the weights were trained"
    )
    command.add_argument("--level", choices=["segment", "frame"], help=level)
    seconds = "approximate length of the equal segments; default: as the weights were trained, else 3"
    command.add_argument("--segment-seconds", type=float, metavar="S", help=seconds)
    add_json_option(command)
    command.set_defaults(run=_compute)


def _compute(args: argparse.Namespace) -> int:
    from actparse.inspection.compute import VideoShape, bundle_costs, costs_as_text, paper_costs
    from actparse.parser import ParserConfig
    from actparse.stages.loading import load_bundle

    defaults = ParserConfig() if args.weights == "paper" else ParserConfig.of(args.weights)
    video = VideoShape(
        seconds=args.seconds,
        frame_rate=args.frame_rate,
        size=_frame_size(args.frame_size),
        persons_per_frame=args.persons,
        stride=args.stride,
        segment_seconds=defaults.segment_seconds if args.segment_seconds is None else args.segment_seconds,
        level=args.level or defaults.level,
    )
    costs = paper_costs(video) if args.weights == "paper" else bundle_costs(load_bundle(args.weights), video)
    if args.json:
        print_json([asdict(cost) for cost in costs])
    else:
        print(costs_as_text(costs))
    return 0


def _frame_size(text: str) -> tuple[int, int]:
    """Parse "WIDTHxHEIGHT" to (height, width)."""
    width, separator, height = text.lower().partition("x")
    if not (separator and width.isdigit() and height.isdigit()):
        raise ConfigError(f"--frame-size needs WIDTHxHEIGHT in pixels, got {text!r}")
    return int(height), int(width)
