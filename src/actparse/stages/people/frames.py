"""Stage 1 on sampled frames: persons, poses, grown boxes, parts and identities. Source: PCF, section II-B."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from actparse.core.structures import Detections, FrameParse, PartParse, PersonParse
from actparse.core.vocabulary import PARTS
from actparse.stages.people.colors import person_colors
from actparse.stages.people.part_fusion import PartFusion
from actparse.stages.people.parts import PartDetector
from actparse.stages.people.persons import PersonDetector
from actparse.stages.people.poses import PoseEstimator
from actparse.stages.people.refine import grow_persons
from actparse.stages.timing import StageTimer
from actparse.stages.tracking import Tracker
from actparse.video.decode import DecodedFrame

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class PeopleParser:
    """The networks of stage 1, from frames to persons with keypoints, parts and track ids."""

    persons: PersonDetector
    poses: PoseEstimator
    parts: PartDetector | PartFusion
    min_keypoint_confidence: float  # keypoints below it do not enlarge the person box
    timer: StageTimer

    def parse(self, frames: Sequence[DecodedFrame], tracker: Tracker) -> list[FrameParse]:
        """Parse the persons of some frames; their parts have no states yet.

        Args:
            frames: of one size, in the order of time, none before the frames that the tracker has seen.
            tracker: numbers the persons.
        """
        if not frames:
            return []
        with self.timer("decode"):
            images = [frame.image for frame in frames]
        with self.timer("persons"):
            boxes = self.persons.detect(images)
        with self.timer("poses"):
            keypoints = self.poses.estimate(images, [persons.boxes for persons in boxes])
        people = [self.poses.select(*pair) for pair in zip(boxes, keypoints, strict=True)]
        limit, size = self.min_keypoint_confidence, images[0].shape[:2]
        people = [(grow_persons(persons, poses, min_confidence=limit, size=size), poses) for persons, poses in people]
        with self.timer("parts"):
            parts = self.parts.detect(images, [persons.boxes for persons, _ in people], [poses for _, poses in people])
        with self.timer("identities"):
            return [
                _frame_parse(frame, persons, poses, *frame_parts, tracker)
                for frame, (persons, poses), frame_parts in zip(frames, people, parts, strict=True)
            ]


def _frame_parse(
    frame: DecodedFrame,
    persons: Detections,
    keypoints: Floats,
    part_boxes: Floats,
    part_scores: Floats,
    tracker: Tracker,
) -> FrameParse:
    """Identify n persons and convert their arrays: keypoints (n, 17, 3), part boxes (n, 10, 4), part scores (n, 10)."""
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
                    PartParse(name, _as_box(part_boxes[n, k]), float(part_scores[n, k])) for k, name in enumerate(PARTS)
                ),
            )
            for n in range(len(persons))
        ),
    )


def _as_box(values: Floats) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = (float(value) for value in values)
    return (x1, y1, x2, y2)
