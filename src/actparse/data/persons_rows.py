"""Rows of persons in the formats of other programs: COCO results and annotations, our parses, CSV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import DataError
from actparse.core.vocabulary import KEYPOINTS, NUM_KEYPOINTS
from actparse.core.words import listed, readable
from actparse.data.annotation.coco_fields import (
    MAX_FRAME,
    box_field,
    coco_entries,
    entries_by_id,
    id_field,
    image_size,
    is_crowd,
    read_coco_json,
    read_json,
)
from actparse.data.annotation.csv_table import CsvRow, CsvTable, read_csv
from actparse.data.annotation.frame_names import frame_numbers
from actparse.data.annotation.ids import Id, id_value, person_id
from actparse.data.annotation.keypoint_names import KeypointOrder, keypoint_name, keypoint_order
from actparse.data.annotation.scan import MAX_PIXEL, shown
from actparse.data.own.coco import PERSON, coco_images
from actparse.data.parses import load_parse

BOX = ("x1", "y1", "x2", "y2")
COLUMNS = ("frame", *BOX, "score")  # of a CSV file; the track and 17 x 3 columns of keypoints may follow
TRACK = "track"
ALIASES = {"person": TRACK, "track_id": TRACK, "person_id": TRACK, "id": TRACK, "confidence": "score"}
ALIASES |= {f"{name}_px": name for name in BOX} | {"frame_index": "frame"}
POINT_ENDINGS = {"x": 0, "y": 1, "score": 2, "confidence": 2, "visibility": 2}  # of columns -> index
COCO_PERSON, YOLO_PERSON = 1, 0  # category ids without names


@dataclass(frozen=True)
class PersonRow:
    """One person in one frame."""

    where: str  # for messages
    frame: int  # from 0
    box: tuple[float, float, float, float]  # xyxy, pixels
    score: float  # 0..1
    track: int | None = None
    keypoints: NDArray[np.float32] | None = None  # (17, 3) x, y, confidence 0..1


@dataclass(frozen=True)
class ImageList:
    """Meaning of the images in COCO files: those of one video, their numbers, and their size (height, width)."""

    video: str
    first_frame: int
    size: tuple[int, int]
    path: Path | None = None  # COCO file with the images of results; None takes an image_id as a frame's number

    def frames(self, raw: Mapping[str, Any], where: str) -> dict[Id, int | None]:
        """Return the frames of a COCO file's images by id; None for images of other videos.

        Raises:
            DataError: an image of the video has another size, or none is of the video.
        """
        videos = (self.video,) if self.video else ()
        images = coco_images(raw, where, first_frame=self.first_frame, videos=videos)
        names = {image.video for image in images.values()}
        stems = {name: name.replace("\\", "/").rpartition("/")[2] for name in names}
        selected = {name for name, stem in stems.items() if self.video in (stem, stem.rpartition(".")[0])} or names
        if len(selected) > 1:
            got = readable(listed(sorted(selected)))
            raise DataError(f"{where}: needs images of the video {self.video!r}, got those of {got}")
        for image in images.values():
            size = image_size(image.content, image.location)
            if image.video in selected and size not in (None, self.size):
                needs = f"needs the video's size {self.size[1]}x{self.size[0]}"
                raise DataError(f"{image.location}: {needs}, got {image.content['width']}x{image.content['height']}")
        return {key: image.frame if image.video in selected else None for key, image in images.items()}


def read_json_rows(path: Path, images: ImageList) -> tuple[list[PersonRow], tuple[str, ...]]:
    """Read COCO results, COCO annotations or a parse.json.

    Returns:
        The rows in the file's order, and warnings.

    Raises:
        DataError: the file is none of them, or a field is invalid.
    """
    raw = read_json(path)
    if isinstance(raw, list):
        return _result_rows(raw, str(path), images)
    if isinstance(raw, dict) and "annotations" in raw:
        return _annotation_rows(raw, str(path), images)
    if isinstance(raw, dict) and "schema_version" in raw:
        parse = load_parse(path)
        if (parse.video.height, parse.video.width) != images.size:
            needs = f"needs a parse of a video of {images.size[1]}x{images.size[0]}"
            raise DataError(f"{path}: {needs}, got {parse.video.width}x{parse.video.height}")
        return [
            PersonRow(
                f"{path}: frame {frame.index}, track {person.track_id}",
                frame.index,
                person.box,
                person.score,
                person.track_id,
                person.keypoint_array(),
            )
            for frame in parse.frames
            for person in frame.persons
        ], ()
    needs = "must be COCO results, COCO annotations or a parse.json"
    raise DataError(f"{path}: {needs}, got {shown(raw)}")


def _result_rows(raw: Sequence[Any], where: str, images: ImageList) -> tuple[list[PersonRow], tuple[str, ...]]:
    frames: dict[Id, int | None] | None = None
    image_file: dict[str, Any] | None = None
    if images.path is not None:
        image_file = read_coco_json(images.path)
        frames = images.frames(image_file, str(images.path))
    entries = list(coco_entries({"results": raw}, "results", where))
    if image_file is not None and image_file.get("categories"):
        orders, warnings = _person_orders(image_file, str(images.path))
    else:
        orders, warnings = _unnamed_persons([content.get("category_id", COCO_PERSON) for _, content in entries], where)
    names = {location: image for location, content in entries if isinstance(image := content.get("image_id"), str)}
    named_frames = {} if frames is not None else frame_numbers(names, images.video)
    persons = []
    for location, content in entries:
        category = id_value(content.get("category_id", COCO_PERSON), f"{location}.category_id")
        frame: int | None
        if frames is not None:
            frame = frames[id_field(content, "image_id", frames, location)]
        else:
            image = named_frames.get(location, content.get("image_id"))
            frame = _frame_index(image, images.first_frame, f"{location}.image_id")
        if frame is None or category not in orders:
            continue
        keypoints = None
        if content.get("keypoints") is not None:
            points = orders[category].read(content["keypoints"], f"{location}.keypoints")
            keypoints = _with_confidences(points)
        box = _result_box(content, keypoints, location)
        persons.append(PersonRow(location, frame, box, _score(content, location), _track(content, location), keypoints))
    return persons, warnings


def _person_orders(raw: Mapping[str, Any], where: str) -> tuple[dict[Id, KeypointOrder], tuple[str, ...]]:
    """Return the order of the keypoints by the ids of the categories that are named "person", and warnings."""
    entries = entries_by_id(raw, "categories", where)
    orders = {key: keypoint_order(content, p) for key, (p, content) in entries.items() if content.get("name") == PERSON}
    if not orders:
        names = listed([str(content.get("name")) for _, content in entries.values()])
        raise DataError(f"{where}: categories must have {PERSON!r}, got {readable(names) or 'none'}")
    return orders, tuple(line for order in orders.values() for line in order.warnings(where))


def _unnamed_persons(used: Sequence[Any], where: str) -> tuple[dict[Id, KeypointOrder], tuple[str, ...]]:
    """Return the id that means a person where categories have no names: 1, or 0 if it is the only one."""
    values = {value for value in used if isinstance(value, int | str)}
    if values == {YOLO_PERSON}:
        return {YOLO_PERSON: KeypointOrder()}, (f"{where}: category_id 0, the only one, is taken as that of persons",)
    if values and COCO_PERSON not in values:
        got = readable(listed(sorted(map(str, values))))
        raise DataError(f"{where}: needs persons, with category_id {COCO_PERSON}, got {got}")
    return {COCO_PERSON: KeypointOrder()}, ()


def _annotation_rows(raw: Mapping[str, Any], where: str, images: ImageList) -> tuple[list[PersonRow], tuple[str, ...]]:
    frames, (orders, warnings) = images.frames(raw, where), _person_orders(raw, where)
    categories = entries_by_id(raw, "categories", where)
    persons: list[PersonRow] = []
    num_crowds = 0
    for location, content in coco_entries(raw, "annotations", where):
        category = id_field(content, "category_id", categories, location)
        frame = frames[id_field(content, "image_id", frames, location)]
        if category not in orders or frame is None:
            continue
        if is_crowd(content, location):
            num_crowds += 1
            continue
        keypoints = None
        if content.get("keypoints"):
            keypoints = orders[category].read_labels(content["keypoints"], f"{location}.keypoints")
            keypoints[:, 2] = keypoints[:, 2] > 0
        score = _score(content, location) if "score" in content else 1.0
        box = box_field(content.get("bbox"), f"{location}.bbox")
        persons.append(PersonRow(location, frame, box, score, _track(content, location), keypoints))
    crowds = [f"{where}: {num_crowds} regions with many persons (iscrowd): left out"] if num_crowds else []
    return persons, (*warnings, *crowds)


def read_csv_rows(path: Path, *, first_frame: int) -> tuple[list[PersonRow], tuple[str, ...]]:
    """Read a CSV file with the columns frame, x1, y1, x2, y2, score; track and keypoints may follow.

    With a row of names the columns may be in any order, a keypoint's are nose_x, nose_y, nose_score; without it the
    order is that, then the track, then x, y and score of the 17 keypoints of COCO. frames.csv of a parse can be read.

    Returns:
        The rows in the file's order, and warnings.

    Raises:
        DataError: a column is missing or a cell is invalid.
    """
    table = read_csv(path, aliases=ALIASES)
    missing = [name for name in COLUMNS if name not in table.columns]
    if table.columns and missing:
        needs = f"needs the columns {', '.join(COLUMNS)}"
        raise DataError(f"{path}: {needs}, got {readable(listed(table.columns))}")
    persons = []
    columns, points = table.columns, _point_columns(table)
    for row in table.rows:
        if not table.columns:
            columns, points = _unnamed_columns(row)
        if len(row.cells) != len(columns):
            raise DataError(f"{row.where}: needs {len(columns)} cells, got {len(row.cells)}")
        cells = dict(zip(columns, row.cells, strict=True))
        frame, x1, y1, x2, y2, score = (table.number(cells[name], f"{row.where}: {name}") for name in COLUMNS)
        index = _frame_index(frame, first_frame, f"{row.where}: frame")
        if not 0 <= score <= 1:
            raise DataError(f"{row.where}: score must be between 0 and 1, got {score:g}")
        track, keypoints = cells.get(TRACK), None
        if points:
            values = np.zeros((NUM_KEYPOINTS, 3), np.float32)
            for location, indices in points.items():
                text = row.cells[location]  # an empty cell is a keypoint that was not detected
                values[indices] = table.number(text, f"{row.where}: {columns[location]}") if text else 0.0
            keypoints = _with_confidences(values)
        identity = person_id(track, f"{row.where}: {TRACK}") if track else None
        persons.append(PersonRow(row.where, index, (x1, y1, x2, y2), score, identity, keypoints))
    return persons, ()


def _point_columns(table: CsvTable) -> dict[int, tuple[int, int]]:
    """Return the place of a keypoint's value in (17, 3) by column.

    Raises:
        DataError: columns of some keypoints are missing, but not of all.
    """
    points = {}
    for location, column in enumerate(table.columns):
        name, _, ending = column.removesuffix("_px").rpartition("_")
        if ending in POINT_ENDINGS and keypoint_name(name) in KEYPOINTS:
            points[location] = KEYPOINTS.index(keypoint_name(name)), POINT_ENDINGS[ending]
    missing = sorted({(k, v) for k in range(NUM_KEYPOINTS) for v in range(3)} - set(points.values()))
    if points and missing:
        names = [f"{KEYPOINTS[k]}_{('x', 'y', 'score')[v]}" for k, v in missing]
        raise DataError(f"{table.path}: needs three columns for each of 17 keypoints, got none of {listed(names)}")
    return points


def _unnamed_columns(row: CsvRow) -> tuple[tuple[str, ...], dict[int, tuple[int, int]]]:
    """Return the columns of a file without names, by the number of a row's cells."""
    num_cells = len(row.cells)
    for leading in (COLUMNS, (*COLUMNS, TRACK)):
        if num_cells == len(leading):
            return leading, {}
        if num_cells == len(leading) + 3 * NUM_KEYPOINTS:
            values = [f"{name}_{ending}" for name in KEYPOINTS for ending in ("x", "y", "score")]
            points = {len(leading) + n: divmod(n, 3) for n in range(len(values))}
            return (*leading, *values), points
    needs = f"needs {', '.join(COLUMNS)}, then maybe a track, then maybe 17 keypoints (6, 7, 57 or 58 cells)"
    raise DataError(f"{row.where}: {needs}, got {num_cells} cells")


def _frame_index(value: Any, first_frame: int, where: str) -> int:
    """Return the frame from 0 for its number in the file."""
    index = int(value) if isinstance(value, float) and value.is_integer() else value
    if type(index) is not int or not 0 <= index - first_frame <= MAX_FRAME:
        raise DataError(f"{where} must be a frame's number, from {first_frame} on, got {shown(value)}")
    return index - first_frame


def _score(content: Mapping[str, Any], where: str) -> float:
    score = content.get("score")
    if isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 1:
        raise DataError(f"{where}.score must be a number between 0 and 1, got {shown(score)}")
    return float(score)


def _track(content: Mapping[str, Any], where: str) -> int | None:
    track = content.get("track_id")
    return None if track is None else person_id(track, f"{where}.track_id")


def _with_confidences(keypoints: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return keypoints with confidences in 0..1: peaks of heatmaps go a little past it, and 2 is COCO's "visible"."""
    keypoints[:, 2] = keypoints[:, 2].clip(0, 1)
    return keypoints


def _result_box(
    content: Mapping[str, Any], keypoints: NDArray[np.float32] | None, where: str
) -> tuple[float, float, float, float]:
    """Return the box of a result; that of the keypoints if it has none, as COCO's keypoint results may."""
    if content.get("bbox") is not None or keypoints is None:
        return box_field(content.get("bbox"), f"{where}.bbox")
    points = keypoints[keypoints[:, 2] > 0, :2]
    if len(points) < 2 or np.abs(points).max() > MAX_PIXEL:
        raise DataError(f"{where} needs a bbox, or keypoints with a confidence above 0, got neither")
    (x1, y1), (x2, y2) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    return x1, y1, x2, y2
