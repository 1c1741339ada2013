"""CVAT for video 1.1: tracks of persons, body parts and skeletons, as docs/own-data.md describes them.

Files are not trusted: they are read element by element, and a document type, which entities need, is rejected.
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
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import IO, Any
from xml.parsers import expat

import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import DataError
from actparse.core.vocabulary import KEYPOINTS, NUM_KEYPOINTS, PARTS
from actparse.core.words import expect_word, readable
from actparse.data.annotation.coco_fields import MAX_FRAME
from actparse.data.annotation.keypoint_names import keypoint_name, keypoint_order
from actparse.data.annotation.scan import MAX_PIXEL
from actparse.data.kinetics_tps import Box
from actparse.data.own.assembling import FrameLabels
from actparse.data.own.labelled import LabelledVideo
from actparse.export.cvat_labels import UNDEFINED

PERSON, SKELETON = "person", "skeleton"  # labels in addition to those of the parts
PERSON_ATTRIBUTE, STATE_ATTRIBUTE, ACTION_ATTRIBUTE = "person", "state", "action"
NOT_SAID = ("", UNDEFINED)  # values of an attribute that is not set
MAX_PERSON_DIGITS = 18  # of the attribute person, which leaves space above for the groups in 64 bits
MAX_LABELS = 10**7  # over all frames of all tracks
MAX_XML_BYTES = 2**31  # of a file, unpacked
BLOCK = 1 << 20  # bytes read at once
SHAPES = ("box", "skeleton", "polygon", "polyline", "points", "cuboid", "ellipse", "mask")
OUTSIDE, HIDDEN, SEEN = 0, 1, 2  # visibility of a keypoint

Values = NDArray[np.float64]  # (4,) a box xyxy, or (17, 3) keypoints x, y, visibility


@dataclass
class Shape:
    """The shape of a track in one frame."""

    frame: int
    line: int  # of the file
    values: Values
    outside: bool = False
    attributes: dict[str, str] = field(default_factory=dict)

    def attribute(self, name: str) -> str | None:
        """Return the value of an attribute; None if it is not set."""
        value = self.attributes.get(name, "").strip()
        return None if value in NOT_SAID else value

    def interpolated(self, following: Shape, share: float) -> Values:
        """Interpolate the values; a keypoint that is not labelled in both shapes keeps its value in this one."""
        first, second = self.values, following.values
        if first.ndim == 1:
            return first + (second - first) * share
        keypoints = first.copy()
        is_in_both = (first[:, 2] > OUTSIDE) & (second[:, 2] > OUTSIDE)  # (17,)
        keypoints[is_in_both, :2] += (second[is_in_both, :2] - first[is_in_both, :2]) * share
        return keypoints


@dataclass
class Track:
    """One track: its label, and its shapes in ascending order of frames."""

    label: str
    line: int
    group: int | None
    task: str  # in the file of a project; empty if there is one task
    shapes: list[Shape] = field(default_factory=list)

    def person(self, where: str) -> int | None:
        """Return the number of the person; None if the attribute is not set.

        Raises:
            DataError: it is no whole number, or changes.
        """
        values = {shape.attribute(PERSON_ATTRIBUTE) for shape in self.shapes} - {None}
        if not values:
            return None
        text = str(values.pop())
        if values or not (text.isascii() and text.isdigit() and len(text) <= MAX_PERSON_DIGITS):
            got = f"{readable(text)!r}" + (f" and {readable(str(values.pop()))!r}" if values else "")
            raise DataError(f"{where}: line {self.line}: the attribute person must be one whole number, got {got}")
        return int(text)


@dataclass
class _Meta:
    """Information of the file about its tasks, by task id."""

    sources: dict[str, str] = field(default_factory=dict)  # the video's file
    steps: dict[str, int] = field(default_factory=dict)  # from one frame to the next that CVAT shows


def read_cvat(path: Path, *, ignore: Sequence[str] = ()) -> tuple[LabelledVideo, ...]:
    """Read the labelled videos of an XML file, or of a zip with an XML file: one for each task.

    Args:
        path: of the file.
        ignore: labels that are skipped.

    Raises:
        DataError: the file is not CVAT for video, is damaged, or breaks the rules of docs/own-data.md.
    """
    reader = _Reader(path, ignore)
    with _opened(path) as file:
        reader.read(file)
    where = f"{path}: a skeleton"
    warnings = keypoint_order({"keypoints": list(reader.keypoint_names)}, where).warnings(where)
    tasks = dict.fromkeys(track.task for track in reader.tracks) or {"": None}
    first, *others = (reader.labelled(task) for task in tasks)
    return (replace(first, warnings=(*warnings, *first.warnings)), *others)


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """Open the XML file, in a zip if `path` is one; nothing is extracted."""
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
    """Reader of the elements of a file; `tracks` and `meta` are complete after `read`."""

    def __init__(self, path: Path, ignore: Sequence[str]) -> None:
        self.tracks: list[Track] = []
        self.meta = _Meta()
        self.keypoint_names: dict[str, None] = {}  # of the points of all skeletons
        self._path, self._ignore = path, ignore
        self._open: list[str] = []  # open elements, from the root on
        self._texts: list[str] = []  # of the innermost element
        self._task = ""  # id of the task whose meta information is being read
        self._track: Track | None = None
        self._shape: Shape | None = None
        self._attribute = ""
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._texts.append
        self._parser.StartDoctypeDeclHandler = self._doctype

    def read(self, file: IO[bytes]) -> None:
        """Read the file."""
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
        except (expat.ExpatError, LookupError, ValueError) as error:  # LookupError, ValueError: unknown encoding
            raise DataError(f"{self._path}: needs XML, got: {error}") from None

    def _error(self, text: str) -> DataError:
        return DataError(f"{self._path}: line {self._parser.CurrentLineNumber}: {text}")

    def _doctype(self, *_: Any) -> None:
        raise self._error("needs XML without a document type, got one")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if not self._open and name != "annotations":
            raise self._error(f"needs <annotations> of CVAT for video, got <{readable(name)}>")
        self._open.append(name)
        self._texts.clear()
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
        line = self._parser.CurrentLineNumber
        expect_word(
            label, (PERSON, SKELETON, *PARTS), f"{self._path}: line {line}: a label (or name it in ignore_labels)"
        )
        group = attributes.get("group_id")
        self._track = Track(
            label=label,
            line=line,
            group=None if group in (None, "0") else self._integer(attributes, "group_id"),
            task=attributes.get("task_id", ""),
        )
        self.tracks.append(self._track)

    def _start_shape(self, name: str, attributes: Mapping[str, str]) -> None:
        assert self._track is not None
        if name == "points" and self._shape is not None:
            self._start_point(attributes)
            return
        wanted = "skeleton" if self._track.label == SKELETON else "box"
        if name != wanted:
            kind = "a skeleton" if wanted == "skeleton" else "a rectangle"
            raise self._error(f"the label {self._track.label} needs {kind}, got a {name}")
        frame = self._integer(attributes, "frame")
        if self._track.shapes and frame <= self._track.shapes[-1].frame:
            raise self._error(f"frames of a track must ascend, got {frame} after {self._track.shapes[-1].frame}")
        values = self._box(attributes) if wanted == "box" else np.zeros((NUM_KEYPOINTS, 3))
        self._shape = Shape(frame, self._parser.CurrentLineNumber, values, attributes.get("outside") == "1")
        self._track.shapes.append(self._shape)

    def _box(self, attributes: Mapping[str, str]) -> Values:
        if attributes.get("outside") == "1":
            return np.zeros(4)  # the end of a track; no frame takes this box, which may have no size
        if float(self._coordinate(attributes.get("rotation", "0"), "rotation")):
            raise self._error(f"needs upright rectangles, got one with the rotation {attributes['rotation']}")
        x1, y1, x2, y2 = (self._coordinate(attributes.get(name), name) for name in ("xtl", "ytl", "xbr", "ybr"))
        if x2 <= x1 or y2 <= y1:
            raise self._error(f"needs a box with an area above zero, got {x1:g}, {y1:g} to {x2:g}, {y2:g}")
        return np.array([x1, y1, x2, y2])

    def _start_point(self, attributes: Mapping[str, str]) -> None:
        assert self._shape is not None
        label = attributes.get("label", "")
        self.keypoint_names[label] = None
        name = keypoint_name(label)
        if name not in KEYPOINTS or attributes.get("outside") == "1":
            return
        coordinates = attributes.get("points", "").split(",")
        if len(coordinates) != 2:
            raise self._error(
                f"the keypoint {name} needs one point x,y, got {readable(attributes.get('points', ''))!r}"
            )
        x, y = (self._coordinate(value, name) for value in coordinates)
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
            self._shape.attributes.setdefault(self._attribute, "".join(self._texts))
        elif self._open[1:2] == ["meta"]:
            text = "".join(self._texts).strip()
            if name == "id" and self._open[-1] in ("task", "job"):
                self._task = text
            elif name == "source" and text:
                self.meta.sources[self._task] = text
            elif name == "frame_filter":
                step = re.search(r"step=(\d{1,6})", text)
                self.meta.steps[self._task] = max(1, int(step.group(1))) if step else 1

    def _integer(self, attributes: Mapping[str, str], name: str) -> int:
        text = attributes.get(name, "")
        if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text) <= MAX_FRAME):
            raise self._error(f"{name} must be a whole number up to {MAX_FRAME}, got {readable(text)!r}")
        return int(text)

    def _coordinate(self, text: str | None, name: str) -> float:
        try:
            value = float(text or "")
        except ValueError:
            value = math.nan
        if not abs(value) < MAX_PIXEL:
            raise self._error(f"{name} must be a finite number of pixels, got {readable(text or '')!r}")
        return value

    def labelled(self, task: str) -> LabelledVideo:
        """Convert the tracks of one task to frames."""
        meta, path, where = self.meta, self._path, str(self._path)
        is_only_task = task not in meta.sources and len(meta.sources) <= 1  # the file of one task or job
        source = next(iter(meta.sources.values()), path.stem) if is_only_task else meta.sources.get(task, "")
        step = next(iter(meta.steps.values()), 1) if is_only_task else meta.steps.get(task, 1)
        tracks = [track for track in self.tracks if track.task == task]
        spans = (track.shapes[-1].frame - track.shapes[0].frame for track in tracks if track.shapes)
        count = sum(span // step + 1 for span in spans)
        if count > MAX_LABELS:  # two lines of a file can stand for any number of frames
            raise DataError(f"{where}: needs at most {MAX_LABELS} labels over all frames of its tracks, got {count}")
        labels = FrameLabels(where)
        persons = _person_of_tracks(where, tracks)
        for track, person in zip(tracks, persons, strict=True):
            for shape in filled(track.shapes, step):
                location = f"{where}: line {shape.line}"
                if track.label == PERSON:
                    labels.add_person(shape.frame, person, _box(shape.values), location)
                elif track.label == SKELETON:
                    labels.add_keypoints(shape.frame, person, shape.values.astype(np.float32), location)
                else:
                    state = shape.attribute(STATE_ATTRIBUTE)
                    labels.add_part(shape.frame, person, track.label, _box(shape.values), state, location)
        frames, warnings = labels.frames()
        return LabelledVideo(where, source, frames, _action(where, tracks), warnings)


def _box(values: Values) -> Box:
    x1, y1, x2, y2 = (round(float(value), 2) for value in values)
    return x1, y1, x2, y2


def _person_of_tracks(where: str, tracks: Sequence[Track]) -> list[int]:
    """Return the person of each track: its attribute, else its group plus an offset above all attributes.

    Raises:
        DataError: a track has neither, or its attribute is no whole number or changes.
    """
    attributes = [track.person(where) for track in tracks]
    first_group = 1 + max((person for person in attributes if person is not None), default=0)
    persons = []
    for track, person in zip(tracks, attributes, strict=True):
        if person is not None:
            persons.append(person)
        elif track.group is not None:
            persons.append(first_group + track.group)
        else:
            needs = f"a track of {track.label} needs the attribute person, or a group"
            raise DataError(f"{where}: line {track.line}: {needs}, got neither")
    return persons


def _action(where: str, tracks: Sequence[Track]) -> str | None:
    """Return the action of the persons' attribute; None if it is not set.

    Raises:
        DataError: it has several values.
    """
    lines = {
        action: shape.line
        for track in tracks
        if track.label == PERSON
        for shape in track.shapes
        if (action := shape.attribute(ACTION_ATTRIBUTE)) is not None
    }
    if len(lines) > 1:
        got = " and ".join(f"{readable(action)!r} (line {line})" for action, line in sorted(lines.items())[:2])
        raise DataError(f"{where}: the attribute action must be the same for all persons, got {got}")
    return next(iter(lines), None)


def filled(shapes: Sequence[Shape], step: int) -> Iterator[Shape]:
    """Yield the shapes that are not outside, and the interpolated shapes that CVAT shows between keyframes.

    Boxes and keypoints are interpolated linearly, attributes are kept; before a shape that is outside the position is
    kept, too. No shape is added after the last one.

    Args:
        shapes: of one track.
        step: from one frame to the next that CVAT shows.
    """
    for shape, next_shape in pairwise([*shapes, None]):
        if shape is None or shape.outside:
            continue
        yield shape
        if next_shape is None:
            continue
        for frame in range(shape.frame + step, next_shape.frame, step):
            share = 0.0 if next_shape.outside else (frame - shape.frame) / (next_shape.frame - shape.frame)
            yield Shape(frame, shape.line, shape.interpolated(next_shape, share), False, shape.attributes)
