"""Frames handed to supervision: its own filters, tracks and annotators work on them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import supervision as sv

from actparse.core.vocabulary import PARTS
from actparse.export.supervision import to_supervision
from example_parse import example_parse


def test_persons_parts_and_keypoints_come_over() -> None:
    frame = example_parse().frames[2]
    found = to_supervision(frame)
    assert found.persons.xyxy.tolist() == [list(person.box) for person in frame.persons]
    assert found.persons.tracker_id.tolist() == [1, 2]
    assert found.parts[found.parts.tracker_id == 2].class_id.tolist() == list(range(9))
    hands = found.parts[found.parts.class_id == PARTS.index("left_hand")]
    assert hands.data["state"].tolist() == ["none", "none"]
    assert np.isnan(found.parts.data["state_score"]).sum() == 2 * 7
    assert found.keypoints.xy.shape == (2, 17, 2)
    assert np.array_equal(found.keypoints.xy[1], frame.persons[1].keypoint_array()[:, :2])
    assert np.array_equal(found.keypoints.keypoint_confidence[0], frame.persons[0].keypoint_array()[:, 2])


def test_supervision_draws_them() -> None:
    found = to_supervision(example_parse().frames[0])
    image = np.zeros((240, 320, 3), np.uint8)
    boxed = sv.BoxAnnotator().annotate(image.copy(), found.persons)
    assert boxed[20, 10:70].any(axis=1).all()  # the upper edge of person 1
    assert sv.VertexAnnotator().annotate(image.copy(), found.keypoints).any()


def test_an_empty_frame_is_empty_detections() -> None:
    found = to_supervision(replace(example_parse().frames[0], persons=()))
    assert (len(found.persons), len(found.parts), len(found.keypoints)) == (0, 0, 0)
    assert found.persons.is_empty()
