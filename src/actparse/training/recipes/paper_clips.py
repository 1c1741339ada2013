"""Recipes of the full-size clip networks: ip-CSN-152, ir-CSN-152, and TSN on frames or flow.

CSN below is the public recipe that fine-tunes CSN from IG-65M with frozen batch norms (mmaction2 0.x, 58 epochs); TSN
is the public recipe of TSN-R50 (mmaction2, 1x1x3 on RGB and 5x1x3 on flow).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import ConfigError, DataError
from actparse.core.ranges import AT_LEAST_0, AT_LEAST_1, Below1, Count, Counts, NotNegative, Positive, Share
from actparse.data.flow_files import FLOW_FOLDER
from actparse.data.frames.index import VideoIndex
from actparse.data.frames.intervals import Interval, index_videos, whole_videos, with_states
from actparse.data.pseudo_labels import Pairs
from actparse.nets.clips.csn import Bottleneck, CsnConfig
from actparse.nets.clips.tsn import TsnConfig
from actparse.stages.actions.classifier import ClipConfig
from actparse.stages.actions.clip_inputs import FlowInput
from actparse.stages.inputs import InputNorm
from actparse.training.options import TrainOptions
from actparse.training.recipes.clips import ClipHyperparameters, ClipTask, Frames, Keypoints
from actparse.training.recipes.hyperparameters import (
    BatchReading,
    Crop,
    Inputs,
    Level,
    Mirror,
    Pretraining,
    WarmUp,
    samples_of_step,
    step_settings,
)
from actparse.training.samples.flow import FlowFiles
from actparse.training.samples.splits import open_indices
from actparse.training.task import StepRule, Task, TaskSettings
from actparse.video.sampling import clip_indices, train_clip_offsets
from actparse.video.segments import expect_segment_seconds
from actparse.video.transforms import crop, multiscale_crop_boxes, random_resized_crop_box, resize, resize_short_side

WARM_UP_COUNT = 16  # epochs or iterations
REFERENCE_BATCH = 256  # TSN: 32 on each of 8 GPUs
NORMS = {  # input norms of the public checkpoints. Source: VMZ's constants, in mmaction2's configs of CSN
    "ig65m": InputNorm(),
    "sports1m": InputNorm(mean=(110.2008, 100.63983, 95.99475), std=(58.14765, 56.46975, 55.332195)),
}
IR_WEIGHTS = {  # ensemble weights of a group's two networks, ip first. Source: the authors' challenge report
    "head": (1.413, 1.0),
    "arm": (1.0, 0.0),
    "hand": (1.314, 1.0),
    "hip": (1.906, 1.0),
    "leg": (3.515, 1.0),
    "foot": (1.576, 1.0),
}


@dataclass(frozen=True, kw_only=True)
class PaperClips(ClipHyperparameters):
    """Hyperparameters that all full-size clip networks share; those without a value differ from network to network.

    Values without a named source are from PCF, the paper that this package implements, section III-A.
    """

    label_smoothing = groups_weight = 0.0

    batch_size: Count = 4  # "a mini-batch of four on four V100 GPUs"
    num_gpus: Count = 4
    # 4 on each GPU: linear scaling of CSN's 1.25e-4 at 24 gives 8.3e-5 at 16, the paper's rate, but 2.1e-5 at 4.
    batch: BatchReading = "per-gpu"
    epochs: Count = 58
    learning_rate: Positive = 8e-5
    milestones: Counts = (32, 48)
    gamma: Positive = 0.1  # "decreased by a factor of 10"
    # "The first 16 iterations": CSN's setting is called warmup_iters=16 but counts epochs (warmup_by_epoch), and the
    # rate changes at every iteration; programs of 2022 and later change it once an epoch.
    warmup: WarmUp = "16-epochs-by-iteration"
    warmup_start: Share = 0.1  # CSN; not in the paper
    momentum: Below1 = 0.9
    nesterov: bool = True  # "by default ... for all models"; CSN has none
    weight_decay: NotNegative = 1e-4  # CSN: on every parameter that is trained
    max_gradient_norm: Positive = 40.0  # CSN; not in the paper
    dropout: Below1
    num_frames: Count  # of a clip, or of a segment of TSN
    frame_stride: Count
    train_short_side: Count = 256  # CSN: before the crop
    crop: Crop
    crop_size: Count = 224  # CSN
    # Half of the clips are mirrored. "sides" exchanges the sides in a paired group's label too, if the result is one of
    # the training labels; "plain" does not, as in CSN's pipeline, so that left and right are taught at random; "off"
    # never mirrors. The paper does not discuss it.
    mirror: Mirror = "sides"
    num_clips: Count = 7  # "the number of sampling clips as seven"
    test_short_side: Count = 256  # "the shorter side ... to 256"; crops are not mentioned: the whole frame
    level: Level = "segment"  # "frame": a clip around each evaluated frame, with the label of that frame
    segment_seconds: float = 3.0  # "three seconds or so"; Table III also has 10
    # Label of a paired group. "joint": the states of both sides, as in the authors' challenge report ("belly_dancing,
    # right hand none, left hand none"). "merged": one state for both, the most frequent over both sides, which the
    # paper's "six labels", each with "the most frequently frame-level action" of a body part, can also mean.
    pairs: Pairs = "joint"
    frame_stride_evaluated: Count = 5  # the evaluator scores every fifth frame
    split_seed: int = 0  # division into 3,000 training and 809 held-out videos if the dataset has no split val; ours

    def __post_init__(self) -> None:
        super().__post_init__()
        expect_segment_seconds(self.segment_seconds, "train: segment_seconds")
        self.settings(), self.stage()  # check the remaining fields

    def settings(self) -> TaskSettings:
        """Return the settings for the training loop."""
        in_epochs = self.warmup != "16-iterations"
        rule = StepRule(
            epochs=self.epochs,
            milestones=self.milestones,
            gamma=self.gamma,
            warmup_iterations=0 if in_epochs else WARM_UP_COUNT,
            warmup_epochs=WARM_UP_COUNT if in_epochs else 0,
            warmup_by_epoch=self.warmup == "16-epochs-by-epoch",
            warmup_start=self.warmup_start,
        )
        batch_size = samples_of_step(self.batch, self.batch_size, self.num_gpus)
        return step_settings(self, rule, batch_size=batch_size, undecayed="nothing")

    def stage(self) -> ClipConfig:
        """Return the settings of the trained network; the probabilities of the clips are averaged."""
        return ClipConfig(
            num_frames=self.num_frames,
            frame_stride=self.frame_stride,
            num_clips=self.num_clips,
            short_side=self.test_short_side,
        )

    def draw(self, num_frames: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw the positions (num_train_clips * T,) of a sample's frames in an interval of `num_frames`."""
        offsets = train_clip_offsets(num_frames, self.num_frames, self.frame_stride, self.num_train_clips, rng=rng)
        return clip_indices(offsets, num_frames, self.num_frames, self.frame_stride).ravel()

    def cut(self, frames: Frames, keypoints: Keypoints, rng: np.random.Generator) -> tuple[Frames, Keypoints]:
        """Resize all frames, cut one random crop out of them, and resize it; keypoints are not learnt and stay."""
        resized = [resize_short_side(frame, self.train_short_side) for frame in frames]
        size = (resized[0].shape[0], resized[0].shape[1])
        if self.crop == "random-resized":
            box = random_resized_crop_box(size, rng)
        else:
            boxes = multiscale_crop_boxes(size, self.crop_size)  # (N, 4)
            box = boxes[rng.integers(len(boxes))]
        sides = (self.crop_size, self.crop_size)
        return np.stack([resize(np.ascontiguousarray(crop(frame, box)), sides) for frame in resized]), keypoints

    def build(self, inputs: Inputs) -> Task:
        """Build the task on videos that are decoded on demand.

        Raises:
            ConfigError: a level of labels was requested for a network for the action, which sees whole videos.
        """
        if inputs.group is None and self.level == "frame":
            raise ConfigError(f"train: {inputs.run.name} sees whole videos, got level {self.level}")
        splits = open_indices(inputs.data, inputs.run.out, inputs.options, seed=self.split_seed)
        train, held_out = (self._label(split, inputs) for split in splits)
        return ClipTask(inputs.kind, train, held_out, self)

    def _label(self, split: VideoIndex, inputs: Inputs) -> tuple[Interval, ...]:
        videos = index_videos(split)
        if inputs.group is None:
            return whole_videos(videos)
        return with_states(self.labelled(videos, (inputs.group,)), inputs.group)


@dataclass(frozen=True, kw_only=True)
class PaperCsn(PaperClips):
    """Hyperparameters of ip-CSN-152; the network for the action sees whole videos.

    There is one network for each part group, "without sharing parameters". A label is (action, state), for a paired
    group (action, left state, right state), see `pairs`: "(hurling sport) head: none".
    """

    initial_settings: ClassVar[Mapping[str, str]] = {"norm": "pretraining"}

    dropout: Below1 = 0.5  # CSN; not in the paper
    num_frames: Count = 32  # "32 x 2"
    frame_stride: Count = 2
    crop: Crop = "random-resized"  # CSN
    depth_blocks: Annotated[tuple[int, int, int, int], AT_LEAST_1] = (3, 8, 36, 3)  # "ip-CSN-152"
    bottleneck: Bottleneck = "ip"
    pretraining: Pretraining = "ig65m"  # data of the initial file, which determines mean and deviation
    freeze_batch_norm: bool = True  # "we freeze the Batch Normalization (BN) layers in the backbone"

    def net(self, num_classes: int) -> CsnConfig:
        """Return the network's config."""
        return CsnConfig(
            num_classes=num_classes,
            num_blocks=self.depth_blocks,
            bottleneck=self.bottleneck,
            dropout=self.dropout,
            freeze_batch_norm=self.freeze_batch_norm,
        )

    def stage(self) -> ClipConfig:
        """Return the settings of the trained network; frames are normalised as in its pretraining."""
        return replace(super().stage(), norm=NORMS[self.pretraining])


@dataclass(frozen=True, kw_only=True)
class PaperIrCsn(PaperCsn):
    """Hyperparameters of ir-CSN-152 from Sports-1M, used with ip-CSN-152 in the authors' challenge entry."""

    bottleneck: Bottleneck = "ir"
    pretraining: Pretraining = "sports1m"
    # Weights of the two networks, ip first; None leaves the network out of the ensemble. Source: the authors' challenge
    # report, which does not specify whether logits are summed, or probabilities, as for clips.
    ensemble: Annotated[tuple[float, float] | None, AT_LEAST_0] = (7.0, 1.0)


@dataclass(frozen=True, kw_only=True)
class PaperTsnRgb(PaperClips):
    """Hyperparameters of TSN-R50 on frames, instead of ip-CSN-152 (Table I); batch norms are trained, as in TSN.

    It is trained by the public TSN recipe, its rate scaled to this batch. The paper gives epochs and rate "for the CSN
    model" alone; `training` "paper" uses them for TSN too, with an eighth of TSN's own rate.
    """

    training: Literal["reference", "paper"] = "reference"
    dropout: Below1 = 0.4  # TSN
    num_segments: Count = 3  # TSN: segments of a video in one training sample
    num_frames: Count = 1  # TSN: frames of a segment
    frame_stride: Count = 1
    crop: Crop = "multi-scale"  # TSN
    reference_rate: Positive = 0.01  # TSN, at 256
    reference_epochs: Count = 100  # TSN
    reference_milestones: Counts = (40, 80)  # TSN

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

    @property
    def num_train_clips(self) -> int:  # type: ignore[override]
        """The number of segments of an interval in one training sample."""
        return self.num_segments


@dataclass(frozen=True, kw_only=True)
class PaperTsnFlow(PaperTsnRgb):
    """Hyperparameters of TSN-R50 on optical flow (TV-L1) read from 8-bit files."""

    num_frames: Count = 5  # TSN: flow fields of a segment, ten channels
    crop: Crop = "random-resized"  # TSN
    # The file's first convolution has three input channels. TSN's public programs initialise the new one randomly; the
    # TSN paper (Wang et al. 2016, section 4.1) initialises it with the mean over the channels.
    first_convolution: Literal["fresh", "mean"] = "fresh"
    reference_rate: Positive = 0.005  # TSN, at 256
    reference_epochs: Count = 110  # TSN
    reference_milestones: Counts = (70, 100)  # TSN

    def net(self, num_classes: int) -> TsnConfig:
        """Return the network's config."""
        return TsnConfig(num_classes=num_classes, in_channels=2 * self.num_frames, dropout=self.dropout)

    def stage(self) -> ClipConfig:
        """Return the settings of the trained network, which computes flow: a stack has one frame more than fields."""
        flow = FlowInput(num_fields=self.num_frames)
        return replace(super().stage(), num_frames=flow.run, flow=flow)

    def draw(self, num_frames: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw the positions (num_train_clips * run,) of the frames of each stack, of which the last has no field."""
        offsets = super().draw(max(1, num_frames - 1), rng).reshape(self.num_train_clips, -1)  # (S, F)
        return np.concatenate((offsets, offsets[:, -1:]), axis=1).ravel()

    def expect_inputs(self, data: Path, options: TrainOptions) -> None:
        """Check that the folder of flow files exists: the one in the options, or the default below the dataset.

        Raises:
            DataError: it does not exist.
        """
        folder = options.flow or data / FLOW_FOLDER
        if not folder.is_dir():
            raise DataError(f"{folder}: no such folder; TSN on flow needs the flow that `actparse data flow` makes")

    def _label(self, split: VideoIndex, inputs: Inputs) -> tuple[Interval, ...]:
        flow = FlowFiles(inputs.options.flow or inputs.data / FLOW_FOLDER, split.names, split.offsets)
        return tuple(replace(interval, source=flow) for interval in super()._label(split, inputs))
