"""Stage 1 as a whole: from frames to persons with keypoints, parts and identities."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from actparse.core.vocabulary import PARTS
from actparse.stages.loading import load_bundle
from actparse.stages.people.frames import PeopleParser
from actparse.stages.timing import StageTimer
from actparse.stages.tracking import Tracker, TrackerConfig
from actparse.video.decode import DecodedFrame


@pytest.fixture(scope="module")
def people(random_bundle: Path) -> PeopleParser:
    bundle = load_bundle(random_bundle)
    return PeopleParser(bundle.persons, bundle.poses, bundle.parts, 0.25, StageTimer())


def frames(count: int) -> list[DecodedFrame]:
    rng = np.random.default_rng(0)
    return [DecodedFrame(5 * n, n / 2, rng.integers(0, 255, (96, 128, 3), dtype=np.uint8)) for n in range(count)]


def test_persons_have_keypoints_parts_and_ids(people: PeopleParser) -> None:
    parsed = people.parse(frames(2), Tracker(TrackerConfig()))
    assert [(frame.index, frame.time_seconds) for frame in parsed] == [(0, 0.0), (5, 0.5)]
    persons = [person for frame in parsed for person in frame.persons]
    assert persons
    assert all([part.name for part in person.parts] == list(PARTS) for person in persons)
    assert all(part.state is None for person in persons for part in person.parts)
    assert set(people.timer.seconds) == {"decode", "persons", "poses", "parts", "identities"}


def test_boxes_hold_the_confident_keypoints(people: PeopleParser) -> None:
    for frame in people.parse(frames(1), Tracker(TrackerConfig())):
        for person in frame.persons:
            x1, y1, x2, y2 = person.box
            for x, y, confidence in person.keypoints:
                if confidence >= people.min_keypoint_confidence and 0 <= x <= 128 and 0 <= y <= 96:
                    assert x1 <= x <= x2
                    assert y1 <= y <= y2


def test_no_frames_give_no_results(people: PeopleParser) -> None:
    assert people.parse([], Tracker(TrackerConfig())) == []
