"""Rendered clips for the clip networks: short scenes that are not part of any dataset.

With a few hundred videos only, the networks overfit before they learn the motion. The stream plays the role that IG-65M
has for the networks of PCF.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import expect_shape
from actparse.core.progress import Report, discard_line
from actparse.core.ranges import AtLeast1, Count, Size, expect_ranges
from actparse.core.vocabulary import GROUPS, NUM_KEYPOINTS, GroupLabel
from actparse.data.frames.intervals import ClipSource, Interval
from actparse.data.kinetics_tps import FrameTruth, frame_truth_from_dict
from actparse.data.pseudo_labels import group_label
from actparse.synth.actions.registry import ACTIONS
from actparse.synth.causes import PERFORMER
from actparse.synth.config import VIDEO_PRESETS
from actparse.synth.dataset import frame_annotation
from actparse.synth.scene import build_scene
from actparse.training.rendered.stream import SEED, Arrays, ShardedStream, load_array

GENERATION = 8  # of the stream; another value renders it again
SPLIT_CODE = 8_001  # different from the codes of a dataset's splits and of the other streams
SCENE_SECONDS = 9.0  # a clip begins within this time
COARSE = 0.5  # level of detail of the bodies


@dataclass(frozen=True, kw_only=True)
class ClipStreamConfig:
    """Settings for rendering a stream of clips."""

    size: Size = (72, 96)  # (height, width) of the clips' frames
    rendered_size: Size = (144, 192)  # (height, width) of the frames before they are shrunk
    num_frames: Count = 20  # in a clip; a few more than the network reads, for changes of speed
    frame_rate: AtLeast1 = 5.0  # of a clip, frames per second
    clips_per_shard: Count = 120

    def __post_init__(self) -> None:
        expect_ranges(self, "stream.")

    @property
    def folder_name(self) -> str:
        """Name of the shards' folder."""
        size, rendered = (f"{width}x{height}" for height, width in (self.size, self.rendered_size))
        times = f"{self.num_frames}-at-{self.frame_rate:g}"
        return f"clips-{GENERATION}-{SEED}-{size}-from-{rendered}-{times}-{self.clips_per_shard}"


def open_clip_stream(
    folder: Path, num_clips: int, config: ClipStreamConfig, *, report: Report = discard_line
) -> tuple[Interval, ...]:
    """Open the first `num_clips` clips, with their action, each group's main state, and the main performer's keypoints.

    Shards are rendered and read as by `ShardedStream.open`.
    """
    stream = ShardedStream(
        folder=folder / config.folder_name,
        config=config,
        code=SPLIT_CODE,
        shard_size=config.clips_per_shard,
        unit="clips",
        render=render_clips,
        read=read_clips,
    )
    shards = stream.open(num_clips, report=report)
    return tuple(clip for shard in shards for clip in shard)


def read_clips(shard: Path, config: ClipStreamConfig) -> list[Interval]:
    """Read the clips of one shard; their frames are a memory map."""
    num_frames = config.num_frames
    frames = load_array(shard, "frames")  # (clips * num_frames, H, W, 3)
    labels = json.loads(str(load_array(shard, "labels")))
    keypoints = load_array(shard, "keypoints")
    expect_shape("frames.npy", frames, (config.clips_per_shard * num_frames, *config.size, 3))
    expect_shape("keypoints.npy", keypoints, (config.clips_per_shard, num_frames, NUM_KEYPOINTS, 3))
    if frames.dtype != np.uint8 or keypoints.dtype != np.float32:
        raise TypeError(f"frames of {frames.dtype}, keypoints of {keypoints.dtype}")
    if not isinstance(labels, list) or len(labels) != config.clips_per_shard:
        raise ValueError(f"labels.npy without a list of {config.clips_per_shard} clips")
    names = tuple(f"rendered clip {index} of {shard}" for index in range(len(labels)))
    source = ClipSource(frames, tuple(range(0, len(frames) + 1, num_frames)), shard, names)
    return [
        Interval(
            source=source,
            first=index * num_frames,
            end=(index + 1) * num_frames,
            label=(str(action),),
            group_labels=_group_labels(groups),
            keypoints=keypoints[index],
        )
        for index, (action, groups) in enumerate(labels)
    ]


def _group_labels(raw: Any) -> tuple[GroupLabel, ...]:
    if not isinstance(raw, list) or len(raw) != len(GROUPS):
        raise ValueError(f"labels of other groups than {', '.join(GROUPS)}")
    return tuple(tuple(map(str, label)) for label in raw)


def render_clips(rng: np.random.Generator, index: int, config: ClipStreamConfig) -> Arrays:
    """Render one shard; the actions alternate."""
    first = index * config.clips_per_shard
    actions = [ACTIONS[(first + clip) % len(ACTIONS)] for clip in range(config.clips_per_shard)]
    clips = [scene_clip(rng, action, config) for action in actions]
    frames, groups, keypoints = zip(*clips, strict=True)
    labels = json.dumps(list(zip(actions, groups, strict=True)))
    return {"frames": np.concatenate(frames), "labels": np.array(labels), "keypoints": np.stack(keypoints)}


def scene_clip(
    rng: np.random.Generator, action: str, config: ClipStreamConfig
) -> tuple[NDArray[np.uint8], list[GroupLabel], NDArray[np.float32]]:
    """Render a clip (T, H, W, 3) from a random time of a random scene.

    Also return the label of every group, and the main performer's keypoints (T, 17, 3): x and y in pixels of the clip,
    and visibility 0, 1 or 2.
    """
    scene_config = replace(  # without what small frames cannot show: fine round surfaces and motion blur
        VIDEO_PRESETS["train"],
        size=config.rendered_size,
        sizes=(),
        body="mesh",
        supersampling=1,
        blur_share=0.0,
        detail=COARSE,
    )
    scene = build_scene(int(rng.integers(2**62)), action, config=scene_config)
    start = rng.uniform(0, SCENE_SECONDS)
    clip = np.zeros((config.num_frames, *config.size, 3), np.uint8)
    keypoints = np.zeros((config.num_frames, NUM_KEYPOINTS, 3), np.float32)
    scale = np.append(np.divide(config.size, config.rendered_size)[::-1], 1)  # of x, y and visibility
    annotated: list[FrameTruth] = []
    for frame_index in range(config.num_frames):
        rendered = scene.render(start + frame_index / config.frame_rate)
        clip[frame_index] = cv2.resize(rendered.image, config.size[::-1], interpolation=cv2.INTER_AREA)
        annotated.append(frame_truth_from_dict(frame_annotation(rendered.persons), "a rendered frame"))
        for person in rendered.persons:
            if person.identity == PERFORMER:
                keypoints[frame_index] = person.keypoints * scale
    return clip, [group_label(action, group, annotated) for group in GROUPS], keypoints
