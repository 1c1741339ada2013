"""Rendered person crops of the varied look with part boxes, to train the part detector for real people.

The crops are saved as a store with one person per frame, so that a pose network predicts keypoints in them as in the
frames of any dataset.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import ConfigError
from actparse.core.vocabulary import NUM_KEYPOINTS, PARTS
from actparse.synth.actions.registry import ACTIONS, OTHER_MOTIONS
from actparse.synth.annotate import PersonTruth
from actparse.synth.config import SceneConfig
from actparse.synth.scene import build_scene
from actparse.training.options import Report, say_nothing
from actparse.training.rendered.shards import Seed, complete_shards, reading_shard, save_shard
from actparse.training.samples.augmentation import move_boxes, warp
from actparse.training.samples.store import Store, load_store, write_frame_store

GENERATION = 1  # of the stream; another value renders it again
SPLIT_CODES = {"train": 7_101, "val": 7_102}  # different from the codes of a dataset's splits and of the other streams
SCENE_SECONDS = 11.0
MIN_PERSON_PIXELS = 40.0  # longer side of the box
MIN_PARTS = 3  # visible parts of a person
MIN_PART_PIXELS = 24  # visible pixels of a part; smaller parts are not annotated


@dataclass(frozen=True, kw_only=True)
class PartStreamConfig:
    """Settings for rendering the stream and cutting its crops."""

    frame_size: tuple[int, int] = (400, 520)  # (height, width) of the rendered frames, pixels
    size: int = 256  # pixels, side of the square crops
    padding: float = 1.5  # side of the crop divided by the longer side of the person's box
    crops_per_shard: int = 500
    times_per_scene: int = 4

    def __post_init__(self) -> None:
        for name in ("size", "padding", "crops_per_shard", "times_per_scene"):
            if getattr(self, name) < 1:
                raise ConfigError(f"stream.{name} must be at least 1, got {getattr(self, name)}")
        if min(self.frame_size) < MIN_PERSON_PIXELS:
            raise ConfigError(f"stream.frame_size must be at least {MIN_PERSON_PIXELS:g}, got {self.frame_size}")


def open_part_stream(
    folder: Path,
    split: str,
    num_crops: int,
    config: PartStreamConfig,
    *,
    seed: int = 0,
    processes: int | None = None,
    report: Report = say_nothing,
) -> Store:
    """Open the stream's first crops as a store, rendering them if necessary.

    Args:
        folder: that contains the streams.
        split: "train" or "val".
        num_crops: rounded up to full shards.
        config: of the stream.
        seed: of the stream.
        processes: None means one for each core.
        report: receives lines of progress.

    Raises:
        DataError: a shard or the store is damaged.
    """
    num_shards = -(-num_crops // config.crops_per_shard)
    name = f"parts-{split}-{GENERATION}-{seed}-{_name(config)}"
    store = folder / f"{name}-{num_shards}"
    if not store.is_dir():
        shards = complete_shards(
            folder / name,
            num_shards,
            write_crops,
            config,
            code=SPLIT_CODES[split],
            seed=seed,
            processes=processes,
            report=report,
            unit=(config.crops_per_shard, "person crops"),
        )
        _join(store, shards, split)
    return load_store(store)


def _name(config: PartStreamConfig) -> str:
    """Describe the settings in the name of a stream's folder."""
    frame = f"{config.frame_size[0]}x{config.frame_size[1]}"
    return f"{frame}-{config.size}-{config.padding:g}-{config.crops_per_shard}-{config.times_per_scene}"


def _join(store: Path, shards: tuple[Path, ...], split: str) -> None:
    """Write one store from all shards; each shard becomes one video of it."""
    arrays: dict[str, list[NDArray[np.float32]]] = {"person_boxes": [], "person_keypoints": [], "part_boxes": []}
    crops = []
    for shard in shards:
        with reading_shard(shard, "person crops"):
            crops.append(np.load(shard / "crops.npy", mmap_mode="r"))
            for name, values in arrays.items():
                values.append(np.load(shard / f"{name}.npy"))
    write_frame_store(
        store,
        [f"{split} stream {shard.name}" for shard in shards],
        crops,
        **{name: np.concatenate(values) for name, values in arrays.items()},
    )


def write_crops(folder: Path, seed: Seed, config: PartStreamConfig) -> None:
    """Render one shard; every scene's seed derives from the shard's seed."""
    cv2.setNumThreads(1)
    rng = np.random.default_rng(seed)
    count = config.crops_per_shard
    crops = np.zeros((count, config.size, config.size, 3), np.uint8)
    boxes = np.zeros((count, 4), np.float32)
    keypoints = np.zeros((count, NUM_KEYPOINTS, 3), np.float32)
    parts = np.zeros((count, len(PARTS), 4), np.float32)
    filled = 0
    while filled < count:
        for sample in scene_crops(rng, config):
            if filled < count:
                crops[filled], boxes[filled], keypoints[filled], parts[filled] = sample
                filled += 1
    save_shard(folder, {"crops": crops, "person_boxes": boxes, "person_keypoints": keypoints, "part_boxes": parts})


Sample = tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]


def scene_crops(rng: np.random.Generator, config: PartStreamConfig) -> list[Sample]:
    """Render the persons of one random scene at a few random times.

    Returns:
        For each person the crop (size, size, 3), and in its pixels the person's box (4,), keypoints (17, 3) with
        visibility 0, 1 or 2, and part boxes (10, 4), zeros for parts that are not visible.
    """
    motions = (*ACTIONS, *OTHER_MOTIONS)
    action = motions[int(rng.integers(len(motions)))]
    scene = build_scene(
        int(rng.integers(2**62)), action, config=SceneConfig(size=config.frame_size, look="varied", supersampling=1)
    )
    samples = []
    for time in np.sort(rng.uniform(0, SCENE_SECONDS, config.times_per_scene)):
        rendered = scene.render(float(time))
        samples += [_cut(rendered.image, person, config) for person in rendered.persons if _is_clear(person)]
    return samples


def _is_clear(person: PersonTruth) -> bool:
    x1, y1, x2, y2 = person.box
    num_parts = sum(pixels >= MIN_PART_PIXELS for pixels in person.part_pixels.values())
    return max(x2 - x1, y2 - y1) >= MIN_PERSON_PIXELS and num_parts >= MIN_PARTS


def _cut(image: NDArray[np.uint8], person: PersonTruth, config: PartStreamConfig) -> Sample:
    box = np.asarray(person.box, np.float64)  # (4,)
    scale = config.size / (config.padding * (box[2:] - box[:2]).max())
    origin = (box[:2] + box[2:]) / 2 - config.size / scale / 2  # (2,)
    matrix = np.array([[scale, 0, -origin[0] * scale], [0, scale, -origin[1] * scale]])
    keypoints = np.array(person.keypoints, np.float32)  # (17, 3)
    keypoints[:, :2] = (keypoints[:, :2] - origin) * scale
    parts = np.zeros((len(PARTS), 4), np.float32)
    for index, name in enumerate(PARTS):
        if person.part_pixels.get(name, 0) >= MIN_PART_PIXELS:
            parts[index] = move_boxes(matrix, np.array([person.parts[name]], np.float32))[0]
    crop = warp(image, matrix, (config.size, config.size))
    return crop, move_boxes(matrix, box[None].astype(np.float32))[0], keypoints, parts
