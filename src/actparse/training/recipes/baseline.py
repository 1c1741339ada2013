"""Recipe "baseline": the official baseline of Kinetics-TPS, ResNet with RoIAlign and an MLP, fused with TSN.

Its only public description says: "ResNet-50", "RoIAlign on person, part and object boxes", "an MLP refines each part's
feature for its state", "pooled over parts and persons", "fused with TSN for the action"; about 80 % video accuracy, ROC
score 29.79. Its training is not described. Objects are those of the truth, if the dataset has any; the recipe "objects"
trains a detector that finds them in videos.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from actparse.core.errors import ConfigError, DataError
from actparse.core.ranges import AT_LEAST_1, Below1, Count, Counts, Factors, NotNegative, Positive, Share
from actparse.core.structures import FrameParse, ObjectParse
from actparse.core.vocabulary import PART_FLIP, PARTS
from actparse.data.frames.annotations import Annotations
from actparse.data.frames.frame_cache import FrameForm
from actparse.nets.baseline import Baseline, BaselineConfig, FrameBoxes, Pooling
from actparse.nets.resnet import resnet_config
from actparse.stages.actions.baseline import BaselineRecognizer, BaselineSettings
from actparse.training.loop import ranks
from actparse.training.recipes import tiny
from actparse.training.recipes.hyperparameters import Hyperparameters, Inputs, OneCycle, step_settings
from actparse.training.recipes.states import (
    UNKNOWN,
    StatesTask,
    VideoMetrics,
    state_indices,
    states_loss,
    true_person,
)
from actparse.training.samples.splits import open_indices, open_stores
from actparse.training.task import NAMES, Batch, SampledTask, StepRule, Task, TaskSettings
from actparse.video.augmentation import (
    STRONG_JITTER,
    ColorJitter,
    Matrix,
    clip_boxes,
    mirrored,
    move_boxes,
    random_zoom,
    recolor,
    then,
    warp,
)

REFERENCE_BATCH = 256  # TSN: 32 on each of 8 GPUs
CHECK_VIDEOS, CHECK_FRAMES = 100, 8  # held-out videos for a check during training, and frames of each, at most
MIN_VISIBLE = 0.4  # share of a person's or a part's box that must stay visible in an augmented frame


@dataclass(frozen=True, kw_only=True)
class TinyBaseline(OneCycle):
    """Hyperparameters of the tiny baseline."""

    jitter: ClassVar[ColorJitter | None] = STRONG_JITTER

    batch_size: Count = 8
    learning_rate: Positive = 2e-3
    label_smoothing: Share = 0.05  # of the action
    states_weight: NotNegative = 1.0  # weight of the states' loss relative to the action's
    num_segments: int = 3  # frames of a video in one training sample
    zoom: Factors = (0.85, 1.2)
    max_shift: NotNegative = 0.08  # share of the frame's sides
    mirror_share: Share = 0.5
    net_config: BaselineConfig = tiny.BASELINE_NET
    stage_config: BaselineSettings = tiny.BASELINE_STAGE

    def net(self, num_actions: int, num_states: tuple[int, ...]) -> BaselineConfig:
        """Return the network's config; `num_states` has one entry for each of the ten parts."""
        return replace(self.net_config, num_actions=num_actions, num_states=num_states)

    def stage(self) -> BaselineSettings:
        """Return the settings of the trained network."""
        return self.stage_config

    def input_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return (height, width) of a training sample's frames, for frames of (height, width)."""
        return self.stage_config.resized(size)

    def build(self, inputs: Inputs) -> Task:
        """Build the task on decoded frames."""
        return BaselineTask(*open_stores(inputs.data, inputs.run.out, inputs.options), self)


@dataclass(frozen=True, kw_only=True)
class PaperBaseline(Hyperparameters):
    """Hyperparameters of the full-size baseline: network, training and input.

    TSN below is the public recipe (mmaction2, 1x1x3, RGB); "ours" marks a value without any source.
    """

    label_smoothing: ClassVar[float] = 0.0
    jitter: ClassVar[ColorJitter | None] = None

    depth: int = 50  # "ResNet-50"
    roi_channels: int = 256  # ours
    roi_size: int = 7  # ours; as in Faster R-CNN
    sampling_ratio: int = 2  # ours; samples of a cell along each axis
    width: int = 1024  # ours; width of the MLP
    num_layers: int = 2  # ours; layers of the MLP
    pooling: Pooling = "mean"  # ours; "pooled over parts and persons" does not name the operation
    dropout: float = 0.4  # TSN
    states_weight: NotNegative = 1.0  # ours; weight of the states' loss; the action's loss has weight 1
    batch_size: Count = REFERENCE_BATCH  # TSN; videos
    learning_rate: Positive = 0.01  # TSN, at 256; scaled to the batch
    epochs: Count = 100  # TSN; an epoch sees each video once
    milestones: Counts = (40, 80)  # TSN
    gamma: Positive = 0.1  # TSN
    momentum: Below1 = 0.9  # TSN
    nesterov: bool = False  # TSN; the paper's "for all models" does not include the baseline
    weight_decay: NotNegative = 1e-4  # TSN
    max_gradient_norm: Positive = 40.0  # TSN
    num_segments: Count = 3  # TSN: frames of a video in one training sample
    train_size: Annotated[tuple[int, int], AT_LEAST_1] = (256, 340)  # (height, width); TSN's stored frames of Kinetics
    zoom: Factors = (1.0, 1.5)  # TSN crops 1 to 0.66 of a frame's side; boxes move with the pixels
    max_shift: Share = 0.08  # ours; fraction of the frame's sides
    mirror_share: Share = 0.5  # TSN; left and right are exchanged in parts and states
    frame_stride: Count = 5  # the evaluator scores every fifth frame
    frame_cache: FrameForm = "jpeg"  # ours; form of the stored copies of the training frames; held-out frames have none
    test_short_side: Count = 256  # TSN
    test_frames: Count = 8  # ours; frames of one forward pass
    split_seed: int = 0  # division into 3,000 training and 809 held-out videos if the dataset has no split val; ours

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.zoom[0] > self.zoom[1]:
            raise ConfigError(f"train: zoom must be two numbers, the smaller first, got {self.zoom}")
        self.settings(), self.net(1, (1,) * len(PARTS))  # check the remaining fields

    def settings(self) -> TaskSettings:
        """Return the settings for the training loop."""
        rule = StepRule(epochs=self.epochs, milestones=self.milestones, gamma=self.gamma)
        rate = self.learning_rate * self.batch_size / REFERENCE_BATCH
        return step_settings(self, rule, learning_rate=rate, undecayed="nothing")

    def net(self, num_actions: int, num_states: tuple[int, ...]) -> BaselineConfig:
        """Return the network's config; `num_states` has one entry for each of the ten parts."""
        assert len(num_states) == len(PARTS)
        config = BaselineConfig(
            num_actions=num_actions,
            num_states=num_states,
            roi_channels=self.roi_channels,
            roi_size=self.roi_size,
            sampling_ratio=self.sampling_ratio,
            width=self.width,
            num_layers=self.num_layers,
            pooling=self.pooling,
            dropout=self.dropout,
        )
        return replace(config, backbone=resnet_config(self.depth))

    def stage(self) -> BaselineSettings:
        """Return the settings of the trained network."""
        return BaselineSettings(short_side=self.test_short_side, max_frames=self.test_frames)

    def input_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return (height, width) of a training sample's frames."""
        return self.train_size

    def build(self, inputs: Inputs) -> Task:
        """Build the task on videos that are decoded on demand."""
        seed, stride, form = self.split_seed, self.frame_stride, self.frame_cache
        splits = open_indices(inputs.data, inputs.run.out, inputs.options, seed=seed, stride=stride, form=form)
        return BaselineTask(*splits, self)


@dataclass(frozen=True)
class FrameMotion:
    """The motion of all frames of a sample: an affine map from the pixels of a frame to those of an image of `size`."""

    matrix: Matrix
    size: tuple[int, int]  # (height, width)
    is_mirrored: bool

    @classmethod
    def drawn(
        cls,
        old: tuple[int, int],
        size: tuple[int, int],
        rng: np.random.Generator,
        hyperparameters: TinyBaseline | PaperBaseline,
    ) -> FrameMotion:
        """Draw a random zoom and shift for frames of size `old` (height, width), mirrored or not."""
        is_mirrored = bool(rng.random() < hyperparameters.mirror_share)
        scale = np.array([[size[1] / old[1], 0, 0], [0, size[0] / old[0], 0]])
        zoom = random_zoom(size, rng, zoom=hyperparameters.zoom, max_shift=hyperparameters.max_shift)
        matrix = then(scale, zoom)
        return cls(mirrored(matrix, size[1]) if is_mirrored else matrix, size, is_mirrored)

    def images(self, images: Sequence[NDArray[np.uint8]], rng: np.random.Generator) -> NDArray[np.uint8]:
        """Return the moved frames (S, H, W, 3), with one random grey where a frame has no pixels."""
        fill = int(rng.integers(0, 256))
        return np.stack([warp(image, self.matrix, self.size, fill=fill) for image in images])

    def persons(self, old: FramePersons) -> FramePersons:
        """Return the persons and objects of a frame that are still visible after the motion.

        `old` is in pixels of the old frame; its states, but not its parts, are already mirrored if this motion is.
        """
        moved_boxes, is_visible = clip_boxes(move_boxes(self.matrix, old.boxes), self.size, min_visible=MIN_VISIBLE)
        parts = old.parts[:, PART_FLIP] if self.is_mirrored else old.parts
        exists = (parts != 0).any(axis=2)  # (P, 10)
        moved, is_part_visible = clip_boxes(
            move_boxes(self.matrix, parts).reshape(-1, 4), self.size, min_visible=MIN_VISIBLE
        )
        part_exists = exists & is_part_visible.reshape(exists.shape)
        parts = np.where(part_exists[..., None], moved.reshape(parts.shape), 0).astype(np.float32)
        states = np.where(part_exists, old.states, UNKNOWN)
        moved_objects, keep = clip_boxes(move_boxes(self.matrix, old.objects), self.size, min_visible=MIN_VISIBLE)
        return FramePersons(moved_boxes[is_visible], parts[is_visible], states[is_visible], moved_objects[keep])


@dataclass(frozen=True)
class FramePersons:
    """The P persons and O objects of one augmented frame."""

    boxes: NDArray[np.float32]  # (P, 4) xyxy, pixels of the network's input
    parts: NDArray[np.float32]  # (P, 10, 4); zeros where a part is absent
    states: NDArray[np.int64]  # (P, 10) indices of the network's labels, or UNKNOWN
    objects: NDArray[np.float32]  # (O, 4) xyxy


@dataclass(frozen=True)
class VideoSample:
    """Augmented frames of one video."""

    name: str
    images: NDArray[np.uint8]  # (S, H, W, 3)
    persons: Sequence[FramePersons]  # of each frame
    action: int


class BaselineTask(SampledTask, StatesTask):
    """The baseline on one frame from each equal segment of a video, all with the same motion, mirror and colours."""

    kind = "baseline"

    def __init__(
        self, train: Annotations, held_out: Annotations, hyperparameters: TinyBaseline | PaperBaseline
    ) -> None:
        """Build the network for the actions and states of the training split.

        Raises:
            DataError: the training split has no annotated frame.
        """
        self.train, self.held_out, self.hyperparameters = train, held_out, hyperparameters
        self.settings, self.stage = hyperparameters.settings(), hyperparameters.stage()
        self.stored_as = hyperparameters.stored_as
        self.videos = train.videos()
        if not self.videos:
            raise DataError("baseline: the training split has no annotated frame")
        self.actions = tuple(sorted({action_of(train, frames) for frames in self.videos}))
        self.states = tuple(train.states_of_part(part) for part in range(len(PARTS)))
        self.objects = train.object_classes
        self.net = Baseline(hyperparameters.net(len(self.actions), tuple(map(len, self.states))))

    @property
    def num_samples(self) -> int:
        """Number of videos."""
        return len(self.videos)

    def sample(self, row: int, rng: np.random.Generator) -> VideoSample:
        """Draw frames (S, H, W, 3) of one video, with the persons of each frame."""
        hyperparameters = self.hyperparameters
        chosen = drawn_frames(np.array(self.videos[row]), hyperparameters.num_segments, rng).tolist()  # (S,)
        images = self.train.images(chosen)
        old = (images[0].shape[0], images[0].shape[1])
        motion = FrameMotion.drawn(old, hyperparameters.input_size(old), rng, hyperparameters)
        moved = motion.images(images, rng)  # (S, H, W, 3)
        if hyperparameters.jitter is not None:
            moved = recolor(moved.reshape(-1, moved.shape[2], 3), rng, hyperparameters.jitter).reshape(moved.shape)
        frame_indices = ", ".join(str(self.train.frame_indices[frame]) for frame in chosen)
        return VideoSample(
            f"{self.train.names[self.train.frame_videos[chosen[0]]]} frames {frame_indices}",
            moved,
            [self.persons(frame, motion) for frame in chosen],
            self.actions.index(action_of(self.train, self.videos[row])),
        )

    def persons(self, frame: int, motion: FrameMotion) -> FramePersons:
        """Return the persons and objects of a training frame after a motion."""
        persons = self.train.persons_of(frame)
        states = state_indices(self.train.state_names(persons), self.states, mirror=motion.is_mirrored)
        boxes, parts = self.train.person_boxes[persons], self.train.part_boxes[persons]
        return motion.persons(FramePersons(boxes, parts, states, self.train.object_boxes[self.train.objects_of(frame)]))

    def collate(self, samples: Sequence[VideoSample]) -> Batch:
        """Stack frames of one size; what belongs to persons and objects is a list with one entry for each video."""
        videos = [sample.persons for sample in samples]

        def joined(name: str) -> list[Tensor]:
            return [torch.from_numpy(np.concatenate([getattr(frame, name) for frame in video])) for video in videos]

        def segments(name: str) -> list[Tensor]:
            counts = [[len(getattr(frame, name)) for frame in video] for video in videos]
            return [torch.from_numpy(np.repeat(np.arange(len(count)), count)) for count in counts]

        return {
            "images": torch.from_numpy(np.stack([sample.images for sample in samples])),  # (N, S, H, W, 3)
            "actions": torch.tensor([sample.action for sample in samples]),
            **{name: joined(name) for name in ("boxes", "parts", "states", "objects")},
            "segments": segments("boxes"),
            "object_segments": segments("objects"),
            NAMES: [sample.name for sample in samples],
        }

    def losses(self, net: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Return the cross-entropy of the action, and the mean cross-entropy of the states of all annotated parts."""
        assert isinstance(net, Baseline)
        device = next(net.parameters()).device
        images = batch["images"].to(device)  # (N, S, H, W, 3)
        frames = self.stage.norm(images.flatten(0, 1).permute(0, 3, 1, 2))  # (N*S, 3, H, W)
        person_frames, object_frames = (
            torch.cat([segments + video * images.shape[1] for video, segments in enumerate(batch[name])])
            for name in ("segments", "object_segments")
        )
        persons, parts, objects = (torch.cat(batch[name]) for name in ("boxes", "parts", "objects"))
        boxes = FrameBoxes(persons, parts, person_frames, objects, object_frames).to(device)
        logits = net(frames.view(*images.shape[:2], *frames.shape[1:]), boxes)
        states = torch.cat(batch["states"]).to(device)  # (P, 10)
        smoothing, weight = self.hyperparameters.label_smoothing, self.hyperparameters.states_weight
        actions = batch["actions"].to(device)
        return {
            "action": F.cross_entropy(logits.actions.float(), actions, label_smoothing=smoothing),
            "states": weight * states_loss(logits.states, states),
        }

    def evaluate(self, net: nn.Module, device: torch.device) -> dict[str, Any]:
        """Measure video accuracy, and state accuracy by part group, on true boxes of the held-out videos."""
        return self._measure(net, device, self.held_out.videos())

    def check(self, net: nn.Module, device: torch.device) -> dict[str, Any]:
        """Measure the same on a few frames of a few held-out videos."""
        videos = self.held_out.videos(CHECK_VIDEOS)
        return self._measure(net, device, [frames[:: -(-len(frames) // CHECK_FRAMES)] for frames in videos])

    def _measure(self, net: nn.Module, device: torch.device, videos: Sequence[range]) -> dict[str, Any]:
        assert isinstance(net, Baseline)
        recognizer = BaselineRecognizer(net.to(device).eval(), self.actions, self.states, self.stage, self.objects)
        data, metrics = self.held_out, VideoMetrics()
        results = []
        for frames in ranks.shard(videos):
            scores, parses = recognizer.recognize(data.images(frames), [true_frame(data, frame) for frame in frames])
            is_right = max(scores, key=lambda name: scores[name]) == action_of(data, frames)
            results.append((is_right, parses, [data.state_names(data.persons_of(frame)) for frame in frames]))
        for result in ranks.gathered(results):
            metrics.add(*result)
        return metrics.as_json()

    def labels(self) -> Mapping[str, Any]:
        """Return the actions, the states of each part, and the objects if the dataset has any."""
        return {**super().labels(), **({"objects": list(self.objects)} if self.objects else {})}


def action_of(data: Annotations, frames: range) -> str:
    """Return the action of the video that frames belong to."""
    return data.actions[int(data.frame_videos[frames[0]])]


def drawn_frames(frames: NDArray[np.int64], num_segments: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw one of a video's frames (F,) from each of its S equal segments; a short video repeats some. Source: TSN."""
    positions = (np.arange(num_segments) + rng.random(num_segments)) * len(frames) / num_segments
    return frames[np.minimum(positions.astype(np.int64), len(frames) - 1)]


def true_frame(data: Annotations, frame: int) -> FrameParse:
    """Convert an annotated frame to a parse result: true boxes of all, no keypoints, no states yet."""
    persons, objects = data.persons_of(frame), data.objects_of(frame)
    pairs = zip(data.person_boxes[persons].tolist(), data.part_boxes[persons], strict=True)
    people = tuple(true_person(track, box, parts) for track, (box, parts) in enumerate(pairs, start=1))
    pairs_of_objects = zip(data.object_names(objects), data.object_boxes[objects].tolist(), strict=True)
    things = tuple(ObjectParse(name, (x1, y1, x2, y2), 1.0) for name, (x1, y1, x2, y2) in pairs_of_objects)
    return FrameParse(int(data.frame_indices[frame]), float(data.frame_times[frame]), people, things)
