"""Optical flow of a dataset in 8-bit image files: their names, what is in them, and one video's written whole.

    <folder>/flow.json                   how all of them were computed and coded
    <folder>/<video>/flow_x_00001.jpg    the first field, from the first frame to the second; flow_y_00001.jpg beside it
    <folder>/<video>/source.json         which file it was made from: its bytes, and how many fields it gave

A video's folder gets its name when it is whole. Source of the names, the coding and JPEG: denseflow.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np

from actparse.core.errors import ConfigError, DataError, OutputError, VideoError
from actparse.core.files import write_text
from actparse.video.decode import read_frames
from actparse.video.flow import BOUND, Coding, Flow, TvL1, TvL1Config, flow_to_bytes, to_small_grey

FORMAT = 1  # of the folder
FLOW_FOLDER = "flow"  # below the dataset, where no other is named
SETTINGS_FILE, SOURCE_FILE = "flow.json", "source.json"
SUFFIXES = (".jpg", ".png")
SHORT_SIDE = 256  # pixels; what the recipes bring frames to before they crop
JPEG_QUALITY = 95  # OpenCV's default, which denseflow leaves as it is


@dataclass(frozen=True, kw_only=True)
class FlowFormat:
    """How flow is computed and coded; the defaults are those of the public flow data, at the recipes' short side."""

    tvl1: TvL1Config = field(default_factory=lambda: TvL1Config(short_side=SHORT_SIDE))
    coding: Coding = "rounded"
    bound: float = BOUND  # pixels
    suffix: Literal[".jpg", ".png"] = ".jpg"  # JPEG as published; PNG keeps every level, and is larger

    def __post_init__(self) -> None:
        if self.suffix not in SUFFIXES:
            raise ConfigError(f"flow.suffix must be one of {', '.join(SUFFIXES)}, got {self.suffix!r}")

    def encoded(self, flow: Flow) -> dict[str, bytes]:
        """The image files of a field (H, W, 2), by axis."""
        coded = flow_to_bytes(flow, coding=self.coding, bound=self.bound)  # (H, W, 2)
        options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY] if self.suffix == ".jpg" else []
        return {
            axis: cv2.imencode(self.suffix, np.ascontiguousarray(coded[..., n]), options)[1].tobytes()
            for n, axis in enumerate("xy")
        }

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        rest = {name: value for name, value in asdict(self).items() if name != "tvl1"}
        return {"format": FORMAT, **rest, **asdict(self.tvl1)}


@dataclass(frozen=True)
class WrittenFlow:
    """What became of one video: `error` says in one line why it has no flow; `warnings` what did not decode."""

    num_fields: int = 0
    error: str | None = None
    warnings: tuple[str, ...] = ()


def field_stem(number: int, axis: str) -> str:
    """The name, without its suffix, of a field's file; `number` counts from 0, `axis` is "x" or "y"."""
    return f"flow_{axis}_{number + 1:05d}"


def num_fields(num_frames: int) -> int:
    """Fields of a video: one less than frames; a single frame has one, without motion."""
    return max(1, num_frames - 1)


def expect_format(folder: Path, flow_format: FlowFormat) -> None:
    """Check that a folder's flow, if it has some, was made as asked.

    Raises:
        DataError: it was made otherwise, or its settings cannot be read.
    """
    path = folder / SETTINGS_FILE
    try:
        before = dict(json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, NotADirectoryError):
        return
    except (OSError, ValueError, TypeError, RecursionError):
        raise DataError(f"{path}: needs the settings of the flow beside it, got a file that cannot be read") from None
    for name, value in flow_format.to_dict().items():
        if before.get(name) != value:
            raise DataError(f"{path}: the flow there has {name} {before.get(name)}, got {value}: another folder?")


def has_flow(folder: Path, video: Path) -> bool:
    """Whether a video's folder holds all its flow; a folder of other programs, without a source, is taken as it is."""
    if not folder.is_dir():
        return False
    try:
        source = json.loads((folder / SOURCE_FILE).read_text(encoding="utf-8"))
        is_whole = sum(1 for _ in folder.iterdir()) > 2 * int(source["fields"])  # x and y, and the source
        return bool(source["bytes"] == video.stat().st_size) and is_whole
    except FileNotFoundError:
        return not (folder / SOURCE_FILE).exists()
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return False


def write_video_flow(video: Path, folder: Path, work: Path, flow_format: FlowFormat) -> WrittenFlow:
    """Compute a video's flow in `work` and put it at `folder` when it is whole.

    Args:
        video: the file.
        folder: where the fields go; must not be there.
        work: a folder of the same file system, for what is not finished.
        flow_format: how.

    Raises:
        OutputError: a file cannot be written, or the disk is full.
    """
    cv2.setNumThreads(1)  # the work is divided over processes
    beside = work / folder.name
    try:
        beside.mkdir()
        written = _write_fields(video, beside, flow_format)
        if written.error is None:
            beside.rename(folder)
        else:
            shutil.rmtree(beside)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written: {error.strerror or error}") from None
    return written


def _write_fields(video: Path, folder: Path, flow_format: FlowFormat) -> WrittenFlow:
    number = 0
    try:
        with read_frames(video) as reader:
            num_bytes = video.stat().st_size
            frames = (frame.image for frame in reader)
            first = next(frames)  # a reader without any frame has raised
            for flow in TvL1(flow_format.tvl1).along(chain([first], frames)):
                _write_field(folder, number, flow, flow_format)
                number += 1
    except VideoError as error:
        return WrittenFlow(error=str(error))
    if number == 0:
        _write_field(folder, 0, still_field(first.shape[0], first.shape[1], flow_format), flow_format)
        number = 1
    write_text(folder / SOURCE_FILE, json.dumps({"bytes": num_bytes, "fields": number}))
    return WrittenFlow(number, warnings=tuple(reader.warnings))


def still_field(height: int, width: int, flow_format: FlowFormat) -> Flow:
    """The field (H', W', 2) of a frame of this size without motion."""
    small = to_small_grey(np.zeros((height, width, 3), np.uint8), flow_format.tvl1.short_side)
    return np.zeros((*small.shape, 2), np.float32)


def _write_field(folder: Path, number: int, flow: Flow, flow_format: FlowFormat) -> None:
    for axis, content in flow_format.encoded(flow).items():
        (folder / f"{field_stem(number, axis)}{flow_format.suffix}").write_bytes(content)
