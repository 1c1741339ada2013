"""Rendered clips for the clip networks: short scenes that are not part of any dataset.

With a few hundred videos only, the networks overfit before they learn the motion. The stream plays the role that IG-65M
has for the networks of PCF.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from actparse.core.errors import ConfigError, expect_shape
from actparse.core.vocabulary import GROUPS, GroupLabel
from actparse.data.kinetics_tps import FrameTruth, frame_truth_from_dict
from actparse.data.pseudo_labels import group_label
from actparse.synth.actions.registry import ACTIONS
from actparse.synth.config import SceneConfig
from actparse.synth.dataset import frame_annotation
from actparse.synth.scene import build_scene
from actparse.training.options import Report, say_nothing
from actparse.training.rendered.shards import Seed, complete_shards, reading_shard, save_shard
from actparse.training.samples.intervals import ClipSource
from actparse.training.samples.intervals import Interval as Stretch

GENERATION = 4  # of the stream; another value renders it again
SPLIT_CODE = 8_001  # different from the codes of a dataset's splits and of the other streams
SCENE_SECONDS = 9.0  # a clip begins within this time
COARSE = 0.5  # level of detail of the bodies


@dataclass(frozen=True, kw_only=True)
class ClipStreamConfig:
    """Settings for rendering a stream of clips."""

    size: tuple[int, int] = (48, 64)  # (height, width) of the clips' frames
    rendered_size: tuple[int, int] = (144, 192)  # (height, width) of the frames before they are shrunk
    num_frames: int = 20  # in a clip; a few more than the network reads, for changes of speed
    frame_rate: float = 10.0  # of a clip, frames per second
    annotated_stride: int = 4  # frames from one annotated frame to the next
    clips_per_shard: int = 120

    def __post_init__(self) -> None:
        for name in ("size", "rendered_size"):
            sides = getattr(self, name)
            if len(sides) != 2 or any(type(side) is not int or side < 1 for side in sides):
                raise ConfigError(f"stream.{name} must be two whole numbers of at least 1, got {sides}")
        for name in ("num_frames", "frame_rate", "annotated_stride", "clips_per_shard"):
            if not 1 <= getattr(self, name) < math.inf:
                raise ConfigError(f"stream.{name} must be at least 1 and finite, got {getattr(self, name)}")

    def folder_name(self, seed: int) -> str:
        """Return the name of the shards' folder.

        The last three settings appear only if they differ from their defaults, since older caches do not name them.
        """
        height, width = self.size
        name = f"clips-{GENERATION}-{seed}-{width}x{height}-{self.num_frames}-{self.clips_per_shard}"
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
    folder: Path,
    num_clips: int,
    config: ClipStreamConfig,
    *,
    seed: int = 0,
    processes: int | None = None,
    report: Report = say_nothing,
) -> tuple[Stretch, ...]:
    """Open the stream's first clips, rendering them if necessary, with their action and each group's main state.

    Args:
        folder: that contains the streams.
        num_clips: rounded up to full shards; 0 means none.
        config: of the stream.
        seed: of the stream.
        processes: None means one for each core.
        report: receives lines of progress.

    Raises:
        DataError: a shard is damaged.
    """
    shards = complete_shards(
        folder / config.folder_name(seed),
        -(-num_clips // config.clips_per_shard),
        write_clips,
        config,
        code=SPLIT_CODE,
        seed=seed,
        processes=processes,
        report=report,
        unit=(config.clips_per_shard, "clips"),
    )
    return tuple(clip for shard in shards for clip in _read_shard(shard, config))


def _read_shard(shard: Path, config: ClipStreamConfig) -> list[Stretch]:
    num_frames = config.num_frames
    with reading_shard(shard, "rendered clips"):
        frames = open_memmap(shard / "frames.npy", mode="r")  # (clips * num_frames, H, W, 3)
        clips = [(str(action), _group_labels(labels)) for action, labels in _labels(shard / "labels.npy")]
        expect_shape("frames.npy", frames, (config.clips_per_shard * num_frames, *config.size, 3))
        if frames.dtype != np.uint8:
            raise TypeError(f"frames of {frames.dtype}")
        if len(clips) != config.clips_per_shard:
            raise ValueError(f"labels of {len(clips)} clips, not of {config.clips_per_shard}")
    source = ClipSource(frames, tuple(range(0, len(frames) + 1, num_frames)), shard)
    return [
        Stretch(
            source=source,
            first=index * num_frames,
            end=(index + 1) * num_frames,
            label=(action,),
            group_labels=labels,
        )
        for index, (action, labels) in enumerate(clips)
    ]


def _labels(path: Path) -> list[Any]:
    labels = json.loads(str(open_memmap(path, mode="r")))
    if not isinstance(labels, list):
        raise TypeError(f"{path.name} of a {type(labels).__name__}")
    return labels


def _group_labels(raw: Any) -> tuple[GroupLabel, ...]:
    if not isinstance(raw, list) or len(raw) != len(GROUPS):
        raise ValueError(f"labels of other groups than {', '.join(GROUPS)}")
    return tuple(tuple(map(str, label)) for label in raw)


def write_clips(folder: Path, seed: Seed, config: ClipStreamConfig) -> None:
    """Render one shard; every scene's seed derives from the shard's seed, and the actions alternate."""
    cv2.setNumThreads(1)
    rng = np.random.default_rng(seed)
    frames = np.zeros((config.clips_per_shard, config.num_frames, *config.size, 3), np.uint8)
    clips: list[tuple[str, list[GroupLabel]]] = []
    for index in range(config.clips_per_shard):
        action = ACTIONS[(seed[2] * config.clips_per_shard + index) % len(ACTIONS)]
        frames[index], labels = scene_clip(rng, action, config)
        clips.append((action, labels))
    save_shard(folder, {"frames": frames.reshape(-1, *config.size, 3), "labels": np.array(json.dumps(clips))})


def scene_clip(
    rng: np.random.Generator, action: str, config: ClipStreamConfig
) -> tuple[NDArray[np.uint8], list[GroupLabel]]:
    """Render a clip (T, H, W, 3) from a random time of a random scene, and return it with the label of every group."""
    scene = build_scene(int(rng.integers(2**62)), action, config=_scene_config(config))
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


def _scene_config(config: ClipStreamConfig) -> SceneConfig:
    """Return scene settings without what small frames cannot show: fine round surfaces and motion blur."""
    return SceneConfig(size=config.rendered_size, supersampling=1, blur_share=0.0, detail=COARSE)
