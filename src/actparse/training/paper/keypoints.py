"""The pose network's keypoints of the annotated persons, in one small file for each video."""

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
from actparse.nets.poses.hrnet import Hrnet
from actparse.nets.poses.movenet import Movenet
from actparse.stages.loading import build_poses
from actparse.stages.people.poses import PoseEstimator
from actparse.training.loop import ranks
from actparse.training.options import Report
from actparse.training.paper.index import VideoIndex
from actparse.training.paper.splits import Split, read_images
from actparse.weights.bundle import file_sha256, load_network


@dataclass(frozen=True)
class KeypointFiles:
    """A folder of keypoint files, one for each video; names of videos are unique in a dataset."""

    folder: Path

    def path(self, split: Split, video: int) -> Path:
        """Return the path of a video's file."""
        return self.folder / f"{split.index.names[video]}.npy"

    def of(self, split: Split, video: int) -> NDArray[np.float32]:
        """Load the keypoints (P, 17, 3) of a video's persons: x, y in pixels of the frame, confidence.

        Persons in frames on which the pose network was not run have zeros.
        """
        return np.asarray(np.load(self.path(split, video)), np.float32)


class NoKeypoints(KeypointFiles):
    """Zeros instead of keypoints, for the estimate of a run: real ones would take as long as an epoch to compute."""

    def of(self, split: Split, video: int) -> NDArray[np.float32]:
        """Return zeros (P, 17, 3)."""
        return np.zeros((_num_persons(split.index, video), NUM_KEYPOINTS, 3), np.float32)


def find_keypoints(
    splits: tuple[Split, ...], weights: Path, cache: Path, *, stride: int, device: torch.device, report: Report
) -> KeypointFiles:
    """Run the pose network on the annotated boxes of every `stride`th frame; videos that have a file are skipped.

    The processes of one training run divide the videos among themselves.

    Args:
        splits: the splits whose videos are processed.
        weights: the pose network, a file of weights.bundle.
        cache: parent of the folder of keypoint files, whose name depends on the network.
        stride: frames from one processed frame to the next.
        device: where the network runs.
        report: receives lines of progress.

    Raises:
        WeightsError: `weights` is no pose network.
    """
    files = KeypointFiles(cache / f"keypoints-{file_sha256(weights)[:12]}-{stride}-{_persons_digest(splits)}")
    jobs = [(split, video) for split in splits for video in split.videos]
    missing = [job for job in jobs[ranks.rank() :: ranks.world_size()] if not files.path(*job).is_file()]
    if missing:
        estimator = _load_estimator(weights, device)
        for count, (split, video) in enumerate(missing, start=1):
            with written_beside(files.path(split, video)) as beside, beside.open("wb") as file:
                np.save(file, _video_keypoints(estimator, split, video, stride))
            if count % 50 == 0 or count == len(missing):
                report(f"poses estimated in {count}/{len(missing)} videos")
    ranks.wait_for_all()
    return files


def _persons_digest(splits: tuple[Split, ...]) -> str:
    """Return a short hash of the annotated persons, on whose boxes the network runs."""
    digest = sha256()
    for split in splits:
        digest.update(split.index.frame_numbers.tobytes() + split.index.person_boxes.tobytes())
    return digest.hexdigest()[:12]


def _num_persons(index: VideoIndex, video: int) -> int:
    frames = index.frames_of(video)
    return int(index.person_offsets[frames.stop]) - int(index.person_offsets[frames.start])


def _video_keypoints(estimator: PoseEstimator, split: Split, video: int, stride: int) -> NDArray[np.float32]:
    index = split.index
    first = int(index.person_offsets[index.frames_of(video).start])
    keypoints = np.zeros((_num_persons(index, video), NUM_KEYPOINTS, 3), np.float32)
    frames = Split(index, (video,)).frames(stride)
    frame_indices = [int(index.frame_numbers[frame]) for frame in frames]
    images = read_images(index, video, frame_indices) if frame_indices else {}
    for frame, frame_index in zip(frames, frame_indices, strict=True):
        persons = index.persons_of(frame)
        boxes = index.person_boxes[persons]  # (n, 4)
        keypoints[persons.start - first : persons.stop - first] = estimator.estimate([images[frame_index]], [boxes])[0]
    return keypoints


def _load_estimator(weights: Path, device: torch.device) -> PoseEstimator:
    file = load_network(weights, device=device)
    if not isinstance(file.net, Hrnet | Movenet):
        raise WeightsError(f"{weights}: needs a pose network, got one of kind {file.kind}")
    return build_poses(file)
