"""A parse made by hand that several tests of exports read: two persons, four sampled frames at uneven times."""

from __future__ import annotations

from actparse.core.structures import FrameParse, PartParse, PersonParse, SegmentParse, VideoInfo, VideoParse
from actparse.core.vocabulary import NUM_KEYPOINTS, PARTS

TIMES = (0.0, 0.2, 0.5, 0.9)  # seconds; frames 0, 5, 10, 15
END = 1.2
HAND_STATES = ("hold", "hold", "none", "hold")  # of person 1's left hand


def example_parse(*, path: str = "clips/two people.mp4", hand_states: tuple[str, ...] = HAND_STATES) -> VideoParse:
    """Person 1 is in every frame, person 2 in the first and the third; keypoint 10 (right wrist) is never sure."""
    frames = []
    for number, time in enumerate(TIMES):
        persons = [_person(1, 10.0 + 5 * number, hand_states[number])]
        if number in (0, 2):
            persons.append(_person(2, 200.25, "none"))
        frames.append(FrameParse(5 * number, time, tuple(persons)))
    return VideoParse(
        video=VideoInfo(path, 320, 240, 18, END, 15.0),
        action="lunge",
        action_scores={"lunge": 0.75, "push_up": 0.25},
        frames=tuple(frames),
        segments=(SegmentParse(0.0, END, 0, 18),),
        model={"name": "by hand"},
    )


def _person(track_id: int, x: float, hand_state: str) -> PersonParse:
    confidences = [0.1 if number == 10 else 0.9 for number in range(NUM_KEYPOINTS)]
    keypoints = tuple((x + 2.5 * number, 30.0 + 7 * number, c) for number, c in enumerate(confidences))
    states = {"left_hand": (hand_state, 0.5 if hand_state == "hold" else 1.0), "head": ("none", 0.75)}
    parts = tuple(
        PartParse(name, (x + number, 20.0, x + number + 12.5, 60.0), 0.6, *states.get(name, (None, None)))
        for number, name in enumerate(PARTS)
        if name != "right_foot"
    )
    return PersonParse(track_id, (x, 20.0, x + 60.0, 180.5), 0.875, keypoints, parts)
