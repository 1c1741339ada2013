"""Stage 3: the state of every part, from clips, from the persons' tracks, or from the baseline.

Source: PCF, section II-A, last stage, for `ClipStates`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from actparse.core.structures import FrameParse, Reason, SegmentParse
from actparse.core.vocabulary import LabelSpace
from actparse.data.shares import StateShares
from actparse.stages.actions.classifier import best_states
from actparse.stages.actions.observers import Observed, SegmentScores
from actparse.stages.actions.tracks import FollowedTracks, TrackRecognizer
from actparse.stages.timing import StageTimer
from actparse.stages.together.decision import ActionEvidence
from actparse.stages.together.integrate import PartStates, segment_number, with_commonest_states, with_states
from actparse.stages.together.reasons import segment_reasons, track_reasons

Follow = Callable[[list[FrameParse], SegmentScores], list[FrameParse]]  # gives the frames of the next segment states


@dataclass(frozen=True)
class Integrated:
    """Frames and segments with states, and the reasons for an action."""

    frames: tuple[FrameParse, ...]
    segments: tuple[SegmentParse, ...]
    reasons: tuple[Reason, ...]


class StateSource(ABC):
    """What gives parts their states. The defaults are those of networks that see pixels."""

    follows_clips = True  # whether `follow` needs these networks

    def track_scores(self, frames: Sequence[FrameParse]) -> dict[str, float]:
        """Return the probability of each action from the persons' tracks; empty if they are not used."""
        return {}

    def half_track_scores(self, frames: Sequence[FrameParse]) -> tuple[dict[str, float], ...]:
        """Return the same of both halves of the frames, without halves that show nobody."""
        return ()

    def action_evidence(self, observed: Observed) -> ActionEvidence:
        """Return the networks' probabilities of each action, before calibration."""
        return ActionEvidence(observed.clip_scores, {})

    @abstractmethod
    def integrate(
        self, observed: Observed, action: str, action_scores: dict[str, float], *, condition_on_action: bool
    ) -> Integrated:
        """Give every part a state.

        Args:
            observed: results of stages 1 and 2.
            action: of the video.
            action_scores: action -> 0..1, before calibration.
            condition_on_action: whether states depend on the action.
        """

    @abstractmethod
    def follow(self, *, condition_on_action: bool) -> Follow:
        """Return a function for one video that gives the frames of each segment states as soon as it ends."""


class ClipStates(StateSource):
    """All persons of a segment share the states that the networks on clips recognise in it, as in the paper.

    With clips along tracks, each person has separate states.
    """

    def __init__(self, labels: LabelSpace) -> None:
        self._labels = labels

    def integrate(
        self, observed: Observed, action: str, action_scores: dict[str, float], *, condition_on_action: bool
    ) -> Integrated:
        """Give each frame the states of its segment."""
        given_action = action if condition_on_action else None
        segments = tuple(_with_best_states(scored, self._labels, given_action) for scored in observed.segments)
        by_track = [self._states_of_tracks(scored, given_action) for scored in observed.segments]
        indices = (segment_number(frame.index, segments) for frame in observed.frames)
        frames = tuple(with_states(f, segments[n], by_track[n]) for f, n in zip(observed.frames, indices, strict=True))
        return Integrated(frames, segments, segment_reasons(observed.segments, segments, self._labels, action))

    def follow(self, *, condition_on_action: bool) -> Follow:
        """Give frames the states of their segment; the action is still unknown."""

        def with_segment_states(frames: list[FrameParse], scored: SegmentScores) -> list[FrameParse]:
            segment, by_track = _with_best_states(scored, self._labels, None), self._states_of_tracks(scored, None)
            return [with_states(frame, segment, by_track) for frame in frames]

        return with_segment_states

    def _states_of_tracks(self, scored: SegmentScores, action: str | None) -> dict[int, PartStates]:
        return {
            track: best_states(scores, self._labels, action=action) for track, scores in scored.track_scores.items()
        }


class TrackStates(StateSource):
    """Each person has separate states, from the keypoints along the person's track."""

    follows_clips = False

    def __init__(
        self, tracks: TrackRecognizer, shares: StateShares | None, labels: LabelSpace, timer: StageTimer
    ) -> None:
        """Use a network on tracks; without `shares` there are no reasons."""
        self._tracks, self._shares, self._labels, self._timer = tracks, shares, labels, timer

    def track_scores(self, frames: Sequence[FrameParse]) -> dict[str, float]:
        """Run the network on the tracks of a whole video."""
        with self._timer("tracks"):
            return self._tracks.evidence(frames).by_action(self._tracks.actions)

    def half_track_scores(self, frames: Sequence[FrameParse]) -> tuple[dict[str, float], ...]:
        """Run the network on both halves of the frames."""
        middle = len(frames) // 2
        with self._timer("tracks"):
            halves = [self._tracks.evidence(half) for half in (frames[:middle], frames[middle:])]
        return tuple(half.by_action(self._tracks.actions) for half in halves if half.weight > 0)

    def action_evidence(self, observed: Observed) -> ActionEvidence:
        """Return the weighted mean of the scores of clips and tracks, and the tracks' scores."""
        scores = joined_scores(observed.clip_scores, observed.track_scores, self._tracks.config.action_share)
        return ActionEvidence(scores, observed.track_scores, observed.half_track_scores)

    def integrate(
        self, observed: Observed, action: str, action_scores: dict[str, float], *, condition_on_action: bool
    ) -> Integrated:
        """Give each person states; those of a segment are from its clips or, without clips, the most frequent ones."""
        with self._timer("tracks"):
            given_scores = np.array([action_scores.get(name, 0.0) for name in self._tracks.actions], np.float32)  # (A,)
            given_scores = given_scores if condition_on_action else self._tracks.no_evidence.scores()
            outputs = self._tracks.read(observed.frames, given_scores)
            frames = self._tracks.named(observed.frames, outputs)
        given_action = action if condition_on_action else None
        segments = tuple(
            _with_best_states(scored, self._labels, given_action)
            if scored.group_scores
            else with_commonest_states(scored.segment, frames)
            for scored in observed.segments
        )
        reasons: tuple[Reason, ...] = ()
        if self._shares is not None:
            with self._timer("reasons"):
                reasons = track_reasons(self._tracks, self._shares, frames, outputs, action)
        return Integrated(tuple(frames), segments, reasons)

    def follow(self, *, condition_on_action: bool) -> Follow:
        """Give persons states that depend on the frames so far."""
        followed = FollowedTracks(self._tracks, condition_on_action=condition_on_action)
        return lambda frames, _: followed.with_states(frames)


class BaselineStates(StateSource):
    """The baseline has given every person states, frame by frame."""

    def integrate(
        self, observed: Observed, action: str, action_scores: dict[str, float], *, condition_on_action: bool
    ) -> Integrated:
        """Keep the frames; a segment has the most frequent states of its persons."""
        segments = tuple(with_commonest_states(scored.segment, observed.frames) for scored in observed.segments)
        return Integrated(observed.frames, segments, ())

    def follow(self, *, condition_on_action: bool) -> Follow:
        """Keep the frames."""
        return lambda frames, _: frames


def joined_scores(clips: Mapping[str, float], tracks: Mapping[str, float], share: float) -> dict[str, float]:
    """Return the weighted mean of two networks' probabilities of each action that at least one of them knows.

    Args:
        clips: action -> 0..1; empty without a network on clips, and then the result is `tracks`.
        tracks: action -> 0..1; empty if tracks are not used, and then the result is `clips`.
        share: weight of `tracks`, 0..1.
    """
    if not clips or not tracks:
        return dict(clips or tracks)
    actions = sorted({*clips, *tracks})
    return {action: (1 - share) * clips.get(action, 0.0) + share * tracks.get(action, 0.0) for action in actions}


def _with_best_states(scored: SegmentScores, labels: LabelSpace, action: str | None) -> SegmentParse:
    states, state_scores = best_states(scored.group_scores, labels, action=action)
    return replace(scored.segment, states=states, state_scores=state_scores)
