"""Assembly of labels of persons, parts and keypoints, in any order, into frames."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import DataError
from actparse.core.vocabulary import PARTS
from actparse.data.kinetics_tps import Box, FrameTruth, PartTruth, PersonTruth

Keypoints = NDArray[np.float32]  # (17, 3) x, y in pixels, visibility 0, 1 or 2


@dataclass
class _PersonLabels:
    box: Box | None = None
    parts: dict[str, tuple[Box, str | None]] = field(default_factory=dict)
    keypoints: Keypoints | None = None


class FrameLabels:
    """Collector of the labels of one video; `where` is the start of warnings, a label's location that of errors."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._frames: dict[int, dict[int, _PersonLabels]] = defaultdict(lambda: defaultdict(_PersonLabels))

    def add_person(self, frame: int, person: int, box: Box, location: str) -> None:
        """Add a person's box.

        Raises:
            DataError: the person already has a box in this frame.
        """
        labels = self._frames[frame][person]
        if labels.box is not None:
            needs = "each person needs a number of their own and one box in a frame"
            raise DataError(f"{location}: {needs}, got a second box of person {person} in frame {frame}")
        labels.box = box

    def add_part(self, frame: int, person: int, part: str, box: Box, state: str | None, location: str) -> None:
        """Add a body part, with its state if it is known.

        Raises:
            DataError: the person already has this part in this frame.
        """
        parts = self._frames[frame][person].parts
        if part in parts:
            raise DataError(f"{location}: needs one {part} of person {person} in frame {frame}, got a second")
        parts[part] = (box, state)

    def add_keypoints(self, frame: int, person: int, keypoints: Keypoints, location: str) -> None:
        """Add a person's keypoints (17, 3).

        Raises:
            DataError: the person already has keypoints in this frame.
        """
        labels = self._frames[frame][person]
        if labels.keypoints is not None:
            raise DataError(f"{location}: needs one skeleton of person {person} in frame {frame}, got a second")
        labels.keypoints = keypoints

    def frames(self) -> tuple[dict[int, FrameTruth], tuple[str, ...]]:
        """Return the frames with a labelled person, and a warning for each label left out, as its person has no box."""
        frames = {}
        without_box: Counter[tuple[int, str]] = Counter()
        first: dict[tuple[int, str], int] = {}
        for frame in sorted(self._frames):
            persons = self._frames[frame]
            for identity, labels in sorted(persons.items()):
                if labels.box is None:
                    for label in (*labels.parts, *(["skeleton"] if labels.keypoints is not None else [])):
                        without_box[identity, label] += 1
                        first.setdefault((identity, label), frame)
            truths = tuple(
                _person(index, identity, labels)
                for index, (identity, labels) in enumerate(sorted(persons.items()), start=1)
                if labels.box is not None
            )
            if truths:
                frames[frame] = FrameTruth(truths)
        return frames, tuple(
            f"{self._where}: {label} of person {identity} in {count} frames, from frame {first[identity, label]} on, "
            "without the person's box: left out"
            for (identity, label), count in without_box.items()
        )


def _person(index: int, identity: int, labels: _PersonLabels) -> PersonTruth:
    assert labels.box is not None
    parts = [(part, *labels.parts[part]) for part in PARTS if part in labels.parts]
    return PersonTruth(
        number=index,
        box=labels.box,
        parts={part: PartTruth(box, state) for part, box, state in parts if state is not None},
        keypoints=labels.keypoints,
        identity=identity,
        unstated={part: box for part, box, state in parts if state is None},
    )
