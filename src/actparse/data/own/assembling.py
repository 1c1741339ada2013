"""Assembly of labels of persons, parts and keypoints, in any order, into frames."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import DataError
from actparse.core.vocabulary import PARTS
from actparse.core.words import box_text, readable, summarised
from actparse.data.kinetics_tps import Box, FrameTruth, PartTruth, PersonTruth

SAME_PIXELS = 0.5  # distance up to which two coordinates are the same, and two visibilities
Keypoints = NDArray[np.float32]  # (17, 3) x, y in pixels, visibility 0, 1 or 2


@dataclass
class _PersonLabels:
    box: Box | None = None
    parts: dict[str, tuple[Box, str | None]] = field(default_factory=dict)
    keypoints: Keypoints | None = None

    def truth(self, index: int, identity: int) -> PersonTruth:
        """Return the person, who has a box, with the number `index` in the frame."""
        assert self.box is not None
        parts = [(part, *self.parts[part]) for part in PARTS if part in self.parts]
        return PersonTruth(
            number=index,
            box=self.box,
            parts={part: PartTruth(box, state) for part, box, state in parts if state is not None},
            keypoints=self.keypoints,
            identity=identity,
            unstated={part: box for part, box, state in parts if state is None},
        )


class FrameLabels:
    """Collector of the labels of one video; `where` is the start of warnings, a label's location that of errors.

    A label may come several times, as where the jobs of a task overlap: equal ones are one, others contradict it.
    """

    def __init__(self, where: str) -> None:
        self._where = where
        self._frames: dict[int, dict[int, _PersonLabels]] = defaultdict(lambda: defaultdict(_PersonLabels))
        self._contradictions: list[str] = []

    def add_person(self, frame: int, person: int, box: Box, location: str) -> None:
        """Add a person's box."""
        labels = self._frames[frame][person]
        if labels.box is not None and not is_same(labels.box, box):
            needs = "each person needs a number of their own and one box in a frame"
            got = f"a second box of person {person} in frame {frame}: {box_text(box)} after {box_text(labels.box)}"
            self._contradictions.append(f"{location}: {needs}, got {got}")
        labels.box = labels.box or box

    def add_part(self, frame: int, person: int, part: str, box: Box, state: str | None, location: str) -> None:
        """Add a body part, with its state if it is known."""
        parts = self._frames[frame][person].parts
        first = parts.setdefault(part, (box, state))
        if first[0] is box:
            return
        if not is_same(first[0], box):
            got = f"a second: {box_text(box)} after {box_text(first[0])}"
            self._contradictions.append(f"{location}: needs one {part} of person {person} in frame {frame}, got {got}")
        if state is not None and first[1] is not None and state != first[1]:
            needs = f"needs one state of {part} of person {person} in frame {frame}"
            self._contradictions.append(f"{location}: {needs}, got {readable(state)!r} after {readable(first[1])!r}")
        parts[part] = (first[0], first[1] or state)

    def add_keypoints(self, frame: int, person: int, keypoints: Keypoints, location: str) -> None:
        """Add a person's keypoints (17, 3)."""
        labels = self._frames[frame][person]
        if labels.keypoints is not None and not is_same(labels.keypoints, keypoints):
            needs = f"needs one skeleton of person {person} in frame {frame}"
            self._contradictions.append(f"{location}: {needs}, got a second that differs")
        labels.keypoints = keypoints if labels.keypoints is None else labels.keypoints

    def add_frame(self, frame: int, truth: FrameTruth, location: str) -> None:
        """Add the labels of a frame that another file has, too.

        A box that two persons of different numbers have is a contradiction.
        """
        labelled = {person: labels.box for person, labels in self._frames[frame].items() if labels.box is not None}
        for person in truth.persons:
            identity = person.number if person.identity is None else person.identity
            twins = [other for other, box in labelled.items() if other != identity and is_same(box, person.box)]
            if twins and identity not in labelled:
                needs = "a person needs the same number in all files"
                got = f"{identity} after {twins[0]} for the box {box_text(person.box)} in frame {frame}"
                self._contradictions.append(f"{location}: {needs}, got {got}")
            self.add_person(frame, identity, person.box, location)
            for part, box in person.part_boxes().items():
                state = person.parts[part].state if part in person.parts else None
                self.add_part(frame, identity, part, box, state, location)
            if person.keypoints is not None:
                self.add_keypoints(frame, identity, person.keypoints, location)

    def frames(self) -> tuple[dict[int, FrameTruth], tuple[str, ...]]:
        """Return the frames with a labelled person, and a warning for each label left out, as its person has no box.

        Raises:
            DataError: labels contradict each other.
        """
        if self._contradictions:
            count = len(self._contradictions)
            raise DataError(self._contradictions[0] + (f" ({count} contradictions in all)" if count > 1 else ""))
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
                labels.truth(index, identity)
                for index, (identity, labels) in enumerate(sorted(persons.items()), start=1)
                if labels.box is not None
            )
            if truths:
                frames[frame] = FrameTruth(truths)
        lines = [
            f"{self._where}: {label} of person {identity} in {count} frames, from frame {first[identity, label]} on, "
            "without the person's box: left out"
            for (identity, label), count in without_box.items()
        ]
        return frames, summarised(lines)


def is_same(first: Box | Keypoints, second: Box | Keypoints) -> bool:
    """Tell whether two boxes or poses are one: programs round their coordinates differently."""
    return bool(np.abs(np.asarray(first, np.float64) - np.asarray(second, np.float64)).max() <= SAME_PIXELS)
