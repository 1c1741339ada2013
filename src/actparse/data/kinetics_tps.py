"""Kinetics-TPS on disk, and datasets in its layout: videos by split and action, one annotation file per frame.

Reading is lenient: unknown keys are ignored, the tree may have one or two nested folders with a video's name, and files
may have objects beside or within the humans, of which those with a name and a valid box are read.

Source: the dataset's README and its evaluator.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import DataError
from actparse.core.vocabulary import NUM_KEYPOINTS, PARTS
from actparse.data.annotation.csv_table import decoded
from actparse.data.annotation.scan import MAX_PIXEL, VALID, named_objects, read_box, shown

Box = tuple[float, float, float, float]
SPLITS = ("train", "val", "test", "hard")  # Kinetics-TPS has the first three, SynthTPS-v2 all
VIDEO_SUFFIXES = (".mp4", ".mkv", ".webm", ".avi", ".mov")
MAX_NUMBER = 2**63 - 1  # of a person; arrays store it in 64 bits
FRAME_FILE = re.compile(r"img_(\d{5,9})\.json")  # counted from 1


def frame_name(index: int) -> str:
    """Return Kinetics-TPS's file name of frame `index`, counted from 0."""
    return f"img_{index + 1:05d}.json"


@dataclass(frozen=True)
class VideoRecord:
    """One video: its name is unique in the dataset; `annotation_dir` has img_00001.json ... and may be missing."""

    name: str
    action: str
    path: Path
    annotation_dir: Path

    def frame_path(self, index: int) -> Path:
        """Return the path of the annotation of frame `index`, counted from 0."""
        return self.annotation_dir / frame_name(index)

    def annotations(self) -> dict[int, Path]:
        """Return the annotation files by frame index, from 0, ascending; files with other names are ignored."""
        files = ((frame_of(path.name), path) for path in self.annotation_dir.glob("img_*.json"))
        return dict(sorted((frame, path) for frame, path in files if frame is not None))


@dataclass(frozen=True)
class PartTruth:
    """One annotated body part: box xyxy in pixels, state."""

    box: Box
    state: str


@dataclass(frozen=True)
class PersonTruth:
    """One annotated person; keypoints (17, 3) x, y, visibility 0..2 and identity if the dataset has them."""

    number: int
    box: Box
    parts: dict[str, PartTruth]
    keypoints: NDArray[np.float32] | None = field(default=None, repr=False)
    identity: int | None = None
    unstated: dict[str, Box] = field(default_factory=dict)  # parts whose state is not annotated: "verb" is null

    def part_boxes(self) -> dict[str, Box]:
        """Return the boxes of all annotated parts, with or without a state."""
        return {**{name: part.box for name, part in self.parts.items()}, **self.unstated}


@dataclass(frozen=True)
class ObjectTruth:
    """One annotated object: name, box xyxy in pixels."""

    name: str
    box: Box


@dataclass(frozen=True)
class FrameTruth:
    """The annotated persons and objects of one frame."""

    persons: tuple[PersonTruth, ...]
    objects: tuple[ObjectTruth, ...] = field(default=(), repr=False)


class KineticsTps:
    """A dataset in the layout of Kinetics-TPS, by its root folder."""

    def __init__(self, root: Path) -> None:
        """Open the dataset.

        Raises:
            DataError: there is no <split>_videos folder below `root`.
        """
        self.root = root
        self.splits = tuple(split for split in SPLITS if (root / f"{split}_videos").is_dir())
        if not self.splits:
            raise DataError(f"{root}: needs a folder train_videos, val_videos or test_videos, got none")

    @cached_property
    def actions(self) -> tuple[str, ...]:
        """Names of the action folders of all splits, sorted."""
        folders = (path for split in self.splits for path in (self.root / f"{split}_videos").iterdir())
        return tuple(sorted({path.name for path in folders if path.is_dir()}))

    @cached_property
    def states(self) -> tuple[str, ...]:
        """Part states of list/part_stat.txt, in its order.

        Raises:
            DataError: the list is missing, or neither in UTF-8 nor in UTF-16.
        """
        path = self.root / "list" / "part_stat.txt"
        if not path.is_file():
            raise DataError(f"{path}: needs the list of part states, got no file")
        try:
            text = decoded(path.read_bytes())
        except UnicodeDecodeError as error:
            raise DataError(f"{path}: needs text in UTF-8 or UTF-16, got: {error.reason} at {error.start}") from None
        return tuple(line.strip() for line in text.splitlines() if line.strip())

    def videos(self, split: str) -> tuple[VideoRecord, ...]:
        """Return the videos of a split, or of several joined by "+", as in "train+val", sorted by name.

        Raises:
            DataError: the dataset has no such split, or two of the videos share a name.
        """
        names = split.split("+")
        if not set(names) <= set(self.splits):
            raise DataError(f"{self.root}: split must be one of {', '.join(self.splits)}, got {split!r}")
        records: dict[str, VideoRecord] = {}
        paths = ((name, path) for name in names for path in sorted((self.root / f"{name}_videos").glob("*/*")))
        for name, path in paths:
            if path.suffix.lower() not in VIDEO_SUFFIXES or path.name.startswith("."):
                continue  # a name with a leading dot is a file that is still being written
            if path.stem in records:
                raise DataError(
                    f"{path}: a video's name must be unique, got it also in {records[path.stem].path.parent}"
                )
            folder = self.root / f"{name}_annotations" / path.parent.name / path.stem
            nested = folder / path.stem
            records[path.stem] = VideoRecord(path.stem, path.parent.name, path, nested if nested.is_dir() else folder)
        return tuple(records[name] for name in sorted(records))


def frame_of(file: str) -> int | None:
    """Return the frame index, from 0, of an annotation file; None if its name is not img_ and at least five digits."""
    match = FRAME_FILE.fullmatch(file.rpartition("/")[2])
    position = int(match.group(1)) if match else 0  # from 1
    return position - 1 if position > 0 else None


def annotated_persons(records: Iterable[VideoRecord], *, stride: int) -> Iterator[tuple[str, PersonTruth]]:
    """Yield (action, person) of annotated frames of some videos, each at least `stride` frames after the previous.

    Raises:
        DataError: an annotation cannot be read.
    """
    for record in records:
        next_read = 0
        for frame, path in record.annotations().items():
            if frame >= next_read:
                yield from ((record.action, person) for person in read_frame_truth(path).persons)
                next_read = frame + stride


def have_objects(records: Iterable[VideoRecord], *, stride: int) -> bool:
    """Return whether the annotation of any `stride`th frame of some videos has an object.

    Raises:
        DataError: an annotation cannot be read.
    """
    return any(truth.objects for record in records for truth in read_truths(record, stride=stride).values())


def read_truths(record: VideoRecord, *, stride: int) -> dict[int, FrameTruth]:
    """Read the annotations of every `stride`th frame of a video that has one, by frame index, from 0.

    Raises:
        DataError: an annotation cannot be read.
    """
    return {frame: read_frame_truth(path) for frame, path in record.annotations().items() if frame % stride == 0}


def read_frame_truth(path: Path) -> FrameTruth:
    """Read one frame's annotation.

    Raises:
        DataError: the file is missing or not JSON, or a field does not follow the format.
    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: needs a JSON file, got: {error}") from None
    return frame_truth_from_dict(raw, str(path))


def frame_truth_from_dict(raw: Any, where: str) -> FrameTruth:
    """Convert one frame's {"humans": [...]}; `where` is the start of the error message.

    Raises:
        DataError: a field is missing or of another type.
    """
    humans = raw.get("humans") if isinstance(raw, dict) else None
    if not isinstance(humans, list):
        raise DataError(f"{where}: humans must be a list, got {type(humans).__name__}")
    persons = tuple(_person(human, f"{where}: humans[{index}]", index + 1) for index, human in enumerate(humans))
    objects = (pair for holder in (raw, *humans) for pair in named_objects(holder.get("objects")))
    return FrameTruth(
        persons,
        tuple(ObjectTruth(name, _box(box, where)) for name, box in objects if read_box(box)[1] == VALID),
    )


def _person(raw: Any, where: str, default_number: int) -> PersonTruth:
    if not isinstance(raw, dict):
        raise DataError(f"{where} must be an object, got {type(raw).__name__}")
    parts = raw.get("parts") or {}
    if not isinstance(parts, dict):
        raise DataError(f"{where}.parts must be an object, got {type(parts).__name__}")
    valid = {name: part for name, part in parts.items() if name in PARTS}
    unstated = {name for name, part in valid.items() if isinstance(part, dict) and part.get("verb", "") is None}
    identity = raw.get("identity")
    return PersonTruth(
        number=_integer(raw.get("number", default_number), f"{where}.number"),
        box=_box(raw.get("box"), f"{where}.box"),
        parts={name: _part(valid[name], f"{where}.parts.{name}") for name in valid if name not in unstated},
        keypoints=_keypoints(raw.get("keypoints"), f"{where}.keypoints"),
        identity=_integer(identity, f"{where}.identity") if type(identity) is int else None,
        unstated={
            name: _box(valid[name].get("box"), f"{where}.parts.{name}.box") for name in valid if name in unstated
        },
    )


def _integer(raw: Any, where: str) -> int:
    if type(raw) is not int or abs(raw) > MAX_NUMBER:  # bool is a subclass of int
        raise DataError(f"{where} must be a whole number of at most 64 bits, got {shown(raw)}")
    return raw


def _part(raw: Any, where: str) -> PartTruth:
    if not isinstance(raw, dict) or not isinstance(raw.get("verb"), str):
        raise DataError(f"{where} must be an object with a box and a verb, got {shown(raw)}")
    return PartTruth(_box(raw.get("box"), f"{where}.box"), raw["verb"])


def _box(raw: Any, where: str) -> Box:
    has_numbers = isinstance(raw, list) and len(raw) == 4 and all(isinstance(v, int | float) for v in raw)
    if not has_numbers or not all(-MAX_PIXEL < v < MAX_PIXEL for v in raw):  # rejects NaN, too
        raise DataError(f"{where} must be four finite numbers below {MAX_PIXEL:g}, got {shown(raw)}")
    x1, y1, x2, y2 = (float(value) for value in raw)
    return x1, y1, x2, y2


def _keypoints(raw: Any, where: str) -> NDArray[np.float32] | None:
    if raw is None:
        return None
    try:
        keypoints = np.asarray(raw, np.float32)
    except (TypeError, ValueError, OverflowError):
        keypoints = np.zeros(0, np.float32)
    if keypoints.shape != (NUM_KEYPOINTS, 3):
        raise DataError(f"{where} must be {NUM_KEYPOINTS} rows of x, y, visibility, got {shown(raw)}")
    return keypoints
