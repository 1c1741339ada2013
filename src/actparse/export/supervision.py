"""Conversion of frames to objects of supervision (the extra "export"): boxes with tracks, and keypoints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from actparse.core.errors import ConfigError
from actparse.core.structures import FrameParse
from actparse.core.vocabulary import NUM_KEYPOINTS, PART_INDEX

if TYPE_CHECKING:
    import supervision as sv


@dataclass(frozen=True)
class SupervisionFrame:
    """One frame: N persons with their poses, and M parts, whose `tracker_id` is that of their person."""

    persons: sv.Detections  # class 0; tracker_id, data["class_name"]
    parts: sv.Detections  # classes as in vocabulary.PARTS; tracker_id, data["class_name" | "state" | "state_score"]
    keypoints: sv.KeyPoints  # (N, 17, 2) and confidence (N, 17), in the order of `persons`


def to_supervision(frame: FrameParse) -> SupervisionFrame:
    """Convert a frame for supervision's annotators, zones and trackers.

    Raises:
        ConfigError: supervision is not installed.
    """
    try:
        import supervision as sv
    except ModuleNotFoundError:
        raise ConfigError("to_supervision needs supervision: pip install 'actparse[export]'") from None
    persons = frame.persons
    pairs = [(person, part) for person in persons for part in person.parts]
    points = np.asarray([person.keypoints for person in persons], np.float32).reshape(-1, NUM_KEYPOINTS, 3)
    scores = np.array([person.score for person in persons], np.float32)
    return SupervisionFrame(
        persons=sv.Detections(
            xyxy=np.array([person.box for person in persons], np.float32).reshape(-1, 4),
            confidence=scores,
            class_id=np.zeros(len(persons), int),
            tracker_id=np.array([person.track_id for person in persons], int),
            data={"class_name": np.array(["person"] * len(persons), object)},
        ),
        parts=sv.Detections(
            xyxy=np.array([part.box for _, part in pairs], np.float32).reshape(-1, 4),
            confidence=np.array([part.score for _, part in pairs], np.float32),
            class_id=np.array([PART_INDEX[part.name] for _, part in pairs], int),
            tracker_id=np.array([person.track_id for person, _ in pairs], int),
            data={
                "class_name": np.array([part.name for _, part in pairs], object),
                "state": np.array([part.state for _, part in pairs], object),
                "state_score": np.array([part.state_score for _, part in pairs], np.float32),  # NaN without a state
            },
        ),
        keypoints=sv.KeyPoints(
            xy=points[..., :2],
            keypoint_confidence=points[..., 2],
            detection_confidence=scores,
            class_id=np.zeros(len(persons), int),
        ),
    )
