"""Rendered person crops of the varied look with part boxes, to train the part detector for real people.

The crops are saved as a store with one person per frame, so that a pose network predicts keypoints in them as in the
frames of any dataset.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import ConfigError
from actparse.core.vocabulary import PARTS
from actparse.synth.actions.registry import DATASET_ACTIONS, OTHER_MOTIONS
from actparse.synth.config import SceneConfig
from actparse.training.options import Report, say_nothing
from actparse.training.rendered.pose_stream import StreamConfig, cut_person, rendered_persons
from actparse.training.rendered.stream import SEED, Arrays, ShardedStream, load_array, stacked
from actparse.training.samples.augmentation import move_boxes
from actparse.training.samples.store import Store, load_store, write_frame_store

GENERATION = 1  # of the stream; another value renders it again
SPLIT_CODES = {"train": 7_101, "val": 7_102}  # different from the codes of a dataset's splits and of the other streams
MIN_PERSON_PIXELS = 40.0  # longer side of the box
MIN_PARTS = 3  # visible parts of a person
MIN_PART_PIXELS = 24  # visible pixels of a part; smaller parts are not annotated


@dataclass(frozen=True, kw_only=True)
class PartStreamConfig(StreamConfig):
    """Settings for rendering the stream and cutting its crops."""

    frame_size: tuple[int, int] = (400, 520)  # (height, width) of the rendered frames, pixels
    size: int = 256
    crops_per_shard: int = 500
    times_per_scene: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
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
            person_boxes=np.concatenate(boxes),
            person_keypoints=np.concatenate(keypoints),
            part_boxes=np.concatenate(parts),
        )
    return load_store(store)


def read_crops(shard: Path, config: PartStreamConfig) -> PartRow:
    """Read the arrays of a shard."""
    return PartRow(*(load_array(shard, name) for name in PartRow._fields))


def render_crops(rng: np.random.Generator, index: int, config: PartStreamConfig) -> Arrays:
    """Render one shard, of persons with the varied look who are large enough and show enough parts."""
    scene = SceneConfig(size=config.frame_size, look="varied", supersampling=1)
    rows: list[PartRow] = []
    for image, person in rendered_persons(rng, (*DATASET_ACTIONS, *OTHER_MOTIONS), scene, config.times_per_scene):
        x1, y1, x2, y2 = person.box
        clear = [name for name, pixels in person.part_pixels.items() if pixels >= MIN_PART_PIXELS]
        if max(x2 - x1, y2 - y1) >= MIN_PERSON_PIXELS and len(clear) >= MIN_PARTS:
            crop, keypoints, matrix = cut_person(image, person, config)
            box = move_boxes(matrix, np.array([person.box], np.float32))[0]
            parts = np.zeros((len(PARTS), 4), np.float32)
            for part, name in enumerate(PARTS):
                if name in clear:
                    parts[part] = move_boxes(matrix, np.array([person.parts[name]], np.float32))[0]
            rows.append(PartRow(crop, box, keypoints, parts))
        if len(rows) == config.crops_per_shard:
            break
    return stacked(rows)
