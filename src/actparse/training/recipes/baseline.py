"""Recipe "baseline": the official baseline on the frames of a store, with true boxes of persons and parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from actparse.core.errors import DataError
from actparse.core.structures import FrameParse, PartParse, PersonParse
from actparse.core.vocabulary import NUM_KEYPOINTS, PART_FLIP, PART_INDEX, PARTS
from actparse.metrics.states import StateAccuracy
from actparse.nets.baseline import Baseline, BaselineConfig, FrameBoxes
from actparse.stages.actions.baseline import BaselineRecognizer, BaselineSettings
from actparse.stages.inputs import InputNorm
from actparse.training.samples.augment import (
    STRONG_JITTER,
    Matrix,
    about,
    clip_boxes,
    mirrored,
    move_boxes,
    recolor,
    then,
    warp,
)
from actparse.training.samples.store import Store, states_of_part
from actparse.training.task import NAMES, Batch, Task, TaskSettings
from actparse.weights.bundle import config_to_dict

UNKNOWN = -1  # a state that is not annotated, or that the training split does not have for this part
LABEL_SMOOTHING = 0.05  # of the action
STATES_WEIGHT = 1.0  # weight of the states' loss relative to the action's
ZOOM = (0.85, 1.2)
MAX_SHIFT = 0.08  # share of the frame's sides
MIN_VISIBLE = 0.4  # share of a person's or a part's box that must stay visible in an augmented frame
NOBODY = ((0.0, 0.0, 0.0),) * NUM_KEYPOINTS


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
        *,
        zoom: tuple[float, float] = ZOOM,
        max_shift: float = MAX_SHIFT,
        mirror_share: float = 0.5,
    ) -> FrameMotion:
        """Draw a random zoom and shift for frames of size `old` (height, width), mirrored or not."""
        is_mirrored = bool(rng.random() < mirror_share)
        matrix = _moved(old, size, rng, zoom, max_shift)
        return cls(mirrored(matrix, size[1]) if is_mirrored else matrix, size, is_mirrored)

    def images(self, images: Sequence[NDArray[np.uint8]], rng: np.random.Generator) -> NDArray[np.uint8]:
        """Return the moved frames (S, H, W, 3), with one random grey where a frame has no pixels."""
        fill = int(rng.integers(0, 256))
        return np.stack([warp(image, self.matrix, self.size, fill=fill) for image in images])

    def persons(
        self, boxes: NDArray[np.float32], parts: NDArray[np.float32], states: NDArray[np.int64]
    ) -> FramePersons:
        """Return the persons of a frame that are still visible after the motion.

        Args:
            boxes: (P, 4) xyxy of the persons, pixels of the old frame.
            parts: (P, 10, 4) xyxy; zeros where a part is not annotated.
            states: (P, 10) indices of the network's labels, already mirrored if this motion is.
        """
        moved_boxes, is_visible = clip_boxes(move_boxes(self.matrix, boxes), self.size, min_visible=MIN_VISIBLE)
        if self.is_mirrored:
            parts = parts[:, PART_FLIP]
        exists = (parts != 0).any(axis=2)  # (P, 10)
        moved, is_part_visible = clip_boxes(
            move_boxes(self.matrix, parts).reshape(-1, 4), self.size, min_visible=MIN_VISIBLE
        )
        part_exists = exists & is_part_visible.reshape(exists.shape)
        parts = np.where(part_exists[..., None], moved.reshape(parts.shape), 0).astype(np.float32)
        states = np.where(part_exists, states, UNKNOWN)
        return FramePersons(moved_boxes[is_visible].astype(np.float32), parts[is_visible], states[is_visible])


@dataclass(frozen=True)
class FramePersons:
    """The P persons of one augmented frame."""

    boxes: NDArray[np.float32]  # (P, 4) xyxy, pixels of the network's input
    parts: NDArray[np.float32]  # (P, 10, 4); zeros where a part is absent
    states: NDArray[np.int64]  # (P, 10) indices of the network's labels, or UNKNOWN


class BaselineTask(Task):
    """The baseline on one frame from each equal segment of a video, all with the same motion, mirror and colours."""

    kind = "baseline"
    settings = TaskSettings(batch_size=8, learning_rate=2e-3)
    metric = "accuracy"

    def __init__(
        self, train: Store, held_out: Store, config: BaselineConfig, stage: BaselineSettings, *, num_segments: int = 3
    ) -> None:
        """Set up the network for the actions and states of the training split.

        Args:
            train: the training split.
            held_out: the split to evaluate on.
            config: of the network; the numbers of actions and states are set here.
            stage: settings of the stage that will use the network.
            num_segments: frames of a video in one training sample.

        Raises:
            DataError: the training split has no annotated frame.
        """
        self.train, self.held_out = train, held_out
        self.stage, self.num_segments = stage, num_segments
        self.videos = [indices for _, indices in frames_by_video(train) if len(indices)]
        if not self.videos:
            raise DataError("baseline: the training split has no annotated frame")
        self.actions = tuple(sorted(set(train.actions)))
        self.states = tuple(states_of_part(train, part) for part in range(len(PARTS)))
        counts = tuple(map(len, self.states))
        self.config = replace(config, num_actions=len(self.actions), num_states=counts)
        self.net = Baseline(self.config)

    @property
    def num_samples(self) -> int:
        """Number of training samples: the stored frames of the training split in groups of `num_segments`."""
        return max(len(self.videos), sum(map(len, self.videos)) // self.num_segments)

    def batch(self, rng: np.random.Generator) -> Batch:
        """Draw videos at random; what belongs to persons is a list with one entry for each video."""
        indices = rng.integers(0, len(self.videos), self.settings.batch_size)
        images, persons = zip(*(self._sample(self.videos[index], rng) for index in indices), strict=True)
        actions = [self.train.actions[self.train.frame_videos[self.videos[index][0]]] for index in indices]
        names = [self.train.names[self.train.frame_videos[self.videos[index][0]]] for index in indices]
        return {**as_batch(images, persons, [self.actions.index(action) for action in actions]), NAMES: names}

    def _sample(
        self, frames: NDArray[np.int64], rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], list[FramePersons]]:
        """Draw frames (S, H, W, 3) of one video, with the persons of each frame."""
        chosen = drawn_frames(frames, self.num_segments, rng)  # (S,)
        old = (self.train.frames.shape[1], self.train.frames.shape[2])
        size = self.stage.resized(old)
        motion = FrameMotion.drawn(old, size, rng)
        images = motion.images([self.train.frames[frame] for frame in chosen], rng)
        images = recolor(images.reshape(-1, size[1], 3), rng, STRONG_JITTER).reshape(images.shape)
        return images, [self._persons(int(frame), motion) for frame in chosen]

    def _persons(self, frame: int, motion: FrameMotion) -> FramePersons:
        persons = self.train.persons_of(frame)
        states = numbered_states(self.train.part_states[persons], self.states, mirror=motion.is_mirrored)
        return motion.persons(self.train.person_boxes[persons], self.train.part_boxes[persons], states)

    def losses(self, net: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Return the loss terms of `baseline_losses`."""
        assert isinstance(net, Baseline)
        return baseline_losses(net, batch, self.stage.norm, STATES_WEIGHT, LABEL_SMOOTHING)

    def evaluate(self, net: nn.Module, device: torch.device) -> dict[str, Any]:
        """Measure video accuracy, and state accuracy by part group, on true boxes of the held-out split."""
        assert isinstance(net, Baseline)
        recognizer = BaselineRecognizer(net.to(device).eval(), self.actions, self.states, self.stage)
        right, videos, accuracy = 0, 0, StateAccuracy()
        for action, indices in frames_by_video(self.held_out):
            if not len(indices):
                continue
            images = [self.held_out.frames[index] for index in indices]
            scores, parsed = recognizer.recognize(images, store_frames(self.held_out, indices))
            videos += 1
            right += max(scores, key=lambda name: scores[name]) == action
            for index, frame in zip(indices.tolist(), parsed, strict=True):
                count_states(frame, self.held_out.part_states[self.held_out.persons_of(index)], accuracy)
        return {"accuracy": right / max(videos, 1), "videos": videos, "states": accuracy.by_group()}

    def stage_settings(self) -> Mapping[str, Any]:
        """Return the settings of the baseline stage."""
        return config_to_dict(self.stage)

    def labels(self) -> Mapping[str, Any]:
        """Return the names of the actions, and for each part those of its states."""
        return {"actions": list(self.actions), "states": list(map(list, self.states))}


def as_batch(
    images: Sequence[NDArray[np.uint8]], persons: Sequence[Sequence[FramePersons]], actions: Sequence[int]
) -> Batch:
    """Collate frames (S, H, W, 3), their persons and actions of videos; persons become lists, one entry per video."""
    return {
        "images": torch.from_numpy(np.stack(images)),  # (N, S, H, W, 3)
        "actions": torch.tensor(actions),
        "persons": [torch.from_numpy(np.concatenate([p.boxes for p in video])) for video in persons],
        "parts": [torch.from_numpy(np.concatenate([p.parts for p in video])) for video in persons],
        "states": [torch.from_numpy(np.concatenate([p.states for p in video])) for video in persons],
        "segments": [
            torch.from_numpy(np.repeat(np.arange(len(video)), [len(p.boxes) for p in video])) for video in persons
        ],
    }


def numbered_states(
    persons: Sequence[Sequence[str | None]], state_names: Sequence[Sequence[str]], *, mirror: bool
) -> NDArray[np.int64]:
    """Convert the states of persons to indices (P, 10) of the network's labels, UNKNOWN for states it does not have.

    Args:
        persons: for each person the states of its ten parts.
        state_names: for each part the states in the order of the network's outputs.
        mirror: whether left and right parts swap their states.
    """
    order = PART_FLIP if mirror else range(len(PARTS))
    by_part: list[dict[str | None, int]] = [{name: index for index, name in enumerate(names)} for names in state_names]
    indices = [
        [index_of.get(states[part], UNKNOWN) for index_of, part in zip(by_part, order, strict=True)]
        for states in persons
    ]
    return np.array(indices, np.int64).reshape(-1, len(PARTS))


def baseline_losses(
    net: Baseline, batch: Batch, norm: InputNorm, states_weight: float, label_smoothing: float = 0.0
) -> dict[str, Tensor]:
    """Return the cross-entropy of the action, and the mean cross-entropy of the states of all annotated parts."""
    device = next(net.parameters()).device
    images = batch["images"].to(device)  # (N, S, H, W, 3)
    frames = norm(images.flatten(0, 1).permute(0, 3, 1, 2))  # (N*S, 3, H, W)
    boxes = _boxes_of(batch, images.shape[1]).to(device)
    logits = net(frames.view(*images.shape[:2], *frames.shape[1:]), boxes)
    states = torch.cat(batch["states"]).to(device)  # (P, 10)
    by_part = [
        F.cross_entropy(part_logits.float(), states[:, part], ignore_index=UNKNOWN, reduction="sum")
        for part, part_logits in enumerate(logits.states)
    ]
    actions = batch["actions"].to(device)
    return {
        "action": F.cross_entropy(logits.actions.float(), actions, label_smoothing=label_smoothing),
        "states": states_weight * torch.stack(by_part).sum() / (states != UNKNOWN).sum().clamp(min=1),
    }


def _boxes_of(batch: Batch, num_segments: int) -> FrameBoxes:
    """Return the boxes of a batch, without objects: a store does not hold any."""
    frames = [segments + video * num_segments for video, segments in enumerate(batch["segments"])]
    return FrameBoxes.without_objects(torch.cat(batch["persons"]), torch.cat(batch["parts"]), torch.cat(frames))


def _moved(
    old: tuple[int, int], size: tuple[int, int], rng: np.random.Generator, zoom: tuple[float, float], max_shift: float
) -> Matrix:
    """Draw a transform from a frame of size `old` (height, width) to one of `size`, with a random zoom and shift."""
    scale = np.array([[size[1] / old[1], 0, 0], [0, size[0] / old[0], 0]])
    center = (size[1] / 2, size[0] / 2)
    x, y = np.array(center) + rng.uniform(-max_shift, max_shift, 2) * (size[1], size[0])
    return then(scale, about(center, zoom=rng.uniform(*zoom), degrees=0, to=(x, y)))


def drawn_frames(frames: NDArray[np.int64], num_segments: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw one of a video's frames (F,) from each of its S equal segments; a short video repeats some. Source: TSN."""
    positions = (np.arange(num_segments) + rng.random(num_segments)) * len(frames) / num_segments
    return frames[np.minimum(positions.astype(np.int64), len(frames) - 1)]


def frames_by_video(store: Store) -> list[tuple[str, NDArray[np.int64]]]:
    """Return the action of every video with the indices of its frames in the store."""
    return [
        (action, np.flatnonzero(store.frame_videos == video).astype(np.int64))
        for video, action in enumerate(store.actions)
    ]


def store_frames(store: Store, indices: NDArray[np.int64]) -> list[FrameParse]:
    """Convert frames of a store to parse results: true boxes of persons and parts, no keypoints, no states yet."""
    return [
        FrameParse(int(store.frame_indices[index]), float(store.frame_times[index]), _people(store, int(index)))
        for index in indices
    ]


def _people(store: Store, frame: int) -> tuple[PersonParse, ...]:
    persons = store.persons_of(frame)
    return true_persons(store.person_boxes[persons], store.part_boxes[persons])


def true_persons(boxes: NDArray[np.float32], parts: NDArray[np.float32]) -> tuple[PersonParse, ...]:
    """Convert true boxes (P, 4) and parts (P, 10, 4) to parse results; a part of zeros is not annotated."""
    pairs = zip(boxes.tolist(), parts, strict=True)
    return tuple(_person(track, box, person_parts) for track, (box, person_parts) in enumerate(pairs, start=1))


def _person(track: int, box: list[float], parts: NDArray[np.float32]) -> PersonParse:
    x1, y1, x2, y2 = box
    annotated = []
    for name, (left, top, right, bottom) in zip(PARTS, parts.tolist(), strict=True):
        if any((left, top, right, bottom)):
            annotated.append(PartParse(name, (left, top, right, bottom), 1.0))
    return PersonParse(track, (x1, y1, x2, y2), 1.0, NOBODY, tuple(annotated))


def count_states(frame: FrameParse, states: Sequence[Sequence[str | None]], accuracy: StateAccuracy) -> None:
    """Add the annotated parts of a frame to `accuracy`, given the true states (P, 10) of its persons."""
    for person, true_states in zip(frame.persons, states, strict=True):
        for part in person.parts:
            true = true_states[PART_INDEX[part.name]]
            if true is not None:
                accuracy.add(part.name, true, part.state)
