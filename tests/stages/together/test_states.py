"""What gives parts their states in stage 3: clips for all persons of a segment, tracks, or the baseline."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from actparse.core.structures import FrameParse, PartParse, PersonParse, SegmentParse, VideoInfo
from actparse.core.vocabulary import NUM_KEYPOINTS, LabelSpace
from actparse.stages.actions.observers import Observed, SegmentScores
from actparse.stages.loading import load_bundle
from actparse.stages.timing import StageTimer
from actparse.stages.together.decision import ActionEvidence
from actparse.stages.together.states import BaselineStates, ClipStates, TrackStates
from bundles import ACTIONS, TRACK_STATES

BOX = (0.0, 0.0, 9.0, 9.0)
LABELS = LabelSpace(ACTIONS, ("bend", "none"), {"head": (("lunge", "bend"), ("push_up", "none"))})


def person(track: int, state: str | None = None) -> PersonParse:
    return PersonParse(track, BOX, 0.8, ((1.0, 2.0, 0.5),) * NUM_KEYPOINTS, (PartParse("head", BOX, 0.5, state),))


def observed(state: str | None = None, **scores: dict[str, float]) -> Observed:
    """Two segments, one frame in each; the head is probably bent in the first and not in the second."""
    segments = tuple(
        SegmentScores(SegmentParse(n, n + 1.0, 10 * n, 10 * n + 10), {"head": np.array([p, 1 - p], np.float32)})
        for n, p in enumerate((0.9, 0.2))
    )
    frames = tuple(FrameParse(10 * n, float(n), (person(1, state), person(2, state))) for n in range(2))
    info = VideoInfo("v.mp4", 10, 10, 20, 2.0, 10.0)
    return Observed(info, frames, segments, **{"clip_scores": {}, "track_scores": {}, **scores}, warnings=())


def head_states(frames: tuple[FrameParse, ...] | list[FrameParse]) -> list[list[str | None]]:
    return [[person.parts[0].state for person in frame.persons] for frame in frames]


@pytest.fixture(scope="module")
def tracks(random_bundle: Path) -> TrackStates:
    bundle = load_bundle(random_bundle)
    assert bundle.tracks is not None
    return TrackStates(bundle.tracks, None, LABELS, StageTimer())


def test_persons_of_a_segment_share_its_states() -> None:
    source, video = ClipStates(LABELS), observed(clip_scores={"lunge": 0.3, "push_up": 0.7})
    free = source.integrate(video, "push_up", video.clip_scores, condition_on_action=False)
    assert head_states(free.frames) == [["bend", "bend"], ["none", "none"]]
    assert [segment.states for segment in free.segments] == [{"head": "bend"}, {"head": "none"}]
    given = source.integrate(video, "push_up", video.clip_scores, condition_on_action=True)
    assert head_states(given.frames) == [["none", "none"], ["none", "none"]]
    follow = source.follow(condition_on_action=True)
    streamed = [follow([frame], scored)[0] for frame, scored in zip(video.frames, video.segments, strict=True)]
    assert head_states(streamed) == head_states(free.frames)


def test_clips_along_tracks_give_each_person_states() -> None:
    video = observed(clip_scores={"lunge": 0.3, "push_up": 0.7})
    scores = {2: {"head": np.array([0.1, 0.9], np.float32)}}  # only of the second person
    video = replace(video, segments=tuple(replace(scored, track_scores=scores) for scored in video.segments))
    result = ClipStates(LABELS).integrate(video, "push_up", video.clip_scores, condition_on_action=False)
    assert head_states(result.frames) == [["bend", "none"], ["none", "none"]]
    assert result.frames[0].persons[1].parts[0].state_score == pytest.approx(0.9)
    assert [segment.states for segment in result.segments] == [{"head": "bend"}, {"head": "none"}]
    follow = ClipStates(LABELS).follow(condition_on_action=True)
    assert head_states(follow([video.frames[0]], video.segments[0])) == [["bend", "none"]]


def test_tracks_give_each_person_states_and_clips_those_of_segments(tracks: TrackStates) -> None:
    scores = {"lunge": 0.3, "push_up": 0.7}
    video = observed(clip_scores=scores, track_scores=scores)
    result = tracks.integrate(video, "push_up", scores, condition_on_action=False)
    assert {state for states in head_states(result.frames) for state in states} <= set(TRACK_STATES)
    assert [segment.states for segment in result.segments] == [{"head": "bend"}, {"head": "none"}]
    assert result.reasons == ()


@pytest.mark.parametrize(
    ("clips", "on_tracks", "lunge"),
    [
        pytest.param({"lunge": 0.5, "push_up": 0.5}, {"lunge": 1.0, "push_up": 0.0}, 0.9, id="both"),
        pytest.param({}, {"lunge": 0.6, "push_up": 0.4}, 0.6, id="tracks only"),
        pytest.param({"lunge": 0.5, "push_up": 0.5}, {}, 0.5, id="clips only"),
        pytest.param({"push_up": 1.0}, {"lunge": 1.0, "push_up": 0.0}, 0.8, id="an action that the clips do not know"),
    ],
)
def test_tracks_join_the_scores_of_clips(
    tracks: TrackStates, clips: dict[str, float], on_tracks: dict[str, float], lunge: float
) -> None:
    video = observed(clip_scores=clips, track_scores=on_tracks)
    evidence = tracks.action_evidence(video)
    assert evidence.scores["lunge"] == pytest.approx(lunge)
    assert evidence.track_scores == on_tracks


def test_half_scores_leave_out_a_half_without_persons(tracks: TrackStates) -> None:
    frames = observed().frames
    assert len(tracks.half_track_scores(frames)) == 2
    empty = FrameParse(20, 2.0, ())
    assert len(tracks.half_track_scores((frames[0], empty))) == 1
    assert set(tracks.track_scores(frames)) == set(ACTIONS)


def test_the_baseline_keeps_its_states() -> None:
    source, video = BaselineStates(), observed("bend", clip_scores={"lunge": 1.0, "push_up": 0.0})
    result = source.integrate(video, "lunge", video.clip_scores, condition_on_action=True)
    assert result.frames == video.frames
    assert [segment.states for segment in result.segments] == [{"head": "bend"}] * 2
    assert source.follow(condition_on_action=True)(list(video.frames), video.segments[0]) == list(video.frames)
    assert (source.track_scores(video.frames), source.half_track_scores(video.frames)) == ({}, ())
    assert source.action_evidence(video) == ActionEvidence(video.clip_scores, {})
