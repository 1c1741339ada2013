"""The full-size official baseline as a task: frames of a video are decoded, moved and mirrored as they are needed."""

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
from actparse.training.baseline import (
    FrameMotion,
    FramePersons,
    as_batch,
    baseline_losses,
    count_states,
    drawn_frames,
    numbered_states,
    true_persons,
)
from actparse.training.paper.baseline import BaselineNumbers
from actparse.training.paper.index import NO_STATE, VideoIndex
from actparse.training.paper.splits import Split, read_images
from actparse.training.task import NAMES, Batch, SampledTask
from actparse.weights.bundle import config_to_dict

CHECK_VIDEOS = 100  # of the held-out ones, for a check on the way
Sample = tuple[str, NDArray[np.uint8], list[FramePersons], int]  # name, frames (S, H, W, 3), their persons, action


class BaselineTask(SampledTask):
    """Some frames of each video, one from each of its equal segments, with true boxes of persons and parts."""

    kind = "baseline"
    metric = "accuracy"
    stored_as = torch.float32  # as the public checkpoints

    def __init__(self, train: Split, held_out: Split, numbers: BaselineNumbers) -> None:
        """`train` and `held_out`: annotated videos.

        Raises:
            DataError: the training split has no annotated frame with a person.
        """
        self.train, self.held_out, self.numbers = train, held_out, numbers
        self.settings, self.stage = numbers.settings(), numbers.stage()
        self.videos = [(video, rows) for video in train.videos if len(rows := _frames(train, video, numbers))]
        if not self.videos:
            raise DataError(f"{train.index.root}: no annotated frame of a person to train the baseline on")
        self.actions = tuple(sorted({train.index.actions[video] for video, _ in self.videos}))
        self.states = tuple(_states_of_part(train, part) for part in range(len(PARTS)))
        self.net = Baseline(numbers.net(len(self.actions), tuple(map(len, self.states))))

    @property
    def num_samples(self) -> int:
        """Videos."""
        return len(self.videos)

    def sample(self, row: int, rng: np.random.Generator) -> Sample:
        """Frames of one video."""
        video, frames = self.videos[row]
        index, numbers = self.train.index, self.numbers
        chosen = drawn_frames(frames, numbers.num_segments, rng)  # (S,)
        at = index.frame_numbers[chosen].tolist()
        read = read_images(index, video, at)
        old = (read[at[0]].shape[0], read[at[0]].shape[1])
        motion = FrameMotion.drawn(
            old,
            numbers.train_size,
            rng,
            zoom=numbers.zoom,
            max_shift=numbers.max_shift,
            mirror_share=numbers.mirror_share,
        )
        persons = [self._persons(int(frame), motion) for frame in chosen]
        name = f"{index.names[video]} frames {', '.join(map(str, at))}"
        return name, motion.images([read[n] for n in at], rng), persons, self.actions.index(index.actions[video])

    def _persons(self, frame: int, motion: FrameMotion) -> FramePersons:
        rows = self.train.index.persons_of(frame)
        states = numbered_states(_state_names(self.train.index, rows), self.states, mirror=motion.is_mirrored)
        return motion.persons(self.train.index.person_boxes[rows], self.train.index.part_boxes[rows], states)

    def collate(self, samples: Sequence[Sample]) -> Batch:
        """Frames of one size."""
        names, images, persons, actions = zip(*samples, strict=True)
        return {**as_batch(images, persons, actions), NAMES: list(names)}

    def losses(self, net: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Those of `training.baseline.baseline_losses`."""
        assert isinstance(net, Baseline)
        return baseline_losses(net, batch, self.stage.norm, self.numbers.states_weight)

    def evaluate(self, net: nn.Module, device: torch.device) -> dict[str, Any]:
        """Video accuracy, and accuracy of the states by group, on true boxes of the held-out videos."""
        return self._figures(net, device, self.held_out)

    def check(self, net: nn.Module, device: torch.device) -> dict[str, Any]:
        """The same on a few of them."""
        return self._figures(net, device, self.held_out.limited(CHECK_VIDEOS))

    def _figures(self, net: nn.Module, device: torch.device, split: Split) -> dict[str, Any]:
        assert isinstance(net, Baseline)
        recognizer = BaselineRecognizer(net.to(device).eval(), self.actions, self.states, self.stage)
        index, right, videos, accuracy = split.index, 0, 0, StateAccuracy()
        for video in split.videos:
            rows = _frames(split, video, self.numbers)
            if not len(rows):
                continue
            at = index.frame_numbers[rows].tolist()
            read = read_images(index, video, at)
            scores, parsed = recognizer.recognize([read[n] for n in at], [_true_frame(index, row) for row in rows])
            videos += 1
            right += max(scores, key=lambda name: scores[name]) == index.actions[video]
            for row, frame in zip(rows.tolist(), parsed, strict=True):
                count_states(frame, _state_names(index, index.persons_of(row)), accuracy)
        return {"accuracy": right / max(videos, 1), "videos": videos, "states": accuracy.by_group()}

    def stage_settings(self) -> Mapping[str, Any]:
        """Of stages.baseline."""
        return config_to_dict(self.stage)

    def labels(self) -> Mapping[str, Any]:
        """The actions, and of each part its states."""
        return {"actions": list(self.actions), "states": list(map(list, self.states))}


def _frames(split: Split, video: int, numbers: BaselineNumbers) -> NDArray[np.int64]:
    """Rows (F,) of a video's annotated frames that have a person."""
    return np.array(Split(split.index, (video,)).frames(numbers.frame_stride), np.int64)


def _true_frame(index: VideoIndex, frame: int) -> FrameParse:
    """An annotated frame as if found: boxes of persons and parts, no keypoints, no states yet."""
    rows = index.persons_of(frame)
    persons = true_persons(index.person_boxes[rows], index.part_boxes[rows])
    return FrameParse(int(index.frame_numbers[frame]), 0.0, persons)


def _state_names(index: VideoIndex, rows: slice) -> list[list[str | None]]:
    """The states of persons (P, 10); None where a part is not annotated."""
    return [[None if n == NO_STATE else index.states[n] for n in of_person] for of_person in index.part_states[rows]]


def _states_of_part(split: Split, part: int) -> tuple[str, ...]:
    """The states that a part is in on the videos of a split, sorted; one that says nothing if none are."""
    index = split.index
    frames = (frame for video in split.videos for frame in index.frames_of(video))
    numbers = {int(n) for frame in frames for n in index.part_states[index.persons_of(frame), part]} - {NO_STATE}
    return tuple(sorted(index.states[n] for n in numbers)) or (UNSEEN,)
