"""Decoding of one annotated video: the frames and clip frames for training, with their annotations."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import ConfigError, DataError
from actparse.data.kinetics_tps import VideoRecord, read_frame_truth
from actparse.training.samples.annotations import Arrays, Image, video_arrays
from actparse.video.decode import read_frames
from actparse.video.time_line import visible_frames


@dataclass(frozen=True, kw_only=True)
class StoreConfig:
    """Settings for storing the frames of every video."""

    frame_size: tuple[int, int] = (240, 320)  # (height, width); a frame of another size is fitted into the upper left
    frame_stride: int = 5  # source frames from one stored annotated frame to the next, at least
    clip_size: tuple[int, int] = (48, 64)  # (height, width) of the frames of clips
    frame_rate: float = 10.0  # of clips, frames per second

    def __post_init__(self) -> None:
        for name in ("frame_size", "clip_size"):
            if min(getattr(self, name)) < 1:
                raise ConfigError(f"store.{name} must be at least 1 by 1, got {getattr(self, name)}")
        for name in ("frame_stride", "frame_rate"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"store.{name} must be greater than 0, got {getattr(self, name)}")


@dataclass(frozen=True)
class DecodedVideo:
    """One video: F stored frames, L clip frames, and the annotations of the stored frames."""

    frames: NDArray[np.uint8]  # (F, H, W, 3)
    clips: NDArray[np.uint8]  # (L, h, w, 3)
    arrays: Arrays


def read_video(record: VideoRecord, config: StoreConfig) -> DecodedVideo:
    """Decode a video and read the annotations of its stored frames.

    Raises:
        DataError: the video contains no frame.
    """
    cv2.setNumThreads(1)
    annotations = record.annotations()
    frames: dict[int, Image] = {}
    scale, next_index = 1.0, 0
    small: list[Image] = []
    times: list[float] = []
    with read_frames(record.path) as reader:
        for frame in reader:
            times.append(frame.time_seconds)
            small.append(_clip_frame(frame.image, config.clip_size))
            if frame.index >= next_index and frame.index in annotations:
                frames[frame.index], scale = fit_frame(frame.image, config.frame_size)
                next_index = frame.index + config.frame_stride
    if not times:
        raise DataError(f"{record.path}: the video holds no frame")
    clip_indices = visible_frames(np.asarray(times), config.frame_rate)  # (L,)
    truths = {index: read_frame_truth(annotations[index]) for index in frames}
    arrays = video_arrays(record, truths, times, scale=scale)
    arrays["num_clip_frames"] = np.array([len(clip_indices)])
    arrays["start_times"] = np.array(times[:1])
    images = np.stack(list(frames.values())) if frames else np.zeros((0, *config.frame_size, 3), np.uint8)
    return DecodedVideo(images, np.stack([small[i] for i in clip_indices]), arrays)


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
