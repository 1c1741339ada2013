"""Hyperparameters of the tiny clip networks, and the rendered clips that they learn from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import ConfigError, DataError
from actparse.core.ranges import Count, CountOrNone, Factors, NotNegative, Positive, Share
from actparse.data.frames.intervals import Interval, LabelledVideo, store_videos, whole_videos, with_states
from actparse.data.frames.store import Store
from actparse.nets.clips.csn import CsnConfig
from actparse.nets.clips.tsn import TsnConfig
from actparse.stages.actions.classifier import ClipConfig
from actparse.synth.dataset import is_synthetic
from actparse.training.options import TrainOptions
from actparse.training.recipes import tiny
from actparse.training.recipes.clips import (
    SEGMENT_SECONDS,
    ActionTask,
    ClipHyperparameters,
    ClipTask,
    Frames,
    Keypoints,
)
from actparse.training.recipes.hyperparameters import Inputs, Level, Mirror, OneCycle
from actparse.training.rendered.clip_stream import ClipStreamConfig, open_clip_stream
from actparse.training.samples.splits import cache_folder, open_stores
from actparse.training.samples.track_clips import track_videos
from actparse.training.task import Task
from actparse.video.augmentation import STRONG_JITTER, moved_shares, random_zoom, recolor, warp
from actparse.video.segments import expect_segment_seconds


@dataclass(frozen=True, kw_only=True)
class TinyClips(OneCycle, ClipHyperparameters):
    """Hyperparameters of a tiny clip network: for the action, with heads for states and keypoints, or for states."""

    batch_size: Count = 16
    learning_rate: Positive = 2.5e-3
    label_smoothing: Share = 0.05
    groups_weight: NotNegative = 2.4  # weight of the loss of the auxiliary heads for the groups
    keypoints_weight: NotNegative = 10.0  # weight of the auxiliary head's loss, in shares of the frame's sides
    training_side: CountOrNone = None  # short side of the frames in training, pixels; None: that of the stage
    mirror: Mirror = "sides"
    zoom: Factors = (0.85, 1.3)
    max_shift: NotNegative = 0.095  # share of the frame's sides
    speed: Factors = (0.8, 1.25)  # range of the factor of the motion's speed
    # Unit with one label; None: segments of about 3 s, and in addition rendered clips, with one label for four seconds.
    level: Level | None = None
    segment_seconds: float | None = None
    net_config: CsnConfig | TsnConfig = tiny.CLIPS_NET
    stage_config: ClipConfig = tiny.CLIPS_STAGE

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.segment_seconds is not None:
            expect_segment_seconds(self.segment_seconds, "train: segment_seconds")
        if self.stage_config.along_tracks and self.level == "frame":
            raise ConfigError("train: level must be segment for clips along tracks, got frame")
        if self.training_side is not None and self.stage_config.flow is not None:
            raise ConfigError(f"train: training_side must be none for flow, got {self.training_side}")

    @property
    def has_level(self) -> bool:
        """Whether a unit with one label was requested."""
        return self.level is not None or self.segment_seconds is not None

    def net(self, num_classes: int) -> CsnConfig | TsnConfig:
        """Return the network's config."""
        return replace(self.net_config, num_classes=num_classes)

    def stage(self) -> ClipConfig:
        """Return the settings of the trained network."""
        return self.stage_config

    def draw(self, num_frames: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw a clip's positions (T,) in an interval of `num_frames`, with a random speed except for flow."""
        speed = 1.0 if self.stage_config.flow else rng.uniform(*self.speed)
        steps = np.arange(self.stage_config.num_frames) * self.stage_config.frame_stride * speed
        first = rng.integers(0, max(1, num_frames - int(steps[-1])))
        return np.asarray(first + steps.astype(np.int64))

    def cut(self, frames: Frames, keypoints: Keypoints, rng: np.random.Generator) -> tuple[Frames, Keypoints]:
        """Apply one random zoom and shift, and one colour change, to all frames; flow is only moved.

        The result has the short side `training_side`, if it is set; the keypoints become shares of its sides.
        """
        height, width = frames.shape[1:3]
        is_flow = self.stage_config.flow is not None
        matrix = random_zoom((height, width), rng, zoom=self.zoom, max_shift=self.max_shift)
        scale = self.training_side / min(height, width) if self.training_side else 1.0
        size, matrix = (round(height * scale), round(width * scale)), matrix * scale
        fill = 128 if is_flow else int(rng.integers(0, 256))
        moved = np.stack([warp(frame, matrix, size, fill=fill) for frame in frames])
        if not is_flow:
            moved = recolor(moved.reshape(-1, size[1], 3), rng, STRONG_JITTER).reshape(moved.shape)
        return moved, moved_shares(matrix, keypoints, size)

    def num_rendered_clips(self, data: Path, options: TrainOptions) -> int:
        """Return the number of rendered clips in addition to a SynthTPS dataset."""
        fits = not self.has_level and not self.stage_config.along_tracks
        return options.stream_clips if is_synthetic(data) and fits else 0

    def build(self, inputs: Inputs) -> Task:
        """Build the task on decoded clips, and on rendered ones for a SynthTPS dataset."""
        report = inputs.options.report
        train, held_out = open_stores(inputs.data, inputs.run.out, inputs.options)
        intervals = self.labelled(self._videos(train))
        if self.has_level:
            seconds = self.segment_seconds or SEGMENT_SECONDS
            unit = "single frames" if self.level == "frame" else f"segments of about {seconds:g} s"
            report(f"{inputs.run.name}: labels of {unit}; rendered clips are left out")
        elif self.num_rendered_clips(inputs.data, inputs.options):
            clips = open_clips(inputs.data, inputs.run.out, inputs.options)
            intervals += tuple(clip for clip in clips if clip.label[0] in train.actions)
        if inputs.group is None:
            return ActionTask(intervals, whole_videos(self._videos(held_out)), self, report=report)
        held_out_intervals = with_states(self.labelled(self._videos(held_out)), inputs.group)
        return ClipTask(inputs.kind, with_states(intervals, inputs.group), held_out_intervals, self, report=report)

    def _videos(self, store: Store) -> Iterator[LabelledVideo]:
        """Yield a store's videos, or the tracks of its persons for clips along them."""
        rate = self.stage_config.frame_rate or 1.0
        if self.stage_config.along_tracks:
            return track_videos(store, rate, self.stage_config.short_side)
        return store_videos(store, rate)


@dataclass(frozen=True, kw_only=True)
class RenderedClips(TinyClips):
    """Hyperparameters of a clip network that learns only from rendered clips, as the paper starts from IG-65M."""

    trains_on_videos = False

    def build(self, inputs: Inputs) -> Task:
        """Build the task on rendered clips, which need a SynthTPS dataset."""
        if not self.num_rendered_clips(inputs.data, inputs.options):
            got = f"{inputs.options.stream_clips} clips for {inputs.data}"
            raise DataError(f"{inputs.run.name}: needs a SynthTPS dataset and rendered clips, got {got}")
        clips = open_clips(inputs.data, inputs.run.out, inputs.options)
        _, held_out = open_stores(inputs.data, inputs.run.out, inputs.options)
        videos = whole_videos(store_videos(held_out, self.stage_config.frame_rate or 1.0))
        return ActionTask(clips, videos, self, report=inputs.options.report)


def open_clips(data: Path, out: Path, options: TrainOptions) -> tuple[Interval, ...]:
    """Open the rendered clips that complement a SynthTPS dataset; return none for other datasets."""
    if not is_synthetic(data):
        return ()
    return open_clip_stream(cache_folder(data, out), options.stream_clips, ClipStreamConfig(), report=options.report)
