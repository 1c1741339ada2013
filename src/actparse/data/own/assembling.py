"""Labels of persons, parts and keypoints, in any order, put together to frames."""

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
    """Takes the labels of one video; `where` begins the warnings, the places of labels begin the errors."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._frames: dict[int, dict[int, _PersonLabels]] = defaultdict(lambda: defaultdict(_PersonLabels))

    def add_person(self, frame: int, person: int, box: Box, place: str) -> None:
        """A person's box.

        Raises:
            DataError: the person has one in this frame.
        """
        labels = self._frames[frame][person]
        if labels.box is not None:
            needs = "each person needs a number of their own and one box in a frame"
            raise DataError(f"{place}: {needs}, got a second box of person {person} in frame {frame}")
        labels.box = box

    def add_part(self, frame: int, person: int, part: str, box: Box, state: str | None, place: str) -> None:
        """A body part, and what it does where that is known.

        Raises:
            DataError: the person has this part in this frame.
        """
        parts = self._frames[frame][person].parts
        if part in parts:
            raise DataError(f"{place}: needs one {part} of person {person} in frame {frame}, got a second")
        parts[part] = (box, state)

    def add_keypoints(self, frame: int, person: int, keypoints: Keypoints, place: str) -> None:
        """A person's keypoints (17, 3).

        Raises:
            DataError: the person has some in this frame.
        """
        labels = self._frames[frame][person]
        if labels.keypoints is not None:
            raise DataError(f"{place}: needs one skeleton of person {person} in frame {frame}, got a second")
        labels.keypoints = keypoints

    def frames(self) -> tuple[dict[int, FrameTruth], tuple[str, ...]]:
        """The frames that a person is labelled in, and a line for each thing that had no person and was left out."""
        frames = {}
        alone: Counter[tuple[int, str]] = Counter()
        first: dict[tuple[int, str], int] = {}
        for frame in sorted(self._frames):
            persons = self._frames[frame]
            for number, labels in sorted(persons.items()):
                if labels.box is None:
                    for thing in (*labels.parts, *(["skeleton"] if labels.keypoints is not None else [])):
                        alone[number, thing] += 1
                        first.setdefault((number, thing), frame)
            truths = tuple(
                _person(place, number, labels)
                for place, (number, labels) in enumerate(sorted(persons.items()), start=1)
                if labels.box is not None
            )
            if truths:
                frames[frame] = FrameTruth(truths)
        return frames, tuple(
            f"{self._where}: {thing} of person {number} in {count} frames, from frame {first[number, thing]} on, "
            "without the person's box: left out"
            for (number, thing), count in alone.items()
        )


def _person(place: int, number: int, labels: _PersonLabels) -> PersonTruth:
    assert labels.box is not None
    found = [(part, *labels.parts[part]) for part in PARTS if part in labels.parts]
    return PersonTruth(
        number=place,
        box=labels.box,
        parts={part: PartTruth(box, state) for part, box, state in found if state is not None},
        keypoints=labels.keypoints,
        identity=number,
        unstated={part: box for part, box, state in found if state is None},
    )
