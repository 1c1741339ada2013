"""The full-size official baseline as a task: frames of a video are decoded and augmented on demand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from actparse.core.errors import DataError
from actparse.core.structures import FrameParse
from actparse.core.vocabulary import PARTS
from actparse.data.pseudo_labels import UNSEEN
from actparse.metrics.states import StateAccuracy
from actparse.nets.baseline import Baseline
from actparse.stages.actions.baseline import BaselineRecognizer
from actparse.training.paper.baseline import BaselineNumbers
from actparse.training.paper.index import NO_STATE, VideoIndex
from actparse.training.paper.splits import Split, read_images
from actparse.training.recipes.baseline import (
    FrameMotion,
    FramePersons,
    as_batch,
    baseline_losses,
    count_states,
    drawn_frames,
    numbered_states,
    true_persons,
)
from actparse.training.task import NAMES, Batch, SampledTask
from actparse.weights.bundle import config_to_dict

CHECK_VIDEOS = 100  # held-out videos for a check during training
Sample = tuple[str, NDArray[np.uint8], list[FramePersons], int]  # name, frames (S, H, W, 3), their persons, action


class BaselineTask(SampledTask):
    """Training on some frames of each video, one from each of its equal segments, with true boxes."""

    kind = "baseline"
    metric = "accuracy"
    stored_as = torch.float32  # as the public checkpoints

    def __init__(self, train: Split, held_out: Split, hyperparameters: BaselineNumbers) -> None:
        """Build the task from `train` and `held_out`: annotated videos.

        Raises:
            DataError: the training split has no annotated frame with a person.
        """
        self.train, self.held_out, self.numbers = train, held_out, hyperparameters
        self.settings, self.stage = hyperparameters.settings(), hyperparameters.stage()
        self.videos = [
            (video, frames) for video in train.videos if len(frames := _frames(train, video, hyperparameters))
        ]
        if not self.videos:
            raise DataError(f"{train.index.root}: no annotated frame of a person to train the baseline on")
        self.actions = tuple(sorted({train.index.actions[video] for video, _ in self.videos}))
        self.states = tuple(_states_of_part(train, part) for part in range(len(PARTS)))
        self.net = Baseline(hyperparameters.net(len(self.actions), tuple(map(len, self.states))))

    @property
    def num_samples(self) -> int:
        """The number of videos."""
        return len(self.videos)

    def sample(self, row: int, rng: np.random.Generator) -> Sample:
        """Sample frames of one video."""
        video, frames = self.videos[row]
        index, hyperparameters = self.train.index, self.numbers
        chosen = drawn_frames(frames, hyperparameters.num_segments, rng)  # (S,)
        frame_indices = index.frame_numbers[chosen].tolist()
        images = read_images(index, video, frame_indices)
        size = (images[frame_indices[0]].shape[0], images[frame_indices[0]].shape[1])
        motion = FrameMotion.drawn(
            size,
            hyperparameters.train_size,
            rng,
            zoom=hyperparameters.zoom,
            max_shift=hyperparameters.max_shift,
            mirror_share=hyperparameters.mirror_share,
        )
        persons = [self._persons(int(frame), motion) for frame in chosen]
        name = f"{index.names[video]} frames {', '.join(map(str, frame_indices))}"
        return (
            name,
            motion.images([images[n] for n in frame_indices], rng),
            persons,
            self.actions.index(index.actions[video]),
        )

    def _persons(self, frame: int, motion: FrameMotion) -> FramePersons:
        persons = self.train.index.persons_of(frame)
        states = numbered_states(_state_names(self.train.index, persons), self.states, mirror=motion.is_mirrored)
        return motion.persons(self.train.index.person_boxes[persons], self.train.index.part_boxes[persons], states)

    def collate(self, samples: Sequence[Sample]) -> Batch:
        """Stack frames of one size to a batch."""
        names, images, persons, actions = zip(*samples, strict=True)
        return {**as_batch(images, persons, actions), NAMES: list(names)}

    def losses(self, net: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Compute the losses of `training.baseline.baseline_losses`."""
        assert isinstance(net, Baseline)
        return baseline_losses(net, batch, self.stage.norm, self.numbers.states_weight)

    def evaluate(self, net: nn.Module, device: torch.device) -> dict[str, Any]:
        """Measure the video accuracy, and the accuracy of the states by group, on true boxes of the held-out videos."""
        return self._measure(net, device, self.held_out)

    def check(self, net: nn.Module, device: torch.device) -> dict[str, Any]:
        """Measure the same on a few held-out videos."""
        return self._measure(net, device, self.held_out.limited(CHECK_VIDEOS))

    def _measure(self, net: nn.Module, device: torch.device, split: Split) -> dict[str, Any]:
        assert isinstance(net, Baseline)
        recognizer = BaselineRecognizer(net.to(device).eval(), self.actions, self.states, self.stage)
        index, right, videos, accuracy = split.index, 0, 0, StateAccuracy()
        for video in split.videos:
            frames = _frames(split, video, self.numbers)
            if not len(frames):
                continue
            frame_indices = index.frame_numbers[frames].tolist()
            images = read_images(index, video, frame_indices)
            scores, parses = recognizer.recognize(
                [images[n] for n in frame_indices], [_true_frame(index, frame) for frame in frames]
            )
            videos += 1
            right += max(scores, key=lambda name: scores[name]) == index.actions[video]
            for frame, parse in zip(frames.tolist(), parses, strict=True):
                count_states(parse, _state_names(index, index.persons_of(frame)), accuracy)
        return {"accuracy": right / max(videos, 1), "videos": videos, "states": accuracy.by_group()}

    def stage_settings(self) -> Mapping[str, Any]:
        """Return the settings of stages.baseline."""
        return config_to_dict(self.stage)

    def labels(self) -> Mapping[str, Any]:
        """Return the actions, and the states of each part."""
        return {"actions": list(self.actions), "states": list(map(list, self.states))}


def _frames(split: Split, video: int, hyperparameters: BaselineNumbers) -> NDArray[np.int64]:
    """Return the indices (F,) of a video's annotated frames that contain a person."""
    return np.array(Split(split.index, (video,)).frames(hyperparameters.frame_stride), np.int64)


def _true_frame(index: VideoIndex, frame: int) -> FrameParse:
    """Convert an annotated frame to a parse: boxes of persons and parts, without keypoints and states."""
    indices = index.persons_of(frame)
    persons = true_persons(index.person_boxes[indices], index.part_boxes[indices])
    return FrameParse(int(index.frame_numbers[frame]), 0.0, persons)


def _state_names(index: VideoIndex, persons: slice) -> list[list[str | None]]:
    """Return the states (P, 10) of persons; None where a part is not annotated."""
    return [[None if n == NO_STATE else index.states[n] for n in of_person] for of_person in index.part_states[persons]]


def _states_of_part(split: Split, part: int) -> tuple[str, ...]:
    """Return the sorted states of a part in the videos of a split; only `UNSEEN` if it is never annotated."""
    index = split.index
    frames = (frame for video in split.videos for frame in index.frames_of(video))
    state_indices = {int(n) for frame in frames for n in index.part_states[index.persons_of(frame), part]} - {NO_STATE}
    return tuple(sorted(index.states[n] for n in state_indices)) or (UNSEEN,)
