"""Rendered clips for the clip networks: short scenes that are not part of any dataset.

With a few hundred videos only, the networks overfit before they learn the motion. The stream plays the role that IG-65M
has for the networks of PCF.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import ConfigError, expect_shape
from actparse.core.progress import Report, discard_line
from actparse.core.ranges import AtLeast1, Count, expect_ranges
from actparse.core.vocabulary import GROUPS, GroupLabel
from actparse.data.frames.intervals import ClipSource, Interval
from actparse.data.kinetics_tps import FrameTruth, frame_truth_from_dict
from actparse.data.pseudo_labels import group_label
from actparse.synth.actions.registry import ACTIONS
from actparse.synth.config import VIDEO_PRESETS
from actparse.synth.dataset import frame_annotation
from actparse.synth.scene import build_scene
from actparse.training.rendered.stream import SEED, Arrays, ShardedStream, load_array

GENERATION = 5  # of the stream; another value renders it again
SPLIT_CODE = 8_001  # different from the codes of a dataset's splits and of the other streams
SCENE_SECONDS = 9.0  # a clip begins within this time
COARSE = 0.5  # level of detail of the bodies


@dataclass(frozen=True, kw_only=True)
class ClipStreamConfig:
    """Settings for rendering a stream of clips."""

    size: tuple[int, int] = (48, 64)  # (height, width) of the clips' frames
    rendered_size: tuple[int, int] = (144, 192)  # (height, width) of the frames before they are shrunk
    num_frames: Count = 20  # in a clip; a few more than the network reads, for changes of speed
    frame_rate: AtLeast1 = 10.0  # of a clip, frames per second
    annotated_stride: Count = 4  # frames from one annotated frame to the next
    clips_per_shard: Count = 120

    def __post_init__(self) -> None:
        for name in ("size", "rendered_size"):
            sides = getattr(self, name)
            if len(sides) != 2 or any(type(side) is not int or side < 1 for side in sides):
                raise ConfigError(f"stream.{name} must be two whole numbers of at least 1, got {sides}")
        expect_ranges(self, "stream.")

    @property
    def folder_name(self) -> str:
        """Name of the shards' folder.

        The last three settings appear only if they differ from their defaults, since older caches do not name them.
        """
        height, width = self.size
        name = f"clips-{GENERATION}-{SEED}-{width}x{height}-{self.num_frames}-{self.clips_per_shard}"
        defaults = {field.name: field.default for field in fields(self)}
        if self.rendered_size != defaults["rendered_size"]:
            height, width = self.rendered_size
            name += f"-from-{width}x{height}"
        if self.frame_rate != defaults["frame_rate"]:
            name += f"-at-{self.frame_rate:g}"
        if self.annotated_stride != defaults["annotated_stride"]:
            name += f"-every-{self.annotated_stride}"
        return name


def open_clip_stream(
    folder: Path, num_clips: int, config: ClipStreamConfig, *, report: Report = discard_line
) -> tuple[Interval, ...]:
    """Open the first `num_clips` clips, with their action and each group's main state, as `ShardedStream.open` does."""
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
    expect_shape("frames.npy", frames, (config.clips_per_shard * num_frames, *config.size, 3))
    if frames.dtype != np.uint8:
        raise TypeError(f"frames of {frames.dtype}")
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
    labels = [(action, groups) for action, (_, groups) in zip(actions, clips, strict=True)]
    return {"frames": np.concatenate([frames for frames, _ in clips]), "labels": np.array(json.dumps(labels))}


def scene_clip(
    rng: np.random.Generator, action: str, config: ClipStreamConfig
) -> tuple[NDArray[np.uint8], list[GroupLabel]]:
    """Render a clip (T, H, W, 3) from a random time of a random scene, and return it with the label of every group."""
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
    annotated: list[FrameTruth] = []
    for frame_index in range(config.num_frames):
        is_annotated = frame_index % config.annotated_stride == 0
        rendered = scene.render(start + frame_index / config.frame_rate, with_truth=is_annotated)
        clip[frame_index] = cv2.resize(rendered.image, config.size[::-1], interpolation=cv2.INTER_AREA)
        if is_annotated:
            annotated.append(frame_truth_from_dict(frame_annotation(rendered.persons), "a rendered frame"))
    return clip, [group_label(action, group, annotated) for group in GROUPS]
