"""Recipe "baseline": the official baseline on the kept frames of a store, with true boxes of persons and parts."""

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
from actparse.training.augment import (
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
from actparse.training.store import Store, states_of_part
from actparse.training.task import NAMES, Batch, Task, TaskSettings
from actparse.weights.bundle import config_to_dict

UNKNOWN = -1  # a state that is not annotated, or that training never saw on this part
LABEL_SMOOTHING = 0.05  # of the action
STATES_WEIGHT = 1.0  # of the states' loss beside the action's
ZOOM = (0.85, 1.2)
MAX_SHIFT = 0.08  # of the frame's sides
MIN_VISIBLE = 0.4  # of a person's or a part's box, for it to count in an augmented frame
NOBODY = ((0.0, 0.0, 0.0),) * NUM_KEYPOINTS


@dataclass(frozen=True)
class FrameMotion:
    """How all frames of a sample are moved: an affine map of the pixels of a frame into one of `size`."""

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
        """A random zoom and shift of frames of `old` (height, width), in a mirror or not."""
        is_mirrored = bool(rng.random() < mirror_share)
        matrix = _moved(old, size, rng, zoom, max_shift)
        return cls(mirrored(matrix, size[1]) if is_mirrored else matrix, size, is_mirrored)

    def images(self, images: Sequence[NDArray[np.uint8]], rng: np.random.Generator) -> NDArray[np.uint8]:
        """Frames (S, H, W, 3), where nothing was in one random grey."""
        fill = int(rng.integers(0, 256))
        return np.stack([warp(image, self.matrix, self.size, fill=fill) for image in images])

    def persons(
        self, boxes: NDArray[np.float32], parts: NDArray[np.float32], states: NDArray[np.int64]
    ) -> FramePersons:
        """The persons of a frame that are still in it.

        Args:
            boxes: (P, 4) of the persons, pixels of the old frame.
            parts: (P, 10, 4); zeros where a part is not annotated.
            states: (P, 10) as the network numbers them, in a mirror where this is one.
        """
        moved_boxes, shown = clip_boxes(move_boxes(self.matrix, boxes), self.size, min_visible=MIN_VISIBLE)
        if self.is_mirrored:
            parts = parts[:, PART_FLIP]
        exists = (parts != 0).any(axis=2)  # (P, 10)
        moved, stays = clip_boxes(move_boxes(self.matrix, parts).reshape(-1, 4), self.size, min_visible=MIN_VISIBLE)
        is_there = exists & stays.reshape(exists.shape)
        parts = np.where(is_there[..., None], moved.reshape(parts.shape), 0).astype(np.float32)
        states = np.where(is_there, states, UNKNOWN)
        return FramePersons(moved_boxes[shown].astype(np.float32), parts[shown], states[shown])


@dataclass(frozen=True)
class FramePersons:
    """P persons of one augmented frame."""

    boxes: NDArray[np.float32]  # (P, 4) xyxy, pixels of the network's input
    parts: NDArray[np.float32]  # (P, 10, 4); zeros where a part is not there
    states: NDArray[np.int64]  # (P, 10) as the network numbers them, or UNKNOWN


class BaselineTask(Task):
    """Some frames of each video, one from each of its equal segments, all moved, mirrored and recoloured alike."""

    kind = "baseline"
    settings = TaskSettings(batch_size=8, learning_rate=2e-3)
    metric = "accuracy"

    def __init__(
        self, train: Store, held_out: Store, config: BaselineConfig, stage: BaselineSettings, *, num_segments: int = 3
    ) -> None:
        """`num_segments`: frames of a video that training sees at once.

        Raises:
            DataError: the training split has no annotated frame.
        """
        self.train, self.held_out = train, held_out
        self.stage, self.num_segments = stage, num_segments
        self.videos = [rows for _, rows in frames_by_video(train) if len(rows)]
        if not self.videos:
            raise DataError("baseline: the training split has no annotated frame")
        self.actions = tuple(sorted(set(train.actions)))
        self.states = tuple(states_of_part(train, part) for part in range(len(PARTS)))
        counts = tuple(map(len, self.states))
        self.config = replace(config, num_actions=len(self.actions), num_states=counts)
        self.net = Baseline(self.config)

    @property
    def num_samples(self) -> int:
        """Kept frames of the training split, in samples of `num_segments`."""
        return max(len(self.videos), sum(map(len, self.videos)) // self.num_segments)

    def batch(self, rng: np.random.Generator) -> Batch:
        """Videos drawn at random; of their persons lists with an entry for each video."""
        rows = rng.integers(0, len(self.videos), self.settings.batch_size)
        images, persons = zip(*(self._sample(self.videos[row], rng) for row in rows), strict=True)
        actions = [self.train.actions[self.train.frame_videos[self.videos[row][0]]] for row in rows]
        names = [self.train.names[self.train.frame_videos[self.videos[row][0]]] for row in rows]
        return {**as_batch(images, persons, [self.actions.index(action) for action in actions]), NAMES: names}

    def _sample(
        self, frames: NDArray[np.int64], rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], list[FramePersons]]:
        """Frames (S, H, W, 3) of one video and the persons of each."""
        chosen = drawn_frames(frames, self.num_segments, rng)  # (S,)
        old = (self.train.frames.shape[1], self.train.frames.shape[2])
        size = self.stage.resized(old)
        motion = FrameMotion.drawn(old, size, rng)
        images = motion.images([self.train.frames[frame] for frame in chosen], rng)
        images = recolor(images.reshape(-1, size[1], 3), rng, STRONG_JITTER).reshape(images.shape)
        return images, [self._persons(int(frame), motion) for frame in chosen]

    def _persons(self, frame: int, motion: FrameMotion) -> FramePersons:
        rows = self.train.persons_of(frame)
        states = numbered_states(self.train.part_states[rows], self.states, mirror=motion.is_mirrored)
        return motion.persons(self.train.person_boxes[rows], self.train.part_boxes[rows], states)

    def losses(self, net: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Those of `baseline_losses`."""
        assert isinstance(net, Baseline)
        return baseline_losses(net, batch, self.stage.norm, STATES_WEIGHT, LABEL_SMOOTHING)

    def evaluate(self, net: nn.Module, device: torch.device) -> dict[str, Any]:
        """Video accuracy, and accuracy of the states by group, on true boxes of the held-out split."""
        assert isinstance(net, Baseline)
        recognizer = BaselineRecognizer(net.to(device).eval(), self.actions, self.states, self.stage)
        right, videos, accuracy = 0, 0, StateAccuracy()
        for action, rows in frames_by_video(self.held_out):
            if not len(rows):
                continue
            images = [self.held_out.frames[row] for row in rows]
            scores, parsed = recognizer.recognize(images, store_frames(self.held_out, rows))
            videos += 1
            right += max(scores, key=lambda name: scores[name]) == action
            for row, frame in zip(rows.tolist(), parsed, strict=True):
                count_states(frame, self.held_out.part_states[self.held_out.persons_of(row)], accuracy)
        return {"accuracy": right / max(videos, 1), "videos": videos, "states": accuracy.by_group()}

    def stage_settings(self) -> Mapping[str, Any]:
        """Of stages.baseline."""
        return config_to_dict(self.stage)

    def labels(self) -> Mapping[str, Any]:
        """The actions, and of each part its states."""
        return {"actions": list(self.actions), "states": list(map(list, self.states))}


def as_batch(
    images: Sequence[NDArray[np.uint8]], persons: Sequence[Sequence[FramePersons]], actions: Sequence[int]
) -> Batch:
    """Samples of frames (S, H, W, 3) with their persons, and the videos' actions; of persons an entry each."""
    return {
        "images": torch.from_numpy(np.stack(images)),  # (N, S, H, W, 3)
        "actions": torch.tensor(actions),
        "persons": [torch.from_numpy(np.concatenate([p.boxes for p in each])) for each in persons],
        "parts": [torch.from_numpy(np.concatenate([p.parts for p in each])) for each in persons],
        "states": [torch.from_numpy(np.concatenate([p.states for p in each])) for each in persons],
        "segments": [torch.from_numpy(np.repeat(np.arange(len(e)), [len(p.boxes) for p in e])) for e in persons],
    }


def numbered_states(
    persons: Sequence[Sequence[str | None]], known: Sequence[Sequence[str]], *, mirror: bool
) -> NDArray[np.int64]:
    """The states of persons (P, 10) as the network numbers them, or as a mirror shows them; UNKNOWN where it does not.

    Args:
        persons: of each the states of its ten parts.
        known: of each part the states in the order of the network's outputs.
        mirror: whether the sides change places.
    """
    order = PART_FLIP if mirror else range(len(PARTS))
    numbers: list[dict[str | None, int]] = [{word: number for number, word in enumerate(words)} for words in known]
    rows = [
        [of_part.get(names[part], UNKNOWN) for of_part, part in zip(numbers, order, strict=True)] for names in persons
    ]
    return np.array(rows, np.int64).reshape(-1, len(PARTS))


def baseline_losses(
    net: Baseline, batch: Batch, norm: InputNorm, states_weight: float, label_smoothing: float = 0.0
) -> dict[str, Tensor]:
    """Cross-entropy of the action, and the mean over all annotated parts of that of their states."""
    device = next(net.parameters()).device
    images = batch["images"].to(device)  # (N, S, H, W, 3)
    frames = norm(images.flatten(0, 1).permute(0, 3, 1, 2))  # (N*S, 3, H, W)
    boxes = _boxes_of(batch, images.shape[1]).to(device)
    logits = net(frames.view(*images.shape[:2], *frames.shape[1:]), boxes)
    states = torch.cat(batch["states"]).to(device)  # (P, 10)
    by_part = [
        F.cross_entropy(of_part.float(), states[:, part], ignore_index=UNKNOWN, reduction="sum")
        for part, of_part in enumerate(logits.states)
    ]
    actions = batch["actions"].to(device)
    return {
        "action": F.cross_entropy(logits.actions.float(), actions, label_smoothing=label_smoothing),
        "states": states_weight * torch.stack(by_part).sum() / (states != UNKNOWN).sum().clamp(min=1),
    }


def _boxes_of(batch: Batch, num_segments: int) -> FrameBoxes:
    """The boxes of a batch; a store knows no objects."""
    frames = [segments + video * num_segments for video, segments in enumerate(batch["segments"])]
    return FrameBoxes.without_objects(torch.cat(batch["persons"]), torch.cat(batch["parts"]), torch.cat(frames))


def _moved(
    old: tuple[int, int], size: tuple[int, int], rng: np.random.Generator, zoom: tuple[float, float], max_shift: float
) -> Matrix:
    """A frame of `old` (height, width), zoomed and shifted, drawn at `size`."""
    scale = np.array([[size[1] / old[1], 0, 0], [0, size[0] / old[0], 0]])
    center = (size[1] / 2, size[0] / 2)
    x, y = np.array(center) + rng.uniform(-max_shift, max_shift, 2) * (size[1], size[0])
    return then(scale, about(center, zoom=rng.uniform(*zoom), degrees=0, to=(x, y)))


def drawn_frames(frames: NDArray[np.int64], num_segments: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """One of a video's frames (F,) from each of its equal segments (S,); a short video repeats some. Source: TSN."""
    places = (np.arange(num_segments) + rng.random(num_segments)) * len(frames) / num_segments
    return frames[np.minimum(places.astype(np.int64), len(frames) - 1)]


def frames_by_video(store: Store) -> list[tuple[str, NDArray[np.int64]]]:
    """The action and the rows of the kept frames of every video."""
    return [
        (action, np.flatnonzero(store.frame_videos == video).astype(np.int64))
        for video, action in enumerate(store.actions)
    ]


def store_frames(store: Store, rows: NDArray[np.int64]) -> list[FrameParse]:
    """Kept frames of a store as a parse of them: true boxes of persons and parts, no keypoints, no states yet."""
    return [
        FrameParse(int(store.frame_indices[row]), float(store.frame_times[row]), _people(store, int(row)))
        for row in rows
    ]


def _people(store: Store, frame: int) -> tuple[PersonParse, ...]:
    rows = store.persons_of(frame)
    return true_persons(store.person_boxes[rows], store.part_boxes[rows])


def true_persons(boxes: NDArray[np.float32], parts: NDArray[np.float32]) -> tuple[PersonParse, ...]:
    """Persons as if found, from boxes (P, 4) and parts (P, 10, 4), zeros where one is not annotated."""
    pairs = zip(boxes.tolist(), parts, strict=True)
    return tuple(_person(number, box, of_person) for number, (box, of_person) in enumerate(pairs, start=1))


def _person(number: int, box: list[float], parts: NDArray[np.float32]) -> PersonParse:
    x1, y1, x2, y2 = box
    found = []
    for name, (left, top, right, bottom) in zip(PARTS, parts.tolist(), strict=True):
        if any((left, top, right, bottom)):
            found.append(PartParse(name, (left, top, right, bottom), 1.0))
    return PersonParse(number, (x1, y1, x2, y2), 1.0, NOBODY, tuple(found))


def count_states(frame: FrameParse, states: Sequence[Sequence[str | None]], accuracy: StateAccuracy) -> None:
    """Count the annotated parts of a frame, from the true states of its persons (P, 10)."""
    for person, of_person in zip(frame.persons, states, strict=True):
        for part in person.parts:
            true = of_person[PART_INDEX[part.name]]
            if true is not None:
                accuracy.add(part.name, true, part.state)
