"""An index of a split of Kinetics-TPS: the times of its frames and their annotations, without any pixels.

It is built once by all cores, stored beside the dataset, and small enough to fit into every process. Until it is
complete, its pieces are stored in a folder beside it, so that an interrupted start resumes.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import DataError, OutputError
from actparse.core.files import written_beside
from actparse.core.pools import FEW_JOBS, in_order
from actparse.core.vocabulary import PART_INDEX, PARTS
from actparse.data.fingerprint import fingerprint
from actparse.data.kinetics_tps import (
    FrameTruth,
    KineticsTps,
    PartTruth,
    PersonTruth,
    VideoRecord,
    read_frame_truth,
)
from actparse.training.options import Report, say_nothing
from actparse.video.decode import read_frames

FORMAT = 1  # version of the file's format; a new version leads to new files
NO_STATE = -1
META = "meta"
PART_VIDEOS = 10  # videos in one piece of an index
REPORTED_VIDEOS = 100  # videos from one line of progress to the next


@dataclass(frozen=True)
class VideoIndex:
    """The annotations of V videos with L frames, A of them annotated, and P persons in total."""

    root: Path  # of the dataset
    names: tuple[str, ...]  # (V,)
    actions: tuple[str, ...]  # (V,)
    paths: tuple[str, ...]  # (V,) below `root`
    states: tuple[str, ...]  # the state names that `part_states` refers to
    time_offsets: NDArray[np.int64]  # (V + 1,)
    times: NDArray[np.float64]  # (L,) seconds
    frame_offsets: NDArray[np.int64]  # (V + 1,)
    frame_numbers: NDArray[np.int64]  # (A,) from 0, ascending in a video
    person_offsets: NDArray[np.int64]  # (A + 1,)
    person_boxes: NDArray[np.float32]  # (P, 4) xyxy, pixels
    part_boxes: NDArray[np.float32]  # (P, 10, 4) xyxy; zeros where a part is not annotated
    part_states: NDArray[np.int16]  # (P, 10) index into `states`, NO_STATE where none is annotated

    def __len__(self) -> int:
        return len(self.names)

    def without_persons(self) -> VideoIndex:
        """Return a copy without boxes and states, which clips do not need: small enough to send to other processes."""
        none = np.zeros_like(self.person_offsets)
        return replace(
            self,
            person_offsets=none,
            person_boxes=self.person_boxes[:0],
            part_boxes=self.part_boxes[:0],
            part_states=self.part_states[:0],
        )

    def path(self, video: int) -> Path:
        """Return the path of a video's file."""
        return self.root / self.paths[video]

    def times_of(self, video: int) -> NDArray[np.float64]:
        """Return the times (N,) of a video's frames, seconds."""
        return self.times[self.time_offsets[video] : self.time_offsets[video + 1]]

    def frames_of(self, video: int) -> range:
        """Return the indices (into `frame_numbers`) of a video's annotated frames."""
        return range(int(self.frame_offsets[video]), int(self.frame_offsets[video + 1]))

    def video_of(self, frame: int) -> int:
        """Return the video that an annotated frame belongs to."""
        return int(np.searchsorted(self.frame_offsets, frame, side="right")) - 1

    def persons_of(self, frame: int) -> slice:
        """Return the slice of the person arrays that holds the persons in an annotated frame."""
        return slice(int(self.person_offsets[frame]), int(self.person_offsets[frame + 1]))

    def truths(self, video: int) -> dict[int, FrameTruth]:
        """Return the annotations of a video by frame index, in the form that data.pseudo_labels reads."""
        return {int(self.frame_numbers[frame]): self._truth(frame) for frame in self.frames_of(video)}

    def _truth(self, frame: int) -> FrameTruth:
        persons = self.persons_of(frame)
        return FrameTruth(
            tuple(self._person(row, index) for index, row in enumerate(range(persons.start, persons.stop)))
        )

    def _person(self, row: int, index: int) -> PersonTruth:
        parts = {
            PARTS[part]: PartTruth(_box(self.part_boxes[row, part]), self.states[state])
            for part, state in enumerate(self.part_states[row].tolist())
            if state != NO_STATE
        }
        return PersonTruth(number=index + 1, box=_box(self.person_boxes[row]), parts=parts)


def _box(values: NDArray[np.float32]) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = values.tolist()
    return x1, y1, x2, y2


def read_entry(root: Path, record: VideoRecord) -> VideoIndex:
    """Build the index of one video from its frames and annotations; annotations past the video's end are left out.

    Raises:
        DataError: the video contains no frame, or an annotation is invalid.
    """
    with read_frames(record.path) as reader:
        times = [frame.time_seconds for frame in reader]
    if not times:
        raise DataError(f"{record.path}: the video holds no frame")
    truths = {n: read_frame_truth(path) for n, path in record.annotations().items() if n < len(times)}
    persons = [person for truth in truths.values() for person in truth.persons]
    states = sorted({part.state for person in persons for part in person.parts.values()})
    boxes = np.zeros((len(persons), len(PARTS), 4), np.float32)
    state_indices = np.full((len(persons), len(PARTS)), NO_STATE, np.int16)
    for row, person in enumerate(persons):
        for name, box in person.part_boxes().items():
            boxes[row, PART_INDEX[name]] = box
        for name, part in person.parts.items():
            state_indices[row, PART_INDEX[name]] = states.index(part.state)
    return VideoIndex(
        root=root,
        names=(record.name,),
        actions=(record.action,),
        paths=(record.path.relative_to(root).as_posix(),),
        states=tuple(states),
        time_offsets=_offsets([len(times)]),
        times=np.asarray(times, np.float64),
        frame_offsets=_offsets([len(truths)]),
        frame_numbers=np.array(list(truths), np.int64),
        person_offsets=_offsets([len(truth.persons) for truth in truths.values()]),
        person_boxes=np.array([person.box for person in persons], np.float32).reshape(-1, 4),
        part_boxes=boxes,
        part_states=state_indices,
    )


def open_index(root: Path, split: str, *, cache: Path, report: Report = say_nothing) -> VideoIndex:
    """Load the index of a split; build it first if it does not exist yet.

    Args:
        root: root folder of the dataset.
        split: "train", "val" or "test".
        cache: the folder of the index files.
        report: receives lines of progress while the index is built.

    Raises:
        DataError: the split has no videos, or one of them cannot be read.
    """
    records = KineticsTps(root).videos(split)
    if not records:
        raise DataError(f"{root}: the split {split} has no videos")
    path = cache / f"index-{split}-{fingerprint(records, FORMAT)}.npz"
    if not path.is_file():
        _build(path, root, records, report)
    return _load(path, root)


def _build(path: Path, root: Path, records: Sequence[VideoRecord], report: Report) -> None:
    """Index the videos in pieces, each with a file name that depends on its content, and join the pieces.

    Another process that indexes the same videos may finish first and remove the pieces.
    """
    folder = path.with_name(f"{path.name.rpartition('-')[0]}.parts")
    groups = [records[first : first + PART_VIDEOS] for first in range(0, len(records), PART_VIDEOS)]
    pieces = {folder / f"{fingerprint(group, FORMAT)}.npz": group for group in groups}
    jobs = [(piece, root, group) for piece, group in pieces.items() if not piece.is_file()]
    done = len(records) - sum(len(group) for _, _, group in jobs)
    processes = os.cpu_count() if len(records) > FEW_JOBS else 1
    try:
        for (_, _, group), _ in zip(jobs, in_order(write_part, jobs, processes=processes), strict=True):
            done_before, done = done, done + len(group)
            if done // REPORTED_VIDEOS > done_before // REPORTED_VIDEOS or done == len(records):
                report(f"indexed {done}/{len(records)} videos")
        _save(path, _join([_load(piece, root) for piece in pieces]))
    except (DataError, OutputError):
        if not path.is_file():
            raise
    shutil.rmtree(folder, ignore_errors=True)


def write_part(path: Path, root: Path, records: Sequence[VideoRecord]) -> None:
    """Write the index of some videos."""
    _save(path, _join([read_entry(root, record) for record in records]))


def _join(pieces: Sequence[VideoIndex]) -> VideoIndex:
    """Join several indices into one, with the videos in their order."""
    states = sorted({state for piece in pieces for state in piece.states})

    def joined(name: str) -> NDArray[Any]:
        return np.concatenate([getattr(piece, name) for piece in pieces])

    def offsets(name: str) -> NDArray[np.int64]:
        return _offsets(np.concatenate([np.diff(getattr(piece, name)) for piece in pieces]).tolist())

    return VideoIndex(
        root=pieces[0].root,
        names=tuple(name for piece in pieces for name in piece.names),
        actions=tuple(action for piece in pieces for action in piece.actions),
        paths=tuple(path for piece in pieces for path in piece.paths),
        states=tuple(states),
        time_offsets=offsets("time_offsets"),
        times=joined("times"),
        frame_offsets=offsets("frame_offsets"),
        frame_numbers=joined("frame_numbers"),
        person_offsets=offsets("person_offsets"),
        person_boxes=joined("person_boxes"),
        part_boxes=joined("part_boxes"),
        part_states=np.concatenate([_reindexed_states(piece, states) for piece in pieces]),
    )


def _reindexed_states(piece: VideoIndex, states: Sequence[str]) -> NDArray[np.int16]:
    """Convert the states (P, 10) of one piece of the index into indices into `states`."""
    new_indices = np.array([*map(states.index, piece.states), NO_STATE], np.int16)
    return new_indices[piece.part_states]  # NO_STATE is -1, the last


def _save(path: Path, index: VideoIndex) -> None:
    meta = {"names": index.names, "actions": index.actions, "paths": index.paths, "states": index.states}
    arrays: dict[str, NDArray[Any]] = {META: np.frombuffer(json.dumps(meta).encode(), np.uint8)}
    arrays |= {name: value for name, value in vars(index).items() if isinstance(value, np.ndarray)}
    with written_beside(path) as beside, beside.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


def _offsets(counts: Sequence[int]) -> NDArray[np.int64]:
    return np.concatenate(([0], np.cumsum(np.asarray(counts, np.int64)))).astype(np.int64)


def _load(path: Path, root: Path) -> VideoIndex:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        meta = json.loads(arrays.pop(META).tobytes())
        return VideoIndex(
            root=root,
            names=tuple(meta["names"]),
            actions=tuple(meta["actions"]),
            paths=tuple(meta["paths"]),
            states=tuple(meta["states"]),
            **arrays,
        )
    except (OSError, EOFError, BadZipFile, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: a damaged index, remove it to build it again: {error}") from None
