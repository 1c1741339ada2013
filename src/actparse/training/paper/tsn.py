"""Recipes "action-tsn-..." and "states-tsn-...": TSN on ResNet-50 instead of ip-CSN-152 (Table I), from ImageNet.

The paper describes their training only by "for all models", so by default they train as CSN does; `training`
"reference" is the public TSN recipe (mmaction2, 1x1x3 on RGB and 5x1x3 on flow), its rate scaled to this batch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from actparse.nets.clips.tsn import TsnConfig
from actparse.stages.actions.classifier import ClipConfig
from actparse.stages.inputs import InputNorm
from actparse.training.paper.action import ClipNumbers
from actparse.training.paper.readings import Crop, Level, expect_ranges
from actparse.training.task import StepRule, TaskSettings
from actparse.video.segments import expect_segment_seconds

REFERENCE_BATCH = 256  # TSN: 32 on each of 8 GPUs


@dataclass(frozen=True, kw_only=True)
class TsnRgbNumbers(ClipNumbers):
    """Hyperparameters of TSN-R50 on frames; batch norms are trained, as in TSN."""

    training: Literal["paper", "reference"] = "paper"
    dropout: float = 0.4  # TSN
    num_segments: int = 3  # TSN: segments of a video in one training sample
    num_frames: int = 1  # TSN: frames of a segment
    frame_stride: int = 1
    crop: Crop = "multi-scale"  # TSN
    level: Level = "segment"
    segment_seconds: float = 3.0
    frame_stride_evaluated: int = 5
    reference_rate: float = 0.01  # TSN, at 256
    reference_epochs: int = 100  # TSN
    reference_milestones: tuple[int, ...] = (40, 80)  # TSN

    def __post_init__(self) -> None:
        super().__post_init__()
        reference_fields = ("reference_epochs", "reference_milestones")
        expect_ranges(
            self, at_least_1=("num_segments", "frame_stride_evaluated", *reference_fields), above_0=("reference_rate",)
        )
        expect_segment_seconds(self.segment_seconds, "train: segment_seconds")

    def settings(self) -> TaskSettings:
        """Return the settings for the training loop."""
        settings = super().settings()
        if self.training == "paper":
            return settings
        return replace(
            settings,
            learning_rate=self.reference_rate * settings.batch_size / REFERENCE_BATCH,
            nesterov=False,
            step_rule=StepRule(epochs=self.reference_epochs, milestones=self.reference_milestones, gamma=self.gamma),
        )

    def net(self, num_classes: int) -> TsnConfig:
        """Return the network's config."""
        return TsnConfig(num_classes=num_classes, dropout=self.dropout)

    def stage(self) -> ClipConfig:
        """Return the settings of the trained network; around a single frame there is room for only one clip."""
        stage = super().stage()
        return replace(stage, num_clips=1) if self.level == "frame" else stage


@dataclass(frozen=True, kw_only=True)
class TsnFlowNumbers(TsnRgbNumbers):
    """Hyperparameters of TSN-R50 on optical flow (TV-L1) read from 8-bit files."""

    num_frames: int = 5  # TSN: flow fields of a segment, ten channels
    crop: Crop = "random-resized"  # TSN
    # The file's first convolution has three input channels. TSN's public programs initialise the new one randomly; the
    # TSN paper (Wang et al. 2016, section 4.1) initialises it with the mean over the channels.
    first_convolution: Literal["fresh", "mean"] = "fresh"
    reference_rate: float = 0.005  # TSN, at 256
    reference_epochs: int = 110  # TSN
    reference_milestones: tuple[int, ...] = (70, 100)  # TSN

    def net(self, num_classes: int) -> TsnConfig:
        """Return the network's config."""
        return TsnConfig(num_classes=num_classes, in_channels=2 * self.num_frames, dropout=self.dropout)

    def stage(self) -> ClipConfig:
        """Return the settings of the trained network; the byte 128 stands for no motion."""
        return replace(super().stage(), norm=InputNorm(mean=(128.0,) * 3, std=(128.0,) * 3))
