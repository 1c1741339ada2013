"""Rendered person crops with part boxes, at the size of real footage, to train the part detector for real people.

The crops are saved as a store with one person per frame, so that a pose network predicts keypoints in them as in the
frames of any dataset.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import ConfigError
from actparse.core.progress import Report, discard_line
from actparse.core.ranges import AtLeast1, Count, expect_ranges
from actparse.core.vocabulary import PARTS
from actparse.data.frames.store import Store
from actparse.synth.annotate import PersonTruth
from actparse.training.rendered.frame_stream import FrameRows, open_as_store, rendered_frames
from actparse.training.rendered.stream import SEED, Arrays, ShardedStream, load_array
from actparse.video.augmentation import move_boxes, warp

GENERATION = 4  # of the stream; another value renders it again
SPLIT_CODES = {"train": 7_101, "val": 7_102}  # different from the codes of a dataset's splits and of the other streams
MIN_PERSON_PIXELS = 40.0  # longer side of the box
MIN_PARTS = 3  # visible parts of a person
MIN_PART_PIXELS = 24  # visible pixels of a part; smaller parts are not annotated


@dataclass(frozen=True, kw_only=True)
class PartStreamConfig:
    """Settings for rendering the stream and cutting its crops."""

    frame_size: tuple[int, int] = (400, 520)  # (height, width) of the rendered frames, pixels
    size: Count = 256  # pixels, side of the square crops
    padding: AtLeast1 = 1.5  # side of the crop divided by the longer side of the person's box
    crops_per_shard: Count = 250
    times_per_scene: Count = 4

    def __post_init__(self) -> None:
        expect_ranges(self, "stream.")
        if min(self.frame_size) < MIN_PERSON_PIXELS:
            raise ConfigError(f"stream.frame_size must be at least {MIN_PERSON_PIXELS:g}, got {self.frame_size}")


class PartRow(NamedTuple):
    """A person of a shard, in pixels of the crop."""

    crops: NDArray[np.uint8]  # (size, size, 3)
    person_boxes: NDArray[np.float32]  # (4,)
    person_keypoints: NDArray[np.float32]  # (17, 3), visibility 0, 1 or 2
    part_boxes: NDArray[np.float32]  # (10, 4), zeros for parts that are not visible


def open_part_stream(
    folder: Path, split: str, num_crops: int, config: PartStreamConfig, *, report: Report = discard_line
) -> Store:
    """Open the first `num_crops` crops of a split, "train" or "val", in `folder`; see `open_as_store`."""
    height, width = config.frame_size
    settings = f"{height}x{width}-{config.size}-{config.padding:g}-{config.crops_per_shard}-{config.times_per_scene}"
    stream = ShardedStream(
        folder=folder / f"parts-{split}-{GENERATION}-{SEED}-{settings}",
        config=config,
        code=SPLIT_CODES[split],
        shard_size=config.crops_per_shard,
        unit="person crops",
        render=render_crops,
        read=read_crops,
    )
    return open_as_store(stream, split, num_crops, report=report)


def read_crops(shard: Path, config: PartStreamConfig) -> FrameRows:
    """Read the arrays of a shard, whose frames are the crops, with one person each."""
    crops, boxes, keypoints, parts = (load_array(shard, name) for name in PartRow._fields)
    return FrameRows(crops, np.ones(len(crops), np.int64), boxes, keypoints, parts)


def render_crops(rng: np.random.Generator, index: int, config: PartStreamConfig) -> Arrays:
    """Render one shard, of persons who are large enough and show enough parts."""
    rows: list[PartRow] = []
    frames = rendered_frames(rng, config.frame_size, config.times_per_scene, supersampling=1)
    for image, person in ((image, person) for image, persons in frames for person in persons):
        x1, y1, x2, y2 = person.box
        clear = [name for name, pixels in person.part_pixels.items() if pixels >= MIN_PART_PIXELS]
        if max(x2 - x1, y2 - y1) >= MIN_PERSON_PIXELS and len(clear) >= MIN_PARTS:
            rows.append(_cut_person(image, person, clear, config))
        if len(rows) == config.crops_per_shard:
            break
    return {name: np.stack(values) for name, values in zip(PartRow._fields, zip(*rows, strict=True), strict=True)}


def _cut_person(
    image: NDArray[np.uint8], person: PersonTruth, parts: Sequence[str], config: PartStreamConfig
) -> PartRow:
    """Cut the square around a person's box, black outside the frame, with some of the person's parts."""
    box = np.asarray(person.box, np.float64)  # (4,)
    scale = config.size / (config.padding * (box[2:] - box[:2]).max())
    origin = (box[:2] + box[2:]) / 2 - config.size / scale / 2  # (2,)
    matrix = np.array([[scale, 0, -origin[0] * scale], [0, scale, -origin[1] * scale]])
    keypoints = np.array(person.keypoints, np.float32)  # (17, 3)
    keypoints[:, :2] = (keypoints[:, :2] - origin) * scale
    part_boxes = np.array([person.parts[name] if name in parts else (0, 0, 0, 0) for name in PARTS], np.float32)
    is_part = (part_boxes != 0).any(axis=1)  # (10,)
    part_boxes[is_part] = move_boxes(matrix, part_boxes[is_part])
    crop = warp(image, matrix, (config.size, config.size))
    return PartRow(crop, move_boxes(matrix, box[None].astype(np.float32))[0], keypoints, part_boxes)
