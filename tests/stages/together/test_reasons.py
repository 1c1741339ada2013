from __future__ import annotations

import numpy as np
import pytest
import torch

from actparse.core.structures import FrameParse, PartParse, PersonParse, SegmentParse
from actparse.core.vocabulary import GROUP_PARTS, GROUPS, PART_INDEX, PARTS, LabelSpace
from actparse.data.shares import StateShares, count_states
from actparse.nets.tracks import TrackConfig, TrackNet
from actparse.stages.actions.observers import SegmentScores
from actparse.stages.actions.tracks import TrackOutputs, TrackRecognizer, TracksConfig
from actparse.stages.together.reasons import group_weights, label_probabilities, segment_reasons, track_reasons

ACTIONS = ("deadlifting", "lunge")
STATES = (("none",), *(("bend", "carry"),) * 9)


def people(arm: str) -> dict[str, str]:
    return {part: "none" if part == "head" else arm if part.endswith("arm") else "bend" for part in PARTS}


@pytest.fixture(scope="module")
def shares() -> StateShares:
    """Arms carry in nine of ten deadlifts and in one of ten lunges; all else is alike."""
    rows = [("deadlifting", people("carry"), 9.0), ("deadlifting", people("bend"), 1.0)]
    return count_states([*rows, ("lunge", people("carry"), 1.0), ("lunge", people("bend"), 9.0)])


@pytest.fixture(scope="module")
def recognizer() -> TrackRecognizer:
    config = TrackConfig(num_actions=2, num_states=tuple(map(len, STATES)), num_instants=5, width=16, dilations=(1,))
    return TrackRecognizer(TrackNet(config).eval(), ACTIONS, STATES, TracksConfig())


def person(track: int, arm: str) -> PersonParse:
    parts = tuple(PartParse(name, (0, 0, 1, 1), 0.5, state, 0.9) for name, state in people(arm).items())
    return PersonParse(track, (0.0, 0.0, 9.0, 9.0), 0.8, ((1.0, 2.0, 0.5),) * 17, parts)


def outputs(frames: list[FrameParse], *, sure: float = 1.0) -> TrackOutputs:
    """What a network would say that is `sure` of the states that are shown, track by track."""
    places = [(n, at) for n, frame in enumerate(frames) for at in range(len(frame.persons))]
    places.sort(key=lambda place: frames[place[0]].persons[place[1]].track_id)
    scores = []
    for part, names in enumerate(STATES):
        shown = [names.index(str(frames[n].persons[at].parts[part].state)) for n, at in places]
        scores.append((np.eye(len(names))[shown] * sure + (1 - sure) / len(names)).astype(np.float32))
    count = len(places)
    return TrackOutputs(tuple(places), np.ones(count), np.full((count, 2), 0.5, np.float32), tuple(scores))


def test_the_part_that_tells_weighs_and_the_others_do_not(recognizer: TrackRecognizer, shares: StateShares) -> None:
    frames = [FrameParse(5 * n, n / 2, (person(1, "carry" if n < 3 else "bend"),)) for n in range(4)]
    reasons = track_reasons(recognizer, shares, frames, outputs(frames), "deadlifting")
    carry = np.log(0.892 / 0.108)  # nine of ten against one of ten, two hundredths mixed with what all do
    by_state = {(reason.part, reason.state): reason for reason in reasons}
    assert by_state["left_arm", "carry"].weight == pytest.approx(carry * 3 / 4 / 2)
    assert by_state["right_arm", "bend"].weight == pytest.approx(-carry / 4 / 2)
    assert (by_state["left_arm", "carry"].start_seconds, by_state["left_arm", "carry"].end_seconds) == (0.0, 1.5)
    assert by_state["left_arm", "carry"].track_id == 1
    weights = group_weights(reasons)
    assert weights["arm"] == pytest.approx(carry / 2)
    assert [weights[group] for group in GROUPS if group != "arm"] == pytest.approx([0] * 5)
    assert [abs(reason.weight) for reason in reasons] == sorted((abs(r.weight) for r in reasons), reverse=True)


def test_what_speaks_for_one_action_speaks_against_the_other(recognizer: TrackRecognizer, shares: StateShares) -> None:
    frames = [FrameParse(0, 0.0, (person(1, "carry"), person(2, "bend")))]
    for_it = track_reasons(recognizer, shares, frames, outputs(frames), "deadlifting")
    against = track_reasons(recognizer, shares, frames, outputs(frames), "lunge")
    weights = {(r.track_id, r.part, r.state): r.weight for r in for_it}
    assert weights == {(r.track_id, r.part, r.state): pytest.approx(-r.weight) for r in against}
    assert weights[1, "left_arm", "carry"] > 0 > weights[2, "left_arm", "bend"]


def test_probabilities_that_are_the_prior_say_nothing(recognizer: TrackRecognizer, shares: StateShares) -> None:
    frames = [FrameParse(0, 0.0, (person(1, "carry"),))]
    reasons = track_reasons(recognizer, shares, frames, outputs(frames, sure=0.0), "deadlifting")
    assert group_weights(reasons)["arm"] == pytest.approx(0, abs=1e-6)
    sure = track_reasons(recognizer, shares, frames, outputs(frames, sure=0.6), "deadlifting")
    assert 0 < group_weights(sure)["arm"] < np.log(9)


def test_nobody_gives_no_reason(recognizer: TrackRecognizer, shares: StateShares) -> None:
    frames = [FrameParse(0, 0.0)]
    assert track_reasons(recognizer, shares, frames, outputs(frames), "lunge") == ()


def test_the_recognizer_reads_what_it_names(recognizer: TrackRecognizer) -> None:
    torch.manual_seed(0)
    frames = [FrameParse(5 * n, n / 2, (person(1, "carry"), person(2, "bend"))) for n in range(3)]
    read = recognizer.read(frames, np.array([0.5, 0.5], np.float32))
    assert [frames[n].persons[at].track_id for n, at in read.positions] == [1, 1, 1, 2, 2, 2]
    assert read.action_scores.sum(axis=1) == pytest.approx(np.ones(6))
    named = recognizer.named(frames, read)
    for row, (n, at) in enumerate(read.positions):
        part = named[n].persons[at].parts[3]
        assert part.state_score == pytest.approx(read.state_scores[3][row].max())


def test_labels_of_a_pair_have_no_sides() -> None:
    scores = [np.zeros((1, len(names)), np.float32) for names in STATES]
    scores[PART_INDEX["left_arm"]][:] = [[0.75, 0.25]]
    scores[PART_INDEX["right_arm"]][:] = [[0.5, 0.5]]
    labels = (("bend", "bend"), ("bend", "carry"), ("carry", "carry"))
    found = label_probabilities("arm", labels, STATES, scores)
    assert found.tolist() == [[0.375, 0.5, 0.125]]
    assert label_probabilities("arm", (("wave", "wave"),), STATES, scores).tolist() == [[0.0]]
    assert label_probabilities("arm", (), STATES, scores).shape == (1, 0)


def test_the_group_networks_vote_with_their_own_labels() -> None:
    labels = LabelSpace(
        ACTIONS,
        ("bend",),
        {g: tuple((a, *("bend" for _ in parts)) for a in ACTIONS) for g, parts in GROUP_PARTS.items()},
    )
    states = dict.fromkeys(PARTS, "bend")
    segments = [SegmentParse(0.0, 3.0, 0, 30, states), SegmentParse(3.0, 4.0, 30, 40, states)]
    even = {group: np.array([0.5, 0.5], np.float32) for group in GROUPS}
    told = even | {"leg": np.array([0.2, 0.8], np.float32), "hip": np.array([0.9, 0.1], np.float32)}
    scored = [SegmentScores(segments[0], told), SegmentScores(segments[1], even)]
    reasons = segment_reasons(scored, segments, labels, "lunge")
    weights = group_weights(reasons)
    assert weights["leg"] == pytest.approx(np.log(4) * 3 / 4)
    assert weights["hip"] == pytest.approx(-np.log(9) * 3 / 4, rel=1e-5)
    assert weights["head"] == pytest.approx(0)
    assert {reason.track_id for reason in reasons} == {None}
    empty = SegmentParse(4.0, 9.0, 40, 90)  # nobody is visible
    assert segment_reasons([*scored, SegmentScores(empty, {})], [*segments, empty], labels, "lunge") == reasons
    assert segment_reasons([SegmentScores(segments[0], {})], segments[:1], labels, "lunge") == ()
