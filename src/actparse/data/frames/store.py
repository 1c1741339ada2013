"""A decoded split of a dataset: frames and clips as memory maps, with their annotations as plain arrays.

A store is a folder beside the dataset. Its name contains a hash of its videos and settings; it is written atomically.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import DataError
from actparse.core.files import folder_beside
from actparse.core.pools import in_order
from actparse.core.progress import Report, discard_line
from actparse.core.ranges import Count, Positive, Size, expect_ranges
from actparse.core.vocabulary import PARTS
from actparse.data.fingerprint import fingerprint
from actparse.data.frames.annotations import (
    NO_STATE,
    Annotations,
    Arrays,
    Image,
    annotation_fields,
    join,
    load_arrays,
    offsets_of,
    save_arrays,
    video_arrays,
)
from actparse.data.kinetics_tps import KineticsTps, VideoRecord, read_frame_truth
from actparse.video.decode import read_frames
from actparse.video.time_line import visible_frames

FORMAT = 5  # of the folder; another value creates new stores
FRAMES_FILE = "frames.u8"
CLIPS_FILE = "clips.u8"
ARRAYS_FILE = "arrays.npz"


@dataclass(frozen=True, kw_only=True)
class StoreConfig:
    """Settings for storing the frames of every video."""

    frame_size: Size = (240, 320)  # (height, width); frames of other sizes are fitted into the upper left
    frame_stride: Count = 5  # source frames from one stored annotated frame to the next, at least
    clip_size: Size = (72, 96)  # (height, width) of the frames of clips; others are fitted into the middle
    frame_rate: Positive = 5.0  # of clips, frames per second

    def __post_init__(self) -> None:
        expect_ranges(self, "store.")


@dataclass(frozen=True, kw_only=True)
class Store(Annotations):
    """A decoded split with L clip frames. Frames and clips are memory maps."""

    folder: Path
    frames: NDArray[np.uint8]  # (F, H, W, 3) RGB
    person_keypoints: NDArray[np.float32]  # (P, 17, 3) x, y, visibility 0, 1 or 2
    person_identities: NDArray[np.int64]  # (P,) same identity in all frames of a video; -1 if the dataset has none
    clips: NDArray[np.uint8]  # (L, h, w, 3) RGB
    clip_offsets: NDArray[np.int64]  # (V + 1,) index of the first clip frame of each video, and L
    start_times: NDArray[np.float64]  # (V,) seconds of presentation time of the first frame of each video

    @property
    def cache(self) -> Path:
        """The folder for data computed from these frames: the store's."""
        return self.folder

    def reader(self, frames: Sequence[int]) -> Callable[[], list[Image]]:
        """Return a function that copies frames from the memory map, which each process opens once."""
        return partial(stored_images, self.folder, tuple(frames))

    def images(self, frames: Sequence[int]) -> list[Image]:
        """Return frames (H, W, 3) RGB."""
        return [self.frames[frame] for frame in frames]


def stored_images(folder: Path, frames: Sequence[int]) -> list[Image]:
    """Return frames (H, W, 3) of a store, which each process opens once."""
    return cached_store(folder).images(frames)


def open_store(
    root: Path,
    split: str,
    config: StoreConfig,
    *,
    names: Collection[str] | None = None,
    cache: Path | None = None,
    report: Report = discard_line,
) -> Store:
    """Open the store of a split, creating it if necessary.

    Args:
        root: of the dataset.
        split: "train", "val" or "test".
        config: settings of the stored frames.
        names: of the videos; None means all videos of the split.
        cache: folder of stores; None means `root`/.cache.
        report: receives lines of progress while a store is created.

    Raises:
        DataError: the split has no videos, or one of them cannot be read.
    """
    records = tuple(r for r in KineticsTps(root).videos(split) if names is None or r.name in names)
    if not records:
        raise DataError(f"{root}: the split {split} has no videos")
    folder = (cache or root / ".cache") / f"{split}-{fingerprint(records, FORMAT, asdict(config))}"
    if not folder.is_dir():
        with folder_beside(folder) as temporary:
            _write(temporary, records, config, report)
    return load_store(folder)


def _write(folder: Path, records: Sequence[VideoRecord], config: StoreConfig, report: Report) -> None:
    pieces: list[Arrays] = []
    jobs = [(record, config) for record in records]
    with (folder / FRAMES_FILE).open("wb") as frames_file, (folder / CLIPS_FILE).open("wb") as clips_file:
        for num_videos, video in enumerate(in_order(read_video, jobs), start=1):
            frames_file.write(video.frames.tobytes())
            clips_file.write(video.clips.tobytes())
            pieces.append(video.arrays)
            if num_videos % 50 == 0 or num_videos == len(records):
                report(f"decoded {num_videos}/{len(records)} videos")
    sizes = {"frame_size": np.array(config.frame_size), "clip_size": np.array(config.clip_size)}
    save_arrays(folder / ARRAYS_FILE, join(pieces) | sizes)


def write_frame_store(
    folder: Path,
    names: Sequence[str],
    frames: Sequence[NDArray[np.uint8]],
    *,
    num_persons: NDArray[np.int64],
    person_boxes: NDArray[np.float32],
    person_keypoints: NDArray[np.float32],
    part_boxes: NDArray[np.float32],
) -> None:
    """Write a store of single frames, without actions, states or clips.

    Args:
        folder: of the new store.
        names: of V groups of frames, which are stored as videos.
        frames: (n, H, W, 3) uint8 RGB for each group, all of one size; F frames in total.
        num_persons: (F,) of each frame; P in total.
        person_boxes: (P, 4) xyxy, pixels of the frame.
        person_keypoints: (P, 17, 3) x, y, visibility 0, 1 or 2.
        part_boxes: (P, 10, 4); zeros where a part is not visible.
    """
    counts = [len(group) for group in frames]
    num_videos, num_frames, num_persons_in_all = len(counts), sum(counts), len(person_boxes)
    arrays: dict[str, Any] = {
        "names": list(names),
        "actions": [""] * num_videos,
        "states": np.zeros(0, np.str_),
        "num_annotated": counts,
        "frame_indices": np.concatenate([np.arange(count, dtype=np.int32) for count in counts]),
        "frame_times": np.zeros(num_frames),
        "num_persons": num_persons,
        "person_boxes": person_boxes,
        "person_keypoints": person_keypoints,
        "person_identities": np.full(num_persons_in_all, -1, np.int64),
        "part_boxes": part_boxes,
        "part_states": np.full((num_persons_in_all, len(PARTS)), NO_STATE, np.int16),
        "num_clip_frames": np.zeros(num_videos, np.int64),
        "start_times": np.zeros(num_videos),
        "frame_size": frames[0].shape[1:3],
        "clip_size": frames[0].shape[1:3],
    }
    with folder_beside(folder) as temporary:
        with (temporary / FRAMES_FILE).open("wb") as file:
            for group in frames:
                group.tofile(file)
        (temporary / CLIPS_FILE).touch()
        save_arrays(temporary / ARRAYS_FILE, {name: np.asarray(value) for name, value in arrays.items()})


def load_store(folder: Path) -> Store:
    """Open a finished store.

    Raises:
        DataError: the store is damaged.
    """
    arrays = load_arrays(folder / ARRAYS_FILE, "store of decoded videos")
    try:
        num_frames, num_clip_frames = len(arrays["frame_indices"]), int(arrays["num_clip_frames"].sum())
        return Store(
            folder=folder,
            frames=_map(folder / FRAMES_FILE, num_frames, arrays["frame_size"].tolist()),
            clips=_map(folder / CLIPS_FILE, num_clip_frames, arrays["clip_size"].tolist()),
            clip_offsets=offsets_of(arrays["num_clip_frames"]),
            person_keypoints=arrays["person_keypoints"],
            person_identities=arrays["person_identities"],
            start_times=arrays["start_times"],
            **annotation_fields(arrays),
        )
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{folder}: a damaged store of decoded videos, remove it to create it again: {error}") from None


cached_store = cache(load_store)


def _map(path: Path, num_images: int, size: Sequence[int]) -> NDArray[np.uint8]:
    shape = (num_images, size[0], size[1], 3)
    return np.memmap(path, np.uint8, "r", shape=shape) if num_images else np.zeros(shape, np.uint8)


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
            # as `stages.actions.clip_image` if the aspect ratios are equal; else people are smaller than in a parse
            small.append(fit_frame(frame.image, config.clip_size, centered=True)[0])
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


def fit_frame(image: Image, size: tuple[int, int], *, centered: bool = False) -> tuple[Image, float]:
    """Resize a frame to fit the upper left or the middle of a black image of `size`; return it and the scale.

    Coordinates are those of the frame times the scale, and in the middle moved by the border, too.
    """
    height, width = image.shape[:2]
    if (height, width) == size:
        return image, 1.0
    scale = min(size[0] / height, size[1] / width)
    fitted = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(image, fitted, interpolation=cv2.INTER_AREA if scale < 0.5 else cv2.INTER_LINEAR)
    top, left = ((size[0] - fitted[1]) // 2, (size[1] - fitted[0]) // 2) if centered else (0, 0)
    canvas = np.zeros((*size, 3), np.uint8)
    canvas[top : top + fitted[1], left : left + fitted[0]] = small
    return canvas, scale
