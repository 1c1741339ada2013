"""COCO JSON with persons and body parts as categories, and the states of parts in CSV files.

Source: the COCO format; videos and frames as in its extensions for video (COCO-VID, YouTube-VIS).
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import DataError
from actparse.core.vocabulary import GROUP_PARTS, PARTS
from actparse.core.words import expect_word, readable
from actparse.data.annotation.coco_fields import (
    coco_entries,
    id_field,
    keypoints_field,
    read_coco_json,
    text_field,
    whole_field,
)
from actparse.data.annotation.scan import MISSING, VALID, read_box, shown
from actparse.data.kinetics_tps import Box
from actparse.data.own.assembling import FrameLabels
from actparse.data.own.labelled import LabelledVideo

PERSON = "person"
MAX_FRAME = 10**7
MAX_ROWS = 10**7  # of a CSV file
SECONDS, FRAMES = ("start_s", "end_s"), ("first_frame", "last_frame")  # columns; the last frame is inclusive


@dataclass(frozen=True)
class StateRow:
    """An interval in which a part, or both parts of a group, are in a state."""

    place: str  # file and line, for messages
    track: int | None  # None for all persons
    parts: tuple[str, ...]
    state: str
    seconds: tuple[float, float] | None  # start and end
    frames: tuple[int, int] | None  # first and last, inclusive

    def frame_range(self, times: NDArray[np.float64]) -> range:
        """Return the range of frames in a video with the presentation times `times` (N,), seconds."""
        if self.frames is not None:
            return range(self.frames[0], self.frames[1] + 1)
        assert self.seconds is not None
        first, end = np.searchsorted(times, self.seconds, side="left")
        return range(int(first), int(end))


def read_state_rows(path: Path) -> dict[str, list[StateRow]]:
    """Read the rows of a CSV file, by video.

    Columns: part (or a part group), state; start_s and end_s, or first_frame and last_frame; track, which may be empty
    or missing; video, which may be missing if the file's folder has the video's name, as `actparse parse` writes
    segments.csv. Other columns are ignored.

    Raises:
        DataError: a column is missing or a cell is invalid.
    """
    rows: dict[str, list[StateRow]] = defaultdict(list)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file)
            kind = _expect_columns(path, table.fieldnames or ())
            for index, row in enumerate(table):
                if index >= MAX_ROWS:
                    raise DataError(f"{path}: needs at most {MAX_ROWS} rows, got more")
                video = str(row.get("video") or "").strip() or path.resolve().parent.name
                rows[video].append(_state_row(row, f"{path}: line {table.line_num}", kind))
    except OSError as error:
        raise DataError(f"{path}: needs a CSV file, got: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: needs a CSV file in UTF-8, got: {error}") from None
    return dict(rows)


def _expect_columns(path: Path, names: Sequence[str]) -> tuple[str, str]:
    for column in ("part", "state"):
        if column not in names:
            raise DataError(f"{path}: needs the column {column}, got {readable(', '.join(names)) or 'none'}")
    kinds = [kind for kind in (SECONDS, FRAMES) if set(kind) <= set(names)]
    if not kinds:
        got = readable(", ".join(names))
        raise DataError(f"{path}: needs the columns {' and '.join(SECONDS)}, or {' and '.join(FRAMES)}, got {got}")
    return kinds[0]


def _state_row(row: Mapping[str, Any], location: str, kind: tuple[str, str]) -> StateRow:
    cells = {name: str(row.get(name) or "").strip() for name in ("track", "part", "state", *kind)}
    part = expect_word(cells["part"], (*PARTS, *GROUP_PARTS), f"{location}: part")
    track = cells["track"]
    if track and not (track.isascii() and track.isdecimal() and len(track) <= 9):
        raise DataError(f"{location}: track must be a whole number or empty, got {readable(track)!r}")
    start, end = (_finite(cells[name], f"{location}: {name}") for name in kind)
    if kind == FRAMES and not (start.is_integer() and end.is_integer() and 0 <= start <= end <= MAX_FRAME):
        raise DataError(f"{location}: needs 0 <= first_frame <= last_frame, got {start:g} and {end:g}")
    if kind == SECONDS and not start < end:
        raise DataError(f"{location}: needs start_s < end_s, got {start:g} and {end:g}")
    return StateRow(
        place=location,
        track=int(track) if track else None,
        parts=GROUP_PARTS.get(part, (part,)),
        state=cells["state"],
        seconds=(start, end) if kind == SECONDS else None,
        frames=(int(start), int(end)) if kind == FRAMES else None,
    )


def _finite(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not abs(value) <= MAX_FRAME:
        raise DataError(f"{where} must be a number, got {readable(text)!r}")
    return value


@dataclass(frozen=True)
class _Image:
    video: str
    frame: int
    location: str


def read_coco(path: Path, *, first_frame: int = 0, ignore: Sequence[str] = ()) -> tuple[LabelledVideo, ...]:
    """Read the labelled videos of a COCO file.

    Args:
        path: of the file.
        first_frame: number of a video's first frame in image names.
        ignore: categories that are skipped.

    Raises:
        DataError: the file is not COCO JSON, or a field does not follow docs/own-data.md.
    """
    raw = read_coco_json(path)
    categories = _categories(raw, str(path), ignore)
    images = dict(_images(raw, str(path), first_frame))
    annotations: dict[int, list[tuple[str, dict[str, Any]]]] = defaultdict(list)
    for location, content in coco_entries(raw, "annotations", str(path)):
        image = id_field(content, "image_id", images, location)
        if categories[id_field(content, "category_id", categories, location)] is not None:
            annotations[image].append((location, content))
    labels: dict[str, FrameLabels] = {}
    for image, contents in annotations.items():
        video_labels = labels.setdefault(images[image].video, FrameLabels(str(path)))
        _add_frame(video_labels, images[image], contents, categories)
    results = {video: video_labels.frames() for video, video_labels in labels.items()}
    return tuple(
        LabelledVideo(str(path), video, frames, None, warnings) for video, (frames, warnings) in results.items()
    )


def _categories(raw: Mapping[str, Any], where: str, ignore: Sequence[str]) -> dict[int, str | None]:
    """Return the names by id; None for skipped categories."""
    categories: dict[int, str | None] = {}
    for location, content in coco_entries(raw, "categories", where):
        name, category_id = content.get("name"), whole_field(content.get("id"), f"{location}.id")
        if name in ignore:
            categories[category_id] = None
        else:
            where_name = f"{location}.name (or name it in ignore_labels)"
            text = name if isinstance(name, str) else shown(name)
            categories[category_id] = expect_word(text, (PERSON, *PARTS), where_name)
    return categories


def _images(raw: Mapping[str, Any], where: str, first_frame: int) -> Iterator[tuple[int, _Image]]:
    videos = {}
    for location, content in coco_entries(raw, "videos", where) if "videos" in raw else ():
        name = content.get("file_name", content.get("name"))
        videos[whole_field(content.get("id"), f"{location}.id")] = text_field(name, f"{location}.name")
    for location, content in coco_entries(raw, "images", where):
        file = text_field(content.get("file_name", "-"), f"{location}.file_name").replace("\\", "/")
        if "video_id" in content:
            video = videos[id_field(content, "video_id", videos, location)]
        else:
            video = PurePosixPath(file).parent.name
            if not video:
                raise DataError(
                    f"{location}: needs a video_id, or a file_name VIDEO/NUMBER.jpg, got {readable(file)!r}"
                )
        yield (
            whole_field(content.get("id"), f"{location}.id"),
            _Image(video, _frame(content, file, location, first_frame), location),
        )


def _frame(content: Mapping[str, Any], file: str, location: str, first_frame: int) -> int:
    """Return the frame index, from 0: from a key, or from the last number in the image's name."""
    for key in ("frame_index", "frame_id"):
        if key in content:
            return whole_field(content[key], f"{location}.{key}")
    digits = re.findall(r"\d{1,9}", PurePosixPath(file).stem)
    if not digits:
        raise DataError(f"{location}: needs a frame_index, or a number in its file_name, got {readable(file)!r}")
    frame = int(digits[-1]) - first_frame
    if not 0 <= frame <= MAX_FRAME:
        raise DataError(f"{location}: needs a number from first_frame ({first_frame}) on, got {int(digits[-1])}")
    return frame


def _add_frame(
    labels: FrameLabels, image: _Image, contents: Sequence[tuple[str, dict[str, Any]]], names: Mapping[int, str | None]
) -> None:
    """Add the persons and parts of an image; if it has only one person, no track_id is needed."""
    persons = [content for _, content in contents if names[content["category_id"]] == PERSON]
    is_single = len(persons) <= 1
    for location, content in contents:
        name, track = str(names[content["category_id"]]), _field(content, "track_id")
        if track is None and not is_single:
            raise DataError(f"{location}: needs a track_id, the image has {len(persons)} persons, got none")
        track = _field(persons[0], "track_id") if persons and track is None else track
        identity = 1 if track is None else whole_field(track, f"{location}.track_id")
        box = _xyxy(content.get("bbox"), f"{location}.bbox")
        if name != PERSON:
            state = _field(content, "state")
            if state is not None and not isinstance(state, str):
                raise DataError(f"{location}.state must be text, got {shown(state)}")
            labels.add_part(image.frame, identity, name, box, state or None, location)
            continue
        labels.add_person(image.frame, identity, box, location)
        if content.get("keypoints"):
            labels.add_keypoints(
                image.frame, identity, keypoints_field(content["keypoints"], f"{location}.keypoints"), location
            )


def _field(content: Mapping[str, Any], key: str) -> Any:
    """Return an additional field: a key of the annotation, or one of its attributes, as in CVAT's export."""
    attributes = content.get("attributes")
    return content.get(key, attributes.get(key) if isinstance(attributes, dict) else None)


def _xyxy(raw: Any, where: str) -> Box:
    if read_box(raw)[1] == MISSING:
        raise DataError(f"{where} must be four finite numbers, got {shown(raw)}")
    x, y, width, height = (float(value) for value in raw)
    if read_box([x, y, x + width, y + height])[1] != VALID:
        raise DataError(f"{where} must have a width and a height above 0, got {shown(raw)}")
    return x, y, x + width, y + height
