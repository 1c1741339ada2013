from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from actparse.core.errors import ConfigError
from actparse.core.structures import FrameParse, PartParse, PersonParse
from actparse.core.vocabulary import PARTS
from actparse.nets.tracks import TrackConfig, TrackNet
from actparse.stages.actions.tracks import Evidence, FollowedTracks, TrackRecognizer, TracksConfig

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


def test_a_part_that_is_not_visible_has_no_state(recognizer: TrackRecognizer) -> None:
    strict = TrackRecognizer(recognizer.net, ACTIONS, STATES, TracksConfig(min_part_score=0.1))
    (frame,) = frames(1, people=1)
    (person,) = frame.persons
    parts = (replace(person.parts[0], score=0.05), *person.parts[1:])
    (parsed,) = strict.with_states([replace(frame, persons=(replace(person, parts=parts),))], np.ones(2, np.float32))
    states = [part.state for part in parsed.persons[0].parts]
    assert states[0] is None
    assert None not in states[1:]


def test_people_of_one_frame_may_differ(recognizer: TrackRecognizer) -> None:
    parsed = recognizer.with_states(frames(6, people=4), np.array([0.5, 0.5], np.float32))
    seen = {tuple(part.state for part in person.parts) for frame in parsed for person in frame.persons}
    assert len(seen) > 1


def test_batches_do_not_change_the_result(recognizer: TrackRecognizer) -> None:
    one = TrackRecognizer(recognizer.net, ACTIONS, STATES, recognizer.config, max_batch=1)
    assert recognizer.evidence(frames(5)).scores() == pytest.approx(one.evidence(frames(5)).scores(), rel=1e-4)


def test_evidence_of_frames_adds_up(recognizer: TrackRecognizer) -> None:
    seen = frames(5)
    whole, tail = recognizer.evidence(seen), recognizer.evidence(seen, first=3)
    before = Evidence(whole.sums - tail.sums, whole.weight - tail.weight)
    assert (before + tail).scores() == pytest.approx(whole.scores(), rel=1e-6)
    assert tail.weight == pytest.approx(whole.weight * 2 / 5)


def test_who_is_small_counts_less(recognizer: TrackRecognizer) -> None:
    seen = frames(1)
    near, far = seen[0].persons
    far = replace(far, box=(0.0, 0.0, 50.0, 20.0))  # a tenth of the other's area
    together = recognizer.evidence([replace(seen[0], persons=(near, far))])
    alone = [recognizer.evidence([replace(seen[0], persons=(person,))]).scores() for person in (near, far)]
    assert together.scores() == pytest.approx((alone[0] + 0.1 * alone[1]) / 1.1, rel=1e-4)


def test_followed_tracks_say_what_was_known_then(recognizer: TrackRecognizer) -> None:
    seen = frames(30)
    followed = FollowedTracks(recognizer)
    parts = [followed.with_states(seen[start : start + 10]) for start in range(0, 30, 10)]
    assert [frame.index for part in parts for frame in part] == [frame.index for frame in seen]
    assert followed.with_states([]) == []
    assert parts[0] == recognizer.with_states(seen[:10], recognizer.evidence(seen[:10]).scores())


def test_nobody_is_no_evidence(recognizer: TrackRecognizer) -> None:
    nobody = [FrameParse(0, 0.0), FrameParse(5, 0.5)]
    assert recognizer.evidence(nobody).scores().tolist() == [0.5, 0.5]
    assert recognizer.with_states(nobody, np.array([1.0, 0.0], np.float32)) == nobody
    assert recognizer.evidence([]).scores().tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("field", "value"),
    [("step_seconds", 0.0), ("action_share", 1.5)],
    ids=str,
)
def test_a_wrong_field_is_named(field: str, value: float) -> None:
    with pytest.raises(ConfigError, match=rf"tracks\.{field} must be"):
        TracksConfig(**{field: value})
