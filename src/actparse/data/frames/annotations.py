"""Annotated frames of videos as flat arrays, the common form of decoded stores and of indices without pixels.

While annotations are read, they are a dictionary of arrays that can be joined and saved: counts by video and by frame,
from which the offsets of `Annotations` are computed when the arrays are loaded.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import DataError
from actparse.core.files import written_beside
from actparse.core.vocabulary import NUM_KEYPOINTS, PART_INDEX, PARTS
from actparse.data.kinetics_tps import FrameTruth, PartTruth, PersonTruth, VideoRecord
from actparse.data.pseudo_labels import UNSEEN

Image = NDArray[np.uint8]  # (H, W, C)
Arrays = dict[str, NDArray[Any]]

NO_STATE = -1  # in `part_states`: the part has no annotated state
NO_OBJECTS: Arrays = {
    "objects": np.zeros(0, np.str_),
    "object_boxes": np.zeros((0, 4), np.float32),
    "object_labels": np.zeros(0, np.int16),
}


class FrameSource(ABC):
    """Frames, or flow fields, of videos or clips in a row, numbered through."""

    names: tuple[str, ...]  # (V,) of the videos or clips, for messages
    offsets: Sequence[int] | NDArray[np.int64]  # (V + 1,) the first frame of each, and their number in total

    @abstractmethod
    def read(self, frames: NDArray[np.int64]) -> Sequence[Image]:
        """Return frames (H, W, C) of one video."""

    def locate(self, frames: NDArray[np.int64]) -> tuple[int, NDArray[np.int64]]:
        """Return the index of the video that frames belong to, and their indices in it."""
        video = bisect_right(self.offsets, int(frames[0])) - 1
        return video, frames - self.offsets[video]


@dataclass(frozen=True, kw_only=True)
class Annotations(ABC):
    """V videos with F annotated frames, P persons and O objects in total; subclasses read the frames."""

    names: tuple[str, ...]  # (V,)
    actions: tuple[str, ...]  # (V,)
    states: tuple[str, ...]  # the state names that `part_states` refers to
    frame_videos: NDArray[np.int32]  # (F,) index of the video of each frame, ascending
    frame_indices: NDArray[np.int32]  # (F,) index of each frame in its video, ascending in a video
    frame_times: NDArray[np.float64]  # (F,) seconds of presentation time
    person_offsets: NDArray[np.int64]  # (F + 1,) index of the first person of each frame, and P
    person_boxes: NDArray[np.float32]  # (P, 4) xyxy, pixels of the frames that are read
    part_boxes: NDArray[np.float32]  # (P, 10, 4); zeros where the part is not annotated
    part_states: NDArray[np.int16]  # (P, 10) index into `states`, or NO_STATE
    objects: tuple[str, ...]  # the names of objects that `object_labels` refers to
    object_offsets: NDArray[np.int64]  # (F + 1,) index of the first object of each frame, and O
    object_boxes: NDArray[np.float32]  # (O, 4) xyxy, pixels of the frames that are read
    object_labels: NDArray[np.int16]  # (O,) index into `objects`

    @abstractmethod
    def reader(self, frames: Sequence[int]) -> Callable[[], list[Image]]:
        """Return a function that reads frames of one video; it can be sent to another process."""

    @property
    @abstractmethod
    def cache(self) -> Path:
        """The folder for data computed from these frames."""

    def images(self, frames: Sequence[int]) -> list[Image]:
        """Read frames of one video, (H, W, 3) RGB."""
        return self.reader(frames)()

    @property
    def person_frames(self) -> NDArray[np.int64]:
        """The frame of each person, (P,)."""
        return np.repeat(np.arange(len(self.frame_indices)), np.diff(self.person_offsets))

    def persons_of(self, frame: int) -> slice:
        """Return the index range of the persons in a frame."""
        return slice(int(self.person_offsets[frame]), int(self.person_offsets[frame + 1]))

    def objects_of(self, frame: int) -> slice:
        """Return the index range of the objects in a frame."""
        return slice(int(self.object_offsets[frame]), int(self.object_offsets[frame + 1]))

    def frames_of(self, video: int) -> range:
        """Return the annotated frames of a video."""
        bounds = np.array([video, video + 1], self.frame_videos.dtype)  # of another type, all would be converted
        first, end = np.searchsorted(self.frame_videos, bounds).tolist()
        return range(first, end)

    def videos(self, count: int | None = None) -> list[range]:
        """Return the annotated frames of each video that has some, of at most `count` videos, evenly spaced."""
        with_frames = np.unique(self.frame_videos)
        if count is not None and len(with_frames) > count:
            with_frames = with_frames[np.linspace(0, len(with_frames) - 1, count).round().astype(int)]
        return [self.frames_of(video) for video in with_frames.tolist()]

    def frame_name(self, frame: int) -> str:
        """Return the name of a frame, for messages."""
        return f"{self.names[self.frame_videos[frame]]} frame {self.frame_indices[frame]}"

    def state_names(self, persons: slice) -> list[list[str | None]]:
        """Return the states (n, 10) of some persons; None where a part is not annotated."""
        names = (*self.states, None)  # NO_STATE is -1, the last
        return [[names[state] for state in person] for person in self.part_states[persons].tolist()]

    def object_names(self, objects: slice) -> list[str]:
        """Return the names (n) of some objects."""
        return [self.objects[label] for label in self.object_labels[objects].tolist()]

    @property
    def object_classes(self) -> tuple[str, ...]:
        """The sorted names of the objects that occur."""
        return tuple(sorted(set(self.object_names(slice(None)))))

    def states_of_part(self, part: int) -> tuple[str, ...]:
        """Return the sorted states of a part, by its index, that occur; (UNSEEN,) if the part has none."""
        occurring = set(self.part_states[:, part].tolist()) - {NO_STATE}
        return tuple(sorted(self.states[state] for state in occurring)) or (UNSEEN,)

    def truth(self, frame: int) -> FrameTruth:
        """Return a frame's persons and their states, in the form that data.pseudo_labels reads."""
        persons = []
        for index in range(self.persons_of(frame).start, self.persons_of(frame).stop):
            parts = {
                PARTS[part]: PartTruth(tuple(self.part_boxes[index, part].tolist()), self.states[state])
                for part, state in enumerate(self.part_states[index].tolist())
                if state != NO_STATE
            }
            persons.append(PersonTruth(number=index, box=tuple(self.person_boxes[index].tolist()), parts=parts))
        return FrameTruth(tuple(persons))


def video_arrays(
    record: VideoRecord, truths: Mapping[int, FrameTruth], times: Sequence[float], *, scale: float = 1.0
) -> Arrays:
    """Return the annotations of one video as arrays.

    Args:
        record: the video.
        truths: annotations of frames, by their index.
        times: of all frames of the video, seconds.
        scale: factor for all coordinates.
    """
    persons = [person for truth in truths.values() for person in truth.persons]
    states = sorted({part.state for person in persons for part in person.parts.values()})
    keypoints = np.zeros((len(persons), NUM_KEYPOINTS, 3), np.float32)
    part_boxes = np.zeros((len(persons), len(PARTS), 4), np.float32)
    part_states = np.full((len(persons), len(PARTS)), NO_STATE, np.int16)
    for row, person in enumerate(persons):
        if person.keypoints is not None:
            keypoints[row] = person.keypoints
        for name, box in person.part_boxes().items():
            part_boxes[row, PART_INDEX[name]] = box
        for name, part in person.parts.items():
            part_states[row, PART_INDEX[name]] = states.index(part.state)
    keypoints[..., :2] *= scale
    objects = [item for truth in truths.values() for item in truth.objects]
    object_names = sorted({item.name for item in objects})
    return {
        "names": np.array([record.name]),
        "actions": np.array([record.action]),
        "states": np.array(states, np.str_),
        "num_annotated": np.array([len(truths)]),
        "frame_indices": np.array(list(truths), np.int32),
        "frame_times": np.asarray(times, np.float64)[list(truths)],
        "num_persons": np.array([len(truth.persons) for truth in truths.values()], np.int64),
        "person_boxes": np.array([person.box for person in persons], np.float32).reshape(-1, 4) * np.float32(scale),
        "person_keypoints": keypoints,
        "person_identities": np.array([-1 if p.identity is None else p.identity for p in persons], np.int64),
        "part_boxes": part_boxes * np.float32(scale),
        "part_states": part_states,
        "objects": np.array(object_names, np.str_),
        "num_objects": np.array([len(truth.objects) for truth in truths.values()], np.int64),
        "object_boxes": np.array([item.box for item in objects], np.float32).reshape(-1, 4) * np.float32(scale),
        "object_labels": np.array([object_names.index(item.name) for item in objects], np.int16),
    }


def join(pieces: Sequence[Arrays]) -> Arrays:
    """Join the arrays of several videos into one, with the videos in their order."""
    joined = {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
    for names, labels in (("states", "part_states"), ("objects", "object_labels")):
        joined[names] = np.unique(joined[names])
        new_indices = [np.append(np.searchsorted(joined[names], piece[names]), NO_STATE) for piece in pieces]
        by_piece = [indices[piece[labels]] for indices, piece in zip(new_indices, pieces, strict=True)]
        joined[labels] = np.concatenate(by_piece).astype(np.int16)
    return joined


def annotation_fields(arrays: Arrays) -> dict[str, Any]:
    """Convert joined arrays to the fields of `Annotations`; arrays of rendered frames have no objects."""
    arrays = {**NO_OBJECTS, "num_objects": np.zeros(len(arrays["frame_indices"]), np.int64), **arrays}
    names = (
        "frame_indices",
        "frame_times",
        "person_boxes",
        "part_boxes",
        "part_states",
        "object_boxes",
        "object_labels",
    )
    return {
        **{name: tuple(arrays[name].tolist()) for name in ("names", "actions", "states", "objects")},
        **{name: arrays[name] for name in names},
        "frame_videos": np.repeat(np.arange(len(arrays["num_annotated"]), dtype=np.int32), arrays["num_annotated"]),
        "person_offsets": offsets_of(arrays["num_persons"]),
        "object_offsets": offsets_of(arrays["num_objects"]),
    }


def offsets_of(counts: Iterable[int]) -> NDArray[np.int64]:
    """Return where each item's share of a flat array begins, and the length of the array."""
    return np.concatenate(([0], np.cumsum(np.asarray(counts, np.int64)))).astype(np.int64)


def save_arrays(path: Path, arrays: Arrays) -> None:
    """Write arrays to a file, completely or not at all."""
    with written_beside(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


def load_arrays(path: Path, what: str) -> Arrays:
    """Read arrays from a file.

    Raises:
        DataError: the file is damaged; `what` names it in the message.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, EOFError, BadZipFile, ValueError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise DataError(f"{path}: a damaged {what}, remove it to create it again: {error}") from None
