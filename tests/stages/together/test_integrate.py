"""Boxes and states put together: states of a segment, the commonest of its persons, those of a prior."""

from __future__ import annotations

from actparse.core.structures import FrameParse, PartParse, PersonParse, Reason, SegmentParse, VideoInfo, VideoParse
from actparse.core.vocabulary import NUM_KEYPOINTS
from actparse.stages.together.integrate import (
    with_commonest_states,
    with_prior_states,
)

BOX = (0.0, 0.0, 9.0, 9.0)


def person(**states: str | None) -> PersonParse:
    parts = tuple(PartParse(name, BOX, 0.5, state, None if state is None else 0.6) for name, state in states.items())
    return PersonParse(1, BOX, 0.8, ((0.0, 0.0, 0.0),) * NUM_KEYPOINTS, parts)


FRAMES = (
    FrameParse(0, 0.0, (person(head="turn", hip="none"), person(head="none"))),
    FrameParse(5, 0.5, (person(head="none", left_arm=None),)),
    FrameParse(10, 1.0, (person(head="turn"),)),
)
SEGMENTS = (SegmentParse(0.0, 1.0, 0, 10), SegmentParse(1.0, 2.0, 10, 20))


def test_commonest_states_are_counted_within_the_segment() -> None:
    first, second = (with_commonest_states(segment, FRAMES) for segment in SEGMENTS)
    assert first.states == {"head": "none", "hip": "none"}
    assert first.state_scores == {"head": 2 / 3, "hip": 1.0}
    assert second.states == {"head": "turn"}
    assert with_commonest_states(SEGMENTS[0], ()).states == {}


def test_a_prior_knows_the_action_alone() -> None:
    parse = VideoParse(
        video=VideoInfo("v.mp4", 10, 10, 20, 2.0, 10.0),
        action="lunge",
        action_scores={"lunge": 1.0},
        frames=FRAMES,
        segments=SEGMENTS,
        reasons=(Reason("head", "turn", 1.0, 0.0, 1.0),),
        explanation="It turns.",
    )
    found = with_prior_states(parse, {"lunge": {"head": "none", "left_arm": "bend"}, "push_up": {"hip": "bend"}})
    states = [{p.name: p.state for p in person.parts} for frame in found.frames for person in frame.persons]
    none = {"head": "none"}
    assert states == [{**none, "hip": None}, none, {**none, "left_arm": "bend"}, none]
    assert all(segment.states == {"head": "none", "left_arm": "bend"} for segment in found.segments)
    assert (found.reasons, found.explanation) == ((), "")
    assert VideoParse.from_json(found.to_json()) == found
    nothing = with_prior_states(parse, {})
    assert {p.state for frame in nothing.frames for person in frame.persons for p in person.parts} == {None}
