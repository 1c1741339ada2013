"""Stage 1 on sampled frames: persons, objects, poses, grown boxes, parts and identities. Source: PCF, section II-B."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from actparse.core.structures import Detections, FrameParse, ObjectParse, PartParse, PersonParse
from actparse.core.vocabulary import PARTS
from actparse.data.persons_file import PersonsFile
from actparse.stages.people.colors import person_colors
from actparse.stages.people.objects import ObjectDetector
from actparse.stages.people.part_fusion import PartFusion
from actparse.stages.people.parts import PartDetector
from actparse.stages.people.persons import PersonDetector
from actparse.stages.people.poses import PoseEstimator
from actparse.stages.people.refine import grow_persons
from actparse.stages.threads import CPU_WORKERS, in_threads
from actparse.stages.timing import StageTimer
from actparse.stages.tracking import Tracker
from actparse.video.decode import DecodedFrame

Floats = NDArray[np.float32]
Image = NDArray[np.uint8]


class SampledBatch(Protocol):
    """Frames that are parsed together."""

    @property
    def sampled(self) -> Sequence[DecodedFrame]:
        """The frames, in the order of time."""
        ...


Batch = TypeVar("Batch", bound=SampledBatch)


@dataclass(frozen=True)
class DetectedFrame:
    """A frame with its n persons, still without identities."""

    frame: DecodedFrame
    persons: Detections
    keypoints: Floats  # (n, 17, 3)
    part_boxes: Floats  # (n, 10, 4)
    part_scores: Floats  # (n, 10)
    objects: tuple[ObjectParse, ...]


@dataclass(frozen=True)
class PeopleParser:
    """The networks of stage 1, from frames to persons with keypoints, parts and track ids."""

    persons: PersonDetector
    poses: PoseEstimator
    parts: PartDetector | PartFusion
    min_keypoint_confidence: float  # keypoints below it do not enlarge the person box
    timer: StageTimer
    objects: ObjectDetector | None = None  # finds more objects than the person detector

    def parse(
        self, frames: Sequence[DecodedFrame], tracker: Tracker, given: PersonsFile | None = None
    ) -> list[FrameParse]:
        """Parse the persons of some frames; their parts have no states yet.

        Args:
            frames: of one size, in the order of time, none before the frames that the tracker has seen.
            tracker: numbers the persons.
            given: boxes, and perhaps keypoints and track ids, that replace those of the networks and of the tracker.
        """
        return self.identify(self.detect(frames, given), tracker, given)

    def parse_batches(
        self,
        batches: Iterable[Batch],
        tracker: Tracker,
        given: PersonsFile | None = None,
    ) -> Iterator[tuple[Batch, list[FrameParse]]]:
        """Yield each batch with its parsed frames, as `parse` does; on a CPU, threads detect persons ahead.

        Args:
            batches: objects with the frames as `sampled`.
            tracker: numbers the persons.
            given: see `parse`.
        """
        detect = partial(_detect_batch, self, given)
        workers = CPU_WORKERS if next(self.poses.net.parameters()).device.type == "cpu" else 1
        for batch, detected in in_threads(detect, self._with_images(batches), workers=workers):
            yield batch, self.identify(detected, tracker, given)

    def detect(self, frames: Sequence[DecodedFrame], given: PersonsFile | None = None) -> list[DetectedFrame]:
        """Detect the persons of some frames with keypoints and parts, without identities; see `parse`."""
        if not frames:
            return []
        with self.timer("decode"):
            images = [frame.image for frame in frames]
        if given is None:
            people, objects = self._detect(images)
        else:
            people, objects = self._take(frames, images, given), [()] * len(frames)
        limit, size = self.min_keypoint_confidence, images[0].shape[:2]
        people = [(grow_persons(persons, poses, min_confidence=limit, size=size), poses) for persons, poses in people]
        if self.objects is not None:
            with self.timer("objects"):
                more = self.objects.detect(images)
            both = zip(objects, (_named_objects(boxes, self.objects.names) for boxes in more), strict=True)
            objects = [tuple(sorted(chain(*pair), key=lambda item: -item.score)) for pair in both]
        with self.timer("parts"):
            parts = self.parts.detect(images, [persons.boxes for persons, _ in people], [poses for _, poses in people])
        rows = zip(frames, people, parts, objects, strict=True)
        return [DetectedFrame(frame, *person, *part, objects=things) for frame, person, part, things in rows]

    def identify(
        self, detected: Sequence[DetectedFrame], tracker: Tracker, given: PersonsFile | None = None
    ) -> list[FrameParse]:
        """Give the persons of detected frames their identities; see `parse`."""
        with self.timer("identities"):
            return [_frame_parse(frame, tracker, given) for frame in detected]

    def _with_images(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Yield the batches with their frames converted to RGB here: frames of a video share one converter."""
        for batch in batches:
            with self.timer("decode"):
                for frame in batch.sampled:
                    frame.image  # noqa: B018 (converted on first use)
            yield batch

    def _detect(self, images: Sequence[Image]) -> tuple[list[tuple[Detections, Floats]], list[tuple[ObjectParse, ...]]]:
        """Return the persons of each image with their keypoints (n, 17, 3), and the objects of each image."""
        with self.timer("persons"):
            found = self.persons.detect_all(images)
        with self.timer("poses"):
            keypoints = self.poses.estimate(images, [persons.boxes for persons, _ in found])
        people = [self.poses.select(persons, poses) for (persons, _), poses in zip(found, keypoints, strict=True)]
        return people, [_named_objects(objects, self.persons.objects) for _, objects in found]

    def _take(
        self, frames: Sequence[DecodedFrame], images: Sequence[Image], given: PersonsFile
    ) -> list[tuple[Detections, Floats]]:
        """Return the given persons of each frame; missing keypoints are estimated in their boxes."""
        persons = [given.frame(frame.index) for frame in frames]
        boxes = [person.detections for person in persons]
        if all(person.keypoints is not None for person in persons):
            return [(b, p.keypoints) for b, p in zip(boxes, persons, strict=True) if p.keypoints is not None]
        with self.timer("poses"):
            return list(zip(boxes, self.poses.estimate(images, [b.boxes for b in boxes]), strict=True))


def _detect_batch(people: PeopleParser, given: PersonsFile | None, batch: Batch) -> list[DetectedFrame]:
    return people.detect(batch.sampled, given)


def _frame_parse(detected: DetectedFrame, tracker: Tracker, given: PersonsFile | None) -> FrameParse:
    """Identify the persons of a frame and convert their arrays."""
    frame, persons, keypoints = detected.frame, detected.persons, detected.keypoints
    ids = None if given is None else given.frame(frame.index).track_ids
    if ids is None:
        colors = person_colors(frame.image, keypoints)
        ids = tracker.update(frame.time_seconds, persons.boxes, persons.scores, keypoints, colors)
    return FrameParse(
        index=frame.index,
        time_seconds=frame.time_seconds,
        persons=tuple(
            PersonParse(
                track_id=int(ids[n]),
                box=_as_box(persons.boxes[n]),
                score=float(persons.scores[n]),
                keypoints=tuple((float(x), float(y), float(c)) for x, y, c in keypoints[n]),
                parts=tuple(
                    PartParse(name, _as_box(detected.part_boxes[n, k]), float(detected.part_scores[n, k]))
                    for k, name in enumerate(PARTS)
                ),
            )
            for n in range(len(persons))
        ),
        objects=detected.objects,
    )


def _named_objects(detections: Detections, names: Sequence[str]) -> tuple[ObjectParse, ...]:
    rows = zip(detections.boxes, detections.scores, detections.labels, strict=True)
    return tuple(ObjectParse(names[label], _as_box(box), float(score)) for box, score, label in rows)


def _as_box(values: Floats) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = (float(value) for value in values)
    return (x1, y1, x2, y2)
