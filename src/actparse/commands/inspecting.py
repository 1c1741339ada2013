"""The commands "doctor", "models" and "compute", which describe what is installed and what it costs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from actparse.commands.options import Json, Level, print_json
from actparse.core.errors import ConfigError


def doctor(*, json: Json = False) -> int:
    """Print versions, devices, codecs, and the folders of weights and caches.

    Describe this installation, and how to add what is missing.

    Examples:
      actparse doctor
    """
    from actparse.inspection.doctor import examine

    findings = examine()
    if json:
        print_json([asdict(finding) for finding in findings])
        return 0
    for finding in findings:
        print(f"{finding.topic:32}{finding.text}")
        if finding.fix:
            print(f"{'':32}fix: {finding.fix}")
    return 0


def models(folders: tuple[Path, ...] = (), *, json: Json = False) -> int:
    """Describe the bundles of weights: size, labels, training data, metrics.

    Describe each bundle of weights from its files and its model card. `actparse weights list` shows the public
    checkpoints for training.

    Args:
        folders: custom bundles to describe too

    Examples:
      actparse models
      actparse models runs/tiny/bundle --json
    """
    from actparse.inspection.models import find_models

    bundles = find_models(folders)
    if json:
        print_json([bundle.to_dict() for bundle in bundles])
    else:
        print("\n\n".join(bundle.to_text() for bundle in bundles))
    return 0


def compute(
    *,
    weights: Annotated[str, Parameter(metavar="NAME_OR_PATH")] = "tiny",
    seconds: Annotated[float, Parameter(metavar="S")] = 10.0,
    frame_rate: Annotated[float, Parameter(metavar="HZ")] = 30.0,
    frame_size: Annotated[str, Parameter(metavar="WxH")] = "320x240",
    persons: Annotated[float, Parameter(metavar="N")] = 2.0,
    stride: Annotated[int, Parameter(metavar="N")] = 5,
    level: Annotated[Level, Parameter(show=True)] = None,
    segment_seconds: Annotated[float | None, Parameter(metavar="S")] = None,
    json: Json = False,
) -> int:
    """Print the multiply-accumulates of every network for a video.

    Print the cost of the networks of a bundle, or of full size, for one input and for a whole video.

    Args:
        weights: a bundle, or paper for full size
        seconds: length of the video
        frame_rate: frames per second of the video
        frame_size: frame size of the video, pixels
        persons: average number of persons in a frame
        stride: detect persons in every Nth frame
        segment_seconds: approximate length of the equal segments; default: as the weights were trained, else 3

    Examples:
      actparse compute --weights paper --seconds 10 --frame-size 340x256
    """
    from actparse.inspection.compute import (
        TABLE_3_CROP,
        VideoShape,
        all_states_macs,
        bundle_costs,
        costs_as_text,
        paper_costs,
    )
    from actparse.parser import ParserConfig
    from actparse.stages.loading import load_bundle

    width, separator, height = frame_size.lower().partition("x")
    if not (separator and width.isdigit() and height.isdigit()):
        raise ConfigError(f"--frame-size needs WIDTHxHEIGHT in pixels, got {frame_size!r}")
    defaults = ParserConfig() if weights == "paper" else ParserConfig.of(weights)
    video = VideoShape(
        seconds=seconds,
        frame_rate=frame_rate,
        size=(int(height), int(width)),
        persons_per_frame=persons,
        stride=stride,
        segment_seconds=defaults.segment_seconds if segment_seconds is None else segment_seconds,
        level=level or defaults.level,
    )
    costs = paper_costs(video) if weights == "paper" else bundle_costs(load_bundle(weights), video)
    if json:
        print_json([asdict(cost) for cost in costs])
    else:
        print(costs_as_text(costs))
        if weights == "paper":
            in_crops = all_states_macs(paper_costs(video, crop=TABLE_3_CROP)) / 1e12
            side = f"{TABLE_3_CROP}x{TABLE_3_CROP}"
            print(f"all states in crops of {side}, as the paper's Table III seems to count: {in_crops:.4f} T MAC")
    return 0
