"""Persons of a video from a file: the output of another detector, pose estimator or tracker.

Formats: COCO results or annotations (JSON), our parse.json, CSV. See docs/own-data.md.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from actparse.core.errors import DataError
from actparse.core.structures import Detections
from actparse.core.vocabulary import NUM_KEYPOINTS
from actparse.core.words import box_text
from actparse.data.persons_rows import ImageList, PersonRow, read_csv_rows, read_json_rows

EDGE_PIXELS = 1.0  # a box may leave the picture by this: corners are rounded, some include the last pixel
MIN_INSIDE = 0.5  # share of a box's area in the picture; with less, the box belongs to another size of picture


@dataclass(frozen=True)
class FramePersons:
    """The N persons of one frame; N may be 0.

    `keypoints` are (N, 17, 3) x, y in pixels and confidence 0..1, None if the file has no keypoints; `track_ids` are
    (N,), None if the file has none.
    """

    detections: Detections  # boxes in pixels of the upright frame; all labels are 0
    keypoints: NDArray[np.float32] | None = None
    track_ids: NDArray[np.int64] | None = None


@dataclass(frozen=True)
class PersonsFile:
    """The persons of a video by frame index, from 0, ascending; a frame that the file lacks has no entry."""

    frames: Mapping[int, FramePersons]
    warnings: tuple[str, ...] = ()

    def frame(self, index: int) -> FramePersons:
        """Return the persons of a frame; none if the file does not have the frame."""
        if index in self.frames:
            return self.frames[index]
        has_keypoints = any(persons.keypoints is not None for persons in self.frames.values())
        has_tracks = any(persons.track_ids is not None for persons in self.frames.values())
        return _frame_persons((), has_keypoints=has_keypoints, has_tracks=has_tracks)

    def warnings_for(self, indices: Sequence[int]) -> tuple[str, ...]:
        """Return the warnings of the file, and one if it lacks half of the frames that are parsed."""
        missing = sum(index not in self.frames for index in indices)
        if not indices or missing <= len(indices) / 2:
            return self.warnings
        text = f"the file of persons has {len(indices) - missing} of the {len(indices)} sampled frames"
        return (*self.warnings, f"{text}; --stride sets which frames are sampled")


def read_persons_file(
    path: Path,
    *,
    num_frames: int,
    size: tuple[int, int],
    video: str = "",
    first_frame: int = 0,
    images: Path | None = None,
) -> PersonsFile:
    """Read and check the persons of a video.

    Args:
        path: a JSON or CSV file; the format is recognised by its content.
        num_frames: of the video.
        size: (height, width) of its upright frames, pixels.
        video: its name without suffix, which selects images in COCO files of several videos.
        first_frame: number of the first frame in CSV files, and in image names and image ids of COCO files.
        images: COCO file whose images the image_id of COCO results means; None takes image_id as the frame's number.

    Raises:
        DataError: the file follows none of the formats, has frames past the end or boxes outside the picture, the same
            track twice in a frame, tracks for some persons only, or keypoints that are not 17.
    """
    if path.suffix.lower() in (".csv", ".tsv", ".txt"):
        persons, warnings = read_csv_rows(path, first_frame=first_frame)
    else:
        image_list = ImageList(video=video, first_frame=first_frame, size=size, path=images)
        persons, warnings = read_json_rows(path, image_list)
    if any(second.frame < first.frame for first, second in pairwise(persons)):
        warnings = (*warnings, f"{path}: the persons are not in the order of frames: sorted")
        persons = sorted(persons, key=lambda row: row.frame)
    _expect_frames(persons, num_frames)
    persons, cut = _in_picture(persons, size)
    if cut:
        left = f"{len(cut)} boxes leave the picture of {size[1]}x{size[0]}, {cut[0].where} among them"
        warnings = (*warnings, f"{path}: {left}: cut at its edge")
    has_tracks = _expect_tracks(persons)
    by_frame: dict[int, list[PersonRow]] = defaultdict(list)
    for row in persons:
        by_frame[row.frame].append(row)
    has_keypoints = any(row.keypoints is not None for row in persons)
    frames = {
        frame: _frame_persons(persons, has_keypoints=has_keypoints, has_tracks=has_tracks)
        for frame, persons in by_frame.items()
    }
    return PersonsFile(frames, warnings)


def _expect_frames(persons: Sequence[PersonRow], num_frames: int) -> None:
    beyond = [row for row in persons if row.frame >= num_frames]
    if beyond:
        hint = ""
        if min(row.frame for row in persons) == 1 and beyond[-1].frame == num_frames:
            hint = "; set first_frame to 1 if the file counts from 1"
        needs = f"needs frames of the video, which has {num_frames} (0 to {num_frames - 1})"
        raise DataError(f"{beyond[0].where}: {needs}, got frame {beyond[0].frame}{_others(beyond)}{hint}")


def _in_picture(persons: Sequence[PersonRow], size: tuple[int, int]) -> tuple[list[PersonRow], list[PersonRow]]:
    """Return the persons with boxes cut at the picture's edge, and those that were cut by more than EDGE_PIXELS."""
    height, width = size
    boxes = np.array([row.box for row in persons], np.float64).reshape(-1, 4)
    limits = np.array([width, height, width, height], np.float64)
    inside = np.clip(boxes, 0, limits)
    areas, inside_areas = ((b[:, 2:] - b[:, :2]).clip(0).prod(axis=1) for b in (boxes, inside))
    empty = _selected(persons, (boxes[:, 2:] <= boxes[:, :2]).any(axis=1))
    if empty:
        needs = "needs a box with a width and a height above 0"
        raise DataError(f"{empty[0].where}: {needs}, got {box_text(empty[0].box)}{_others(empty)}")
    outside = _selected(persons, inside_areas < MIN_INSIDE * areas)
    if outside:
        needs = f"needs a box in the picture of {width}x{height}"
        raise DataError(f"{outside[0].where}: {needs}, got {box_text(outside[0].box)}{_others(outside)}")
    if len(boxes) and min(size) > 4 and boxes.max() <= 2:
        raise DataError(
            f"{persons[0].where}: needs boxes in pixels, got shares of the picture, {box_text(persons[0].box)}"
        )
    is_cut = (np.abs(boxes - inside) > EDGE_PIXELS).any(axis=1)
    cut_rows = [
        replace(row, box=(x1, y1, x2, y2)) for row, (x1, y1, x2, y2) in zip(persons, inside.tolist(), strict=True)
    ]
    return cut_rows, _selected(persons, is_cut)


def _selected(persons: Sequence[PersonRow], is_selected: ArrayLike) -> list[PersonRow]:
    return [person for person, selected in zip(persons, np.asarray(is_selected).tolist(), strict=True) if selected]


def _expect_tracks(persons: Sequence[PersonRow]) -> bool:
    """Check that all persons have a track of their own in a frame, or none has one; return whether they have."""
    without = [row for row in persons if row.track is None]
    if without and len(without) < len(persons):
        raise DataError(f"{without[0].where}: needs a track for every person or for none, got none{_others(without)}")
    places: dict[tuple[int, int | None], str] = {}
    for row in () if without else persons:
        first = places.setdefault((row.frame, row.track), row.where)
        if first != row.where:
            needs = "needs each track once in a frame"
            raise DataError(f"{row.where}: {needs}, got {row.track} again in frame {row.frame}")
    return bool(persons) and not without


def _frame_persons(persons: Sequence[PersonRow], *, has_keypoints: bool, has_tracks: bool) -> FramePersons:
    none = np.zeros((NUM_KEYPOINTS, 3), np.float32)
    keypoints = np.array([none if row.keypoints is None else row.keypoints for row in persons], np.float32)
    return FramePersons(
        detections=Detections(
            boxes=np.array([row.box for row in persons], np.float32).reshape(-1, 4),
            scores=np.array([row.score for row in persons], np.float32),
            labels=np.zeros(len(persons), np.int64),
        ),
        keypoints=keypoints.reshape(-1, NUM_KEYPOINTS, 3) if has_keypoints else None,
        track_ids=np.array([row.track for row in persons], np.int64) if has_tracks else None,
    )


def _others(persons: Sequence[PersonRow]) -> str:
    return f", and {len(persons) - 1} more like it" if len(persons) > 1 else ""
