"""One annotated video as arrays: the frames and clip frames for training, with their annotations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import ConfigError, DataError
from actparse.core.vocabulary import GROUPS, NUM_KEYPOINTS, PART_INDEX, PARTS, GroupLabel
from actparse.data.kinetics_tps import FrameTruth, PersonTruth, VideoRecord, read_frame_truth
from actparse.data.pseudo_labels import group_label
from actparse.video.decode import read_frames
from actparse.video.segments import equal_segments
from actparse.video.time_line import visible_frames

Image = NDArray[np.uint8]  # (H, W, 3)
Labels = tuple[GroupLabel | None, ...]  # one label per group; None if no frame is annotated


@dataclass(frozen=True, kw_only=True)
class StoreConfig:
    """Settings for storing the frames of every video."""

    frame_size: tuple[int, int] = (240, 320)  # (height, width); a frame of another size is fitted into the upper left
    frame_stride: int = 5  # source frames from one stored annotated frame to the next, at least
    clip_size: tuple[int, int] = (48, 64)  # (height, width) of the frames of clips
    frame_rate: float = 10.0  # of clips, frames per second
    segment_seconds: float = 3.0  # approximate length of the equal segments of a video

    def __post_init__(self) -> None:
        for name in ("frame_size", "clip_size"):
            if min(getattr(self, name)) < 1:
                raise ConfigError(f"store.{name} must be at least 1 by 1, got {getattr(self, name)}")
        for name in ("frame_stride", "frame_rate", "segment_seconds"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"store.{name} must be greater than 0, got {getattr(self, name)}")


@dataclass(frozen=True)
class VideoArrays:
    """Arrays of one video: F stored frames with P persons in total, L clip frames and S segments."""

    frames: NDArray[np.uint8]  # (F, H, W, 3)
    frame_indices: NDArray[np.int32]  # (F,)
    frame_times: NDArray[np.float64]  # (F,) seconds
    num_persons: NDArray[np.int64]  # (F,)
    person_boxes: NDArray[np.float32]  # (P, 4)
    person_keypoints: NDArray[np.float32]  # (P, 17, 3)
    person_identities: NDArray[np.int64]  # (P,) -1 if the dataset has no identities
    part_boxes: NDArray[np.float32]  # (P, 10, 4)
    part_states: tuple[tuple[str | None, ...], ...]  # (P, 10)
    clips: NDArray[np.uint8]  # (L, h, w, 3)
    num_clip_frames: int
    segment_rows: NDArray[np.int64]  # (S, 2) first clip frame, and the one after the last
    segment_labels: tuple[Labels, ...]  # (S,)

    def without_pixels(self) -> VideoArrays:
        """Return the same arrays without the images."""
        return replace(self, frames=self.frames[:0], clips=self.clips[:0])


def read_video(record: VideoRecord, config: StoreConfig) -> VideoArrays:
    """Decode a video and read the annotations of all its frames.

    Raises:
        DataError: the video contains no frame.
    """
    cv2.setNumThreads(1)
    truths = {frame: read_frame_truth(path) for frame, path in record.annotations().items()}
    frames: dict[int, Image] = {}
    scale, next_index = 1.0, 0
    small: list[Image] = []
    times: list[float] = []
    with read_frames(record.path) as reader:
        for frame in reader:
            times.append(frame.time_seconds)
            small.append(_clip_frame(frame.image, config.clip_size))
            if frame.index >= next_index and frame.index in truths:
                frames[frame.index], scale = fit_frame(frame.image, config.frame_size)
                next_index = frame.index + config.frame_stride
    if not times:
        raise DataError(f"{record.path}: the video holds no frame")
    clip_indices = visible_frames(np.asarray(times), config.frame_rate)  # (L,)
    segments = equal_segments(len(times), times, config.segment_seconds)
    persons = [truths[index].persons for index in frames]
    flat = [person for frame_persons in persons for person in frame_persons]
    scaled = [_scaled(person, scale) for person in flat]
    return VideoArrays(
        frames=np.stack(list(frames.values())) if frames else np.zeros((0, *config.frame_size, 3), np.uint8),
        frame_indices=np.array(list(frames), np.int32),
        frame_times=np.asarray(times)[list(frames)],
        num_persons=np.array([len(frame_persons) for frame_persons in persons], np.int64),
        person_boxes=np.array([box for box, _, _ in scaled], np.float32).reshape(-1, 4),
        person_keypoints=np.array([points for _, points, _ in scaled], np.float32).reshape(-1, NUM_KEYPOINTS, 3),
        person_identities=np.array([-1 if p.identity is None else p.identity for p in flat], np.int64),
        part_boxes=np.array([parts for _, _, parts in scaled], np.float32).reshape(-1, len(PARTS), 4),
        part_states=tuple(
            tuple(person.parts[part].state if part in person.parts else None for part in PARTS) for person in flat
        ),
        clips=np.stack([small[i] for i in clip_indices]),
        num_clip_frames=len(clip_indices),
        segment_rows=np.array(
            [np.searchsorted(clip_indices, [s.first_frame, s.end_frame]) for s in segments], np.int64
        ),
        segment_labels=tuple(_labels(record.action, truths, range(s.first_frame, s.end_frame)) for s in segments),
    )


def fit_frame(image: Image, size: tuple[int, int]) -> tuple[Image, float]:
    """Resize a frame to fit the upper left of a black image of `size`; return it and the scale of its coordinates."""
    height, width = image.shape[:2]
    if (height, width) == size:
        return image, 1.0
    scale = min(size[0] / height, size[1] / width)
    fitted = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(image, fitted, interpolation=cv2.INTER_AREA if scale < 0.5 else cv2.INTER_LINEAR)
    canvas = np.zeros((*size, 3), np.uint8)
    canvas[: fitted[1], : fitted[0]] = small
    return canvas, scale


def _clip_frame(image: Image, size: tuple[int, int]) -> Image:
    """Resize the whole frame to exactly `size`, as `stages.actions.clip_image` does if the aspect ratios are equal."""
    shrinks = size[0] < 0.5 * image.shape[0]
    rule = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, size[::-1], interpolation=rule), dtype=np.uint8)


def _scaled(person: PersonTruth, scale: float) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Return a person's scaled box (4,), keypoints (17, 3) and part boxes (10, 4), zeros where not annotated."""
    keypoints = np.zeros((NUM_KEYPOINTS, 3), np.float32)
    if person.keypoints is not None:
        keypoints[:] = person.keypoints
        keypoints[:, :2] *= scale
    parts = np.zeros((len(PARTS), 4), np.float32)
    for name, box in person.part_boxes().items():
        parts[PART_INDEX[name]] = np.asarray(box, np.float32) * scale
    return np.asarray(person.box, np.float32) * scale, keypoints, parts


def _labels(action: str, truths: dict[int, FrameTruth], frames: Sequence[int]) -> Labels:
    annotated = [truths[index] for index in frames if index in truths]
    return tuple(group_label(action, group, annotated) if annotated else None for group in GROUPS)
