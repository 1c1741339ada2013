"""Keypoints that the pose network finds on the annotated persons, one small file for each video."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from actparse.core.errors import WeightsError
from actparse.core.files import written_beside
from actparse.core.vocabulary import NUM_KEYPOINTS
from actparse.nets.hrnet import Hrnet
from actparse.nets.movenet import Movenet
from actparse.stages.loading import build_poses
from actparse.stages.people.poses import PoseEstimator
from actparse.training import ranks
from actparse.training.options import Report
from actparse.training.paper.index import VideoIndex
from actparse.training.paper.splits import Split, read_images
from actparse.weights.bundle import file_sha256, load_network


@dataclass(frozen=True)
class KeypointFiles:
    """A folder of them; names of videos are unique in a dataset."""

    folder: Path

    def path(self, split: Split, video: int) -> Path:
        """A video's file."""
        return self.folder / f"{split.index.names[video]}.npy"

    def of(self, split: Split, video: int) -> NDArray[np.float32]:
        """(P, 17, 3) x, y in pixels of the frame, confidence, of a video's persons; zeros where none was asked."""
        return np.asarray(np.load(self.path(split, video)), np.float32)


class NoKeypoints(KeypointFiles):
    """Nobody's: for an estimate of a run, which finding them first would make as long as an epoch."""

    def of(self, split: Split, video: int) -> NDArray[np.float32]:
        """Zeros (P, 17, 3)."""
        return np.zeros((_num_persons(split.index, video), NUM_KEYPOINTS, 3), np.float32)


def find_keypoints(
    splits: tuple[Split, ...], weights: Path, cache: Path, *, stride: int, device: torch.device, report: Report
) -> KeypointFiles:
    """Run the pose network on the annotated boxes of every `stride`th frame, where that was not done before.

    The processes of one training share the videos.

    Args:
        splits: whose videos.
        weights: the pose network, a file of weights.bundle.
        cache: where the folder of files lies, named by the network.
        stride: of the frames.
        device: where the network runs.
        report: gets a line now and then.

    Raises:
        WeightsError: `weights` is no pose network.
    """
    files = KeypointFiles(cache / f"keypoints-{file_sha256(weights)[:12]}-{stride}-{_persons_of(splits)}")
    jobs = [(split, video) for split in splits for video in split.videos]
    missing = [job for job in jobs[ranks.rank() :: ranks.world_size()] if not files.path(*job).is_file()]
    if missing:
        estimator = _estimator(weights, device)
        for number, (split, video) in enumerate(missing, start=1):
            with written_beside(files.path(split, video)) as beside, beside.open("wb") as file:
                np.save(file, _of_video(estimator, split, video, stride))
            if number % 50 == 0 or number == len(missing):
                report(f"poses found in {number}/{len(missing)} videos")
    ranks.wait_for_all()
    return files


def _persons_of(splits: tuple[Split, ...]) -> str:
    """A short name for the annotated persons, whose boxes the network is run on."""
    digest = sha256()
    for split in splits:
        digest.update(split.index.frame_numbers.tobytes() + split.index.person_boxes.tobytes())
    return digest.hexdigest()[:12]


def _num_persons(index: VideoIndex, video: int) -> int:
    frames = index.frames_of(video)
    return int(index.person_offsets[frames.stop]) - int(index.person_offsets[frames.start])


def _of_video(estimator: PoseEstimator, split: Split, video: int, stride: int) -> NDArray[np.float32]:
    index = split.index
    first = int(index.person_offsets[index.frames_of(video).start])
    keypoints = np.zeros((_num_persons(index, video), NUM_KEYPOINTS, 3), np.float32)
    rows = Split(index, (video,)).frames(stride)
    numbers = [int(index.frame_numbers[row]) for row in rows]
    images = read_images(index, video, numbers) if numbers else {}
    for row, number in zip(rows, numbers, strict=True):
        persons = index.persons_of(row)
        found = estimator.estimate([images[number]], [index.person_boxes[persons]])[0]  # (n, 17, 3)
        keypoints[persons.start - first : persons.stop - first] = found
    return keypoints


def _estimator(weights: Path, device: torch.device) -> PoseEstimator:
    file = load_network(weights, device=device)
    if not isinstance(file.net, Hrnet | Movenet):
        raise WeightsError(f"{weights}: needs a pose network, got one of kind {file.kind}")
    return build_poses(file)
