"""Rendered person crops for the pose network, from scenes that are not part of any dataset."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from actparse.synth.actions.registry import DATASET_ACTIONS
from actparse.synth.annotate import PersonTruth
from actparse.synth.config import SceneConfig
from actparse.synth.scene import build_scene
from actparse.training.options import Report, say_nothing
from actparse.training.rendered.stream import (
    SEED,
    Arrays,
    ShardedStream,
    expect_at_least_1,
    load_array,
    stacked,
)
from actparse.training.samples.augmentation import warp

GENERATION = 3  # of the stream; another value renders it again
SPLIT_CODES = {"train": 7_001, "val": 7_002}  # different from the codes of a dataset's splits and of the other streams
SCENE_SECONDS = 11.0
MIN_PERSON_PIXELS = 24.0  # longer side of the box
MIN_VISIBLE_KEYPOINTS = 4


@dataclass(frozen=True, kw_only=True)
class StreamConfig:
    """Settings for cutting the crops of a stream."""

    size: int = 160  # pixels, side of the square crops
    padding: float = 1.5  # side of the crop divided by the longer side of the person's box
    crops_per_shard: int = 1000
    times_per_scene: int = 6

    def __post_init__(self) -> None:
        expect_at_least_1(self, "size", "padding", "crops_per_shard", "times_per_scene")


@dataclass(frozen=True)
class CropStream:
    """Square person crops (size, size, 3) uint8 RGB in shards, which are memory maps."""

    crops: tuple[NDArray[np.uint8], ...]
    keypoints: NDArray[np.float32]  # (N, 17, 3) x, y in pixels of the crop, visibility 0, 1 or 2
    sides: NDArray[np.float32]  # (N, 2) width and height of the person's box, pixels of the crop
    config: StreamConfig

    def __len__(self) -> int:
        return len(self.keypoints)

    def crop(self, index: int) -> NDArray[np.uint8]:
        """Return one crop (size, size, 3)."""
        shard, position = divmod(index, self.config.crops_per_shard)
        return np.asarray(self.crops[shard][position])


class PoseRow(NamedTuple):
    """A sample of a shard, or the arrays of all its samples: see `CropStream`."""

    crops: NDArray[np.uint8]
    keypoints: NDArray[np.float32]
    sides: NDArray[np.float32]


def open_stream(
    folder: Path,
    split: str,
    num_crops: int,
    config: StreamConfig,
    *,
    processes: int | None = None,
    report: Report = say_nothing,
) -> CropStream:
    """Open the first `num_crops` crops of a split, "train" or "val", as `ShardedStream.open` does."""
    stream = ShardedStream(
        folder=folder / f"poses-{split}-{GENERATION}-{SEED}-{config.size}-{config.padding:g}-{config.crops_per_shard}",
        config=config,
        code=SPLIT_CODES[split],
        shard_size=config.crops_per_shard,
        unit="person crops",
        render=render_crops,
        read=read_crops,
    )
    shards = stream.open(num_crops, processes=processes, report=report)
    keypoints, sides = (np.concatenate(arrays) for arrays in zip(*(shard[1:] for shard in shards), strict=True))
    return CropStream(tuple(shard.crops for shard in shards), keypoints, sides, config)


def read_crops(shard: Path, config: StreamConfig) -> PoseRow:
    """Read the arrays of a shard."""
    return PoseRow(*(load_array(shard, name) for name in PoseRow._fields))


def render_crops(rng: np.random.Generator, index: int, config: StreamConfig) -> Arrays:
    """Render one shard, of the persons who are large enough and show enough keypoints."""
    rows: list[PoseRow] = []
    for image, person in rendered_persons(rng, DATASET_ACTIONS, SceneConfig(), config.times_per_scene):
        box = np.asarray(person.box, np.float64)  # (4,)
        sides = box[2:] - box[:2]  # (2,)
        num_visible = (np.asarray(person.keypoints)[:, 2] > 1).sum()
        if sides.max() >= MIN_PERSON_PIXELS and num_visible >= MIN_VISIBLE_KEYPOINTS:
            crop, keypoints, matrix = cut_person(image, person, config)
            rows.append(PoseRow(crop, keypoints, (sides * matrix[0, 0]).astype(np.float32)))
        if len(rows) == config.crops_per_shard:
            break
    return stacked(rows)


def rendered_persons(
    rng: np.random.Generator, motions: Sequence[str], scene_config: SceneConfig, times_per_scene: int
) -> Iterator[tuple[NDArray[np.uint8], PersonTruth]]:
    """Yield the persons of random scenes, at random times, without end; each with its image (H, W, 3)."""
    while True:
        motion = motions[int(rng.integers(len(motions)))]
        scene = build_scene(int(rng.integers(2**62)), motion, config=scene_config)
        for time in np.sort(rng.uniform(0, SCENE_SECONDS, times_per_scene)):
            rendered = scene.render(float(time))
            for person in rendered.persons:
                yield rendered.image, person


def cut_person(
    image: NDArray[np.uint8], person: PersonTruth, config: StreamConfig
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float64]]:
    """Cut the square around a person's box, black outside the frame.

    Returns:
        The crop (size, size, 3); the keypoints (17, 3) in its pixels; the affine matrix (2, 3) from the frame to it.
    """
    box = np.asarray(person.box, np.float64)  # (4,)
    scale = config.size / (config.padding * (box[2:] - box[:2]).max())
    origin = (box[:2] + box[2:]) / 2 - config.size / scale / 2  # (2,)
    matrix = np.array([[scale, 0, -origin[0] * scale], [0, scale, -origin[1] * scale]])
    keypoints = np.array(person.keypoints, np.float32)  # (17, 3)
    keypoints[:, :2] = (keypoints[:, :2] - origin) * scale
    return warp(image, matrix, (config.size, config.size)), keypoints, matrix
