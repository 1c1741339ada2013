"""CVAT for video 1.1: tracks of persons, body parts and skeletons, as docs/own-data.md lays them down.

A file may come from anywhere: it is read element by element, and a document type, which entities need, is refused.
Source: CVAT's documentation of its XML format, and its own writer and reader of it.
"""

from __future__ import annotations

import lzma
import math
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import IO, Any
from xml.parsers import expat

import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import DataError
from actparse.core.vocabulary import KEYPOINTS, NUM_KEYPOINTS, PARTS
from actparse.core.words import expect_word, readable
from actparse.data.kinetics_tps import Box
from actparse.data.own.assembling import FrameLabels
from actparse.data.own.labelled import LabelledVideo
from actparse.data.scan import MAX_PIXEL
from actparse.export.cvat_labels import UNDEFINED

PERSON, SKELETON = "person", "skeleton"  # labels beside those of the parts
PERSON_ATTRIBUTE, STATE_ATTRIBUTE, ACTION_ATTRIBUTE = "person", "state", "action"
NOT_SAID = ("", UNDEFINED)  # values of an attribute that say nothing
MAX_FRAME = 10**7  # a day of video at 100 frames per second
MAX_LABELS = 10**7  # of all tracks in all frames
MAX_XML_BYTES = 2**31  # of a file, unpacked
BLOCK = 1 << 20  # bytes read at a time
SHAPES = ("box", "skeleton", "polygon", "polyline", "points", "cuboid", "ellipse", "mask")
OUTSIDE, HIDDEN, SEEN = 0, 1, 2  # visibility of a keypoint

Values = NDArray[np.float64]  # (4,) a box xyxy, or (17, 3) keypoints x, y, visibility


@dataclass
class Shape:
    """What a track is in one frame."""

    frame: int
    line: int  # of the file
    values: Values
    outside: bool = False
    attributes: dict[str, str] = field(default_factory=dict)

    def attribute(self, name: str) -> str | None:
        """Its value; None where it says nothing."""
        value = self.attributes.get(name, "").strip()
        return None if value in NOT_SAID else value


@dataclass
class Track:
    """One track: of a label, in some frames in ascending order."""

    label: str
    line: int
    group: int | None
    task: str  # of a project's file; empty where there is one task
    shapes: list[Shape] = field(default_factory=list)


@dataclass
class _Meta:
    """What the file says of its tasks, by their numbers as text."""

    sources: dict[str, str] = field(default_factory=dict)  # the video's file
    steps: dict[str, int] = field(default_factory=dict)  # frames from one to the next that CVAT shows


def read_cvat(path: Path, *, ignore: Sequence[str] = ()) -> tuple[LabelledVideo, ...]:
    """The labelled videos of an XML file, or of a zip with one in it: one for each task.

    Args:
        path: of the file.
        ignore: labels that are left aside.

    Raises:
        DataError: the file is no CVAT for video, is damaged, or breaks the rules of docs/own-data.md.
    """
    reader = _Reader(path, ignore)
    with _opened(path) as file:
        reader.read(file)
    tasks = dict.fromkeys(track.task for track in reader.tracks) or {"": None}
    return tuple(_labelled(path, reader, task) for task in tasks)


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """The XML, out of a zip where it lies in one; nothing is extracted."""
    try:
        if not zipfile.is_zipfile(path):
            with path.open("rb") as file:
                yield file
            return
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.lower().endswith(".xml")]
            if len(names) != 1:
                raise DataError(f"{path}: needs a zip with one XML file, got {len(names)} of them")
            with archive.open(names[0]) as file:
                yield file
    except OSError as error:
        raise DataError(f"{path}: needs an XML file or a zip with one, got: {error.strerror or error}") from None
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, NotImplementedError, RuntimeError, EOFError) as error:
        raise DataError(f"{path}: needs an XML file or a zip with one, got a damaged zip: {error}") from None


class _Reader:
    """Handles the elements of a file one after the other; `tracks` and `meta` are complete when it is read."""

    def __init__(self, path: Path, ignore: Sequence[str]) -> None:
        self.tracks: list[Track] = []
        self.meta = _Meta()
        self._path, self._ignore = path, ignore
        self._open: list[str] = []  # elements, from the root on
        self._text = ""
        self._task = ""  # of the meta information that is being read
        self._track: Track | None = None
        self._shape: Shape | None = None
        self._attribute = ""
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.StartDoctypeDeclHandler = self._doctype

    def read(self, file: IO[bytes]) -> None:
        """Take the file in."""
        size = 0
        try:
            while block := file.read(BLOCK):
                size += len(block)
                if size > MAX_XML_BYTES:
                    raise DataError(f"{self._path}: needs at most {MAX_XML_BYTES >> 30} GB of XML, got more")
                self._parser.Parse(block, False)
            self._parser.Parse(b"", True)
        except DataError:
            raise
        except (expat.ExpatError, LookupError, ValueError) as error:  # the last two: an encoding that is unknown
            raise DataError(f"{self._path}: needs XML, got: {error}") from None

    def _error(self, text: str) -> DataError:
        return DataError(f"{self._path}: line {self._parser.CurrentLineNumber}: {text}")

    def _doctype(self, *_: Any) -> None:
        raise self._error("needs XML without a document type, got one")

    def _characters(self, text: str) -> None:
        self._text += text

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if not self._open and name != "annotations":
            raise self._error(f"needs <annotations> of CVAT for video, got <{readable(name)}>")
        self._open.append(name)
        self._text = ""
        if name == "track":
            self._start_track(attributes)
        elif name == "image" and self._open == ["annotations", "image"]:
            raise self._error("needs the format 'CVAT for video 1.1', got 'CVAT for images'")
        elif self._track is not None and name in SHAPES:
            self._start_shape(name, attributes)
        elif self._shape is not None and name == "attribute":
            self._attribute = attributes.get("name", "")

    def _start_track(self, attributes: Mapping[str, str]) -> None:
        label = attributes.get("label", "")
        if label in self._ignore:
            return
        known = (PERSON, SKELETON, *PARTS)
        expect_word(label, known, self._where("a label (or name it in ignore_labels)"))
        group = attributes.get("group_id")
        self._track = Track(
            label=label,
            line=self._parser.CurrentLineNumber,
            group=None if group in (None, "0") else self._whole(attributes, "group_id"),
            task=attributes.get("task_id", ""),
        )
        self.tracks.append(self._track)

    def _where(self, what: str) -> str:
        return f"{self._path}: line {self._parser.CurrentLineNumber}: {what}"

    def _start_shape(self, name: str, attributes: Mapping[str, str]) -> None:
        assert self._track is not None
        if name == "points" and self._shape is not None:
            self._start_point(attributes)
            return
        wanted = "skeleton" if self._track.label == SKELETON else "box"
        if name != wanted:
            kind = "a skeleton" if wanted == "skeleton" else "a rectangle"
            raise self._error(f"the label {self._track.label} needs {kind}, got a {name}")
        frame = self._whole(attributes, "frame")
        if self._track.shapes and frame <= self._track.shapes[-1].frame:
            raise self._error(f"frames of a track must ascend, got {frame} after {self._track.shapes[-1].frame}")
        values = self._box(attributes) if wanted == "box" else np.zeros((NUM_KEYPOINTS, 3))
        self._shape = Shape(frame, self._parser.CurrentLineNumber, values, attributes.get("outside") == "1")
        self._track.shapes.append(self._shape)

    def _box(self, attributes: Mapping[str, str]) -> Values:
        if float(self._number(attributes.get("rotation", "0"), "rotation")):
            raise self._error(f"needs upright rectangles, got one with the rotation {attributes['rotation']}")
        x1, y1, x2, y2 = (self._number(attributes.get(name), name) for name in ("xtl", "ytl", "xbr", "ybr"))
        if x2 <= x1 or y2 <= y1:
            raise self._error(f"needs a box with an area above zero, got {x1:g}, {y1:g} to {x2:g}, {y2:g}")
        return np.array([x1, y1, x2, y2])

    def _start_point(self, attributes: Mapping[str, str]) -> None:
        assert self._shape is not None
        name = expect_word(attributes.get("label", ""), KEYPOINTS, self._where("a keypoint"))
        if attributes.get("outside") == "1":
            return
        coordinates = attributes.get("points", "").split(",")
        if len(coordinates) != 2:
            raise self._error(
                f"the keypoint {name} needs one point x,y, got {readable(attributes.get('points', ''))!r}"
            )
        x, y = (self._number(value, name) for value in coordinates)
        visibility = HIDDEN if attributes.get("occluded") == "1" else SEEN
        self._shape.values[KEYPOINTS.index(name)] = (x, y, visibility)

    def _end(self, name: str) -> None:
        self._open.pop()
        if name == "track":
            self._track = None
        elif name in ("box", "skeleton"):
            if name == "skeleton" and self._shape is not None:
                self._shape.outside = not (self._shape.values[:, 2] > OUTSIDE).any()  # a skeleton has no such flag
            self._shape = None
        elif name == "attribute" and self._shape is not None:
            self._shape.attributes.setdefault(self._attribute, self._text)
        elif self._open[1:2] == ["meta"]:
            self._end_meta(name, self._text.strip())

    def _end_meta(self, name: str, text: str) -> None:
        if name == "id" and self._open[-1] in ("task", "job"):
            self._task = text
        elif name == "source" and text:
            self.meta.sources[self._task] = text
        elif name == "frame_filter":
            step = re.search(r"step=(\d{1,6})", text)
            self.meta.steps[self._task] = max(1, int(step.group(1))) if step else 1

    def _whole(self, attributes: Mapping[str, str], name: str) -> int:
        text = attributes.get(name, "")
        if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text) <= MAX_FRAME):
            raise self._error(f"{name} must be a whole number up to {MAX_FRAME}, got {readable(text)!r}")
        return int(text)

    def _number(self, text: str | None, name: str) -> float:
        try:
            value = float(text or "")
        except ValueError:
            value = math.nan
        if not abs(value) < MAX_PIXEL:
            raise self._error(f"{name} must be a finite number of pixels, got {readable(text or '')!r}")
        return value


def _labelled(path: Path, reader: _Reader, task: str) -> LabelledVideo:
    """The tracks of one task as frames."""
    meta, where = reader.meta, str(path)
    alone = task not in meta.sources and len(meta.sources) <= 1  # a task's or a job's own file
    source = next(iter(meta.sources.values()), path.stem) if alone else meta.sources.get(task, "")
    step = next(iter(meta.steps.values()), 1) if alone else meta.steps.get(task, 1)
    tracks = [track for track in reader.tracks if track.task == task]
    _expect_labels(where, tracks, step)
    labels = FrameLabels(where)
    numbers = _person_numbers(where, tracks)
    for track, person in zip(tracks, numbers, strict=True):
        for shape in filled(track.shapes, step):
            place = f"{where}: line {shape.line}"
            if track.label == PERSON:
                labels.add_person(shape.frame, person, _box(shape.values), place)
            elif track.label == SKELETON:
                labels.add_keypoints(shape.frame, person, shape.values.astype(np.float32), place)
            else:
                state = shape.attribute(STATE_ATTRIBUTE)
                labels.add_part(shape.frame, person, track.label, _box(shape.values), state, place)
    frames, warnings = labels.frames()
    return LabelledVideo(where, source, frames, _action(where, tracks), warnings)


def _expect_labels(where: str, tracks: Sequence[Track], step: int) -> None:
    """Two lines of a file can stand for any number of frames.

    Raises:
        DataError: the tracks go over more frames than can be held.
    """
    spans = (track.shapes[-1].frame - track.shapes[0].frame for track in tracks if track.shapes)
    count = sum(span // step + 1 for span in spans)
    if count > MAX_LABELS:
        raise DataError(f"{where}: needs at most {MAX_LABELS} labels over all frames of its tracks, got {count}")


def _box(values: Values) -> Box:
    x1, y1, x2, y2 = (round(float(value), 2) for value in values)
    return x1, y1, x2, y2


def _person_numbers(where: str, tracks: Sequence[Track]) -> list[int]:
    """Whose each track is: its attribute, else its group, counted on from the largest number of an attribute.

    Raises:
        DataError: a track has neither, or its attribute is no whole number or changes.
    """
    said = [_person_attribute(where, track) for track in tracks]
    first_group = 1 + max((number for number in said if number is not None), default=0)
    numbers = []
    for track, number in zip(tracks, said, strict=True):
        if number is not None:
            numbers.append(number)
        elif track.group is not None:
            numbers.append(first_group + track.group)
        else:
            needs = f"a track of {track.label} needs the attribute person, or a group"
            raise DataError(f"{where}: line {track.line}: {needs}, got neither")
    return numbers


def _person_attribute(where: str, track: Track) -> int | None:
    found = {shape.attribute(PERSON_ATTRIBUTE) for shape in track.shapes} - {None}
    if not found:
        return None
    text = str(found.pop())
    if found or not (text.isascii() and text.isdigit() and len(text) <= 9):
        got = f"{readable(text)!r}" + (f" and {readable(str(found.pop()))!r}" if found else "")
        raise DataError(f"{where}: line {track.line}: the attribute person must be one whole number, got {got}")
    return int(text)


def _action(where: str, tracks: Sequence[Track]) -> str | None:
    """What the persons' attribute says.

    Raises:
        DataError: it says two things.
    """
    found = {
        action: shape.line
        for track in tracks
        if track.label == PERSON
        for shape in track.shapes
        if (action := shape.attribute(ACTION_ATTRIBUTE)) is not None
    }
    if len(found) > 1:
        said = " and ".join(f"{readable(action)!r} (line {line})" for action, line in sorted(found.items())[:2])
        raise DataError(f"{where}: the attribute action must be the same for all persons, got {said}")
    return next(iter(found), None)


def filled(shapes: Sequence[Shape], step: int) -> Iterator[Shape]:
    """The shapes that are not outside, and those that CVAT shows between two of them.

    A box or a keypoint moves in a straight line, attributes stay as they were; before a shape that is outside nothing
    moves. Nothing is made after the last shape.

    Args:
        shapes: of one track.
        step: frames from one to the next that CVAT shows.
    """
    for shape, after in pairwise([*shapes, None]):
        if shape is None or shape.outside:
            continue
        yield shape
        if after is None:
            continue
        for frame in range(shape.frame + step, after.frame, step):
            share = 0.0 if after.outside else (frame - shape.frame) / (after.frame - shape.frame)
            yield Shape(frame, shape.line, _between(shape.values, after.values, share), False, shape.attributes)


def _between(before: Values, after: Values, share: float) -> Values:
    """A box, or keypoints of which those not labelled before stay so, and those not labelled after stand still."""
    if before.ndim == 1:
        return before + (after - before) * share
    moved = before.copy()
    moves = (before[:, 2] > OUTSIDE) & (after[:, 2] > OUTSIDE)  # (17,)
    moved[moves, :2] += (after[moves, :2] - before[moves, :2]) * share
    return moved
