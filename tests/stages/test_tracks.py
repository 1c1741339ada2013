from __future__ import annotations

import numpy as np
import pytest
import torch

from actparse.errors import ConfigError
from actparse.nets.tracks import TrackConfig, TrackNet
from actparse.stages.tracks import Evidence, FollowedTracks, TrackRecognizer, TracksConfig, sides_exchanged
from actparse.structures import FrameParse, PartParse, PersonParse
from actparse.vocabulary import KEYPOINT_FLIP, PARTS

ACTIONS = ("lunge", "push_up")
STATES = (("none",), *(("bend", "hold"),) * 9)


@pytest.fixture(scope="module")
def recognizer() -> TrackRecognizer:
    torch.manual_seed(0)
    config = TrackConfig(num_actions=2, num_states=tuple(map(len, STATES)), num_instants=5, width=16, dilations=(1,))
    return TrackRecognizer(TrackNet(config).eval(), ACTIONS, STATES, TracksConfig(), max_batch=3)


def frames(count: int, *, people: int = 2) -> list[FrameParse]:
    rng = np.random.default_rng(0)
    made = []
    for number in range(count):
        persons = []
        for track in range(1, people + 1):
            points = tuple((float(x), float(y), 0.9) for x, y in rng.uniform(0, 100, (17, 2)))
            parts = tuple(PartParse(name, (0.0, 0.0, 5.0, 5.0), 0.5) for name in PARTS)
            persons.append(PersonParse(track, (0.0, 0.0, 100.0, 100.0), 0.8, points, parts))
        made.append(FrameParse(5 * number, number / 2, tuple(persons)))
    return made


def test_every_part_gets_a_state_of_its_own_words(recognizer: TrackRecognizer) -> None:
    parsed = recognizer.with_states(frames(4), np.array([0.5, 0.5], np.float32))
    assert [frame.index for frame in parsed] == [0, 5, 10, 15]
    for part in (part for frame in parsed for person in frame.persons for part in person.parts):
        known = STATES[PARTS.index(part.name)]
        assert part.state in known
        assert part.state_score is not None
        assert 1 / len(known) - 1e-6 <= part.state_score <= 1


def test_people_of_one_frame_may_differ(recognizer: TrackRecognizer) -> None:
    parsed = recognizer.with_states(frames(6, people=4), np.array([0.5, 0.5], np.float32))
    seen = {tuple(part.state for part in person.parts) for frame in parsed for person in frame.persons}
    assert len(seen) > 1


def test_batches_do_not_change_the_result(recognizer: TrackRecognizer) -> None:
    one = TrackRecognizer(recognizer.net, ACTIONS, STATES, recognizer.config, max_batch=1)
    assert recognizer.evidence(frames(5)).log_scores == pytest.approx(one.evidence(frames(5)).log_scores, rel=1e-4)


def test_a_stream_adds_up_to_the_whole(recognizer: TrackRecognizer) -> None:
    all_frames = frames(5)
    tail = recognizer.evidence(all_frames, first=3)
    assert tail.num_frames == 2
    alone = [recognizer.evidence(all_frames, first=n) for n in range(5)]
    assert tail.log_scores == pytest.approx(alone[3].log_scores, rel=1e-6)
    whole = recognizer.evidence(all_frames)
    assert (tail + Evidence(whole.log_scores - tail.log_scores, 3)).num_frames == 5


def test_followed_tracks_say_what_was_known_then(recognizer: TrackRecognizer) -> None:
    seen = frames(30)
    followed = FollowedTracks(recognizer)
    parts = [followed.with_states(seen[start : start + 10]) for start in range(0, 30, 10)]
    assert [frame.index for part in parts for frame in part] == [frame.index for frame in seen]
    assert followed.with_states([]) == []
    first = recognizer.with_sides(seen[:10])
    scores = recognizer.evidence(first).scores(recognizer.config.evidence)
    assert parts[0] == recognizer.with_states(first, scores)


def test_nobody_is_no_evidence(recognizer: TrackRecognizer) -> None:
    nobody = [FrameParse(0, 0.0), FrameParse(5, 0.5)]
    assert recognizer.evidence(nobody).scores(6.0).tolist() == [0.5, 0.5]
    assert recognizer.with_states(nobody, np.array([1.0, 0.0], np.float32)) == nobody
    assert recognizer.evidence([]).scores(6.0).tolist() == [0.5, 0.5]


def test_more_looks_make_surer() -> None:
    evidence = Evidence(np.log([0.6, 0.4]) * 10, 10)
    assert evidence.scores(1.0) == pytest.approx([0.6, 0.4])
    assert evidence.scores(4.0)[0] > 0.8


def standing(*, boxes_follow: bool) -> PersonParse:
    """Left at x = 80, right at x = 20; the boxes of the parts with their keypoints, or on the other side."""
    points = [(80.0 if n % 2 else 20.0, 5.0 * n, 0.9) for n in range(17)]
    parts = []
    for name in PARTS:
        x = {"left": 80.0, "right": 20.0}.get(name.partition("_")[0], 50.0)
        x = x if boxes_follow else 100 - x
        parts.append(PartParse(name, (x - 5, 40.0, x + 5, 60.0), 0.5, state=name))
    return PersonParse(1, (0.0, 0.0, 100.0, 100.0), 0.8, tuple(points), tuple(parts))


@pytest.mark.parametrize("boxes_follow", [True, False])
def test_exchanged_sides(boxes_follow: bool) -> None:
    person = standing(boxes_follow=boxes_follow)
    exchanged = sides_exchanged(person, "arm")
    assert [part.name for part in exchanged.parts] == list(PARTS)
    for number in range(17):
        from_number = KEYPOINT_FLIP[number] if 5 <= number <= 10 else number
        assert exchanged.keypoints[number] == person.keypoints[from_number]
    for name in ("left_arm", "right_hand"):
        part, old = exchanged.part(name), person.part(name)
        assert part is not None
        assert old is not None
        assert part.box == ((100 - old.box[2], 40.0, 100 - old.box[0], 60.0) if boxes_follow else old.box)
    assert exchanged.part("left_leg") == person.part("left_leg")
    assert sides_exchanged(exchanged, "arm").keypoints == person.keypoints


def test_sides_are_kept_or_exchanged_as_the_network_says(recognizer: TrackRecognizer) -> None:
    seen = frames(3)
    never = TrackRecognizer(recognizer.net, ACTIONS, STATES, TracksConfig(min_side_score=1.0))
    assert never.with_sides(seen) == seen
    always = TrackRecognizer(recognizer.net, ACTIONS, STATES, TracksConfig(min_side_score=0.0))
    turned = always.with_sides(seen, first=1)
    assert [frame.index for frame in turned] == [5, 10]
    assert turned[0].persons[0].keypoints[5] == seen[1].persons[0].keypoints[6]


@pytest.mark.parametrize(
    ("field", "value"),
    [("step_seconds", 0.0), ("evidence", -1.0), ("action_share", 1.5), ("min_side_score", -0.1)],
    ids=str,
)
def test_a_wrong_field_is_named(field: str, value: float) -> None:
    with pytest.raises(ConfigError, match=rf"tracks\.{field} must be"):
        TracksConfig(**{field: value})
