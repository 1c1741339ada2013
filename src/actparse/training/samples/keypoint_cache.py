"""Keypoints that a pose network predicts for the persons of a store, computed once per network and store."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from actparse.core.errors import WeightsError
from actparse.core.files import written_beside
from actparse.core.pools import in_order
from actparse.core.vocabulary import NUM_KEYPOINTS
from actparse.nets.poses.hrnet import Hrnet
from actparse.nets.poses.movenet import Movenet
from actparse.stages.loading import build_poses
from actparse.stages.people.poses import PoseEstimator
from actparse.training.options import Report, say_nothing
from actparse.training.samples.store import Store, load_store
from actparse.weights.bundle import file_sha256, load_network

BOX_JITTER = 0.05  # standard deviation of a box's centre and sides as a share of its sides: imitates a detector's error
FRAMES_PER_JOB = 64
FRAMES_PER_BATCH = 8


def predicted_keypoints(
    store: Store, weights: Path, *, seed: int = 0, processes: int | None = None, report: Report = say_nothing
) -> NDArray[np.float32]:
    """Return the predicted keypoints of a store's persons, from true boxes with random errors like a detector's.

    Args:
        store: a split.
        weights: a pose network, a file of weights.bundle.
        seed: of the boxes' errors.
        processes: None means one for each core.
        report: receives lines of progress.

    Returns:
        (P, 17, 3) x, y in pixels of the stored frame, confidence.

    Raises:
        WeightsError: `weights` is not a pose network.
    """
    path = store.folder / f"keypoints-{file_sha256(weights)[:12]}-{seed}.npy"
    if path.is_file():
        return np.asarray(np.load(path), np.float32)
    boxes = jittered_boxes(store.person_boxes, np.random.default_rng((seed, 17)), store.frames.shape[1:3])
    num_frames = len(store.frames)
    jobs = [_job(store, boxes, start, weights) for start in range(0, num_frames, FRAMES_PER_JOB)]
    by_job = [np.zeros((0, NUM_KEYPOINTS, 3), np.float32)]
    for num_jobs, job_keypoints in enumerate(in_order(find_keypoints, jobs, processes=processes), start=1):
        by_job.append(job_keypoints)
        if num_jobs % 10 == 0 or num_jobs == len(jobs):
            report(f"keypoints predicted in {min(num_jobs * FRAMES_PER_JOB, num_frames)}/{num_frames} frames")
    keypoints = np.concatenate(by_job)
    with written_beside(path) as temporary, temporary.open("wb") as file:
        np.save(file, keypoints)
    return keypoints


def jittered_boxes(boxes: NDArray[np.float32], rng: np.random.Generator, size: tuple[int, ...]) -> NDArray[np.float32]:
    """Add random errors to the centre and sides of boxes (N, 4); cut them at the edges of an image of `size`."""
    sides = boxes[:, 2:] - boxes[:, :2]  # (N, 2)
    centers = (boxes[:, :2] + boxes[:, 2:]) / 2 + sides * rng.normal(0, BOX_JITTER, sides.shape)  # (N, 2)
    half = sides / 2 * np.exp(rng.normal(0, BOX_JITTER, sides.shape))  # (N, 2)
    limit = np.array([size[1], size[0]] * 2, np.float32)
    return np.clip(np.concatenate((centers - half, centers + half), axis=1), 0, limit).astype(np.float32)


def _job(
    store: Store, boxes: NDArray[np.float32], start: int, weights: Path
) -> tuple[Path, int, list[NDArray[np.float32]], Path]:
    end = min(start + FRAMES_PER_JOB, len(store.frames))
    return store.folder, start, [boxes[store.persons_of(frame)] for frame in range(start, end)], weights


def find_keypoints(folder: Path, start: int, boxes: list[NDArray[np.float32]], weights: Path) -> NDArray[np.float32]:
    """Predict the keypoints of the persons in consecutive frames of a store.

    Args:
        folder: of the store.
        start: index of the first frame.
        boxes: (n, 4) of the persons, for each frame from `start` on.
        weights: of the pose network.

    Returns:
        (P, 17, 3) of all persons in the order of `boxes`.
    """
    estimator, frames = _estimator(weights), _frames(folder)
    keypoints = [np.zeros((0, NUM_KEYPOINTS, 3), np.float32)]
    for first in range(0, len(boxes), FRAMES_PER_BATCH):
        batch_boxes = boxes[first : first + FRAMES_PER_BATCH]
        images = list(frames[start + first : start + first + len(batch_boxes)])
        keypoints += estimator.estimate(images, batch_boxes)
    return np.concatenate(keypoints).astype(np.float32)


@cache
def _frames(folder: Path) -> NDArray[np.uint8]:
    return load_store(folder).frames


@cache
def _estimator(weights: Path) -> PoseEstimator:
    """Return the pose estimator of this process."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    file = load_network(weights)
    if not isinstance(file.net, Hrnet | Movenet):
        raise WeightsError(f"{weights}: needs a pose network, got one of kind {file.kind}")
    return build_poses(file)
