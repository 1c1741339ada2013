"""Keypoints and part boxes of rendered people, without their pictures: a stream for the network from one to the other.

Scenes are painted without supersampling or blur, for what is visible of each part alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from actparse.data.synth.annotate import PersonTruth
from actparse.data.synth.motion import ACTIONS
from actparse.data.synth.scene import SceneConfig, build_scene
from actparse.errors import ConfigError
from actparse.training.options import Report, say_nothing
from actparse.training.shards import Seed, complete_shards, reading_shard, save_shard
from actparse.vocabulary import NUM_KEYPOINTS, PARTS

GENERATION = 1  # of the stream; another number makes a new one
SPLIT_CODES = {"train": 11_001, "val": 11_002}  # far from the codes of a dataset's splits and of the other streams
SCENE_SECONDS = 11.0
MIN_VISIBLE_KEYPOINTS = 4
PLAIN_SCENE = SceneConfig(supersampling=1, blur_share=0, low_light_share=0)


@dataclass(frozen=True, kw_only=True)
class PartStreamConfig:
    """How a stream is cut."""

    persons_per_shard: int = 1000
    times_per_scene: int = 6

    def __post_init__(self) -> None:
        for name in ("persons_per_shard", "times_per_scene"):
            if getattr(self, name) < 1:
                raise ConfigError(f"stream.{name} must be at least 1, got {getattr(self, name)}")


@dataclass(frozen=True)
class PartStream:
    """N persons, in pixels of their frames."""

    keypoints: NDArray[np.float32]  # (N, 17, 3) x, y, visibility 0, 1 or 2
    part_boxes: NDArray[np.float32]  # (N, 10, 4) xyxy; zeros where a part is not visible

    def __len__(self) -> int:
        return len(self.keypoints)


def open_part_stream(
    folder: Path,
    split: str,
    num_persons: int,
    config: PartStreamConfig,
    *,
    seed: int = 0,
    processes: int | None = None,
    report: Report = say_nothing,
) -> PartStream:
    """Open the stream's first persons and render those that are missing.

    Args:
        folder: of the streams.
        split: "train" or "val".
        num_persons: rounded up to full shards.
        config: how it is cut.
        seed: of the stream.
        processes: None is one for each core.
        report: gets a line for each shard.

    Raises:
        DataError: a shard is damaged.
    """
    shards = complete_shards(
        folder / f"parts-{split}-{GENERATION}-{seed}-{config.persons_per_shard}-{config.times_per_scene}",
        -(-num_persons // config.persons_per_shard),
        write_persons,
        config,
        code=SPLIT_CODES[split],
        seed=seed,
        processes=processes,
        report=report,
        unit=(config.persons_per_shard, "persons"),
    )
    read = [_read_shard(shard) for shard in shards]
    keypoints, part_boxes = (np.concatenate(arrays) for arrays in zip(*read, strict=True))
    return PartStream(keypoints, part_boxes)


def _read_shard(shard: Path) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    with reading_shard(shard, "part boxes"):
        keypoints, part_boxes = np.load(shard / "keypoints.npy"), np.load(shard / "part_boxes.npy")
        if keypoints.shape[1:] != (NUM_KEYPOINTS, 3) or part_boxes.shape != (len(keypoints), len(PARTS), 4):
            raise ValueError(f"keypoints {keypoints.shape}, part boxes {part_boxes.shape}")
    return keypoints, part_boxes


def write_persons(folder: Path, seed: Seed, config: PartStreamConfig) -> None:
    """Render one shard; each scene's seed is drawn from the shard's."""
    cv2.setNumThreads(1)
    rng = np.random.default_rng(seed)
    persons: list[PersonTruth] = []
    while len(persons) < config.persons_per_shard:
        action = ACTIONS[int(rng.integers(len(ACTIONS)))]
        scene = build_scene(int(rng.integers(2**62)), action, config=PLAIN_SCENE)
        for time in rng.uniform(0, SCENE_SECONDS, config.times_per_scene):
            persons += [person for person in scene.render(float(time)).persons if _is_clear(person)]
    persons = persons[: config.persons_per_shard]
    part_boxes = np.zeros((len(persons), len(PARTS), 4), np.float32)
    for row, person in enumerate(persons):
        for part, name in enumerate(PARTS):
            part_boxes[row, part] = person.parts.get(name, (0, 0, 0, 0))
    keypoints = np.array([person.keypoints for person in persons], np.float32)  # (N, 17, 3)
    save_shard(folder, {"keypoints": keypoints, "part_boxes": part_boxes})


def _is_clear(person: PersonTruth) -> bool:
    return int((np.asarray(person.keypoints)[:, 2] > 1).sum()) >= MIN_VISIBLE_KEYPOINTS
