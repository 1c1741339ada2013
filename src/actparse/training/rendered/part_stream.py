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
from actparse.core.vocabulary import PARTS
from actparse.synth.annotate import PersonTruth
from actparse.training.options import Report, say_nothing
from actparse.training.rendered.frame_stream import rendered_frames
from actparse.training.rendered.stream import SEED, Arrays, ShardedStream, expect_at_least_1, load_array, stacked
from actparse.training.samples.augmentation import move_boxes, warp
from actparse.training.samples.store import Store, load_store, write_frame_store

GENERATION = 2  # of the stream; another value renders it again
SPLIT_CODES = {"train": 7_101, "val": 7_102}  # different from the codes of a dataset's splits and of the other streams
MIN_PERSON_PIXELS = 40.0  # longer side of the box
MIN_PARTS = 3  # visible parts of a person
MIN_PART_PIXELS = 24  # visible pixels of a part; smaller parts are not annotated


@dataclass(frozen=True, kw_only=True)
class PartStreamConfig:
    """Settings for rendering the stream and cutting its crops."""

    frame_size: tuple[int, int] = (400, 520)  # (height, width) of the rendered frames, pixels
    size: int = 256  # pixels, side of the square crops
    padding: float = 1.5  # side of the crop divided by the longer side of the person's box
    crops_per_shard: int = 250
    times_per_scene: int = 4

    def __post_init__(self) -> None:
        expect_at_least_1(self, "size", "padding", "crops_per_shard", "times_per_scene")
        if min(self.frame_size) < MIN_PERSON_PIXELS:
            raise ConfigError(f"stream.frame_size must be at least {MIN_PERSON_PIXELS:g}, got {self.frame_size}")


class PartRow(NamedTuple):
    """A person of a shard, or the arrays of all its persons; in pixels of the crop."""

    crops: NDArray[np.uint8]  # (size, size, 3)
    person_boxes: NDArray[np.float32]  # (4,)
    person_keypoints: NDArray[np.float32]  # (17, 3), visibility 0, 1 or 2
    part_boxes: NDArray[np.float32]  # (10, 4), zeros for parts that are not visible


def open_part_stream(
    folder: Path,
    split: str,
    num_crops: int,
    config: PartStreamConfig,
    *,
    processes: int | None = None,
    report: Report = say_nothing,
) -> Store:
    """Open the first `num_crops` crops of a split, "train" or "val", as one store, in which each shard is a video.

    Arguments are those of `ShardedStream.open`.

    Raises:
        DataError: a shard or the store is damaged.
    """
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
    store = Path(f"{stream.folder}-{-(-num_crops // config.crops_per_shard)}")
    if not store.is_dir():
        shards = stream.open(num_crops, processes=processes, report=report)
        crops, boxes, keypoints, parts = zip(*shards, strict=True)
        write_frame_store(
            store,
            [f"{split} stream {index:05d}" for index in range(len(shards))],
            crops,
            num_persons=np.ones(sum(map(len, boxes)), np.int64),
            person_boxes=np.concatenate(boxes),
            person_keypoints=np.concatenate(keypoints),
            part_boxes=np.concatenate(parts),
        )
    return load_store(store)


def read_crops(shard: Path, config: PartStreamConfig) -> PartRow:
    """Read the arrays of a shard."""
    return PartRow(*(load_array(shard, name) for name in PartRow._fields))


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
    return stacked(rows)


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
