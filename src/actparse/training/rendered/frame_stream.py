"""Rendered frames of SynthTPS for the detectors and the pose network, from scenes that are not part of any dataset.

A video shows one scene in a hundred frames; the stream shows a hundred scenes. The frames are saved as a store, so that
they are read, and a pose network predicts keypoints in them, as in the frames of any dataset.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from actparse.core.progress import Report, discard_line
from actparse.core.ranges import Count, Size, expect_ranges
from actparse.core.vocabulary import PARTS
from actparse.data.frames.store import Store, load_store, write_frame_store
from actparse.synth.actions.registry import ACTIONS, OTHER_MOTIONS
from actparse.synth.annotate import PersonTruth
from actparse.synth.config import VIDEO_PRESETS, SceneConfig
from actparse.synth.scene import build_scene
from actparse.training.rendered.stream import SEED, Arrays, ShardedStream, load_array

GENERATION = 6  # of the stream; another value renders it again
SPLIT_CODES = {"train": 7_001, "val": 7_002}  # different from the codes of a dataset's splits and of the other streams
SCENE_SECONDS = 11.0
VARIED_SHARE = 0.35  # of the scenes with the look "varied", which turns, covers and recolours more than "video"


@dataclass(frozen=True, kw_only=True)
class FrameStreamConfig:
    """Settings for rendering the frames of a stream."""

    size: Size = (240, 320)  # (height, width), pixels; checked by the scenes
    frames_per_shard: Count = 200
    times_per_scene: Count = 4

    def __post_init__(self) -> None:
        expect_ranges(self, "stream.")


class FrameRows(NamedTuple):
    """The F frames of a shard, and their P persons in order of the frames."""

    frames: NDArray[np.uint8]  # (F, H, W, 3)
    num_persons: NDArray[np.int64]  # (F,)
    person_boxes: NDArray[np.float32]  # (P, 4)
    person_keypoints: NDArray[np.float32]  # (P, 17, 3), visibility 0, 1 or 2
    part_boxes: NDArray[np.float32]  # (P, 10, 4), zeros for parts that are not visible


def open_frame_stream(
    folder: Path, split: str, num_frames: int, config: FrameStreamConfig, *, report: Report = discard_line
) -> Store:
    """Open the first `num_frames` frames of a split, "train" or "val", in `folder`; see `open_as_store`."""
    height, width = config.size
    settings = f"{height}x{width}-{config.frames_per_shard}-{config.times_per_scene}"
    stream = ShardedStream(
        folder=folder / f"frames-{split}-{GENERATION}-{SEED}-{settings}",
        config=config,
        code=SPLIT_CODES[split],
        shard_size=config.frames_per_shard,
        unit="frames",
        render=render_frames,
        read=read_frames,
    )
    return open_as_store(stream, split, num_frames, report=report)


def open_as_store(stream: ShardedStream[Any, FrameRows], split: str, num_frames: int, *, report: Report) -> Store:
    """Open the first frames of a stream as one store, in which each shard is a video, rendering those that are missing.

    Raises:
        DataError: a shard or the store is damaged.
    """
    folder = Path(f"{stream.folder}-{-(-num_frames // stream.shard_size)}")
    if not folder.is_dir():
        shards = stream.open(num_frames, report=report)
        frames, *persons = zip(*shards, strict=True)
        counts, boxes, keypoints, parts = map(np.concatenate, persons)
        names = [f"{split} stream {index:05d}" for index in range(len(shards))]
        write_frame_store(
            folder, names, frames, num_persons=counts, person_boxes=boxes, person_keypoints=keypoints, part_boxes=parts
        )
    return load_store(folder)


def read_frames(shard: Path, config: FrameStreamConfig) -> FrameRows:
    """Read the arrays of a shard."""
    return FrameRows(*(load_array(shard, name) for name in FrameRows._fields))


def render_frames(rng: np.random.Generator, index: int, config: FrameStreamConfig) -> Arrays:
    """Render one shard; frames that show nobody stay, as examples of places without people."""
    frames: list[NDArray[np.uint8]] = []
    persons: list[PersonTruth] = []
    counts: list[int] = []
    for image, visible in rendered_frames(rng, config.size, config.times_per_scene):
        frames.append(image)
        persons += visible
        counts.append(len(visible))
        if len(frames) == config.frames_per_shard:
            break
    parts = np.zeros((len(persons), len(PARTS), 4), np.float32)
    for row, person in enumerate(persons):
        for part, name in enumerate(PARTS):
            parts[row, part] = person.parts.get(name, 0)
    return {
        "frames": np.stack(frames),
        "num_persons": np.array(counts),
        "person_boxes": np.array([person.box for person in persons], np.float32).reshape(-1, 4),
        "person_keypoints": np.array([person.keypoints for person in persons], np.float32).reshape(-1, 17, 3),
        "part_boxes": parts,
    }


def rendered_frames(
    rng: np.random.Generator, size: tuple[int, int], times_per_scene: int, *, supersampling: int = 2
) -> Iterator[tuple[NDArray[np.uint8], tuple[PersonTruth, ...]]]:
    """Yield frames (H, W, 3) of random scenes at random times, without end, each with its visible persons."""
    motions = (*ACTIONS, *OTHER_MOTIONS)
    video = replace(VIDEO_PRESETS["train"], size=size, sizes=(), body="mesh", supersampling=supersampling)
    varied = SceneConfig(size=size, look="varied", body="mesh", supersampling=supersampling)
    while True:
        motion = motions[int(rng.integers(len(motions)))]
        config = varied if rng.random() < VARIED_SHARE else video
        scene = build_scene(int(rng.integers(2**62)), motion, config=config)
        for time in np.sort(rng.uniform(0, SCENE_SECONDS, times_per_scene)):
            rendered = scene.render(float(time))
            yield rendered.image, rendered.persons
