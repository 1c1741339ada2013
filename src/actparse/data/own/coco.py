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
from actparse.data.coco_fields import (
    coco_entries,
    id_field,
    keypoints_field,
    read_coco_json,
    text_field,
    whole_field,
)
from actparse.data.kinetics_tps import Box
from actparse.data.own.assembling import FrameLabels
from actparse.data.own.labelled import LabelledVideo
from actparse.data.scan import MISSING, VALID, read_box, shown

PERSON = "person"
MAX_FRAME = 10**7
MAX_ROWS = 10**7  # of a CSV file
SECONDS, FRAMES = ("start_s", "end_s"), ("first_frame", "last_frame")  # columns; the last frame is one of the stretch


@dataclass(frozen=True)
class StateRow:
    """A stretch in which a part, or both parts of a group, is in a state."""

    place: str  # for messages
    track: int | None  # None is every person
    parts: tuple[str, ...]
    state: str
    seconds: tuple[float, float] | None  # start and end
    frames: tuple[int, int] | None  # first and last

    def frame_range(self, times: NDArray[np.float64]) -> range:
        """The frames of it in a video whose frames are shown at `times` (N,), seconds."""
        if self.frames is not None:
            return range(self.frames[0], self.frames[1] + 1)
        assert self.seconds is not None
        first, end = np.searchsorted(times, self.seconds, side="left")
        return range(int(first), int(end))


def read_state_rows(path: Path) -> dict[str, list[StateRow]]:
    """The rows of a CSV file by video.

    Columns: part (or a part group), state; start_s and end_s, or first_frame and last_frame; track, which may be empty
    or missing; video, or else the file's folder has the video's name, as `actparse parse` leaves segments.csv. Others
    are not looked at.

    Raises:
        DataError: a column is missing or a cell is not what it must be.
    """
    rows: dict[str, list[StateRow]] = defaultdict(list)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file)
            kind = _expect_columns(path, table.fieldnames or ())
            for number, row in enumerate(table):
                if number >= MAX_ROWS:
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


def _state_row(row: Mapping[str, Any], place: str, kind: tuple[str, str]) -> StateRow:
    cells = {name: str(row.get(name) or "").strip() for name in ("track", "part", "state", *kind)}
    part = expect_word(cells["part"], (*PARTS, *GROUP_PARTS), f"{place}: part")
    track = cells["track"]
    if track and not (track.isascii() and track.isdecimal() and len(track) <= 9):
        raise DataError(f"{place}: track must be a whole number or empty, got {readable(track)!r}")
    start, end = (_finite(cells[name], f"{place}: {name}") for name in kind)
    if kind == FRAMES and not (start.is_integer() and end.is_integer() and 0 <= start <= end <= MAX_FRAME):
        raise DataError(f"{place}: needs 0 <= first_frame <= last_frame, got {start:g} and {end:g}")
    if kind == SECONDS and not start < end:
        raise DataError(f"{place}: needs start_s < end_s, got {start:g} and {end:g}")
    return StateRow(
        place=place,
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
    place: str


def read_coco(path: Path, *, first_frame: int = 0, ignore: Sequence[str] = ()) -> tuple[LabelledVideo, ...]:
    """The labelled videos of a COCO file.

    Args:
        path: of the file.
        first_frame: the number that the names of images give a video's first frame.
        ignore: categories that are left aside.

    Raises:
        DataError: the file is no COCO JSON, or a field is not what docs/own-data.md says.
    """
    raw = read_coco_json(path)
    categories = _categories(raw, str(path), ignore)
    images = dict(_images(raw, str(path), first_frame))
    annotations: dict[int, list[tuple[str, dict[str, Any]]]] = defaultdict(list)
    for place, content in coco_entries(raw, "annotations", str(path)):
        image = id_field(content, "image_id", images, place)
        if categories[id_field(content, "category_id", categories, place)] is not None:
            annotations[image].append((place, content))
    labels: dict[str, FrameLabels] = {}
    for image, contents in annotations.items():
        frame = labels.setdefault(images[image].video, FrameLabels(str(path)))
        _add_frame(frame, images[image], contents, categories)
    made = {video: found.frames() for video, found in labels.items()}
    return tuple(LabelledVideo(str(path), video, frames, None, warned) for video, (frames, warned) in made.items())


def _categories(raw: Mapping[str, Any], where: str, ignore: Sequence[str]) -> dict[int, str | None]:
    """Names by id; None is left aside."""
    found: dict[int, str | None] = {}
    for place, content in coco_entries(raw, "categories", where):
        name, number = content.get("name"), whole_field(content.get("id"), f"{place}.id")
        if name in ignore:
            found[number] = None
        else:
            what = f"{place}.name (or name it in ignore_labels)"
            found[number] = expect_word(name if isinstance(name, str) else shown(name), (PERSON, *PARTS), what)
    return found


def _images(raw: Mapping[str, Any], where: str, first_frame: int) -> Iterator[tuple[int, _Image]]:
    videos = {}
    for place, content in coco_entries(raw, "videos", where) if "videos" in raw else ():
        name = content.get("file_name", content.get("name"))
        videos[whole_field(content.get("id"), f"{place}.id")] = text_field(name, f"{place}.name")
    for place, content in coco_entries(raw, "images", where):
        file = text_field(content.get("file_name", "-"), f"{place}.file_name").replace("\\", "/")
        if "video_id" in content:
            video = videos[id_field(content, "video_id", videos, place)]
        else:
            video = PurePosixPath(file).parent.name
            if not video:
                raise DataError(f"{place}: needs a video_id, or a file_name VIDEO/NUMBER.jpg, got {readable(file)!r}")
        yield (
            whole_field(content.get("id"), f"{place}.id"),
            _Image(video, _frame(content, file, place, first_frame), place),
        )


def _frame(content: Mapping[str, Any], file: str, place: str, first_frame: int) -> int:
    """The frame's number from 0: said by a key, or the last number in the image's name."""
    for key in ("frame_index", "frame_id"):
        if key in content:
            return whole_field(content[key], f"{place}.{key}")
    numbers = re.findall(r"\d{1,9}", PurePosixPath(file).stem)
    if not numbers:
        raise DataError(f"{place}: needs a frame_index, or a number in its file_name, got {readable(file)!r}")
    frame = int(numbers[-1]) - first_frame
    if not 0 <= frame <= MAX_FRAME:
        raise DataError(f"{place}: needs a number from first_frame ({first_frame}) on, got {int(numbers[-1])}")
    return frame


def _add_frame(
    labels: FrameLabels, image: _Image, contents: Sequence[tuple[str, dict[str, Any]]], names: Mapping[int, str | None]
) -> None:
    """The persons of an image, then their parts; with one person nobody needs a track_id."""
    persons = [content for _, content in contents if names[content["category_id"]] == PERSON]
    alone = len(persons) <= 1
    for place, content in contents:
        name, track = str(names[content["category_id"]]), _said(content, "track_id")
        if track is None and not alone:
            raise DataError(f"{place}: needs a track_id, the image has {len(persons)} persons, got none")
        only = _said(persons[0], "track_id") if persons and track is None else track
        number = 1 if only is None else whole_field(only, f"{place}.track_id")
        box = _xyxy(content.get("bbox"), f"{place}.bbox")
        if name != PERSON:
            state = _said(content, "state")
            if state is not None and not isinstance(state, str):
                raise DataError(f"{place}.state must be text, got {shown(state)}")
            labels.add_part(image.frame, number, name, box, state or None, place)
            continue
        labels.add_person(image.frame, number, box, place)
        if content.get("keypoints"):
            labels.add_keypoints(
                image.frame, number, keypoints_field(content["keypoints"], f"{place}.keypoints"), place
            )


def _said(content: Mapping[str, Any], key: str) -> Any:
    """A key beside COCO's own, or among the attributes, where CVAT's export has it."""
    attributes = content.get("attributes")
    return content.get(key, attributes.get(key) if isinstance(attributes, dict) else None)


def _xyxy(raw: Any, where: str) -> Box:
    if read_box(raw)[1] == MISSING:
        raise DataError(f"{where} must be four finite numbers, got {shown(raw)}")
    x, y, width, height = (float(value) for value in raw)
    if read_box([x, y, x + width, y + height])[1] != VALID:
        raise DataError(f"{where} must have a width and a height above 0, got {shown(raw)}")
    return x, y, x + width, y + height
