"""The positions of all persons at any time, interpolated linearly between the sampled frames of a track."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from actparse.core.structures import FrameParse, ObjectParse, PersonParse
from actparse.core.vocabulary import PART_INDEX, PARTS

Floats = NDArray[np.float64]
# On real clips, skateboards score 0.5 to 0.8 and other things taken for one at most 0.45; no other class was measured.
MIN_DRAWN_OBJECT_SCORE = 0.5


@dataclass(frozen=True)
class PersonAt:
    """A person at one time, pixels; parts in the order of PARTS, with score 0 if they were not detected."""

    track_id: int
    box: Floats  # (4,) xyxy
    keypoints: Floats  # (17, 3) x, y, confidence
    parts: Floats  # (10, 4) xyxy
    part_scores: Floats  # (10,)
    states: dict[str, str]  # part -> state

    @classmethod
    def of(cls, person: PersonParse) -> PersonAt:
        """Return a person of a parse."""
        parts, scores = np.zeros((len(PARTS), 4)), np.zeros(len(PARTS))
        for part in person.parts:
            parts[PART_INDEX[part.name]], scores[PART_INDEX[part.name]] = part.box, part.score
        states = {part.name: part.state for part in person.parts if part.state is not None}
        return cls(person.track_id, np.array(person.box), np.array(person.keypoints), parts, scores, states)

    def scaled(self, factor: float) -> PersonAt:
        """Return the same person in a picture `factor` times as large."""
        keypoints = self.keypoints * np.array([factor, factor, 1.0])
        return replace(self, box=self.box * factor, keypoints=keypoints, parts=self.parts * factor)


def drawn_objects(frame: FrameParse) -> tuple[ObjectParse, ...]:
    """Return the objects of a frame that are certain enough to be drawn."""
    return tuple(item for item in frame.objects if item.score >= MIN_DRAWN_OBJECT_SCORE)


class TrackLines:
    """The tracks of a parse, by time."""

    def __init__(self, frames: Sequence[FrameParse], *, min_score: float = 0.0) -> None:
        """Order the persons of `frames` by track, without tracks that never reach `min_score`."""
        self._tracks: dict[int, tuple[list[float], list[PersonAt]]] = {}
        confident_ids = confident_tracks(frames, min_score)
        for frame in frames:
            for person in (person for person in frame.persons if person.track_id in confident_ids):
                times, persons = self._tracks.setdefault(person.track_id, ([], []))
                times.append(frame.time_seconds)
                persons.append(PersonAt.of(person))
        times = [frame.time_seconds for frame in frames]
        self._step = float(np.median(np.diff(times))) if len(times) > 1 else 0.0  # seconds between sampled frames
        self._times, self._objects = times, [drawn_objects(frame) for frame in frames]
        self._middles = [(before + after) / 2 for before, after in pairwise(times)]

    def at(self, time_seconds: float) -> list[PersonAt]:
        """Return the persons present at a time; a gap of more than two samples is not interpolated."""
        persons_at = (self._interpolate(times, persons, time_seconds) for times, persons in self._tracks.values())
        return [person for person in persons_at if person is not None]

    def objects_at(self, time_seconds: float) -> tuple[ObjectParse, ...]:
        """Return the drawn objects of the nearest sampled frame, as they have no tracks."""
        if not self._times:
            return ()
        nearest = bisect_left(self._middles, time_seconds)
        is_near = abs(self._times[nearest] - time_seconds) <= 1.1 * self._step
        return self._objects[nearest] if is_near else ()

    def _interpolate(self, times: list[float], persons: list[PersonAt], time_seconds: float) -> PersonAt | None:
        following = bisect_right(times, time_seconds)
        if following == 0:
            return None
        previous = following - 1
        if following == len(times) or times[following] - times[previous] > 2.2 * self._step:
            elapsed = time_seconds - times[previous]
            return persons[previous] if elapsed < self._step * 0.999 or elapsed == 0 else None
        share = (time_seconds - times[previous]) / (times[following] - times[previous])
        a, b = persons[previous], persons[following]
        keypoints = a.keypoints * (1 - share) + b.keypoints * share
        keypoints[:, 2] = np.minimum(a.keypoints[:, 2], b.keypoints[:, 2])  # not drawn if uncertain in one of them
        return replace(
            a,
            box=a.box * (1 - share) + b.box * share,
            keypoints=keypoints,
            parts=a.parts * (1 - share) + b.parts * share,
            part_scores=np.minimum(a.part_scores, b.part_scores),
        )


def confident_tracks(frames: Sequence[FrameParse], min_score: float) -> set[int]:
    """Return the ids of the tracks with a person score of at least `min_score` in any frame.

    A person's score may drop for a moment, in an unusual pose say; the person must not disappear then.
    """
    return {person.track_id for frame in frames for person in frame.persons if person.score >= min_score}
