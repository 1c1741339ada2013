"""Keypoints that a pose network predicts for annotated persons, computed once per network and stored for each video."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from actparse.core.errors import WeightsError
from actparse.core.files import file_sha256, written_beside
from actparse.core.pools import in_order
from actparse.core.progress import Report, discard_line
from actparse.core.vocabulary import NUM_KEYPOINTS
from actparse.data.frames.annotations import Annotations, Image
from actparse.nets.poses.hrnet import Hrnet
from actparse.nets.poses.movenet import Movenet
from actparse.stages.loading import build_poses
from actparse.stages.people.poses import PoseEstimator
from actparse.training.loop import ranks
from actparse.weights.bundle import load_network

BOX_JITTER = 0.05  # standard deviation of a box's centre and sides as a share of its sides: imitates a detector's error
FRAMES_PER_BATCH = 8
REPORTED_VIDEOS = 20  # videos from one line of progress to the next


def predicted_keypoints(
    data: Annotations,
    weights: Path,
    *,
    jitter: float = BOX_JITTER,
    device: torch.device | None = None,
    report: Report = discard_line,
) -> NDArray[np.float32]:
    """Return the predicted keypoints of annotated persons, from true boxes with random errors like a detector's.

    Videos that have a file already are skipped; the processes of a training run divide the others among themselves.

    Args:
        data: annotated frames.
        weights: a pose network, a file of weights.bundle.
        jitter: standard deviation of a box's errors, as a share of its sides; 0 uses the true boxes.
        device: where the network runs; None is the processor.
        report: receives lines of progress.

    Returns:
        (P, 17, 3) x, y in pixels of the frame, confidence.

    Raises:
        WeightsError: `weights` is not a pose network.
    """
    device = device or torch.device("cpu")
    persons = sha256(data.frame_indices.tobytes() + data.person_boxes.tobytes()).hexdigest()[:12]
    folder = data.cache / f"keypoints-{file_sha256(weights)[:12]}-{jitter:g}-{persons}"
    videos = data.videos()
    paths = [folder / f"{data.names[data.frame_videos[frames[0]]]}.npy" for frames in videos]
    pairs = list(zip(paths, videos, strict=True))[ranks.rank() :: ranks.world_size()]
    jobs = [
        (path, data.reader(frames), [data.person_boxes[data.persons_of(f)] for f in frames], weights, device, jitter)
        for path, frames in pairs
        if not path.is_file()
    ]
    processes = None if device.type == "cpu" else 1
    for count, _ in enumerate(in_order(write_keypoints, jobs, processes=processes), start=1):
        if count % REPORTED_VIDEOS == 0 or count == len(jobs):
            report(f"keypoints predicted in {count}/{len(jobs)} videos")
    ranks.wait_for_all()
    return np.concatenate([np.zeros((0, NUM_KEYPOINTS, 3), np.float32), *map(np.load, paths)])


def jittered_boxes(
    boxes: NDArray[np.float32], rng: np.random.Generator, size: tuple[int, ...], jitter: float = BOX_JITTER
) -> NDArray[np.float32]:
    """Add random errors to the centre and sides of boxes (N, 4); cut them at the edges of an image of `size`."""
    sides = boxes[:, 2:] - boxes[:, :2]  # (N, 2)
    centers = (boxes[:, :2] + boxes[:, 2:]) / 2 + sides * rng.normal(0, jitter, sides.shape)  # (N, 2)
    half = sides / 2 * np.exp(rng.normal(0, jitter, sides.shape))  # (N, 2)
    limit = np.array([size[1], size[0]] * 2, np.float32)
    return np.clip(np.concatenate((centers - half, centers + half), axis=1), 0, limit).astype(np.float32)


def write_keypoints(
    path: Path,
    read: Callable[[], list[Image]],
    boxes: list[NDArray[np.float32]],
    weights: Path,
    device: torch.device,
    jitter: float,
) -> None:
    """Predict the keypoints of the persons in a video's frames, and write them (P, 17, 3) to a file.

    `boxes` are those of each frame's persons, (n, 4); `jitter` is that of their errors, 0 uses them as they are.
    """
    estimator, images = _estimator(weights, device), read()
    if jitter:
        rng = np.random.default_rng((17, sum(map(len, boxes))))
        boxes = [jittered_boxes(of_frame, rng, images[0].shape, jitter) for of_frame in boxes]
    keypoints = [np.zeros((0, NUM_KEYPOINTS, 3), np.float32)]
    for first in range(0, len(boxes), FRAMES_PER_BATCH):
        batch = slice(first, first + FRAMES_PER_BATCH)
        keypoints += estimator.estimate(images[batch], boxes[batch])
    with written_beside(path) as temporary, temporary.open("wb") as file:
        np.save(file, np.concatenate(keypoints).astype(np.float32))


@cache
def _estimator(weights: Path, device: torch.device) -> PoseEstimator:
    """Return the pose estimator of this process."""
    if device.type == "cpu":
        torch.set_num_threads(1)
        cv2.setNumThreads(1)
    with torch.random.fork_rng(devices=()):  # else the first training on these keypoints would start from other weights
        file = load_network(weights, device=device)
    if not isinstance(file.net, Hrnet | Movenet):
        raise WeightsError(f"{weights}: needs a pose network, got one of kind {file.kind}")
    return build_poses(file)
