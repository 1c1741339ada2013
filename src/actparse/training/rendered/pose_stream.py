"""Rendered person crops for the pose network, from scenes that are not part of any dataset."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import ConfigError
from actparse.core.vocabulary import NUM_KEYPOINTS
from actparse.synth.actions.registry import ACTIONS
from actparse.synth.annotate import PersonTruth
from actparse.synth.config import SceneConfig
from actparse.synth.scene import build_scene
from actparse.training.options import Report, say_nothing
from actparse.training.rendered.shards import Seed, complete_shards, save_shard
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
        for name in ("size", "padding", "crops_per_shard", "times_per_scene"):
            if getattr(self, name) < 1:
                raise ConfigError(f"stream.{name} must be at least 1, got {getattr(self, name)}")


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


def open_stream(
    folder: Path,
    split: str,
    num_crops: int,
    config: StreamConfig,
    *,
    seed: int = 0,
    processes: int | None = None,
    report: Report = say_nothing,
) -> CropStream:
    """Open the stream's first crops, rendering them if necessary.

    Args:
        folder: that contains the streams.
        split: "train" or "val".
        num_crops: rounded up to full shards.
        config: of the stream.
        seed: of the stream.
        processes: None means one for each core.
        report: receives lines of progress.
    """
    name = f"poses-{split}-{GENERATION}-{seed}-{config.size}-{config.padding:g}-{config.crops_per_shard}"
    shards = complete_shards(
        folder / name,
        -(-num_crops // config.crops_per_shard),
        write_shard,
        config,
        code=SPLIT_CODES[split],
        seed=seed,
        processes=processes,
        report=report,
        unit=(config.crops_per_shard, "person crops"),
    )
    crops = tuple(np.load(shard / "crops.npy", mmap_mode="r") for shard in shards)
    keypoints = np.concatenate([np.load(shard / "keypoints.npy") for shard in shards])
    sides = np.concatenate([np.load(shard / "sides.npy") for shard in shards])
    return CropStream(crops, keypoints, sides, config)


def write_shard(folder: Path, seed: Seed, config: StreamConfig) -> None:
    """Render one shard; every scene's seed derives from the shard's seed."""
    cv2.setNumThreads(1)
    rng = np.random.default_rng(seed)
    count = config.crops_per_shard
    crops = np.zeros((count, config.size, config.size, 3), np.uint8)
    keypoints = np.zeros((count, NUM_KEYPOINTS, 3), np.float32)
    sides = np.zeros((count, 2), np.float32)
    filled = 0
    while filled < count:
        for crop, points, box_sides in scene_crops(rng, config):
            if filled < count:
                crops[filled], keypoints[filled], sides[filled] = crop, points, box_sides
                filled += 1
    save_shard(folder, {"crops": crops, "keypoints": keypoints, "sides": sides})


Crop = tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]  # image, keypoints, sides of the box


def scene_crops(rng: np.random.Generator, config: StreamConfig) -> list[Crop]:
    """Render the persons of one random scene at a few random times."""
    action = ACTIONS[int(rng.integers(len(ACTIONS)))]
    scene = build_scene(int(rng.integers(2**62)), action, config=SceneConfig())
    crops = []
    for time in np.sort(rng.uniform(0, SCENE_SECONDS, config.times_per_scene)):
        rendered = scene.render(float(time))
        crops += [cut_person(rendered.image, person, config) for person in rendered.persons if _is_clear(person)]
    return crops


def _is_clear(person: PersonTruth) -> bool:
    x1, y1, x2, y2 = person.box
    keypoints = np.asarray(person.keypoints)
    return bool(max(x2 - x1, y2 - y1) >= MIN_PERSON_PIXELS and (keypoints[:, 2] > 1).sum() >= MIN_VISIBLE_KEYPOINTS)


def cut_person(image: NDArray[np.uint8], person: PersonTruth, config: StreamConfig) -> Crop:
    """Cut the square around a person's box, black outside the frame, and convert the keypoints to its pixels."""
    box = np.asarray(person.box, np.float64)  # (4,)
    sides = box[2:] - box[:2]  # (2,)
    scale = config.size / (config.padding * sides.max())
    origin = (box[:2] + box[2:]) / 2 - config.size / scale / 2  # (2,)
    matrix = np.array([[scale, 0, -origin[0] * scale], [0, scale, -origin[1] * scale]])
    keypoints = np.array(person.keypoints, np.float32)  # (17, 3)
    keypoints[:, :2] = (keypoints[:, :2] - origin) * scale
    return warp(image, matrix, (config.size, config.size)), keypoints, (sides * scale).astype(np.float32)
