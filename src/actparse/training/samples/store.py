"""A decoded split of a dataset: frames and clips as memory maps, with their annotations as plain arrays.

A store is a folder beside the dataset. Its name contains a hash of its videos and settings; it is written atomically.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import DataError
from actparse.core.pools import in_order
from actparse.core.vocabulary import PARTS
from actparse.data.fingerprint import fingerprint
from actparse.data.kinetics_tps import KineticsTps, VideoRecord
from actparse.data.pseudo_labels import UNSEEN
from actparse.training.options import Report, say_nothing
from actparse.training.samples.reading import StoreConfig, VideoArrays, read_video

FORMAT = 2  # of the folder; another value creates new stores
FRAMES_FILE = "frames.u8"
CLIPS_FILE = "clips.u8"
ARRAYS_FILE = "arrays.npz"
META_FILE = "meta.json"


@dataclass(frozen=True)
class Store:
    """A decoded split: F frames with P persons in total, L clip frames, S segments and V videos.

    Frames and clips are memory maps.
    """

    folder: Path
    names: tuple[str, ...]  # (V,) names of the videos
    actions: tuple[str, ...]  # (V,) actions of the videos
    frames: NDArray[np.uint8]  # (F, H, W, 3) RGB
    frame_videos: NDArray[np.int32]  # (F,) index of the video of each frame
    frame_indices: NDArray[np.int32]  # (F,) index of each frame in its video
    frame_times: NDArray[np.float64]  # (F,) seconds of presentation time
    person_offsets: NDArray[np.int64]  # (F + 1,) index of the first person of each frame, and P
    person_boxes: NDArray[np.float32]  # (P, 4) xyxy, pixels of the stored frame
    person_keypoints: NDArray[np.float32]  # (P, 17, 3) x, y, visibility 0, 1 or 2
    person_identities: NDArray[np.int64]  # (P,) same identity in all frames of a video; -1 if the dataset has none
    part_boxes: NDArray[np.float32]  # (P, 10, 4); zeros where the part is not annotated
    part_states: tuple[tuple[str | None, ...], ...]  # (P, 10); None where the part is not annotated
    clips: NDArray[np.uint8]  # (L, h, w, 3) RGB
    clip_offsets: NDArray[np.int64]  # (V + 1,) index of the first clip frame of each video, and L
    segment_videos: NDArray[np.int32]  # (S,) index of the video of each segment
    segment_rows: NDArray[np.int64]  # (S, 2) index of the first clip frame, and the one after the last
    segment_labels: tuple[tuple[tuple[str, ...] | None, ...], ...]  # (S, 6) by group; None if no frame is annotated

    @property
    def person_frames(self) -> NDArray[np.int64]:
        """The frame index of each person, (P,)."""
        return np.repeat(np.arange(len(self.frames)), np.diff(self.person_offsets))

    def persons_of(self, frame: int) -> slice:
        """Return the index range of the persons in a frame."""
        return slice(int(self.person_offsets[frame]), int(self.person_offsets[frame + 1]))

    def frame_name(self, frame: int) -> str:
        """Return the name of a stored frame, for messages."""
        return f"{self.names[self.frame_videos[frame]]} frame {self.frame_indices[frame]}"


def states_of_part(store: Store, part: int) -> tuple[str, ...]:
    """Return the sorted states of a part, by its index, that occur in a store; (UNSEEN,) if the part has none."""
    states = {person_states[part] for person_states in store.part_states}
    return tuple(sorted(state for state in states if state is not None)) or (UNSEEN,)


def open_store(
    root: Path,
    split: str,
    config: StoreConfig,
    *,
    names: Collection[str] | None = None,
    cache: Path | None = None,
    report: Report = say_nothing,
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
    if not (folder / META_FILE).is_file():
        _create(folder, records, config, report)
    return load_store(folder)


def _create(folder: Path, records: Sequence[VideoRecord], config: StoreConfig, report: Report) -> None:
    temporary = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        _write(temporary, records, config, report)
        if folder.exists():
            shutil.rmtree(folder, ignore_errors=True)  # without META_FILE: not a finished store
        temporary.rename(folder)
    except OSError:
        if not (folder / META_FILE).is_file():  # else another job was faster
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write(folder: Path, records: Sequence[VideoRecord], config: StoreConfig, report: Report) -> None:
    videos: list[VideoArrays] = []
    jobs = [(record, config) for record in records]
    with (folder / FRAMES_FILE).open("wb") as frames_file, (folder / CLIPS_FILE).open("wb") as clips_file:
        for num_videos, video in enumerate(in_order(read_video, jobs), start=1):
            frames_file.write(video.frames.tobytes())
            clips_file.write(video.clips.tobytes())
            videos.append(video.without_pixels())
            if num_videos % 50 == 0 or num_videos == len(records):
                report(f"decoded {num_videos}/{len(records)} videos")
    np.savez(folder / ARRAYS_FILE, **_arrays(videos))  # type: ignore[arg-type]
    meta = {
        "names": [record.name for record in records],
        "actions": [record.action for record in records],
        "segment_labels": [labels for video in videos for labels in video.segment_labels],
        "part_states": [states for video in videos for states in video.part_states],
        "config": asdict(config),
    }
    (folder / META_FILE).write_text(json.dumps(meta), encoding="utf-8")


def write_frame_store(
    folder: Path,
    names: Sequence[str],
    frames: Sequence[NDArray[np.uint8]],
    *,
    person_boxes: NDArray[np.float32],
    person_keypoints: NDArray[np.float32],
    part_boxes: NDArray[np.float32],
) -> None:
    """Write a store of single frames with one person each, without actions, states or clips.

    Args:
        folder: of the new store.
        names: of V groups of frames, which are stored as videos.
        frames: (n, H, W, 3) uint8 RGB for each group, all of one size; P frames in total.
        person_boxes: (P, 4) xyxy, pixels of the frame.
        person_keypoints: (P, 17, 3) x, y, visibility 0, 1 or 2.
        part_boxes: (P, 10, 4); zeros where a part is not visible.
    """
    counts = [len(group) for group in frames]
    num_frames, num_videos = sum(counts), len(counts)
    temporary = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    with (temporary / FRAMES_FILE).open("wb") as file:
        for group in frames:
            group.tofile(file)
    (temporary / CLIPS_FILE).touch()
    np.savez(
        temporary / ARRAYS_FILE,
        frame_videos=np.repeat(np.arange(num_videos, dtype=np.int32), counts),
        frame_indices=np.concatenate([np.arange(count, dtype=np.int32) for count in counts]),
        frame_times=np.zeros(num_frames),
        person_offsets=np.arange(num_frames + 1),
        person_boxes=person_boxes,
        person_keypoints=person_keypoints,
        person_identities=np.full(num_frames, -1, np.int64),
        part_boxes=part_boxes,
        clip_offsets=np.zeros(num_videos + 1, np.int64),
        segment_videos=np.zeros(0, np.int32),
        segment_rows=np.zeros((0, 2), np.int64),
    )
    size = list(frames[0].shape[1:3])
    meta = {
        "names": list(names),
        "actions": [""] * num_videos,
        "segment_labels": [],
        "part_states": [[None] * len(PARTS)] * num_frames,
        "config": {"frame_size": size, "clip_size": size},
    }
    (temporary / META_FILE).write_text(json.dumps(meta), encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    temporary.rename(folder)


def _arrays(videos: Sequence[VideoArrays]) -> dict[str, NDArray[Any]]:
    num_clip_frames = np.array([video.num_clip_frames for video in videos], np.int64)
    clip_offsets = _offsets(num_clip_frames)
    segments = [video.segment_rows + start for video, start in zip(videos, clip_offsets, strict=False)]
    return {
        "frame_videos": np.repeat(np.arange(len(videos), dtype=np.int32), [len(v.frame_indices) for v in videos]),
        "frame_indices": np.concatenate([video.frame_indices for video in videos]),
        "frame_times": np.concatenate([video.frame_times for video in videos]),
        "person_offsets": _offsets(np.concatenate([video.num_persons for video in videos])),
        "person_boxes": np.concatenate([video.person_boxes for video in videos]),
        "person_keypoints": np.concatenate([video.person_keypoints for video in videos]),
        "person_identities": np.concatenate([video.person_identities for video in videos]),
        "part_boxes": np.concatenate([video.part_boxes for video in videos]),
        "clip_offsets": clip_offsets,
        "segment_videos": np.repeat(np.arange(len(videos), dtype=np.int32), [len(bounds) for bounds in segments]),
        "segment_rows": np.concatenate(segments),
    }


def _offsets(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate(([0], np.cumsum(counts))).astype(np.int64)


def load_store(folder: Path) -> Store:
    """Open a finished store.

    Raises:
        DataError: the store is damaged.
    """
    try:
        meta = json.loads((folder / META_FILE).read_text(encoding="utf-8"))
        with np.load(folder / ARRAYS_FILE, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        config = meta["config"]
        frames = _map(folder / FRAMES_FILE, len(arrays["frame_videos"]), config["frame_size"])
        clips = _map(folder / CLIPS_FILE, int(arrays["clip_offsets"][-1]), config["clip_size"])
    except (OSError, EOFError, BadZipFile, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{folder}: a damaged store of decoded videos, remove it to create it again: {error}") from None
    labels = tuple(
        tuple(None if label is None else tuple(label) for label in by_group) for by_group in meta["segment_labels"]
    )
    return Store(
        folder=folder,
        names=tuple(meta["names"]),
        actions=tuple(meta["actions"]),
        frames=frames,
        clips=clips,
        segment_labels=labels,
        part_states=tuple(map(tuple, meta["part_states"])),
        **arrays,
    )


def _map(path: Path, num_images: int, size: Sequence[int]) -> NDArray[np.uint8]:
    shape = (num_images, size[0], size[1], 3)
    return np.memmap(path, np.uint8, "r", shape=shape) if num_images else np.zeros(shape, np.uint8)
