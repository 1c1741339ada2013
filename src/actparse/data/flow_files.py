"""Optical flow of a dataset in 8-bit image files: names, content, writing and reading the flow of one video.

    <folder>/flow.json                   how all fields are computed and coded
    <folder>/<video>/flow_x_00001.jpg    the first field, from the first frame to the second; flow_y_00001.jpg beside it
    <folder>/<video>/source.json         size in bytes of the video file, and number of fields

A video's folder gets its name when it is complete. Source of the names, the coding and JPEG: denseflow.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import ConfigError, DataError, OutputError, VideoError
from actparse.core.files import write_text
from actparse.video.decode import read_frames
from actparse.video.flow import BOUND, Coding, Flow, FlowBytes, TvL1, TvL1Config, flow_to_bytes, to_small_grey

FORMAT = 1  # of the folder
FLOW_FOLDER = "flow"  # below the dataset, unless another folder is given
SETTINGS_FILE, SOURCE_FILE = "flow.json", "source.json"
SUFFIXES = (".jpg", ".png")
SHORT_SIDE = 256  # pixels; size to which the recipes scale frames before cropping
JPEG_QUALITY = 95  # OpenCV's default, which denseflow uses


@dataclass(frozen=True, kw_only=True)
class FlowFormat:
    """Settings for computing and coding flow; defaults as in the public flow data, at the recipes' short side."""

    tvl1: TvL1Config = field(default_factory=lambda: TvL1Config(short_side=SHORT_SIDE))
    coding: Coding = "rounded"
    bound: float = BOUND  # pixels
    suffix: Literal[".jpg", ".png"] = ".jpg"  # JPEG as published; PNG is lossless and larger

    def __post_init__(self) -> None:
        if self.suffix not in SUFFIXES:
            raise ConfigError(f"flow.suffix must be one of {', '.join(SUFFIXES)}, got {self.suffix!r}")

    def encoded(self, flow: Flow) -> dict[str, bytes]:
        """Encode a field (H, W, 2) as image files, by axis."""
        coded = flow_to_bytes(flow, coding=self.coding, bound=self.bound)  # (H, W, 2)
        options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY] if self.suffix == ".jpg" else []
        return {
            axis: cv2.imencode(self.suffix, np.ascontiguousarray(coded[..., index]), options)[1].tobytes()
            for index, axis in enumerate("xy")
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the settings for JSON."""
        other_fields = {name: value for name, value in asdict(self).items() if name != "tvl1"}
        return {"format": FORMAT, **other_fields, **asdict(self.tvl1)}


@dataclass(frozen=True)
class WrittenFlow:
    """Result for one video: `error` is one line if it has no flow; `warnings` report frames that did not decode."""

    num_fields: int = 0
    error: str | None = None
    warnings: tuple[str, ...] = ()


def field_stem(index: int, axis: str) -> str:
    """Return the name, without suffix, of a field's file; `index` counts from 0, `axis` is "x" or "y"."""
    return f"flow_{axis}_{index + 1:05d}"


def num_fields(num_frames: int) -> int:
    """Return the number of fields of a video: one less than frames; a single frame has one, without motion."""
    return max(1, num_frames - 1)


def expect_format(folder: Path, flow_format: FlowFormat) -> None:
    """Check that a folder's flow, if any, has the requested format.

    Raises:
        DataError: it has another format, or its settings cannot be read.
    """
    path = folder / SETTINGS_FILE
    try:
        existing = dict(json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, NotADirectoryError):
        return
    except (OSError, ValueError, TypeError, RecursionError):
        raise DataError(f"{path}: needs the settings of the flow beside it, got a file that cannot be read") from None
    for name, value in flow_format.to_dict().items():
        if existing.get(name) != value:
            raise DataError(
                f"{path}: the existing flow has {name} {existing.get(name)}, got {value}: use another folder"
            )


def has_flow(folder: Path, video: Path) -> bool:
    """Tell whether a video's folder has all its flow; a folder of another program, without a source, always does."""
    if not folder.is_dir():
        return False
    try:
        source = json.loads((folder / SOURCE_FILE).read_text(encoding="utf-8"))
        is_complete = sum(1 for _ in folder.iterdir()) > 2 * int(source["fields"])  # x and y, and the source
        return bool(source["bytes"] == video.stat().st_size) and is_complete
    except FileNotFoundError:
        return not (folder / SOURCE_FILE).exists()
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return False


def write_video_flow(video: Path, folder: Path, work: Path, flow_format: FlowFormat) -> WrittenFlow:
    """Compute a video's flow in `work` and move it to `folder` when it is complete.

    Args:
        video: the file.
        folder: destination of the fields; must not exist.
        work: a folder of the same file system, for unfinished files.
        flow_format: how flow is computed and coded.

    Raises:
        OutputError: a file cannot be written, or the disk is full.
    """
    cv2.setNumThreads(1)  # the work is already parallel over processes
    unfinished = work / folder.name
    try:
        unfinished.mkdir()
        written = _write_fields(video, unfinished, flow_format)
        if written.error is None:
            unfinished.rename(folder)
        else:
            shutil.rmtree(unfinished)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written: {error.strerror or error}") from None
    return written


def read_flow(folder: Path, name: str, indices: Iterable[int]) -> dict[int, FlowBytes]:
    """Read some flow fields (H, W, 2) of a video, x and y, and return them by index from 0.

    Raises:
        DataError: a file is missing or not an image, or x and y differ in size.
    """
    fields = {}
    for index in sorted(set(indices)):
        x, y = (_read_image(folder / name, field_stem(index, axis)) for axis in "xy")
        if x.shape != y.shape:
            raise DataError(f"{folder / name}: flow {index + 1} x and y differ in size: {x.shape} and {y.shape}")
        fields[index] = np.stack((x, y), axis=2)
    return fields


def _read_image(folder: Path, stem: str) -> NDArray[np.uint8]:
    for path in (folder / f"{stem}{suffix}" for suffix in SUFFIXES):
        if path.is_file():
            image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
            if image is None:
                raise DataError(f"{path}: needs an image, got a file that does not decode")
            return np.asarray(image, np.uint8)
    raise DataError(f"{folder / stem}.jpg: no such file; `actparse data flow` makes the flow of a dataset")


def _write_fields(video: Path, folder: Path, flow_format: FlowFormat) -> WrittenFlow:
    count = 0
    try:
        with read_frames(video) as reader:
            num_bytes = video.stat().st_size
            frames = (frame.image for frame in reader)
            first = next(frames)  # if there is no frame, the reader raises
            for flow in TvL1(flow_format.tvl1).along(chain([first], frames)):
                _write_field(folder, count, flow, flow_format)
                count += 1
    except VideoError as error:
        return WrittenFlow(error=str(error))
    if count == 0:
        _write_field(folder, 0, still_field(first.shape[0], first.shape[1], flow_format), flow_format)
        count = 1
    write_text(folder / SOURCE_FILE, json.dumps({"bytes": num_bytes, "fields": count}))
    return WrittenFlow(count, warnings=tuple(reader.warnings))


def still_field(height: int, width: int, flow_format: FlowFormat) -> Flow:
    """Return the field (H', W', 2) without motion for frames of this size."""
    small = to_small_grey(np.zeros((height, width, 3), np.uint8), flow_format.tvl1.short_side)
    return np.zeros((*small.shape, 2), np.float32)


def _write_field(folder: Path, index: int, flow: Flow, flow_format: FlowFormat) -> None:
    for axis, content in flow_format.encoded(flow).items():
        (folder / f"{field_stem(index, axis)}{flow_format.suffix}").write_bytes(content)
